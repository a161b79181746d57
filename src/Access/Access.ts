/**
 * Applies the access decision with this process's settings (`access D1`), which are read once per platform. It never
 * opens by mistake: settings that do not decode are an error of the configuration, before anything runs.
 */
import { Context, Effect, Layer, Metric } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import * as Setting from "../Config/Setting.ts"
import { Settings } from "../Config/Settings.ts"
import type { Provenance, Source } from "../Message/Source.ts"
import { type AccessSettings, type Decision, decide } from "./Decision.ts"

const list = (env: string, description: string) => Setting.make({ env, kind: Setting.list, default: [], description })
const flag = (env: string, description: string) =>
  Setting.make({ env, kind: Setting.boolean, default: false, description })

export const GatewayAllowedUsers = list("GATEWAY_ALLOWED_USERS", "Users who may speak, on every platform")
export const GatewayAllowAllUsers = flag("GATEWAY_ALLOW_ALL_USERS", "Everybody may speak while no list of users is set")

const variableOf = (platform: string): string => platform.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")

/** The access settings of one platform (`access` Settings). */
export const settingsOf = (platform: string) => ({
  allowedUsers: list(`${variableOf(platform)}_ALLOWED_USERS`, `Users who may speak on ${platform}`),
  allowAll: flag(`${variableOf(platform)}_ALLOW_ALL_USERS`, `Everybody may speak on ${platform}`)
})

const refusals = Metric.counter("access_refused_total", {
  description: "messages of senders who may not speak",
  incremental: true
})

const trimmed = (entries: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(entries.map((entry) => entry.trim()).filter((entry) => entry !== ""))

/** Platforms whose settings are remembered; names come from adapters, so there are few. */
const platformBound = 256

export class Access extends Context.Service<
  Access,
  {
    readonly decide: (source: Source, provenance: Provenance) => Effect.Effect<Decision, ConfigError>
  }
>()("Access/Access") {
  static readonly layer = Layer.effect(
    Access,
    Effect.gen(function* () {
      const settings = yield* Settings
      const gateway = {
        gatewayAllowedUsers: trimmed(yield* settings.get(GatewayAllowedUsers)),
        gatewayAllowAll: yield* settings.get(GatewayAllowAllUsers)
      }
      const known = new Map<string, AccessSettings>()

      const read = Effect.fnUntraced(function* (platform: string) {
        const own = settingsOf(platform)
        const found: AccessSettings = {
          ...gateway,
          allowedUsers: trimmed(yield* settings.get(own.allowedUsers)),
          allowAll: yield* settings.get(own.allowAll)
        }
        if (known.size < platformBound) known.set(platform, found)
        return found
      })

      return {
        decide: (source, provenance) => {
          const found = known.get(source.platform)
          return Effect.tap(
            Effect.map(found === undefined ? read(source.platform) : Effect.succeed(found), (settings) =>
              decide(source, provenance, settings)
            ),
            (decision) => (decision.allow ? Effect.void : Metric.update(refusals, 1))
          )
        }
      }
    })
  )
}
