import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { defaultMaxAge, type Failure, next } from "../../src/Delivery/Backoff.ts"
import { SendErrorKind } from "../../src/Message/SendError.ts"

const failure = (fields: Partial<Failure>): Failure => ({
  kind: "transient",
  reach: null,
  retryAfter: null,
  attempts: 1,
  age: 0,
  maxAge: defaultMaxAge,
  random: 0.999_999,
  ...fields
})

const again = (delay: number) => ({ _tag: "Again" as const, delay })
const dead = (targetGone: boolean) => ({ _tag: "Dead" as const, targetGone })

describe("Backoff", () => {
  it("doubles from 2 s to 60 s, and draws from the whole of each step", () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 50, 2000].map((attempts) => next(failure({ attempts })))
    assert.deepStrictEqual(longest, [1999, 3999, 7999, 15999, 31999, 59999, 59999, 59999, 59999].map(again))
    assert.deepStrictEqual(next(failure({ attempts: 7, random: 0 })), again(0))
    assert.deepStrictEqual(next(failure({ attempts: 7, random: 0.5 })), again(30_000))
  })

  it("waits as long as the platform asked for and one second more, 60 s when it did not say", () => {
    const limited = (retryAfter: number | null) => next(failure({ kind: "rate_limited", retryAfter, random: 0 }))
    assert.deepStrictEqual(limited(97 * 60), again(97 * 60_000 + 1000))
    assert.deepStrictEqual(limited(0.5), again(1500))
    assert.deepStrictEqual(limited(null), again(61_000))
    assert.deepStrictEqual(limited(Number.NaN), again(61_000))
  })

  it("gives an unknown refusal three attempts in all", () => {
    const outcomes = [1, 2, 3].map((attempts) => next(failure({ kind: "unknown", attempts }))._tag)
    assert.deepStrictEqual(outcomes, ["Again", "Again", "Dead"])
  })

  it("is dead at once where no repetition can help, and tells when the whole chat is gone", () => {
    assert.deepStrictEqual(next(failure({ kind: "forbidden" })), dead(true))
    assert.deepStrictEqual(next(failure({ kind: "not_found", reach: "chat" })), dead(true))
    assert.deepStrictEqual(next(failure({ kind: "not_found", reach: "message" })), dead(false))
    assert.deepStrictEqual(next(failure({ kind: "bad_format" })), dead(false))
  })

  it("begins no attempt after the age limit", () => {
    const hour = 3_600_000
    const limited = (age: number) => next(failure({ kind: "rate_limited", retryAfter: 3599, age }))._tag
    assert.strictEqual(limited(23 * hour), "Again")
    assert.strictEqual(limited(23 * hour + 1), "Dead")
    assert.strictEqual(next(failure({ age: 25 * hour, random: 0 }))._tag, "Dead")
  })

  it("leaves a closed window to the next inbound message, at the latest to the age limit", () => {
    assert.deepStrictEqual(next(failure({ kind: "window_closed", age: 1000, maxAge: 5000 })), again(4000))
    assert.deepStrictEqual(next(failure({ kind: "window_closed", age: 5000, maxAge: 5000 })), dead(false))
  })

  const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))

  it.prop(
    "never waits a negative time nor past the age limit",
    [SendErrorKind, Seed, Seed, Seed],
    ([kind, a, b, c]) => {
      const given = failure({
        kind,
        attempts: 1 + (a % 100),
        age: b,
        maxAge: c,
        retryAfter: a % 1000,
        random: (b % 997) / 997
      })
      const outcome = next(given)
      if (outcome._tag === "Again") {
        assert.isAtLeast(outcome.delay, 0)
        assert.isAtMost(given.age + outcome.delay, given.maxAge)
      }
    }
  )
})
