/**
 * What of a conversation is sent with the next message (`session Y1`–Y10, `conversation H1`): pure. The newest messages
 * within a budget of tokens; what does not fit is named, so that a summary can take its place.
 */
import type { StoredMessage } from "../../Storage/Transcript.ts"
import type { Message } from "./Wire.ts"

/** Beyond Latin and its neighbours a character is about a token; within them four are. */
const wide = /[\u1100-\u{10FFFF}]/gu
const perMessage = 4

/** A cautious guess; the provider's own figure is not known before it answers. */
export const tokensOf = (text: string): number => {
  const wideCount = text.match(wide)?.length ?? 0
  return Math.ceil((text.length - wideCount) / 4) + wideCount + perMessage
}

export const totalTokens = (messages: ReadonlyArray<StoredMessage>): number =>
  messages.reduce((sum, { content }) => sum + tokensOf(content), 0)

export interface Cut {
  /** Oldest first; begins with the user where it can. */
  readonly kept: ReadonlyArray<StoredMessage>
  /** Older than all that is kept. */
  readonly dropped: ReadonlyArray<StoredMessage>
}

/** The newest messages whose tokens stay within the budget. */
export const cut = (history: ReadonlyArray<StoredMessage>, budget: number): Cut => {
  let from = history.length
  for (let left = budget; from > 0; from--) {
    left -= tokensOf(history[from - 1]!.content)
    if (left < 0) break
  }
  // An answer whose question is gone confuses more than it helps, and some servers refuse it.
  if (from > 0) while (from < history.length && history[from]!.role === "assistant") from++
  return { kept: history.slice(from), dropped: history.slice(0, from) }
}

const summaryHeading = "Summary of the earlier conversation:"

/** Strict alternation, as some servers demand it (`session Y10`); the stored messages stay as they are. */
export const alternating = (messages: ReadonlyArray<StoredMessage>): ReadonlyArray<Message> => {
  const out: Array<{ readonly role: "user" | "assistant"; content: string }> = []
  for (const { content, role } of messages) {
    if (content.trim() === "") continue
    const last = out.at(-1)
    if (last?.role === role) last.content += `\n\n${content}`
    else out.push({ role, content })
  }
  return out
}

/** The request's messages: context prompt, summary, history, and the new message last. */
export const compose = (options: {
  readonly context: string
  readonly summary: string | null
  readonly history: ReadonlyArray<StoredMessage>
  readonly message: Extract<Message, { readonly role: "user" }>
}): ReadonlyArray<Message> => {
  const { context, history, message, summary } = options
  const system = [context, summary === null ? "" : `${summaryHeading}\n${summary}`].filter((part) => part !== "")
  const replayed = alternating(history)
  const last = replayed.at(-1)
  const head: ReadonlyArray<Message> = system.length === 0 ? [] : [{ role: "system", content: system.join("\n\n") }]
  // A message that never got its answer, and now the next one: one turn of the user.
  if (last?.role === "user" && typeof last.content === "string") {
    const merged =
      typeof message.content === "string"
        ? `${last.content}\n\n${message.content}`
        : [{ type: "text" as const, text: last.content }, ...message.content]
    return [...head, ...replayed.slice(0, -1), { role: "user", content: merged }]
  }
  return [...head, ...replayed, message]
}

/** A conversation as text, for the one who summarises it. */
export const transcriptOf = (history: ReadonlyArray<StoredMessage>): string =>
  history.map(({ content, role }) => `${role === "user" ? "User" : "Assistant"}: ${content}`).join("\n\n")

/** Pieces of at most `budget` tokens each, oldest first; a single longer message is cut. */
export const pieces = (history: ReadonlyArray<StoredMessage>, budget: number): ReadonlyArray<string> => {
  const out: Array<Array<StoredMessage>> = []
  let left = 0
  for (const message of history) {
    const content = tokensOf(message.content) > budget ? message.content.slice(0, budget) : message.content
    const cost = tokensOf(content)
    if (out.length === 0 || cost > left) {
      out.push([])
      left = budget
    }
    out.at(-1)!.push({ ...message, content })
    left -= cost
  }
  return out.map(transcriptOf)
}
