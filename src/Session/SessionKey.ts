/**
 * The session key: which conversation a source belongs to, as one string (`session K1`–`K8`, K10). Stored keys depend on it
 * byte for byte, so a change of this function is a change of the key version.
 */
import { createHash } from "node:crypto"
import { Result } from "effect"
import type { Source } from "../Message/Source.ts"
import { type AliasLookup, canonical, noAliases, type UnsafeIdentifier } from "../Message/WhatsAppIdentity.ts"

/** Who shares a session in chats with several people (`session K3`). */
export interface Sharing {
  readonly groupSessionsPerUser: boolean
  readonly threadSessionsPerUser: boolean
}

export const defaultSharing: Sharing = { groupSessionsPerUser: true, threadSessionsPerUser: false }

/** A platform's own values win over the general ones, each by itself (`session K3a`). */
export const sharingOf = (
  general: Sharing,
  platform: { readonly [K in keyof Sharing]?: Sharing[K] | undefined } | undefined
): Sharing => ({
  groupSessionsPerUser: platform?.groupSessionsPerUser ?? general.groupSessionsPerUser,
  threadSessionsPerUser: platform?.threadSessionsPerUser ?? general.threadSessionsPerUser
})

export interface KeyOptions extends Sharing {
  /** Profile whose namespace the key is in (`profileOf`); null, `""` and `default` are the default profile. */
  readonly profile: string | null
  /** WhatsApp ids that belong to one person. */
  readonly aliases?: AliasLookup
}

/** Namespace of a message: only while profiles are multiplexed does its source's profile count (`session K8`). */
export const profileOf = (
  source: Source,
  profiles: { readonly multiplexed: boolean; readonly active: string | null }
): string | null => (profiles.multiplexed ? source.profile || profiles.active : null)

const namespaceOf = (profile: string | null): string =>
  profile === null || profile === "" || profile === "default" ? "agent:main" : `agent:${profile}`

/** The sender's more stable id, else the usual one (`session K4`). */
const participantOf = (source: Source): string => source.userIdAlt || source.userId || ""

const isPerUser = (source: Source, sharing: Sharing): boolean =>
  source.threadId ? sharing.groupSessionsPerUser && sharing.threadSessionsPerUser : sharing.groupSessionsPerUser

/** WhatsApp spells one person in several ways (`session K5`); an id that normalises to nothing is kept as it is. */
const identity = (source: Source, id: string, aliases: AliasLookup): Result.Result<string, UnsafeIdentifier> =>
  source.platform === "whatsapp" ? Result.map(canonical(id, aliases), (found) => found || id) : Result.succeed(id)

const maxBytes = 512
const keptBytes = 400

/** Keys have a bound: a longer one keeps its head and gets a digest of the whole (`session K10`). */
const bounded = (key: string): string => {
  const bytes = Buffer.from(key)
  if (bytes.length <= maxBytes) return key
  let end = keptBytes
  // Never inside a character: its continuation bytes begin with 10.
  while ((bytes[end]! & 0xc0) === 0x80) end--
  return `${bytes.toString("utf8", 0, end)}#${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}`
}

/**
 * `NS:PLATFORM:TYPE[:CHAT][:THREAD][:USER]`, at most 512 bytes (`session K1`–`K5`, K10). Fails for a WhatsApp id with
 * characters that no such id has: the message is rejected, the rest of its batch is not concerned.
 */
export const make = (source: Source, options: KeyOptions): Result.Result<string, UnsafeIdentifier> => {
  const aliases = options.aliases ?? noAliases
  const join = (...parts: ReadonlyArray<string | null>) =>
    bounded([namespaceOf(options.profile), source.platform, source.chatType, ...parts].filter(Boolean).join(":"))
  const participant = participantOf(source)
  if (source.chatType === "dm") {
    return Result.map(identity(source, source.chatId || participant, aliases), (chat) => join(chat, source.threadId))
  }
  return Result.map(identity(source, participant, aliases), (user) =>
    join(source.chatId, source.threadId, isPerUser(source, options) ? user : null)
  )
}

/** Several people share the session, as the reference reports it (`session K6`); see `isMultiUser` for what to act on. */
export const isShared = (source: Source, sharing: Sharing): boolean =>
  source.chatType !== "dm" && !(source.threadId ? sharing.threadSessionsPerUser : sharing.groupSessionsPerUser)

/** Several people can reach the session, so that senders are named to the agent (`session K6`). */
export const isMultiUser = (source: Source, sharing: Sharing): boolean =>
  source.chatType !== "dm" && (isShared(source, sharing) || !isPerUser(source, sharing) || participantOf(source) === "")

/** The platform: always the third part (`session K7`); nothing after it may be parsed. `null`: not a session key. */
export const platformOf = (key: string): string | null => {
  const [scheme, , platform] = key.split(":", 3)
  return scheme === "agent" && platform ? platform : null
}
