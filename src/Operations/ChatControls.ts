/**
 * Hands to the slash commands what they may do to the running gateway (`operations R7`, `commands`, class h). It only hands
 * over: who may do it is decided where the command is dispatched.
 */
import { Effect, Layer } from "effect"
import { GatewayControls } from "../Conversation/Commands/GatewayControls.ts"
import { Supervisor } from "../Platforms/Supervisor.ts"
import { Lanes } from "../Session/Lanes.ts"
import { version } from "./Version.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const controls = yield* GatewayControls
    const lanes = yield* Lanes
    const supervisor = yield* Supervisor
    yield* controls.provide({
      version,
      platforms: () =>
        supervisor.view().map(({ error, label, link, name, paused, state, tries }) => ({
          name,
          label,
          link,
          status: state.status,
          detail: state.detail ?? error?.code ?? null,
          tries,
          paused
        })),
      pause: supervisor.pause,
      resume: supervisor.resume,
      turns: lanes.turns
    })
  })
)
