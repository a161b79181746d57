/** Which agent answers (`SWITCHBOARD_AGENT`): the one place that knows them all. Never another one than asked for. */
import { Effect, type Layer } from "effect"
import type { Agent } from "../Agent/Agent.ts"
import * as Echo from "../Agent/Echo.ts"
import { ConfigError } from "../Config/ConfigError.ts"
import { agentKind } from "../Config/GatewaySettings.ts"
import type { Settings } from "../Config/Settings.ts"

export interface ChosenAgent {
  readonly name: string
  readonly layer: Layer.Layer<Agent>
}

export const chosenAgent: Effect.Effect<ChosenAgent, ConfigError, Settings> = Effect.flatMap(agentKind, (name) =>
  name === "echo"
    ? Effect.succeed({ name, layer: Echo.layer })
    : Effect.fail(
        new ConfigError({
          problems: [
            {
              level: "error",
              where: "SWITCHBOARD_AGENT",
              value: `"${name}"`,
              expected: 'an agent that this version has: "echo"',
              fix: "set SWITCHBOARD_AGENT=echo"
            }
          ]
        })
      )
)
