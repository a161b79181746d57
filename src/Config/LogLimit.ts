/**
 * A bound on what hostile or broken input can write into the log (law 4): so many lines a second for each key, then one
 * line a second that says how many were left out.
 */
import { Clock, Effect } from "effect"

interface Window {
  since: number
  passed: number
  suppressed: number
}

/** Keys come from fixed sets; should one not, the oldest are forgotten. */
const MOST_KEYS = 1000
const windows = new Map<string, Window>()

const summary = (key: string, count: number) => Effect.logWarning("more of the same was left out", { kind: key, count })

/** Runs the log effect at most `perSecond` times a second for that key. */
export const limited =
  (key: string, perSecond: number) =>
  (log: Effect.Effect<void>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      let window = windows.get(key)
      if (window === undefined) {
        if (windows.size >= MOST_KEYS) windows.delete(windows.keys().next().value!)
        windows.set(key, (window = { since: now, passed: 0, suppressed: 0 }))
      }
      if (now - window.since >= 1000 || now < window.since) {
        const missing = window.suppressed
        Object.assign(window, { since: now, passed: 0, suppressed: 0 })
        if (missing > 0) yield* summary(key, missing)
      }
      if (window.passed < perSecond) {
        window.passed++
        return yield* log
      }
      window.suppressed++
    })

/** Writes the summaries of keys that fell silent; run once a second by the log. */
export const sweep: Effect.Effect<void> = Effect.gen(function* () {
  const now = yield* Clock.currentTimeMillis
  for (const [key, window] of windows) {
    if (now - window.since < 1000) continue
    windows.delete(key)
    if (window.suppressed > 0) yield* summary(key, window.suppressed)
  }
})
