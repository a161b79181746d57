/**
 * Turns what is to be said into Outbox rows: split under the chat's limit, keyed, anchored, each chunk a row (`delivery
 * O1`, C7). Pure: the same turn and text give the same rows.
 */
import type { Source } from "../Message/Source.ts"
import type { OutboxKind, OutboxRow, Payload, Preview } from "../Storage/Outbox.ts"
import { sanitizeText } from "../Storage/StoredText.ts"
import { repeatMark } from "./Attempt.ts"
import * as IdempotencyKey from "./IdempotencyKey.ts"
import { measureOf, surelyFits } from "./Markdown/Dialect.ts"
import type { Capabilities, Target } from "./Outlet.ts"
import { split } from "./Splitter.ts"
import { length } from "./TextLength.ts"

export const targetOf = (source: Source): Target => ({
  platform: source.platform,
  chatId: source.chatId,
  chatType: source.chatType,
  threadId: source.threadId,
  scopeId: source.scopeId
})

/** Name of a send queue within its link: rows of one chat and thread leave in order. */
export const queueOf = (target: Target): string =>
  sanitizeText(
    target.threadId === null
      ? `${target.platform}:${target.chatId}`
      : `${target.platform}:${target.chatId}#${target.threadId}`
  )

export interface ReplyOptions {
  /** Of this database; part of every key. */
  readonly installation: string
  /** What it answers: a turn, a command's row, a notice's cause. */
  readonly cause: string
  readonly link: string
  readonly target: Target
  readonly sessionKey: string | null
  readonly kind: OutboxKind
  /** Number of the first chunk among the rows of this cause and kind. */
  readonly ordinal?: number
  readonly text: string
  readonly replyTo: string | null
  readonly notify: boolean
  readonly capabilities: Capabilities
  /** What the first chunk already shows. */
  readonly preview?: Preview | null
  readonly at: number
  /** Kind of the capability that the message came with (`relay P3`). */
  readonly followUp?: string
  /** ` (i/n)` behind each of several chunks; default true. */
  readonly indicators?: boolean
  /** The row is this file; `text` stands for it where the platform takes none. */
  readonly media?: Payload["media"]
  /** The row asks with these buttons; `text` is the question with a numbered list. */
  readonly prompt?: Payload["prompt"]
}

/** Key of one chunk; a preview is sent under the key of the chunk that will replace it. */
export const keyOf = (options: Pick<ReplyOptions, "installation" | "cause" | "kind">, ordinal: number): string =>
  IdempotencyKey.ordered(numberOf(options.cause), options.installation, options.cause, options.kind, ordinal)

/** The number in `turn:17` or `command:17`; a cause without one leads its keys with nothing. */
const numberOf = (cause: string): number => Number(/^\w+:(\d+)/.exec(cause)?.[1] ?? 0)

/** A text in pieces that the chat takes, each measured as its dialect prints it; at most one more than `most`. */
export const chunksOf = (
  text: string,
  capabilities: Capabilities,
  most?: number,
  indicators?: boolean
): ReadonlyArray<string> => {
  const { dialect, lengthUnit: unit } = capabilities
  const limit = limitOf(capabilities)
  return surelyFits(dialect, text, limit, unit)
    ? [text]
    : split(text, { limit, unit, convert: measureOf(dialect), most, indicators })
}

/** Longest text of one row: where a repeat has to be marked, with room for the mark. */
export const limitOf = ({ lengthUnit, maxLength, settle }: Capabilities): number =>
  Math.max(1, settle === "key" ? maxLength : maxLength - length(repeatMark, lengthUnit))

/** Messages that one answer may be, before it is sent as a file (`delivery C9` h; Discord's number is its own). */
export const mostChunks = (platform: string): number => (platform === "discord" ? 8 : 20)

/** A chunk without its ` (i/n)`. */
export const bare = (chunk: string): string => chunk.replace(/\s{1,2}\(\d+\/\d+\)$/, "")

/** What stands for a file is one row with it, whatever its length. */
const textsOf = ({ capabilities, indicators, media, text }: ReplyOptions): ReadonlyArray<string> => {
  if (text.trim() === "") return []
  return media === undefined ? chunksOf(text, capabilities, undefined, indicators) : [text]
}

/** None for a text of nothing but white space: it is never sent (`delivery R8`). */
export const rows = (options: ReplyOptions): ReadonlyArray<OutboxRow> => {
  const { target } = options
  const chunks = textsOf(options)
  const first = options.ordinal ?? 0
  return chunks.map((text, index) => ({
    seq: 0,
    key: keyOf(options, first + index),
    link: options.link,
    queue: queueOf(target),
    sessionKey: options.sessionKey,
    turn: options.cause,
    ordinal: first + index,
    kind: options.kind,
    payload: {
      ...target,
      text,
      replyTo: index === 0 ? options.replyTo : null,
      notify: options.notify,
      marked: false,
      ...(options.followUp === undefined ? {} : { followUp: options.followUp }),
      ...(index === 0 && options.media !== undefined ? { media: options.media } : {}),
      ...(index === 0 && options.prompt !== undefined ? { prompt: options.prompt } : {})
    },
    state: "pending",
    attempts: 0,
    notBefore: 0,
    preview: index === 0 ? (options.preview ?? null) : null,
    createdAt: options.at
  }))
}
