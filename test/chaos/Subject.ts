/**
 * What chaos is done to: the real process, or a reference client inside this process that stands in for it so that the
 * harness itself can be tested. Both die without warning and start again on what they had stored.
 */
import { Effect, Scope } from "effect"
import {
  type GatewayError,
  type GatewayOptions,
  type GatewayProcess,
  start,
  writeConfig
} from "../support/GatewayProcess.ts"
import { Disk, type Flaw, ReferenceGateway } from "../support/ReferenceGateway.ts"
import type { StrictConnector } from "../support/StrictConnector.ts"

export interface Subject {
  readonly start: Effect.Effect<void, GatewayError>
  /** Ends it without a chance to do anything, and waits until it has ended. */
  readonly kill: Effect.Effect<void>
  readonly freeze: () => void
  readonly thaw: () => void
  /** Orderly end; the exit code. */
  readonly stop: Effect.Effect<number | null>
  /** Its last words when it ended on its own. */
  readonly died: () => string | undefined
}

/** Many starts in a short time are the point here, so the guards against them are off. */
const guardsOff = "gateway:\n  restart_loop_guard:\n    max_restarts: 0\n  respawn_storm:\n    max_starts: 1000000\n"

export const gatewayProcess = Effect.fnUntraced(function* (
  options: GatewayOptions
): Effect.fn.Return<Subject, never, Scope.Scope> {
  const scope = yield* Effect.scope
  writeConfig(options.home, guardsOff)
  let current: GatewayProcess | undefined
  let ending = false
  const started = start({
    ...options,
    env: {
      SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE: "queue",
      SWITCHBOARD_GATEWAY_BUSY_ACK_ENABLED: "false",
      SWITCHBOARD_GATEWAY_MAX_STARTS: "1000000",
      SWITCHBOARD_GATEWAY_START_WINDOW_S: "1",
      ...options.env
    }
  }).pipe(Scope.provide(scope))
  const end = (signal: NodeJS.Signals) =>
    Effect.suspend(() => {
      ending = true
      return current === undefined ? Effect.succeed(null) : Effect.orDie(current.kill(signal, 60))
    })
  return {
    start: Effect.map(started, (gateway) => {
      current = gateway
      ending = false
    }),
    kill: Effect.asVoid(end("SIGKILL")),
    freeze: () => current?.signal("SIGSTOP"),
    thaw: () => current?.signal("SIGCONT"),
    stop: Effect.map(end("SIGTERM"), (exit) => exit?.code ?? null),
    died: () => {
      const exit = current?.exited
      if (ending || exit === undefined) return undefined
      return `exit ${exit.code} ${exit.signal}: ${current?.stderr().slice(-600) ?? ""}`
    }
  }
})

export const reference = (connector: StrictConnector, flaw: Flaw): Effect.Effect<Subject, never, Scope.Scope> => {
  const disk = new Disk()
  let current: ReferenceGateway | undefined
  return Effect.acquireRelease(
    Effect.succeed<Subject>({
      start: Effect.sync(() => {
        current = new ReferenceGateway(connector.url, disk, flaw)
        current.start()
      }),
      kill: Effect.sync(() => current?.kill()),
      freeze: () => {},
      thaw: () => {},
      stop: Effect.sync(() => {
        current?.stop()
        return 0
      }),
      died: () => undefined
    }),
    () => Effect.sync(() => current?.kill())
  )
}
