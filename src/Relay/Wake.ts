/**
 * Links that may sleep, and the poke that wakes them (`relay L5`). A poke carries no authority: all it can do is make us
 * dial now instead of later, at most once in 5 s.
 */
import { Clock, Context, Effect, Layer, type Scope } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"

/** A link as the watch over idle links sees it. */
export interface Sleeper {
  /** Name of the link (`Outlet.link`). */
  readonly link: string
  /** Epoch milliseconds of the last message that came over it. */
  readonly lastInbound: () => number | null
  readonly isReady: () => boolean
  /** Tells the connector to keep what comes, closes, and does not dial before it is woken. Completes when closed. */
  readonly sleep: Effect.Effect<void>
  /** Dials now, unless it is up or its credentials were revoked. */
  readonly poke: Effect.Effect<void>
}

/** Milliseconds. */
const pokeInterval = 5000

export class Wake extends Context.Service<
  Wake,
  {
    readonly register: (sleeper: Sleeper) => Effect.Effect<void, never, Scope.Scope>
    readonly sleepers: () => ReadonlyArray<Sleeper>
    /** Pokes every link; one that comes within 5 s of another does nothing. */
    readonly poke: Effect.Effect<void>
  }
>()("Relay/Wake") {
  static readonly layer = Layer.effect(
    Wake,
    Effect.map(Clock.Clock, (clock) => {
      const sleepers = new Set<Sleeper>()
      let last = -Infinity
      return {
        register: (sleeper) =>
          Effect.acquireRelease(
            Effect.sync(() => void sleepers.add(sleeper)),
            () => Effect.sync(() => void sleepers.delete(sleeper))
          ),
        sleepers: () => [...sleepers],
        poke: Effect.suspend(() => {
          const now = clock.currentTimeMillisUnsafe()
          if (now - last < pokeInterval) return Effect.void
          last = now
          return Effect.forEach(sleepers, ({ poke }) => poke, { discard: true })
        })
      }
    })
  )

  /** `GET /relay/wake`: 204, whether or not it did anything. */
  static readonly routes: Layer.Layer<never, never, HttpRouter.HttpRouter | Wake> = HttpRouter.use((router) =>
    Effect.gen(function* () {
      const wake = yield* Wake
      yield* router.add("GET", "/relay/wake", Effect.as(wake.poke, HttpServerResponse.empty({ status: 204 })))
    })
  )
}
