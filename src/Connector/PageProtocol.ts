/**
 * Schemas of the page's WebSocket (`web/Wire.ts` has the same as types): every message is decoded, and encoded, by them.
 * Bounds of single messages are here, bounds of rates and numbers are not.
 */
import { Result, Schema } from "effect"
import { Chat, ChatMessage } from "./ChatModel.ts"
import type { PageMessage, ServerMessage } from "./web/Wire.ts"

/** UTF-16 units of one JSON message of a page: 64 KiB of text, escaped as badly as JSON can. */
export const maxPageMessage = 512 * 1024

const Id = Schema.String.check(Schema.isPattern(/^[\w.:-]{1,128}$/))
const Position = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

const PageMessageSchema: Schema.Codec<PageMessage> = Schema.Union([
  Schema.Struct({ type: Schema.Literal("hello"), seen: Position }),
  Schema.Struct({
    type: Schema.Literal("send"),
    id: Id,
    chatId: Id,
    text: Schema.String,
    press: Schema.optionalKey(Schema.Struct({ messageId: Id, optionId: Id }))
  }),
  Schema.Struct({ type: Schema.Literal("rename"), chatId: Id, title: Schema.String.check(Schema.isMaxLength(1000)) }),
  Schema.Struct({ type: Schema.Literal("history"), chatId: Id, before: Position })
])

const ServerMessageSchema: Schema.Codec<ServerMessage> = Schema.Union([
  Schema.Struct({ type: Schema.Literal("welcome"), gateway: Schema.Boolean }),
  Schema.Struct({ type: Schema.Literal("gateway"), connected: Schema.Boolean }),
  Schema.Struct({ type: Schema.Literal("chats"), chats: Schema.Array(Chat) }),
  Schema.Struct({ type: Schema.Literal("messages"), messages: Schema.Array(ChatMessage), seen: Schema.Finite }),
  Schema.Struct({
    type: Schema.Literal("history"),
    chatId: Schema.String,
    messages: Schema.Array(ChatMessage),
    more: Schema.Boolean
  }),
  Schema.Struct({ type: Schema.Literal("typing"), chatId: Schema.String, milliseconds: Schema.Finite }),
  Schema.Struct({
    type: Schema.Literal("refused"),
    id: Schema.NullOr(Schema.String),
    reason: Schema.Literals([
      "empty",
      "too_long",
      "chat_full",
      "too_many_chats",
      "storage",
      "rate_limited",
      "bad_request"
    ]),
    retryAfter: Schema.NullOr(Schema.Finite)
  })
])

const decode = Schema.decodeUnknownResult(PageMessageSchema)
const encode = Schema.encodeSync(ServerMessageSchema)
const decodeServer = Schema.decodeUnknownResult(ServerMessageSchema)

/** `null`: it is not one of ours; the page is told and stays connected. */
export const decodePageMessage = (text: string): PageMessage | null => {
  if (text.length > maxPageMessage) return null
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return null
  }
  const result = decode(json)
  return Result.isSuccess(result) ? result.success : null
}

/** Fails as a defect when the server would say what its own schema forbids. */
export const encodeServerMessage = (message: ServerMessage): string => JSON.stringify(encode(message))

/** For clients that are no page: tests, a terminal. */
export const decodeServerMessage = (text: string): ServerMessage | null => {
  const result = decodeServer(JSON.parse(text))
  return Result.isSuccess(result) ? result.success : null
}
