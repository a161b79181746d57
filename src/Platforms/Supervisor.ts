/**
 * Runs every registered adapter in a scope of its own (law 5, `operations R1`–`R6`): one that fails retryably is built anew
 * after a wait, one that fails for good rests and says why, and neither touches the others.
 */
import {
  Cause,
  Context,
  Duration,
  Effect,
  Exit,
  Latch,
  Layer,
  Metric,
  Random,
  Scope,
  Stream,
  SubscriptionRef
} from "effect"
import { Settings } from "../Config/Settings.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { Intake } from "../Session/Intake.ts"
import { KnownScopes } from "../Session/KnownScopes.ts"
import { type Adapter, AdapterError, type AdapterState, type Registration } from "./Adapter.ts"
import { ForwardedRequests } from "./ForwardedRequests.ts"
import { Registry } from "./Registry.ts"
import * as AccessCheck from "./AccessCheck.ts"
import { Access } from "../Access/Access.ts"

const connectTimeout = Duration.seconds(30)
/** How long an adapter may take to ask its other end to hold back: a connector has 10 s to confirm it (`relay C4`). */
const drainTimeout = Duration.seconds(11)
/** `platforms-a A5`. */
const probeEvery = Duration.seconds(60)
const probeTimeout = Duration.seconds(30)
const proofPeriod = 150_000

export interface PlatformView {
  readonly name: string
  readonly label: string
  readonly state: AdapterState
  readonly error: AdapterError | null
  /** Epoch milliseconds of the last probe that succeeded, in both directions. */
  readonly provenAt: number | null
  /** Milliseconds after which its proof is void. */
  readonly proofPeriod: number
  /** Name of its link; `null` while it does not run. */
  readonly link: string | null
  /** Failures in a row. */
  readonly tries: number
  /** Why somebody paused it, "" = without a reason; `null` = nobody did (`operations R7`). */
  readonly paused: string | null
}

interface Slot {
  readonly registration: Registration
  adapter: Adapter | null
  state: AdapterState
  error: AdapterError | null
  provenAt: number | null
  tries: number
  paused: string | null
  /** Closed while it is paused: nothing is taken in and nothing is tried. */
  readonly gate: Latch.Latch
  /** Ends the wait before the next try. */
  readonly again: Latch.Latch
}

const resting: AdapterState = { status: "connecting", detail: null, lastIn: null, lastOut: null, reconnects: 0 }

const failures = Metric.counter("adapter_failures_total", {
  description: "adapters that failed to run",
  incremental: true
})

/** `operations R2`: 30 s doubling to 300 s, ±20 %. */
const waitBefore = (tries: number, random: number): Duration.Duration =>
  Duration.seconds(Math.min(30 * 2 ** Math.min(tries - 1, 10), 300) * (0.8 + 0.4 * random))

export class Supervisor extends Context.Service<
  Supervisor,
  {
    readonly view: () => ReadonlyArray<PlatformView>
    /**
     * Takes nothing in and tries nothing until it is resumed; the connection stays (`operations R7`). What comes meanwhile
     * waits at the other end. `false`: there is no such platform.
     */
    readonly pause: (name: string, reason: string) => Effect.Effect<boolean>
    /** Ends a pause, and tries at once what waits for its next try or had failed for good. `false`: no such platform. */
    readonly resume: (name: string) => Effect.Effect<boolean>
    /** Asks the other ends to keep what comes from now on. */
    readonly drain: Effect.Effect<void>
    /** Ends every adapter; their links are closed when it completes. */
    readonly close: Effect.Effect<void>
  }
