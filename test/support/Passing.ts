/** Letting virtual time pass in small steps, with everything that is ready to run done in between; no real time is waited. */
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"

/** Gives every fiber that can run its turn, timers apart. */
export const quiet: Effect.Effect<void> = Effect.promise(
  () => new Promise<void>((resolve) => setImmediate(resolve))
).pipe(Effect.repeat({ times: 9 }), Effect.asVoid)

/** Virtual time in steps of `step`. */
export const pass = (duration: Duration.Input, step: Duration.Input = "250 millis"): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* quiet
    const total = Duration.toMillis(Duration.fromInputUnsafe(duration))
    const each = Duration.toMillis(Duration.fromInputUnsafe(step))
    for (let passed = 0; passed < total; passed += each) {
      yield* TestClock.adjust(Math.min(each, total - passed))
      yield* quiet
    }
  })

/** Virtual time until `holds` is true, at most `limit`; whoever asks asserts what it has become. */
export const until = (
  holds: () => boolean,
  limit: Duration.Input = "1 minute",
  step: Duration.Input = "100 millis"
): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* quiet
    const total = Duration.toMillis(Duration.fromInputUnsafe(limit))
    const each = Duration.toMillis(Duration.fromInputUnsafe(step))
    for (let passed = 0; passed < total && !holds(); passed += each) {
      yield* TestClock.adjust(each)
      yield* quiet
    }
  })
