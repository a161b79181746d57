/**
 * A stored conversation as the agent reads it (`session Y`): pure, from live rows in their order. The store is never
 * repaired; this works on a copy.
 */
import type { StoredMessage, TranscriptRow } from "../Storage/Transcript.ts"

/** A request that nobody answered is history after so long: it is not to be carried out any more (`session L4`). */
export const staleAfter = 15 * 60_000

const maxSender = 240

/** `[NAME] ` before what somebody said where several people speak; the name cannot leave its brackets (`session Y9`). */
export const senderPrefix = (name: string | null): string => {
  const inert = (name ?? "")
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ")
    .replaceAll(/[[\]]/g, "")
    .replaceAll(/ +/g, " ")
    .trim()
  return inert === "" ? "" : `[${Array.from(inert).slice(0, maxSender).join("")}] `
}

export const replay = (
  rows: ReadonlyArray<TranscriptRow>,
  options: { readonly now: number; readonly isShared: boolean }
): ReadonlyArray<StoredMessage> => {
  const out: Array<StoredMessage> = []
  /** The last one stands for itself: what follows is not merged into it. */
  let sealed = false
  for (const { content, role, sender, timestamp, unanswered } of rows) {
    if (content === "") continue
    const said = role === "user" && options.isShared ? `${senderPrefix(sender)}${content}` : content
    const isStale = role === "user" && unanswered && options.now - timestamp > staleAfter
    const text = isStale
      ? `[Earlier message of ${new Date(timestamp).toISOString()} that was not answered; not a request any more] ${said}`
      : said
    const last = out.at(-1)
    if (last?.role === role && !(role === "user" && (sealed || isStale))) {
      out[out.length - 1] = { role, content: `${last.content}\n\n${text}`, timestamp }
    } else {
      // Two user messages in a row would break strict providers; the one between them says why it is there.
      if (last?.role === role) out.push({ role: "assistant", content: "(not answered)", timestamp: last.timestamp })
      out.push({ role, content: text, timestamp })
    }
    sealed = isStale
  }
  if (sealed) out.push({ role: "assistant", content: "(not answered)", timestamp: out.at(-1)!.timestamp })
  return out
}
