/**
 * How many sends of one bot account are under way at once, and who is next (law 9, `delivery O11`): finals before
 * everything else, within a rank the one that has waited longest. A release costs the same however many wait.
 */
import { Effect } from "effect"
import type { OutboxKind } from "../Storage/Outbox.ts"

/** Order of service. */
const ranks: ReadonlyArray<OutboxKind> = ["final", "prompt", "notice", "scheduled", "commentary", "tool"]

interface Waiter {
  readonly resume: () => void
  state: "waiting" | "granted" | "gone"
}

export interface SendBudget {
  /** Runs the effect while holding one of the sends; waits for its turn first. */
  readonly within: <A, E>(kind: OutboxKind, send: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

export const make = (sendsInFlight: number): SendBudget => {
  const waiting = ranks.map((): Array<Waiter> => [])
  let taken = 0

  /** What one send gives back goes to the next that waits; those that were interrupted meanwhile are passed over. */
  const release = (): void => {
    for (const rank of waiting) {
      while (rank.length > 0) {
        const next = rank.shift()
        if (next === undefined || next.state === "gone") continue
        next.state = "granted"
        next.resume()
        return
      }
    }
    taken--
  }

  const queue = (kind: OutboxKind): Effect.Effect<void> =>
    Effect.suspend(() => {
      let waiter: Waiter | null = null
      return Effect.callback<void>((resume) => {
        waiter = { resume: () => resume(Effect.void), state: "waiting" }
        waiting[ranks.indexOf(kind)]?.push(waiter)
      }).pipe(
        Effect.onInterrupt(() =>
          Effect.sync(() => {
            if (waiter?.state === "granted") release()
            else if (waiter !== null) waiter.state = "gone"
          })
        )
      )
    })

  const acquire = (kind: OutboxKind): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (taken >= sendsInFlight) return queue(kind)
      taken++
      return Effect.void
    })

  return {
    within: (kind, send) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(acquire(kind)), () => Effect.ensuring(restore(send), Effect.sync(release)))
      )
  }
}
