/**
 * The settings of the relay link (`relay` Configuration). Declared here, resolved by `Settings`; what is not read by
 * this room yet is not declared.
 */
import * as Setting from "../Config/Setting.ts"
import { dialUrl, isDialable } from "./DialUrl.ts"
import { botIds } from "./Identity.ts"

export const RelayUrl = Setting.make({
  key: "relay_url",
  env: "GATEWAY_RELAY_URL",
  kind: Setting.coerce("a URL https://…, http://…, wss://… or ws://…, or nothing", (raw) => {
    const url = raw === null ? "" : typeof raw === "string" ? raw.trim() : undefined
    if (url === undefined) return undefined
    return url === "" ? null : isDialable(dialUrl(url)) ? url : undefined
  }),
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
  description: "this gateway's id at the connector; signs the upgrade together with the secret",
  live: true
})

export const RelaySecret = Setting.make({
  key: "relay_secret",
  env: "GATEWAY_RELAY_SECRET",
  kind: Setting.secret,
  default: null,
  description: "the secret that signs the upgrade",
  live: true
})

export const RelayInstanceId = Setting.make({
  key: "relay_instance_id",
  env: "GATEWAY_RELAY_INSTANCE_ID",
  kind: Setting.optionalText,
  default: null,
  description: "which instance of the gateway this is, told to the connector when it issues a secret"
})

export const RelayEndpoint = Setting.make({
  key: "relay_endpoint",
  env: "GATEWAY_RELAY_ENDPOINT",
  kind: Setting.optionalText,
  default: null,
  description: "our public URL, told to the connector when it issues a secret"
})

export const RelayRouteKeys = Setting.make({
  key: "relay_route_keys",
  env: "GATEWAY_RELAY_ROUTE_KEYS",
  kind: Setting.list,
  default: [],
  description: "route keys that are asked for together with the secret"
})

export const RelayWakeUrl = Setting.make({
  key: "relay_wake_url",
  env: "GATEWAY_RELAY_WAKE_URL",
  kind: Setting.optionalText,
  default: null,
  description:
    "public URL of our /relay/wake, which the connector asks when a message waits for us; set = an idle link is closed"
})

export const IdleTimeoutMinutes = Setting.make({
  key: "gateway.scale_to_zero.idle_timeout_minutes",
  kind: Setting.number({ min: 0 }),
  default: 2,
  description: "with a wake URL: a link with nothing to do for so long is closed until it is woken; 0 = never"
})

export const RelayEnrollToken = Setting.make({
  env: "GATEWAY_RELAY_ENROLL_TOKEN",
  kind: Setting.secret,
  default: null,
  description: "one-time token for `switchboard enroll`; its --token wins"
})

export const RelayAccessToken = Setting.make({
  env: "GATEWAY_RELAY_ACCESS_TOKEN",
  kind: Setting.secret,
  default: null,
  description: "bearer that asks the connector for a secret, when there is no identity provider",
  live: true
})

export const IdpTokenUrl = Setting.make({
  key: "gateway.idp.token_url",
  env: "GATEWAY_RELAY_IDP_TOKEN_URL",
  kind: Setting.coerce("an http or https URL, or nothing", (raw) => {
    const url = raw === null ? "" : typeof raw === "string" ? raw.trim() : undefined
    if (url === undefined) return undefined
    return url === "" ? null : /^https?:$/.test(URL.parse(url)?.protocol ?? "") ? url : undefined
  }),
  default: null,
  description: "identity provider that gives the bearer (OAuth 2 client credentials)",
  live: true
})

export const IdpClientId = Setting.make({
  key: "gateway.idp.client_id",
  env: "GATEWAY_RELAY_IDP_CLIENT_ID",
  kind: Setting.optionalText,
  default: null,
  description: "our client id at the identity provider",
  live: true
})

export const IdpClientSecret = Setting.make({
  key: "gateway.idp.client_secret",
  env: "GATEWAY_RELAY_IDP_CLIENT_SECRET",
  kind: Setting.secret,
  default: null,
  description: "our client secret at the identity provider",
  live: true
})

export const IdpScope = Setting.make({
  key: "gateway.idp.scope",
  env: "GATEWAY_RELAY_IDP_SCOPE",
  kind: Setting.optionalText,
  default: null,
  description: "scope asked for at the identity provider",
  live: true
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
  RelayInstanceId,
  RelayEndpoint,
  RelayRouteKeys,
  RelayWakeUrl,
  IdleTimeoutMinutes,
  RelayEnrollToken,
  RelayAccessToken,
  IdpTokenUrl,
  IdpClientId,
  IdpClientSecret,
  IdpScope,
  RelaySlackReplyInThread,
  RelaySlackThreadSessions
]
