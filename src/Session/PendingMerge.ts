/**
 * Which follow-ups become one message, and how (`conversation B4`, Y6, Q3, Q6). Pure. It never drops or replaces anything:
 * what cannot be joined runs by itself, in order.
 */
import type { MessageEvent } from "../Message/MessageEvent.ts"
import type { InboxRow } from "../Storage/Inbox.ts"

export interface MergeSettings {
  /** Texts that follow each other within this time are one message; 0 = never. Milliseconds. */
  readonly quiet: number
  /** Longest time that one such message may span. */
  readonly cap: number
}

/** A caption that says the same again is left out (`conversation Q6`). */
export const mergeCaption = (existing: string, added: string): string => {
  if (added === "") return existing
  if (existing === "") return added
  const same = existing.split("\n\n").some((part) => part.trim() === added.trim())
  return same ? existing : `${existing}\n\n${added}`.trim()
}

/** What two messages are together; `null`: they are not one (the vectors' newer one replaces, ours both run). */
export const merge = (existing: MessageEvent, added: MessageEvent, mergeText: boolean): MessageEvent | null => {
  const isPhoto = existing.type === "photo" || added.type === "photo"
  const bothPhotos = existing.type === "photo" && added.type === "photo"
  if (bothPhotos || existing.media.length > 0 || added.media.length > 0) {
    return {
      ...added,
      type: isPhoto ? "photo" : existing.type === "text" ? added.type : existing.type,
      text: mergeCaption(existing.text, added.text),
      media: [...existing.media, ...added.media],
      context: existing.context,
      replyTo: added.replyTo ?? existing.replyTo,
      timestamp: existing.timestamp
    }
  }
  if (!mergeText || existing.type !== "text" || added.type !== "text") return null
  return {
    ...added,
    text: existing.text === "" || added.text === "" ? existing.text + added.text : `${existing.text}\n${added.text}`,
    context: existing.context,
    replyTo: added.replyTo ?? existing.replyTo,
    timestamp: existing.timestamp
  }
}

const senderOf = ({ event: { source } }: InboxRow): string =>
  (source.chatType === "dm" ? source.chatId : source.userIdAlt || source.userId) ?? ""

const isOne = (first: InboxRow, last: InboxRow, next: InboxRow): boolean =>
  next.internal === undefined &&
  first.internal === undefined &&
  next.link === first.link &&
  senderOf(next) === senderOf(first) &&
  next.event.source.threadId === first.event.source.threadId &&
  // A turn that was cut off runs again as it was: what was said of it has its name.
  next.starts > 0 === last.starts > 0

export interface Taken {
  /** The last row, with the content of all. */
  readonly row: InboxRow
  readonly joined: ReadonlyArray<InboxRow>
  readonly rest: ReadonlyArray<InboxRow>
}

/** The next message of a queue that is not empty, made of as many of its rows as belong together. */
export const takeFirst = (
  [first, ...others]: readonly [InboxRow, ...Array<InboxRow>],
  { cap, quiet }: MergeSettings
): Taken => {
  let row = first
  let last = first
  const joined: Array<InboxRow> = []
  let rest: ReadonlyArray<InboxRow> = others
  for (const next of others) {
    // What comes over the relay, or from the web chat, was a message of its own already there (`conversation B6`).
    const isBurst =
      quiet > 0 &&
      !next.provenance.viaRelay &&
      next.takenAt - last.takenAt <= quiet &&
      next.takenAt - first.takenAt <= cap
    const event = isOne(first, last, next) ? merge(row.event, next.event, isBurst) : null
    if (event === null) break
    joined.push(last)
    last = next
    row = { ...next, event }
    rest = rest.slice(1)
  }
  return { row, joined, rest }
}
