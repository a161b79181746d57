/**
 * What follows a failed attempt (`conversation E1`): pure. Endpoints and models are tried in their order; a failure that
 * passes is waited out only where nothing else is left to try; what an endpoint does not take is left away for good.
 */
import type { Failure, Optional } from "./Failure.ts"

/** Attempts at one endpoint, the first included, for a failure that passes. */
const mostTries = 3
/** A longer wait than this the user is told about instead. */
const longestWait = 20

export interface Standing {
  /** Which of the endpoints is being tried. */
  readonly at: number
  readonly endpoints: number
  /** Attempts at this endpoint that failed in a passing way. */
  readonly tries: number
  /** The history was made smaller already. */
  readonly isShrunk: boolean
  /** Something of the answer has been shown. */
  readonly hasShown: boolean
}

export type Step =
  | { readonly _tag: "Fail" }
  /** The same endpoint, after so many seconds. */
  | { readonly _tag: "Again"; readonly after: number }
  | { readonly _tag: "Next" }
  | { readonly _tag: "Without"; readonly field: Optional }
  /** The same endpoint with half of the history. */
  | { readonly _tag: "Shrink" }

/** `random` in [0, 1): full jitter, so that many conversations do not come back at once. */
export const stepAfter = (failure: Failure, standing: Standing, random: number): Step => {
  const { category, retryAfter, retryable } = failure.error
  if (standing.hasShown) return { _tag: "Fail" }
  if (failure.rejected !== null) return { _tag: "Without", field: failure.rejected }
  if (category === "context") return standing.isShrunk ? { _tag: "Fail" } : { _tag: "Shrink" }
  if (category === "policy") return { _tag: "Fail" }
  const isLast = standing.at + 1 >= standing.endpoints
  // A limit concerns this account and model: another one may answer at once.
  if (!isLast && (category === "rate_limit" || !retryable)) return { _tag: "Next" }
  const wait = retryAfter ?? random * 0.5 * 2 ** standing.tries
  if (retryable && standing.tries + 1 < mostTries && wait <= longestWait) return { _tag: "Again", after: wait }
  return isLast ? { _tag: "Fail" } : { _tag: "Next" }
}
