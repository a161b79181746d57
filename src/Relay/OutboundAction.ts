/**
 * What the gateway asks of a connector, and how the answers read (`relay` Outbound actions, `O2`). Shapes only, for both
 * sides of the wire; who may send what, and when, is decided elsewhere.
 */
import { Result, Schema } from "effect"

const optionalText = Schema.optionalKey(Schema.NullOr(Schema.String))

/** What rides along with an action: `idempotency_key`, `scope_id`, `guild_id`, `thread_id`, `notify` and whatever comes later. */
const metadata = Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown)))

export const SendAction = Schema.Struct({
  op: Schema.Literal("send"),
  chat_id: Schema.String,
  content: Schema.String,
  reply_to: optionalText,
  metadata
})

export const EditAction = Schema.Struct({
  op: Schema.Literal("edit"),
  chat_id: Schema.String,
  message_id: Schema.String,
  content: Schema.String,
  metadata
})

export const TypingAction = Schema.Struct({
  op: Schema.Literal("typing"),
  chat_id: Schema.String,
  content: optionalText,
  metadata
})

export const FollowUpAction = Schema.Struct({
  op: Schema.Literal("follow_up"),
  session_key: Schema.String,
  kind: Schema.String,
  content: Schema.String,
  metadata
})

export const ChatInfoAction = Schema.Struct({
  op: Schema.Literal("get_chat_info"),
  chat_id: Schema.String,
  metadata
})

export const SendMediaAction = Schema.Struct({
  op: Schema.Literal("send_media"),
  chat_id: Schema.String,
  media_kind: Schema.Literals(["image", "voice", "audio", "video", "document"]),
  source_url: Schema.String,
  content: optionalText,
  filename: optionalText,
  reply_to: optionalText,
  metadata
})

/** `relay L1`: at most 10 options, ids of at most 32 characters of a small alphabet. */
export const PromptAction = Schema.Struct({
  op: Schema.Literal("prompt"),
  chat_id: Schema.String,
  prompt_kind: Schema.Literals(["approval", "clarify", "choice"]),
  prompt_id: Schema.String,
  content: Schema.String,
  options: Schema.Array(Schema.Struct({ id: Schema.String, label: Schema.String, style: optionalText })),
  timeout_s: Schema.optionalKey(Schema.NullOr(Schema.Finite)),
  reply_to: optionalText,
  metadata
})

export const ReactAction = Schema.Struct({
  op: Schema.Literal("react"),
  chat_id: Schema.String,
  message_id: Schema.String,
  emoji: Schema.String,
  remove: Schema.optionalKey(Schema.NullOr(Schema.Boolean)),
  metadata
})

/** `relay L2`. */
export const ThreadCreateAction = Schema.Struct({
  op: Schema.Literal("thread_create"),
  chat_id: Schema.String,
  thread_name: Schema.String,
  message_id: optionalText,
  metadata
})

export const ThreadRenameAction = Schema.Struct({
  op: Schema.Literal("thread_rename"),
  chat_id: Schema.String,
  /** Of the thread. */
  message_id: Schema.String,
  thread_name: Schema.String,
  only_if_current_name: optionalText,
  metadata
})

export const OutboundAction = Schema.Union([
  SendAction,
  EditAction,
  TypingAction,
  FollowUpAction,
  ChatInfoAction,
  SendMediaAction,
  PromptAction,
  ReactAction,
  ThreadCreateAction,
  ThreadRenameAction
])
export type OutboundAction = typeof OutboundAction.Type

/** For a connector: an `op` it does not know is a decode error, to be answered with `success: false`. */
export const decodeAction = Schema.decodeUnknownResult(OutboundAction)

/** The answer to everything but `get_chat_info`. */
export const ActionResult = Schema.Struct({
  success: Schema.Boolean,
  message_id: optionalText,
  /** Of `thread_create`. */
  thread_id: optionalText,
  error: optionalText
})
export type ActionResult = typeof ActionResult.Type

export const decodeResult = Schema.decodeUnknownResult(ActionResult)

const ChatInfoFields = Schema.Struct({ name: optionalText, type: optionalText })
const ChatInfoResult = Schema.Struct({
  ...ChatInfoFields.fields,
  chat_info: Schema.optionalKey(Schema.NullOr(ChatInfoFields))
})
const decodeChatInfoResult = Schema.decodeUnknownResult(ChatInfoResult)

export interface ChatInfo {
  readonly name: string
  readonly type: string
}

/** Bare or under `chat_info`; what is missing or unreadable is the default: the id itself, `dm`. */
export const chatInfo = (chatId: string, result: unknown): ChatInfo => {
  const decoded = decodeChatInfoResult(result)
  const info = Result.isSuccess(decoded) ? (decoded.success.chat_info ?? decoded.success) : {}
  return { name: info.name ?? chatId, type: info.type ?? "dm" }
}
