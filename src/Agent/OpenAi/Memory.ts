/**
 * The part of a conversation that no longer fits, as a summary (`conversation H`): made once, kept for the conversation,
 * and grown when more falls out. It is a cache: without it the oldest messages are summarised anew.
 */
import { Effect } from "effect"
import type { AgentError } from "../Agent.ts"
import type { StoredMessage } from "../../Storage/Transcript.ts"
import { cut, totalTokens } from "./Replay.ts"

/** `conversation T8`. */
const mostConversations = 128
const mostSummary = 16_000

interface Remembered {
  /** Messages up to this time are in the summary. */
  readonly until: number
  readonly summary: string
}

export interface Recalled {
  readonly summary: string | null
  readonly history: ReadonlyArray<StoredMessage>
}

export type Summarise = (
  before: string | null,
  messages: ReadonlyArray<StoredMessage>
) => Effect.Effect<string, AgentError>

export const make = (summarise: Summarise) => {
  const kept = new Map<string, Remembered>()

  const remember = (sessionId: string, entry: Remembered) => {
    kept.delete(sessionId)
    if (kept.size >= mostConversations) kept.delete(kept.keys().next().value!)
    kept.set(sessionId, entry)
  }

  return {
    forget: (sessionId: string): void => void kept.delete(sessionId),
    /** What to send within `budget` tokens. A summary that cannot be had costs the oldest messages, never the turn. */
    recall: Effect.fnUntraced(function* (
      sessionId: string,
      all: ReadonlyArray<StoredMessage>,
      budget: number
    ): Effect.fn.Return<Recalled> {
      const known = kept.get(sessionId) ?? null
      const fresh = known === null ? all : all.filter(({ timestamp }) => timestamp > known.until)
      if (totalTokens(fresh) <= budget) {
        if (known !== null) remember(sessionId, known)
        return { summary: known?.summary ?? null, history: fresh }
      }
      // Well below the budget, so that not every turn summarises again and the provider's prompt cache stays of use.
      const { dropped, kept: history } = cut(fresh, Math.floor(budget / 2))
      const until = dropped.at(-1)?.timestamp
      if (until === undefined) return { summary: known?.summary ?? null, history }
      const made = yield* Effect.result(summarise(known?.summary ?? null, dropped))
      if (made._tag === "Failure") {
        yield* Effect.logWarning("the older part of a conversation is left out: no summary", {
          messages: dropped.length,
          why: made.failure.message
        })
        return { summary: known?.summary ?? null, history }
      }
      const summary = made.success.slice(0, mostSummary)
      remember(sessionId, { until, summary })
      return { summary, history }
    })
  }
}
