/**
 * Where this process is between start and end, and the one way to stop it (`operations X2`): no new turns, inbound still
 * stored, running turns end, what is owed leaves, links close. Whatever the time cuts off stays in Inbox and Outbox.
 */
import { Context, Deferred, Duration, Effect, Fiber, Latch, Layer, SubscriptionRef } from "effect"
import { AgentRestartDrainTimeout } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { Farewell } from "../Conversation/Farewell.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { Supervisor } from "../Platforms/Supervisor.ts"
import { Lanes } from "../Session/Lanes.ts"
import { Journal } from "../Storage/Journal.ts"

export type Phase = "running" | "draining" | "stopped"

/** Turns that are interrupted at the end of their time get this long to close (`conversation D1`). */
const grace = Duration.seconds(5)
/** Turns that are about to end anyway worry nobody. */
const noticeAfter = Duration.seconds(2)
const noticeTimeout = Duration.seconds(2)
const flushTimeout = Duration.seconds(10)

export class Lifecycle extends Context.Service<
  Lifecycle,
  {
    readonly phase: SubscriptionRef.SubscriptionRef<Phase>
    /** Stops in order; completes when nothing runs any more. Asked for again, it completes with the first. */
    readonly stop: Effect.Effect<void>
    /** No new turns while it is on, and running ones go on (`operations X8`); without effect once a stop has begun. */
    readonly rest: (on: boolean) => Effect.Effect<void>
    /** Running turns are not waited for any longer. */
    readonly hurry: Effect.Effect<void>
  }
>()("Operations/Lifecycle") {
  /** Closing the layer stops the gateway in order too, so that an embedding application needs to do nothing. */
  static readonly layer = Layer.effect(
    Lifecycle,
    Effect.gen(function* () {
      const journal = yield* Journal
      const farewell = yield* Farewell
      const lanes = yield* Lanes
      const queues = yield* SendQueues
      const supervisor = yield* Supervisor
      const settings = yield* Settings
      const drainTimeout = yield* settings.get(AgentRestartDrainTimeout)
      const phase = yield* SubscriptionRef.make<Phase>("running")
      const hurried = yield* Latch.make(false)
      const done = yield* Deferred.make<void>()
      let stopping = false

      const log = (what: string, details: Record<string, unknown> = {}) => Effect.logInfo(`stopping: ${what}`, details)

      const sequence = Effect.gen(function* () {
        yield* SubscriptionRef.set(phase, "draining")
        yield* log("no new turns, inbound is still stored", { running: lanes.view().running })
        const farewells = yield* Effect.forkChild(
          Effect.andThen(
            Effect.sleep(Duration.min(noticeAfter, drainTimeout)),
            Effect.suspend(() => farewell.tell(lanes.runningRows().map(([, row]) => row)))
          )
        )
        const left = yield* Effect.all(
          [
            Effect.raceFirst(
              lanes.drain(drainTimeout),
              Effect.andThen(
                hurried.await,
                Effect.sync(() => lanes.view().running)
              )
            ),
            Effect.raceFirst(supervisor.drain, hurried.await)
          ],
          { concurrency: "unbounded" }
        ).pipe(Effect.map(([running]) => running))
        if (left > 0) yield* Effect.timeoutOption(Fiber.await(farewells), noticeTimeout)
        yield* Fiber.interrupt(farewells)
        yield* journal.stopRetrying
        if (left > 0) {
          yield* log("turns are cut off and will run again at the next start", { turns: left })
          yield* Effect.timeoutOption(lanes.stopAll, grace)
        }
        const owed = yield* queues.flush(flushTimeout)
        yield* log(owed === 0 ? "everything owed was sent" : "what is owed waits for the next start", { rows: owed })
        // Finalizers cannot be interrupted, so an adapter that hangs in its own is left behind: the process ends all the same.
        const closing = yield* Effect.forkDetach(supervisor.close)
        yield* Effect.timeoutOption(Fiber.await(closing), grace)
        yield* SubscriptionRef.set(phase, "stopped")
      })

      const stop = Effect.suspend(() => {
        if (stopping) return Deferred.await(done)
        stopping = true
        return sequence.pipe(Effect.ensuring(Deferred.succeed(done, undefined)))
      })
      yield* Effect.addFinalizer(() => stop)

      const rest = (on: boolean) =>
        Effect.suspend(() =>
          stopping
            ? Effect.void
            : Effect.andThen(SubscriptionRef.set(phase, on ? "draining" : "running"), lanes.hold(on))
        )

      return { phase, stop, rest, hurry: Effect.asVoid(hurried.open) }
    })
  )
}
