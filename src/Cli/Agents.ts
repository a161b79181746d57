/** Which agent answers (`SWITCHBOARD_AGENT`): the one place that knows them all. Never another one than asked for. */
import { Effect, type Layer } from "effect"
import type * as AgentService from "../Agent/Agent.ts"
import * as Echo from "../Agent/Echo.ts"
import { ConfigError } from "../Config/ConfigError.ts"
import { Agent, agentKind } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"

export interface ChosenAgent {
  readonly name: string
  readonly layer: Layer.Layer<AgentService.Agent>
}

const echo: ChosenAgent = { name: "echo", layer: Echo.layer }

/** Only an agent that was asked for by name and does not exist is an error; variables of other programs are none. */
export const chosenAgent: Effect.Effect<ChosenAgent, ConfigError, Settings> = Effect.gen(function* () {
  const name = yield* agentKind
  if (name === "echo") return echo
  const named = yield* (yield* Settings).get(Agent)
  return yield* named === null
    ? Effect.as(Effect.logWarning(`this version has no ${name} agent yet; the echo agent answers`), echo)
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
})
