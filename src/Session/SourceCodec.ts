/**
 * A source as it is stored and as peers write it (`session S2`), and as people read it (`session S4`). The trust fields of
 * `session S3` do not exist here: what a peer or a stored row says about them is ignored.
 */
import { Schema, SchemaTransformation } from "effect"
import { platformNames } from "../Message/Platform.ts"
import { make, Source } from "../Message/Source.ts"

/** Ids may come as numbers; they are text from here on (`session S1`). */
const Id = Schema.Union([Schema.String, Schema.Finite])
const Text = Schema.optionalKey(Schema.NullOr(Id))

const builtInPlatforms: ReadonlySet<string> = new Set(["local", ...platformNames])

/** The wire names. Unknown keys are ignored. */
export const WireSource = Schema.Struct({
  platform: Schema.String,
  chat_id: Id,
  chat_name: Text,
  chat_type: Text,
  user_id: Text,
  user_name: Text,
  thread_id: Text,
  chat_topic: Text,
  user_id_alt: Text,
  chat_id_alt: Text,
  scope_id: Text,
  guild_id: Text,
  parent_chat_id: Text,
  message_id: Text,
  profile: Text
})
export type WireSource = typeof WireSource.Type

/** What `encode` writes: text or null, the second half only where it says something. */
export interface EncodedSource {
  readonly platform: string
  readonly chat_id: string
  readonly chat_name: string | null
  readonly chat_type: string
  readonly user_id: string | null
  readonly user_name: string | null
  readonly thread_id: string | null
  readonly chat_topic: string | null
  readonly user_id_alt?: string
  readonly chat_id_alt?: string
  readonly guild_id?: string
  readonly scope_id?: string
  readonly parent_chat_id?: string
  readonly message_id?: string
  readonly profile?: string
}

/** For storage (`session S2`): eight fields always, the others only when they are not empty. */
export const encode = (source: Source): EncodedSource => ({
  platform: source.platform,
  chat_id: source.chatId,
  chat_name: source.chatName,
  chat_type: source.chatType,
  user_id: source.userId,
  user_name: source.userName,
  thread_id: source.threadId,
  chat_topic: source.chatTopic,
  ...(source.userIdAlt ? { user_id_alt: source.userIdAlt } : undefined),
  ...(source.chatIdAlt ? { chat_id_alt: source.chatIdAlt } : undefined),
  ...(source.scopeId ? { guild_id: source.scopeId } : undefined),
  ...(source.parentChatId ? { parent_chat_id: source.parentChatId } : undefined),
  ...(source.messageId ? { message_id: source.messageId } : undefined),
  ...(source.profile ? { profile: source.profile } : undefined)
})

/** For peers: `encode` with the server or workspace under its new name too (`session S1`, `relay I2`). */
export const encodeForPeer = (source: Source): EncodedSource =>
  source.scopeId ? { ...encode(source), scope_id: source.scopeId } : encode(source)

const text = (value: string | number | null | undefined): string | null =>
  value === null || value === undefined ? null : String(value)

/** For the fields that are absent when empty: `""` and null are the same. */
const truthy = (value: string | number | null | undefined): string | null => text(value) || null

/** A source from decoded wire fields; `scope_id` wins over `guild_id`, which is its old name. */
export const fromWire = (wire: WireSource): Source =>
  make({
    platform: wire.platform,
    chatId: String(wire.chat_id),
    chatName: text(wire.chat_name),
    chatType: text(wire.chat_type) ?? "dm",
    userId: text(wire.user_id),
    userName: text(wire.user_name),
    threadId: text(wire.thread_id),
    chatTopic: text(wire.chat_topic),
    userIdAlt: truthy(wire.user_id_alt),
    chatIdAlt: truthy(wire.chat_id_alt),
    scopeId: truthy(wire.scope_id) ?? truthy(wire.guild_id),
    parentChatId: truthy(wire.parent_chat_id),
    messageId: truthy(wire.message_id),
    profile: truthy(wire.profile)
  })

/**
 * Codec between the stored form and `Source` (`session S2`), any platform. For a row: `Schema.fromJsonString(SourceCodec)`.
 */
export const SourceCodec = WireSource.pipe(
  Schema.decodeTo(Source, SchemaTransformation.transform<Source, WireSource>({ decode: fromWire, encode }))
)

/** Codec that refuses platforms which are neither built in nor among `registered` ones (`session S1`). */
export const codecFor = (registered: ReadonlySet<string>) =>
  WireSource.check(
    Schema.makeFilter(
      (wire: WireSource) =>
        builtInPlatforms.has(wire.platform) || registered.has(wire.platform) || `unknown platform ${wire.platform}`
    )
  ).pipe(Schema.decodeTo(Source, SchemaTransformation.transform<Source, WireSource>({ decode: fromWire, encode })))

/** What the agent and people are told about a place (`session S4`). */
export const describe = (source: Source): string => {
  if (source.platform === "local") return "CLI terminal"
  const chat = source.chatName || source.chatId
  const place =
    source.chatType === "dm"
      ? `DM with ${source.userName || source.userId || "user"}`
      : source.chatType === "group" || source.chatType === "channel"
        ? `${source.chatType}: ${chat}`
        : chat
  return source.threadId ? `${place}, thread: ${source.threadId}` : place
}
