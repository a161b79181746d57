/**
 * Two bots that answer each other never stop (`access B4`): past so many messages of bots within the window, a conversation
 * takes none of them for a while. A person's message ends that.
 */

export interface LoopGuard {
  readonly enabled: boolean
  readonly maxEvents: number
  /** Milliseconds. */
  readonly window: number
  readonly cooldown: number
}

export const defaultLoopGuard: LoopGuard = { enabled: true, maxEvents: 20, window: 300_000, cooldown: 600_000 }

interface Heard {
  /** Times of the bots' messages within the window, oldest first. */
  readonly times: ReadonlyArray<number>
  readonly quietUntil: number
}

/** `begins`: this one is the first that is dropped. */
export type Verdict = "admit" | "drop" | "begins"

/** Conversations with bots that are remembered; the one not heard of for longest is forgotten first. */
const bound = 10_000

export const make = () => {
  const conversations = new Map<string, Heard>()
  return {
    /** What becomes of a message that access has admitted; `isBot` as the intake found out, `null` is no bot. */
    hear: (conversation: string, isBot: boolean | null, now: number, guard: LoopGuard): Verdict => {
      if (isBot !== true || !guard.enabled) {
        if (conversations.size > 0) conversations.delete(conversation)
        return "admit"
      }
      const before = conversations.get(conversation)
      conversations.delete(conversation)
      if (before !== undefined && now < before.quietUntil) {
        conversations.set(conversation, before)
        return "drop"
      }
      const times = [...(before?.times ?? []).filter((at) => now - at < guard.window), now]
      const isTooMany = times.length > guard.maxEvents
      conversations.set(
        conversation,
        isTooMany ? { times: [], quietUntil: now + guard.cooldown } : { times, quietUntil: 0 }
      )
      if (conversations.size > bound) conversations.delete(conversations.keys().next().value!)
      return isTooMany ? "begins" : "admit"
    }
  }
}
