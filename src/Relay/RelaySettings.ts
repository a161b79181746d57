/**
 * The settings of the relay link (`relay` Configuration). Declared here, resolved by `Settings`; what is not read by
 * this room yet is not declared.
 */
import * as Setting from "../Config/Setting.ts"
import { botIds } from "./Identity.ts"

export const RelayUrl = Setting.make({
  key: "relay_url",
  env: "GATEWAY_RELAY_URL",
  kind: Setting.optionalText,
  default: null,
  description: "base URL of the connector; set = the relay is on"
})

export const RelayPlatform = Setting.make({
  env: "GATEWAY_RELAY_PLATFORM",
  kind: Setting.text,
  default: "relay",
  description: "the platform this gateway fronts, as told to the connector"
})

export const RelayBotId = Setting.make({
  env: "GATEWAY_RELAY_BOT_ID",
  kind: Setting.text,
  default: "",
  description: "the bot this gateway fronts, as told to the connector"
})

export const RelayPlatforms = Setting.make({
  env: "GATEWAY_RELAY_PLATFORMS",
  kind: Setting.list,
  default: [],
  description: "several platforms that this gateway fronts over one link; the first is the default"
})

export const RelayBotIds = Setting.make({
  env: "GATEWAY_RELAY_BOT_IDS",
  kind: Setting.coerce('JSON such as {"slack": {"botId": "B1"}}', botIds, { lenient: true }),
  default: {},
  description: "the bots of those platforms, as JSON; a platform that is missing has the empty bot id"
})

export const RelayId = Setting.make({
  key: "relay_id",
  env: "GATEWAY_RELAY_ID",
  kind: Setting.optionalText,
  default: null,
  description: "this gateway's id at the connector; signs the upgrade together with the secret"
})

export const RelaySecret = Setting.make({
  key: "relay_secret",
  env: "GATEWAY_RELAY_SECRET",
  kind: Setting.secret,
  default: null,
  description: "the secret that signs the upgrade"
})

/** On are `1 true yes on` in any case; whatever else stands there is off (`relay L11`). */
const slackSwitch = Setting.coerce("on or off", (raw) =>
  ["1", "true", "yes", "on"].includes(String(raw).trim().toLowerCase())
)

/** The block of the platform wins over the flat key (`relay L11`). */
const slackSetting = (key: string, description: string) =>
  Setting.make({
    key: `platforms.relay.slack.${key}`,
    kind: slackSwitch,
    default: true,
    alternatives: [{ key: `platforms.relay.${key}`, kind: slackSwitch }],
    description
  })

export const RelaySlackReplyInThread = slackSetting(
  "reply_in_thread",
  "Slack behind the relay: answers in direct chats stand in the thread of their message"
)

export const RelaySlackThreadSessions = slackSetting(
  "dm_top_level_threads_as_sessions",
  "Slack behind the relay: each of those threads is a conversation of its own"
)

/** For `check`, `config show` and the search for unknown keys. */
export const relaySettings: ReadonlyArray<Setting.Setting<unknown>> = [
  RelayUrl,
  RelayPlatform,
  RelayBotId,
  RelayPlatforms,
  RelayBotIds,
  RelayId,
  RelaySecret,
  RelaySlackReplyInThread,
  RelaySlackThreadSessions
]
