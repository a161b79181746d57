/**
 * Waiting for something outside this process: polls with a bound, and says what it waited for when the bound is passed.
 * It never waits a fixed time.
 */
import { Effect, Schema } from "effect"

export class WaitedTooLong extends Schema.TaggedError<WaitedTooLong>()("WaitedTooLong", {
  what: Schema.String,
  seconds: Schema.Number,
  /** What was seen last, in words. */
  seen: Schema.String
}) {
  override get message(): string {
    return `${this.what}: not within ${this.seconds} s${this.seen === "" ? "" : ` (${this.seen})`}`
  }
}

const pause = (millis: number) =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })

/** Real time whatever clock the test runs on: a process outside knows nothing of a test clock. */
export const realPause = pause

/** Succeeds as soon as `holds` is true, looked at every 5 to 50 ms; `seen` describes the state for the error. */
export const eventually = Effect.fnUntraced(function* (
  what: string,
  holds: () => boolean,
  options: { readonly seconds?: number; readonly seen?: () => string } = {}
): Effect.fn.Return<void, WaitedTooLong> {
  const seconds = options.seconds ?? 10
  const end = performance.now() + seconds * 1000
  let step = 5
  while (!holds()) {
    if (performance.now() > end) return yield* new WaitedTooLong({ what, seconds, seen: options.seen?.() ?? "" })
    yield* pause(step)
    step = Math.min(step * 1.2, 50)
  }
})

/** The same for a question that takes an answer from outside, such as an HTTP request. */
export const eventuallyAsync = Effect.fnUntraced(function* (
  what: string,
  holds: () => Promise<boolean>,
  options: { readonly seconds?: number; readonly seen?: () => string } = {}
): Effect.fn.Return<void, WaitedTooLong> {
  const seconds = options.seconds ?? 10
  const end = performance.now() + seconds * 1000
  while (!(yield* Effect.promise(() => holds().catch(() => false)))) {
    if (performance.now() > end) return yield* new WaitedTooLong({ what, seconds, seen: options.seen?.() ?? "" })
    yield* pause(25)
  }
})
