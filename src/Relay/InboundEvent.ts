/**
 * An inbound event as it stands on the wire (`relay I1`, `I2`), and the one place where it becomes our own words. What a
 * peer says of trust ends here: only `is_bot` is taken over, as provenance beside the event.
 */
import { Schema } from "effect"
import { platformNames } from "../Message/Platform.ts"
import type { Media, MessageEvent } from "../Message/MessageEvent.ts"
import { MessageType } from "../Message/MessageEvent.ts"
import type { Provenance, Source } from "../Message/Source.ts"

const Text = Schema.optionalKey(Schema.NullOr(Schema.String))
const Flag = Schema.optionalKey(Schema.NullOr(Schema.Boolean))
const Count = Schema.optionalKey(Schema.NullOr(Schema.Number))

/** `relay I2`; every field may be missing or null. */
export const WireSource = Schema.Struct({
  platform: Text,
  chat_id: Text,
  chat_type: Text,
  chat_name: Text,
  user_id: Text,
  user_name: Text,
  user_display_name: Text,
  user_handle: Text,
  thread_id: Text,
  chat_topic: Text,
  user_id_alt: Text,
  chat_id_alt: Text,
  guild_id: Text,
  scope_id: Text,
  parent_chat_id: Text,
  message_id: Text,
  profile: Text,
  is_bot: Flag,
  message_is_edit: Flag,
  one_to_one_verified: Flag,
  auto_thread_created: Flag,
  auto_thread_initial_name: Text,
  prospective_thread_id: Text
})
export type WireSource = typeof WireSource.Type

const WireMedia = Schema.Struct({ kind: Text, mime: Text, size: Count, filename: Text, caption: Text })

/** `relay I1`. A type or platform that we do not know is no error; an ill-typed field is. */
export const WireEvent = Schema.Struct({
  text: Text,
  message_type: Text,
  source: Schema.optionalKey(Schema.NullOr(WireSource)),
  message_id: Text,
  reply_to_message_id: Text,
  reply_to: Schema.optionalKey(Schema.NullOr(Schema.Struct({ text: Text, author: Text, is_own: Flag }))),
  media_urls: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))),
  media: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.NullOr(WireMedia)))),
  context: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Struct({ author: Text, text: Text })))),
  /** Why there is no context; nothing follows from it. */
  context_error: Schema.optionalKey(Schema.Unknown),
  prompt_response: Schema.optionalKey(
    Schema.NullOr(
      Schema.Struct({
        prompt_id: Schema.String,
        option_id: Schema.String,
        label: Text,
        prompt_message_id: Text
      })
    )
  )
})
export type WireEvent = typeof WireEvent.Type

/** Names a connector may front (`operations F8`, `platforms-b`); any other is shown as `relay` (`relay I2`). */
const knownPlatforms: ReadonlySet<string> = new Set([
  "local",
  ...platformNames,
  "teams",
  "google_chat",
  "line",
  "irc",
  "ntfy",
  "simplex",
  "photon",
  "buzz"
])

const knownTypes: ReadonlySet<string> = new Set(MessageType.literals)

/** The platform's name as we use it. */
export const platformName = (name: string | null | undefined): string => {
  if (name == null) return "relay"
  if (knownPlatforms.has(name)) return name
  const normal = name.trim().toLowerCase()
  return knownPlatforms.has(normal) ? normal : "relay"
}

const messageType = (name: string | null | undefined): MessageType =>
  name != null && knownTypes.has(name) ? (name as MessageType) : "text"

const nowhere: WireSource = {}

const toSource = (wire: WireSource): Source => ({
  platform: platformName(wire.platform),
  chatId: wire.chat_id ?? "",
  chatName: wire.chat_name ?? null,
  chatType: wire.chat_type ?? "dm",
  userId: wire.user_id ?? null,
  userName: wire.user_display_name || wire.user_name || wire.user_handle || (wire.user_name ?? null),
  threadId: wire.thread_id ?? null,
  chatTopic: wire.chat_topic ?? null,
  userIdAlt: wire.user_id_alt ?? null,
  chatIdAlt: wire.chat_id_alt ?? null,
  // `session S1`: the new name wins.
  scopeId: wire.scope_id ?? wire.guild_id ?? null,
  parentChatId: wire.parent_chat_id ?? null,
  messageId: wire.message_id ?? null,
  profile: wire.profile ?? null
})

const none: ReadonlyArray<never> = []

/** Kinds in the words of `send_media`, for a file that the connector did not describe. */
const presumedKind = (type: MessageType): string => {
  switch (type) {
    case "photo":
    case "sticker":
      return "image"
    case "voice":
    case "audio":
    case "video":
      return type
    default:
      return "document"
  }
}

const toMedia = (wire: WireEvent, type: MessageType): ReadonlyArray<Media> =>
  !wire.media_urls
    ? none
    : wire.media_urls.map((ref, index) => {
        const described = wire.media?.[index]
        return {
          ref,
          kind: described?.kind ?? presumedKind(type),
          mime: described?.mime ?? null,
          size: described?.size ?? null,
          filename: described?.filename ?? null,
          caption: described?.caption ?? null
        }
      })

const toReply = (wire: WireEvent): MessageEvent["replyTo"] =>
  wire.reply_to_message_id == null && wire.reply_to == null
    ? null
    : {
        messageId: wire.reply_to_message_id ?? null,
        text: wire.reply_to?.text ?? null,
        author: wire.reply_to?.author ?? null,
        isOwn: wire.reply_to?.is_own ?? null
      }

/** Our own event; missing fields take the defaults of `relay I1` and `I2`. */
export const toMessageEvent = (wire: WireEvent): MessageEvent => {
  const type = messageType(wire.message_type)
  const press = wire.prompt_response
  return {
    text: wire.text ?? "",
    type,
    source: toSource(wire.source ?? nowhere),
    messageId: wire.message_id ?? null,
    replyTo: toReply(wire),
    media: toMedia(wire, type),
    context: !wire.context ? none : wire.context.map((c) => ({ author: c.author ?? "", text: c.text ?? "" })),
    promptResponse:
      press == null
        ? null
        : {
            promptId: press.prompt_id,
            optionId: press.option_id,
            label: press.label ?? null,
            promptMessageId: press.prompt_message_id ?? null
          },
    isEdit: wire.source?.message_is_edit ?? null,
    timestamp: null
  }
}

const fromPerson: Provenance = { viaRelay: true, isBot: false, roleAuthorized: false }
const fromBot: Provenance = { viaRelay: true, isBot: true, roleAuthorized: false }
const fromUnknown: Provenance = { viaRelay: true, isBot: null, roleAuthorized: false }

/** The authenticated socket is the proof of authorisation (`relay L8`); a missing `is_bot` stays unknown (`L9`). */
export const provenanceOf = (wire: WireEvent): Provenance => {
  const isBot = wire.source?.is_bot ?? null
  return isBot === null ? fromUnknown : isBot ? fromBot : fromPerson
}
