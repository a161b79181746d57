/**
 * Rows that wait until their chat writes again, because its platform lets us write only after that (`delivery O3`,
 * `window_closed`). A row that waits is in the table; this is only who has to be woken.
 */
import { Effect } from "effect"

export interface ClosedWindows {
  /** Waits for the chat, at most as long as `limit` takes. */
  readonly awaitOpen: (chat: string, limit: Effect.Effect<void>) => Effect.Effect<void>
  /** The chat has written. Costs next to nothing while nobody waits. */
  readonly opened: (chat: string) => void
}

export const make = (): ClosedWindows => {
  const waiting = new Map<string, Set<() => void>>()
  const opened = (chat: string) =>
    Effect.callback<void>((resume) => {
      const wake = () => resume(Effect.void)
      const others = waiting.get(chat) ?? new Set()
      waiting.set(chat, others.add(wake))
      return Effect.sync(() => {
        others.delete(wake)
        if (others.size === 0) waiting.delete(chat)
      })
    })
  return {
    awaitOpen: (chat, limit) => Effect.raceFirst(opened(chat), limit),
    opened: (chat) => {
      if (waiting.size === 0) return
      for (const wake of waiting.get(chat) ?? []) wake()
      waiting.delete(chat)
    }
  }
}
