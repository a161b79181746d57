/**
 * Keeps the typing indicator alive while turns run (`conversation K1`–`K3`, `delivery A6`): one ticker for all turns, no
 * timer per turn. An entry lives in its turn's scope, so it cannot outlive the turn. Cosmetic: failures are counted only.
 */
import { Clock, Context, Duration, Effect, FiberSet, Latch, Layer, Metric, type Scope } from "effect"
import type { Outlet, Target } from "../Delivery/Outlet.ts"

/** A turn that ends sooner shows no indicator: it would only flicker. */
const firstAfter = Duration.toMillis("150 millis")
const every = Duration.toMillis("2 seconds")
const tick = Duration.millis(50)
/** A slow platform does not hold up the rhythm. */
const abandonAfter = Duration.millis(1500)
/** Calls under way at once; beyond it a tick leaves the rest for the next one. */
const callsBound = 64

export interface Entry {
  readonly pause: () => void
  readonly resume: () => void
}

interface Active {
  readonly outlet: Outlet
  readonly target: Target
  due: number
  paused: boolean
  calling: boolean
  /** The platform was told, and shows it perhaps. */
  shown: boolean
}

const failures = Metric.counter("typing_failures_total", {
  description: "typing indicators not shown",
  incremental: true
})

export class Typing extends Context.Service<
  Typing,
  {
    /** Shows the indicator until the scope closes. */
    readonly during: (outlet: Outlet, target: Target) => Effect.Effect<Entry, never, Scope.Scope>
  }
>()("Conversation/Typing") {
  static readonly layer = Layer.effect(
    Typing,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const active = new Set<Active>()
      const calls = yield* FiberSet.make<void>()
      const run = yield* FiberSet.runtime(calls)<never>()
      /** Open while an indicator is to be shown: an idle gateway has no ticker, nor one whose turns wait for people. */
      const busy = yield* Latch.make(false)
      let calling = 0

      const show = (entry: Active) =>
        entry.outlet.typing(entry.target).pipe(
          Effect.timeout(abandonAfter),
          Effect.catch(() => Metric.update(failures, 1)),
          Effect.ensuring(
            Effect.sync(() => {
              entry.calling = false
              calling--
            })
          )
        )

      /** Where the platform shows it until told (`relay L4`, I6); elsewhere there is nothing to do. */
      const clear = (entry: Active) => {
        const ended = entry.outlet.typingEnded
        if (!entry.shown || ended === undefined || !entry.outlet.isUp()) return
        entry.shown = false
        run(
          ended(entry.target).pipe(
            Effect.timeout(abandonAfter),
            Effect.catch(() => Metric.update(failures, 1))
          )
        )
      }

      const beat = Effect.sync(() => {
        const now = clock.currentTimeMillisUnsafe()
        for (const entry of active) {
          if (entry.due > now || entry.paused || entry.calling || calling >= callsBound || !entry.outlet.isUp())
            continue
          entry.due = now + every
          entry.calling = entry.shown = true
          calling++
          run(show(entry))
        }
      })

      const settle = (): void => {
        let isShown = false
        for (const entry of active) if ((isShown = !entry.paused)) break
        if (isShown) busy.openUnsafe()
        else busy.closeUnsafe()
      }

      yield* busy.await.pipe(
        Effect.andThen(Effect.sleep(tick)),
        Effect.andThen(beat),
        Effect.forever,
        Effect.forkScoped
      )

      return {
        during: (outlet, target) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const entry: Active = {
                outlet,
                target,
                due: clock.currentTimeMillisUnsafe() + firstAfter,
                paused: false,
                calling: false,
                shown: false
              }
              active.add(entry)
              busy.openUnsafe()
              return {
                entry,
                pause: () => {
                  entry.paused = true
                  clear(entry)
                  settle()
                },
                resume: () => {
                  entry.paused = false
                  entry.due = 0
                  settle()
                }
              }
            }),
            ({ entry }) =>
              Effect.sync(() => {
                active.delete(entry)
                clear(entry)
                settle()
              })
          )
      }
    })
  )
}
