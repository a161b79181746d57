/**
 * Every setting that some room of this program reads, for `config check`, `config show` and the start, which refuses
 * what does not decode before anything runs (`operations F11`).
 */
import { Effect } from "effect"
import { accessSettings } from "../Access/KnownSettings.ts"
import { ConfigError, type ConfigProblem } from "../Config/ConfigError.ts"
import { gatewaySettings } from "../Config/GatewaySettings.ts"
import type { Setting } from "../Config/Setting.ts"
import { Settings } from "../Config/Settings.ts"
import { commandSettings } from "../Conversation/Commands/CommandSettings.ts"
import { platformNames } from "../Message/Platform.ts"
import { relaySettings } from "../Relay/RelaySettings.ts"

export const knownSettings: ReadonlyArray<Setting<unknown>> = [
  ...gatewaySettings,
  ...relaySettings,
  ...commandSettings,
  ...accessSettings(platformNames)
]

/** Fails when something does not decode; gives what is ignored or replaced by a default. */
export const decodeAll: Effect.Effect<ReadonlyArray<ConfigProblem>, ConfigError, Settings> = Effect.gen(function* () {
  const problems = (yield* Settings).check(knownSettings)
  const errors = problems.filter((problem) => problem.level === "error")
  return errors.length > 0 ? yield* new ConfigError({ problems: errors }) : problems
})
