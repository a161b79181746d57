/**
 * Ids of people and chats as the agent may see them where raw ones are not needed (`session I`). A plain hash of a phone
 * number can be undone by trying all of them, so that a home of ours hashes with a key of its own (`session I4`).
 */
import { createHash, createHmac } from "node:crypto"

/** Platforms that need no raw ids for mentions (`session I1`). */
export const pseudonymous: ReadonlySet<string> = new Set(["whatsapp", "signal", "telegram", "bluebubbles"])

/** First 12 hex digits of SHA-256; with a key, of its HMAC (`session I2`, I4). */
export const ofId = (id: string, key: string | null): string =>
  (key === null ? createHash("sha256") : createHmac("sha256", key)).update(id, "utf8").digest("hex").slice(0, 12)

export const ofSender = (id: string, key: string | null): string => `user_${ofId(id, key)}`

/** What stands before the first colon is kept: it names a kind, not a person. */
export const ofChat = (id: string, key: string | null): string => {
  const colon = id.indexOf(":")
  return colon > 0 ? `${id.slice(0, colon)}:${ofId(id.slice(colon + 1), key)}` : ofId(id, key)
}
