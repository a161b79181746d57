/**
 * Every setting that some room of this program reads, for `config check`, `config show` and the start, which refuses
 * what does not decode before anything runs (`operations F11`).
 */
import { Effect } from "effect"
import { accessSettings } from "../Access/KnownSettings.ts"
import { agentSettings } from "../Agent/AgentSettings.ts"
import { McpUrl } from "./Mcp.ts"
import { ConfigError, type ConfigProblem } from "../Config/ConfigError.ts"
import { outgoingSettings } from "../Config/Outgoing.ts"
import { gatewaySettings } from "../Config/GatewaySettings.ts"
import type { Setting } from "../Config/Setting.ts"
import { Settings } from "../Config/Settings.ts"
import { commandSettings } from "../Conversation/Commands/CommandSettings.ts"
import { displaySettings, TerminalCwd } from "../Delivery/DisplaySettings.ts"
import { platformNames } from "../Message/Platform.ts"
import { PrivacyPiiSalt, PrivacyRedactPii } from "../Conversation/ContextPrompt.ts"
import * as Policy from "../Relay/Policy.ts"
import { relaySettings } from "../Relay/RelaySettings.ts"
import { sessionSettings } from "../Session/SessionSettings.ts"

export const knownSettings: ReadonlyArray<Setting<unknown>> = [
  ...gatewaySettings,
  ...relaySettings,
  ...Object.values(displaySettings),
  TerminalCwd,
  ...agentSettings,
  McpUrl,
  ...outgoingSettings,
  ...commandSettings,
  ...sessionSettings,
  PrivacyRedactPii,
  PrivacyPiiSalt,
  ...accessSettings(platformNames),
  ...platformNames.flatMap((name) => Object.values(Policy.settingsOf(name)))
]

/** Fails when something does not decode; gives what is ignored or replaced by a default. */
export const decodeAll: Effect.Effect<ReadonlyArray<ConfigProblem>, ConfigError, Settings> = Effect.gen(function* () {
  const problems = (yield* Settings).check(knownSettings)
  const errors = problems.filter((problem) => problem.level === "error")
  return errors.length > 0 ? yield* new ConfigError({ problems: errors }) : problems
})
