/**
 * How often something may happen: a rate with a burst, and a sleep that was asked for. Pure but for its own memory: whoever
 * asks says what time it is, in epoch milliseconds.
 */

export interface Rate {
  readonly perSecond: number
  /** How many may follow each other at once after a pause; at least 1. */
  readonly burst: number
}

export interface Meter {
  /** When the next one may happen: at most `now` = at once. */
  readonly readyAt: (now: number) => number
  readonly take: (now: number) => void
  /** The last one taken did not happen. */
  readonly giveBack: () => void
  readonly sleepUntil: (at: number) => void
  readonly isAsleep: (now: number) => boolean
}

/** `null` = as often as one likes, but for sleeps. */
export const make = (rate: Rate | null): Meter => {
  const interval = rate === null ? 0 : 1000 / rate.perSecond
  const slack = rate === null ? 0 : interval * (Math.max(1, rate.burst) - 1)
  /** When the bucket would be full again. */
  let fullAt = 0
  let wakesAt = 0
  return {
    // Whole milliseconds: who sleeps for a part of one is too early by a clock that has none.
    readyAt: (now) => {
      const at = Math.max(fullAt - slack, wakesAt)
      return at <= now ? now : Math.ceil(at)
    },
    take: (now) => {
      fullAt = Math.max(fullAt, now) + interval
    },
    giveBack: () => {
      fullAt -= interval
    },
    sleepUntil: (at) => {
      wakesAt = Math.max(wakesAt, at)
    },
    isAsleep: (now) => wakesAt > now
  }
}
