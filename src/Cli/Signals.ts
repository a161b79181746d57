/**
 * The signals that ask this process to stop (`operations X1`): the first begins the stop, the second ends the waiting
 * for turns, the third ends the process at once. SIGUSR1 asks for a stop after which a manager starts us again.
 */
import { Deferred, Effect, type Scope } from "effect"
import { exitCode } from "./Exit.ts"

export interface Signals {
  /** Completes with the name of the first signal. */
  readonly first: Effect.Effect<NodeJS.Signals>
  readonly second: Effect.Effect<NodeJS.Signals>
}

const watched = ["SIGTERM", "SIGINT", "SIGUSR1"] as const

/** Ctrl-C reaches this process from the terminal, and from a parent that passes it on: that is one wish, not two. */
const sameWish = 100

/** Listens as long as the scope is open; `onFirst` is called at once, before anything else is done about it. */
export const listen = (onFirst: () => void): Effect.Effect<Signals, never, Scope.Scope> =>
  Effect.gen(function* () {
    const first = yield* Deferred.make<NodeJS.Signals>()
    const second = yield* Deferred.make<NodeJS.Signals>()
    let count = 0
    let last = { name: "", at: -Infinity }
    const onSignal = (name: NodeJS.Signals) => {
      const at = performance.now()
      if (name === "SIGINT" && last.name === name && at - last.at < sameWish) return
      last = { name, at }
      count++
      if (count > 2) process.exit(exitCode.defect)
      if (count === 1) onFirst()
      Deferred.doneUnsafe(count === 1 ? first : second, Effect.succeed(name))
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => watched.forEach((name) => process.on(name, onSignal))),
      () => Effect.sync(() => watched.forEach((name) => process.off(name, onSignal)))
    )
    return { first: Deferred.await(first), second: Deferred.await(second) }
  })
