/**
 * Where a message came from: chat, thread, sender. The vocabulary of every room; it decides nothing.
 * Encoding for storage and peers follows `session S2`; the trust fields of `session S3` are deliberately absent here,
 * because a peer or a stored row must not be able to forge them (see `Provenance`).
 */
import { Schema } from "effect"

const Name = Schema.NullOr(Schema.String)

/** A message's origin (`session S1`). Ids are opaque strings of the platform; `""` is a legal `chatId`. */
export const Source = Schema.Struct({
  platform: Schema.String,
  chatId: Schema.String,
  chatName: Name,
  /** `dm`, `group`, `channel`, `thread`; other values pass through. */
  chatType: Schema.String,
  userId: Name,
  userName: Name,
  threadId: Name,
  chatTopic: Name,
  userIdAlt: Name,
  chatIdAlt: Name,
  /** Server or workspace; `scope_id` and `guild_id` on the wire. */
  scopeId: Name,
  parentChatId: Name,
  messageId: Name,
  profile: Name
})
export type Source = typeof Source.Type

/** A source with everything optional left out. */
export const make = (fields: Partial<Source> & { readonly platform: string; readonly chatId: string }): Source => ({
  chatName: null,
  chatType: "dm",
  userId: null,
  userName: null,
  threadId: null,
  chatTopic: null,
  userIdAlt: null,
  chatIdAlt: null,
  scopeId: null,
  parentChatId: null,
  messageId: null,
  profile: null,
  ...fields
})

/**
 * What our own intake found out about an event's author (`session S3`). Made by an adapter or the relay link, kept in
 * columns of the Inbox beside the event, never decoded from what a peer sent.
 */
export interface Provenance {
  /** Arrived over the authenticated relay: the connector has already authorised the author. */
  readonly viaRelay: boolean
  /** The author is a bot; `null` = the platform did not say. */
  readonly isBot: boolean | null
  /** The adapter verified a role of the sender that admits it. */
  readonly roleAuthorized: boolean
}

export const untrusted: Provenance = { viaRelay: false, isBot: null, roleAuthorized: false }
