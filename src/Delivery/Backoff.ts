/**
 * When an Outbox row that failed is tried again, or that it never is (`delivery O3`). Pure: clock and chance are arguments.
 * It never makes an attempt itself, nor degrades the message; what a kind asks for beside waiting is the caller's.
 */
import type { SendErrorKind } from "../Message/SendError.ts"

const baseMillis = 2000
const capMillis = 60_000
const defaultRetryAfterSeconds = 60
const rateLimitSlackMillis = 1000
const unknownAttempts = 3

/** How long anything is tried unless configured otherwise (`delivery.max_age_hours`). */
export const defaultMaxAge = 24 * 60 * 60 * 1000

export interface Failure {
  readonly kind: SendErrorKind
  /** `not_found` only (`delivery S5`). */
  readonly reach?: "chat" | "message" | null | undefined
  /** Seconds that the platform asked for. */
  readonly retryAfter: number | null
  /** Attempts made so far, the failed one included; at least 1. */
  readonly attempts: number
  /** Milliseconds since the row was written. */
  readonly age: number
  /** Milliseconds after which no attempt begins. */
  readonly maxAge: number
  /** Uniform in [0, 1). */
  readonly random: number
}

/** `delay`: milliseconds from now. `targetGone`: nothing else will arrive in that chat either (`delivery T11`). */
export type Next =
  | { readonly _tag: "Again"; readonly delay: number }
  | { readonly _tag: "Dead"; readonly targetGone: boolean }

const isTargetGone = (failure: Failure): boolean =>
  failure.kind === "forbidden" || (failure.kind === "not_found" && failure.reach === "chat")

/** Full jitter: uniform between nothing and the exponential step, so that rows that failed together part. */
const jittered = (attempts: number, random: number): number =>
  Math.floor(random * Math.min(capMillis, baseMillis * 2 ** (Math.max(1, attempts) - 1)))

const requested = (retryAfter: number | null): number => {
  const seconds =
    retryAfter !== null && Number.isFinite(retryAfter) && retryAfter >= 0 ? retryAfter : defaultRetryAfterSeconds
  return Math.ceil(seconds * 1000) + rateLimitSlackMillis
}

const delayOf = (failure: Failure): number | null => {
  switch (failure.kind) {
    case "transient":
    case "ambiguous":
      return jittered(failure.attempts, failure.random)
    case "rate_limited":
      return requested(failure.retryAfter)
    case "unknown":
      return failure.attempts < unknownAttempts ? jittered(failure.attempts, failure.random) : null
    case "window_closed":
      return failure.age < failure.maxAge ? failure.maxAge - failure.age : null
    case "forbidden":
    case "not_found":
    case "too_long":
    case "bad_format":
    case "unsupported":
      return null
  }
}

/**
 * `transient` and a failed settling of `ambiguous`: exponential, 2 s base, 60 s cap. `rate_limited`: what the platform
 * asked for (60 s if it did not say) and a second, however long. `unknown`: as `transient`, three attempts in all.
 * `window_closed`: the last moment allowed; the next inbound message of the chat wakes it sooner. The rest is `Dead`: the
 * caller has already tried the smaller, plainer or unanchored form. So is everything whose next attempt would begin after
 * `maxAge`.
 */
export const next = (failure: Failure): Next => {
  const delay = delayOf(failure)
  return delay === null || failure.age + delay > failure.maxAge
    ? { _tag: "Dead", targetGone: isTargetGone(failure) }
    : { _tag: "Again", delay }
}
