/**
 * Tells the connector, at boot, which messages of a room it shall pass on (`relay V3`). Only what differs from the
 * platform's defaults is told; a failure is logged and nothing else.
 */
import { Clock, Effect, Redacted } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import type { Outgoing } from "../Config/Outgoing.ts"
import * as Setting from "../Config/Setting.ts"
import { Settings } from "../Config/Settings.ts"
import { post } from "./ConnectorHttp.ts"
import type { Identities } from "./Identity.ts"
import { connectorUrl, type Credentials } from "./Provision.ts"
import { mint } from "./UpgradeToken.ts"

/** Where a mention is needed unless the operator says otherwise (`access`, group triggers). */
const mentionPlatforms: ReadonlySet<string> = new Set(["discord", "slack", "mattermost", "matrix", "feishu"])

const variableOf = (platform: string): string => `${platform.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_ALLOW_BOTS`

const allowBots = Setting.lenient(Setting.oneOf(["none", "mentions", "all"]))

/** The three settings in the platform's place on the relay (in or beside `extra`), else in the platform's own block (`relay V3`). */
export const settingsOf = (platform: string) => {
  const own = `platforms.${platform}`
  const relayed = `platforms.relay.${platform}`
  return {
    requireMention: Setting.make({
      key: `${relayed}.require_mention`,
      kind: Setting.optionalBoolean,
      default: null,
      description: `a message in a room of ${platform} is passed on only when it addresses us`,
      alternatives: [{ key: `${own}.require_mention`, kind: Setting.optionalBoolean }]
    }),
    freeResponseChannels: Setting.make({
      key: `${relayed}.free_response_channels`,
      kind: Setting.list,
      default: [],
      description: `rooms of ${platform} in which no mention is needed`,
      alternatives: [{ key: `${own}.free_response_channels`, kind: Setting.list }]
    }),
    allowBots: Setting.make<"none" | "mentions" | "all">({
      key: `${relayed}.allow_bots`,
      env: variableOf(platform),
      kind: allowBots,
      default: "none",
      description: `whether messages of other bots on ${platform} are passed on`,
      alternatives: [{ key: `${own}.allow_bots`, kind: allowBots }]
    })
  }
}

export interface PolicyBody {
  readonly platform: string
  readonly requireAddress: boolean
  readonly freeResponseScopes: ReadonlyArray<string>
  readonly allowOtherBots: boolean
}

/** `null`: all default, nothing to tell. */
export const policyOf = (platform: string): Effect.Effect<PolicyBody | null, ConfigError, Settings> =>
  Effect.gen(function* () {
    const settings = yield* Settings
    const own = settingsOf(platform)
    const usual = mentionPlatforms.has(platform)
    const body = {
      platform,
      requireAddress: (yield* settings.get(own.requireMention)) ?? usual,
      freeResponseScopes: yield* settings.get(own.freeResponseChannels),
      allowOtherBots: (yield* settings.get(own.allowBots)) !== "none"
    }
    const isDefault = body.requireAddress === usual && body.freeResponseScopes.length === 0 && !body.allowOtherBots
    return isDefault ? null : body
  })

/** One POST for each fronted platform that has something to tell. */
export const tell = (options: {
  readonly url: string
  readonly outgoing: Outgoing
  readonly fronted: Identities
  readonly credentials: Credentials
}): Effect.Effect<void, never, Settings> =>
  Effect.forEach(
    options.fronted,
    ({ platform }) =>
      Effect.gen(function* () {
        const body = yield* policyOf(platform.toLowerCase())
        if (body === null) return
        const { id, secret } = options.credentials
        const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
        const { status } = yield* post(options.outgoing, {
          url: connectorUrl(options.url, "policy"),
          bearer: Redacted.make(mint(id, Redacted.value(secret), now)),
          contentType: "application/json",
          body: JSON.stringify({ ...body, platform })
        })
        if (status < 200 || status > 299) {
          yield* Effect.logWarning("relay: the connector does not take the policy", { platform, status })
        }
      }).pipe(
        Effect.catch((error) =>
          Effect.logWarning("relay: the connector was not told the policy", { platform, why: error.message })
        )
      ),
    { discard: true }
  )
