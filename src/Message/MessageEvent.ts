/**
 * One inbound message in our own words, whatever platform it came from (`platforms-a A11`).
 * An adapter makes it; from the Inbox on it is read-only.
 */
import { Schema } from "effect"
import { Source } from "./Source.ts"

export const MessageType = Schema.Literals([
  "text",
  "photo",
  "video",
  "audio",
  "voice",
  "document",
  "sticker",
  "location",
  "command"
])
export type MessageType = typeof MessageType.Type

/** A file that came with a message: `ref` is a URL of the platform or connector, or a path in the media cache. */
export const Media = Schema.Struct({
  ref: Schema.String,
  kind: Schema.String,
  mime: Schema.NullOr(Schema.String),
  size: Schema.NullOr(Schema.Number),
  filename: Schema.NullOr(Schema.String),
  caption: Schema.NullOr(Schema.String)
})
export type Media = typeof Media.Type

/** The message that this one replies to, as far as the platform told. */
export const ReplyContext = Schema.Struct({
  messageId: Schema.NullOr(Schema.String),
  text: Schema.NullOr(Schema.String),
  author: Schema.NullOr(Schema.String),
  isOwn: Schema.NullOr(Schema.Boolean)
})

/** A press on a button of one of our prompts (`relay L1`). */
export const PromptResponse = Schema.Struct({
  promptId: Schema.String,
  optionId: Schema.String,
  label: Schema.NullOr(Schema.String),
  promptMessageId: Schema.NullOr(Schema.String)
})

export const MessageEvent = Schema.Struct({
  text: Schema.String,
  type: MessageType,
  source: Source,
  /** The platform's id of this message, unique within its chat; absent for events that have none. */
  messageId: Schema.NullOr(Schema.String),
  replyTo: Schema.NullOr(ReplyContext),
  media: Schema.Array(Media),
  /** Recent messages of the channel, oldest first; read-only for the agent, never a trigger (`relay I5`). */
  context: Schema.Array(Schema.Struct({ author: Schema.String, text: Schema.String })),
  promptResponse: Schema.NullOr(PromptResponse),
  /** An edit of an earlier message; `null` = the platform did not say (`relay L9`). */
  isEdit: Schema.NullOr(Schema.Boolean),
  /** The platform's own time, epoch milliseconds. */
  timestamp: Schema.NullOr(Schema.Number),
  /** The answer is owed to a capability that came with the event: the kind of follow-up (`relay P3`). */
  followUp: Schema.optionalKey(Schema.String),
  /** Threads of the answer and of the typing indicator, where they are not the one of the conversation (`relay L11`). */
  answerIn: Schema.optionalKey(
    Schema.Struct({ send: Schema.NullOr(Schema.String), typing: Schema.NullOr(Schema.String) })
  )
})
export type MessageEvent = typeof MessageEvent.Type

/** An event of plain text. */
export const text = (source: Source, text: string, messageId: string | null = null): MessageEvent => ({
  text,
  type: text.startsWith("/") ? "command" : "text",
  source,
  messageId,
  replyTo: null,
  media: [],
  context: [],
  promptResponse: null,
  isEdit: null,
  timestamp: null
})
