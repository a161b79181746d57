/**
 * What a topic of golden vectors needs to be run: one function from a case's `in` to what ours makes of it. It is told
 * neither the case's name nor the expected output, so that it cannot be made to fit.
 */

/** A typed rejection: ours does not take the input and says why. Also at a place inside an output. */
export class Rejected {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

export interface Outcome {
  /** In the terms of the vectors; a `Rejected` anywhere stands for `{"error"}`. */
  readonly output: unknown
  /** Where ours gives an output that the program then refuses: why. Counts as a rejection where one is allowed. */
  readonly refused?: string | undefined
}

/** What both sides share where the specification declares ours different. */
export interface Shared {
  /** `FILE STATEMENT`, such as `relay P2`. */
  readonly statement: string
  readonly output: unknown
  readonly expected: unknown
}

export interface Topic {
  /** The topic stands for several functions, and a case may name the outputs of some of them only. */
  readonly hasParts?: boolean
  readonly run: (given: unknown) => Outcome
  /**
   * By rule: whether ours is declared different for such an input, and then what is compared instead of the whole. Asked
   * only when the whole does not match.
   */
  readonly shared?: (given: unknown, output: unknown, expected: unknown) => Shared | null
}

export type JsonObject = { readonly [key: string]: unknown }

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Rejected)