>()("Platforms/Supervisor") {
  static readonly layer = Layer.effect(
    Supervisor,
    Effect.gen(function* () {
      const { registrations } = yield* Registry
      yield* AccessCheck.beforeStart(registrations)
      const access = yield* Access
      const queues = yield* SendQueues
      const intake = yield* Intake
      const settings = yield* Settings
      const scopes = yield* KnownScopes
      const forwarded = yield* ForwardedRequests.make
      const slots = registrations.map((registration): Slot => ({
        registration,
        adapter: null,
        state: resting,
        error: null,
        provenAt: null,
        tries: 0,
        paused: null,
        gate: Latch.makeUnsafe(true),
        again: Latch.makeUnsafe(false)
      }))
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))

      /** One that fails proves nothing; the next one may. */
      const prove = (slot: Slot, probe: Effect.Effect<void, AdapterError>) =>
        probe.pipe(
          Effect.timeout(probeTimeout),
          Effect.andThen(
            Effect.clockWith((clock) =>
              Effect.sync(() => {
                slot.provenAt = clock.currentTimeMillisUnsafe()
              })
            )
          ),
          Effect.catch((error) => Effect.logDebug(`${slot.registration.label}: a probe failed`, error.message)),
          Effect.andThen(Effect.sleep(probeEvery)),
          Effect.forever
        )

      /** Lives as long as the adapter runs; fails when it cannot. */
      const run = (slot: Slot) =>
        Effect.gen(function* () {
          yield* Effect.provideService(AccessCheck.mayRun(slot.registration), Access, access)
          const adapter = yield* slot.registration.make.pipe(
            Effect.provideService(Intake, {
              ...intake,
              take: (batch) => Effect.andThen(slot.gate.await, intake.take(batch))
            }),
            Effect.provideService(Settings, settings),
            Effect.provideService(ForwardedRequests, forwarded),
            Effect.provideService(KnownScopes, scopes),
            Effect.timeoutOrElse({ duration: connectTimeout, orElse: () => Effect.fail(timedOut(slot)) })
          )
          slot.adapter = adapter
          slot.error = null
          if (adapter.probe !== undefined) yield* Effect.forkScoped(prove(slot, adapter.probe))
          yield* queues.serve(adapter.outlet)
          yield* SubscriptionRef.changes(adapter.state).pipe(
            Stream.runForEach((state) =>
              Effect.sync(() => {
                slot.state = state
                if (state.status === "connected") slot.tries = 0
              })
            )
          )
          return yield* Effect.never
        }).pipe(
          Effect.scoped,
          Effect.ensuring(
            Effect.sync(() => {
              slot.adapter = null
              slot.provenAt = null
            })
          )
        )

      const supervise = (slot: Slot): Effect.Effect<void> =>
        run(slot).pipe(
          Effect.catchCause((cause) => {
            const known = Cause.findErrorOption(cause)
            const error = known._tag === "Some" ? known.value : defect(slot)
            slot.error = error
            slot.tries++
            slot.state = { ...slot.state, status: error.retryable ? "retrying" : "fatal", detail: error.code }
            return Metric.update(failures, 1).pipe(
              Effect.andThen(
                Effect.logError(
                  `${slot.registration.label} does not run`,
                  {
                    code: error.code,
                    message: error.message,
                    retryable: error.retryable
                  },
                  known._tag === "Some" ? "" : cause
                )
              ),
              // A failure for good waits until it is resumed or for the next start: its settings have to change.
              Effect.andThen(
                Effect.raceFirst(
                  error.retryable
                    ? Effect.flatMap(Random.next, (random) => Effect.sleep(waitBefore(slot.tries, random)))
                    : Effect.never,
                  slot.again.await
                )
              ),
              Effect.andThen(slot.gate.await),
              Effect.andThen(slot.again.close)
            )
          }),
          Effect.forever
        )

      for (const slot of slots) yield* Effect.forkIn(supervise(slot), scope)

      return {
        view: () =>
          slots.map((slot) => ({
            name: slot.registration.name,
            label: slot.registration.label,
            state: slot.state,
            error: slot.error,
            provenAt: slot.provenAt,
            proofPeriod: slot.adapter?.proofPeriod ?? proofPeriod,
            link: slot.adapter?.outlet.link ?? null,
            tries: slot.tries,
            paused: slot.paused
          })),
        pause: (name, reason) =>
          Effect.gen(function* () {
            const slot = slots.find(({ registration }) => registration.name === name)
            if (slot === undefined) return false
            slot.paused = reason
            yield* slot.gate.close
            yield* Effect.logInfo(`${slot.registration.label} is paused`, { reason })
            return true
          }),
        resume: (name) =>
          Effect.gen(function* () {
            const slot = slots.find(({ registration }) => registration.name === name)
            if (slot === undefined) return false
            slot.paused = null
            slot.tries = 0
            yield* slot.gate.open
            if (slot.adapter === null) yield* slot.again.open
            else yield* slot.adapter.resume ?? Effect.void
            yield* Effect.logInfo(`${slot.registration.label} goes on`)
            return true
          }),
        drain: Effect.forEach(slots, (slot) => Effect.timeoutOption(slot.adapter?.drain ?? Effect.void, drainTimeout), {
          discard: true,
          concurrency: "unbounded"
        }),
        close: Scope.close(scope, Exit.void)
      }
    })
  )
}

const timedOut = ({ registration }: Slot) =>
  new AdapterError({
    platform: registration.name,
    code: "connect_timeout",
    message: "it did not connect in 30 s",
    retryable: true
  })

const defect = ({ registration }: Slot) =>
  new AdapterError({
    platform: registration.name,
    code: "gateway_task_exited",
    message: "it died; the cause is in the log",
    retryable: true
  })
