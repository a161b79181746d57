/**
 * `gateway_state.json` (`operations`, State file): what other processes may know of this gateway without asking it. One
 * writer, atomic, private; written at every change of state, at most four times a second, and at least every 30 s.
 */
import { Cause, Clock, Context, Effect, Exit, Layer, Schedule, type Scope, SubscriptionRef } from "effect"
import { redact } from "../Config/Redact.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { type PlatformView, Supervisor } from "../Platforms/Supervisor.ts"
import { Lanes } from "../Session/Lanes.ts"
import { Journal } from "../Storage/Journal.ts"
import { Health } from "./Health.ts"
import { Home } from "./Home.ts"
import { HomeLock } from "./HomeLock.ts"
import { Lifecycle } from "./Lifecycle.ts"
import * as PrivateFile from "./PrivateFile.ts"
import { version } from "./Version.ts"

/** What others have to tell of this gateway. */
export interface Facts {
  /** Of the HTTP listener. */
  readonly url: string
  readonly isChatOn: boolean
  readonly agent: string
  readonly storage: string
  /** Keys whose new value waits for a restart (`operations F10`), as of now. */
  readonly restartNeeded: () => ReadonlyArray<string>
  /** How each link is addressed by `send`. */
  readonly links: ReadonlyArray<{ readonly name: string; readonly platform: string; readonly link: string }>
}

const lookEvery = "250 millis"
const longestReason = 500
/** Numbers alone (turns, rows) are worth a write this often, and are counted in the tables no oftener. */
const numbersEvery = 5000
const writeEvery = 30_000

type Json = Readonly<Record<string, unknown>>

const write = (path: string, value: Json): Effect.Effect<void> =>
  PrivateFile.replace(path, `${JSON.stringify(value, null, 2)}\n`).pipe(
    Effect.catch((error) => Effect.logWarning("the state file was not written", error.message))
  )

const stateOf = (phase: string, platforms: ReadonlyArray<PlatformView>): string =>
  phase === "running" && platforms.some(({ state }) => state.status !== "connected" && state.detail !== "asleep")
    ? "degraded"
    : phase

export class StateFile extends Context.Service<
  StateFile,
  {
    /** From now on the file follows the gateway, until the scope closes; then it says `stopped`. */
    readonly follow: (
      facts: Facts
    ) => Effect.Effect<void, never, Health | Journal | Lanes | Lifecycle | SendQueues | Supervisor | Scope.Scope>
  }
>()("Operations/StateFile") {
  /** Says `starting` at once, and at the end `stopped`, or `startup_failed` when the start ended in a failure. */
  static readonly layer = Layer.effect(
    StateFile,
    Effect.gen(function* () {
      const identity = yield* HomeLock
      const { state: path } = yield* Home
      const clock = yield* Clock.Clock
      let current: Json = { gateway_state: "starting", exit_reason: null, platforms: {}, active_agents: 0 }

      const save = (change: Json) =>
        Effect.suspend(() => {
          current = { ...current, ...change }
          const now = new Date(clock.currentTimeMillisUnsafe()).toISOString()
          return write(path, {
            ...identity,
            restart_requested: false,
            ...current,
            code_version: version,
            updated_at: now
          })
        })
      yield* save({})
      yield* Effect.addFinalizer((exit) => {
        const error = Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? Cause.squash(exit.cause) : null
        const reason = error === null ? "" : error instanceof Error ? error.message : "unknown"
        return save({
          gateway_state: current.gateway_state === "starting" && error !== null ? "startup_failed" : "stopped",
          exit_reason: redact(reason).slice(0, longestReason) || null,
          active_agents: 0
        })
      })

      const follow = Effect.fnUntraced(function* (facts: Facts) {
        const health = yield* Health
        const journal = yield* Journal
        const lanes = yield* Lanes
        const lifecycle = yield* Lifecycle
        const queues = yield* SendQueues
        const supervisor = yield* Supervisor
        const since = new Map<string, { readonly seen: string; readonly at: string }>()
        let writtenAt = -Infinity
        let countedAt = -Infinity
        let counts: Json = {}
        let written = ""
        let numbers = ""

        const platformsOf = (view: ReadonlyArray<PlatformView>, now: string) =>
          Object.fromEntries(
            view.map(({ error, label, link, name, state }) => {
              const seen = JSON.stringify([state.status, state.detail, error?.message])
              const before = since.get(name)
              const at = before?.seen === seen ? before.at : now
              since.set(name, { seen, at })
              return [
                name,
                {
                  label,
                  state: state.status,
                  detail: state.detail,
                  error_code: error?.code ?? null,
                  error_message: error === null ? null : redact(error.message),
                  link,
                  settle: link === null ? null : (queues.outlet(link)?.settle() ?? null),
                  reconnects: state.reconnects,
                  last_in: state.lastIn === null ? null : new Date(state.lastIn).toISOString(),
                  last_out: state.lastOut === null ? null : new Date(state.lastOut).toISOString(),
                  updated_at: at
                }
              ]
            })
          )

        const look = Effect.gen(function* () {
          const at = clock.currentTimeMillisUnsafe()
          const phase = yield* SubscriptionRef.get(lifecycle.phase)
          const view = supervisor.view()
          const sessions = lanes.view()
          const storage = journal.health()
          const restartNeeded = facts.restartNeeded()
          const state = stateOf(phase, view)
          const essence = JSON.stringify([
            state,
            sessions.running > 0,
            storage.error,
            restartNeeded,
            view.map(({ error, link, state }) => [state.status, state.detail, error?.message, link])
          ])
          const figures = JSON.stringify([
            sessions,
            view.map(({ state }) => [state.lastIn, state.lastOut, state.reconnects])
          ])
          const isDue =
            at - writtenAt >= writeEvery ||
            essence !== written ||
            (figures !== numbers && at - writtenAt >= numbersEvery)
          if (!isDue) return
          if (at - countedAt >= numbersEvery) {
            const { inbox, outbox } = yield* health.status
            counts = { inbox, outbox }
            countedAt = at
          }
          written = essence
          numbers = figures
          writtenAt = at
          yield* save({
            gateway_state: state,
            restart_needed: restartNeeded,
            active_agents: sessions.running,
            sessions,
            ...counts,
            platforms: platformsOf(view, new Date(at).toISOString()),
            session_store: {
              status: storage.failingSince === null ? "ok" : "retrying",
              error: storage.error === null ? null : redact(storage.error)
            },
            http: { url: facts.url, web_chat: facts.isChatOn },
            agent: facts.agent,
            storage: facts.storage,
            links: facts.links
          })
        })
        yield* look
        yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(lookEvery)))
      })
      return { follow }
    })
  )
}
