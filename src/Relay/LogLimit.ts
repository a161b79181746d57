/**
 * How often the same kind of trouble may be logged: ten times a second, the rest is counted and summed up (`relay W3`).
 * It decides, others log.
 */
import { Latch } from "effect"

const perWindow = 10
export const windowMillis = 1000

interface Window {
  since: number
  logged: number
  suppressed: number
}

export interface LogLimit {
  /** Whether this occurrence may be logged. `topic` must come from a fixed set. */
  readonly admits: (topic: string, now: number) => boolean
  /** Open while there is something to sum up. */
  readonly suppressed: Latch.Latch
  /** Occurrences that were not logged since the last call, by topic. */
  readonly takeSuppressed: () => ReadonlyArray<{ readonly topic: string; readonly count: number }>
}

export const make = (): LogLimit => {
  const windows = new Map<string, Window>()
  const suppressed = Latch.makeUnsafe(false)
  return {
    suppressed,
    admits: (topic, now) => {
      let window = windows.get(topic)
      if (window === undefined) windows.set(topic, (window = { since: now, logged: 0, suppressed: 0 }))
      if (now - window.since >= windowMillis || now < window.since) {
        window.since = now
        window.logged = 0
      }
      if (window.logged < perWindow) {
        window.logged++
        return true
      }
      window.suppressed++
      suppressed.openUnsafe()
      return false
    },
    takeSuppressed: () => {
      suppressed.closeUnsafe()
      const summary: Array<{ topic: string; count: number }> = []
      for (const [topic, window] of windows) {
        if (window.suppressed > 0) summary.push({ topic, count: window.suppressed })
        window.suppressed = 0
      }
      return summary
    }
  }
}
