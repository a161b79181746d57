/**
 * The kind of a failed send, read from its text: the fall-back for errors that carry no type (`delivery S3`–`S5`).
 * An adapter that knows the typed error sets the kind itself and never asks here.
 */
import type { SendErrorKind } from "../Message/SendError.ts"

const anyOf =
  (...phrases: ReadonlyArray<string>) =>
  (text: string): boolean =>
    phrases.some((p) => text.includes(p))

const isBadFormat = anyOf("can't parse entities", "cant parse entities", "can't find end", "unsupported start tag")
const isChatGone = anyOf("chat not found")
const isPartGone = anyOf(
  "message to edit not found",
  "message to reply not found",
  "thread not found",
  "topic_deleted",
  "message_id_invalid"
)

/** In this order; the first that hits wins (`delivery S3`). */
const table: ReadonlyArray<readonly [SendErrorKind, (text: string) => boolean]> = [
  ["too_long", anyOf("message_too_long", "too long")],
  [
    "bad_format",
    (text) =>
      isBadFormat(text) ||
      (text.includes("entity") && text.includes("parse")) ||
      (text.includes("bad request") && text.includes("entit"))
  ],
  [
    "forbidden",
    anyOf(
      "forbidden",
      "bot was blocked",
      "blocked by the user",
      "user is deactivated",
      "not enough rights",
      "have no rights",
      "not a member"
    )
  ],
  ["not_found", (text) => isChatGone(text) || isPartGone(text)],
  ["rate_limited", anyOf("flood", "too many requests", "retry after", "rate limit")],
  [
    "transient",
    anyOf(
      "connecterror",
      "connectionerror",
      "connectionreset",
      "connectionrefused",
      "connecttimeout",
      "network",
      "broken pipe",
      "remotedisconnected",
      "eoferror",
      // S4: no connection, so nothing was sent; the same class as other HTTP clients spell it.
      "connect timeout",
      "connect_timeout"
    )
  ],
  // S4, below every phrase that proves an answer or a missing connection: the platform may have carried it out.
  ["ambiguous", (text) => text.includes("timed out") || text.includes("timeout") || isServerError(text)]
]

/** A 5xx answer: the platform broke while it worked on the request, perhaps after it was shown. */
const isServerError = (text: string): boolean =>
  /internal server error|bad gateway|service unavailable|\b(?:http|status|code|error)\b[\s:=/-]{0,3}5\d\d\b/.test(text)

/**
 * Kind of a failure from error text, exception message and class name joined by spaces (`delivery S3`, `S4`). Where the
 * reference says `unknown` for a time-out or a 5xx answer this says `ambiguous`: such a send is settled, never repeated
 * blindly. Empty text is `unknown`.
 */
export const classify = (text: string): SendErrorKind => {
  const lower = text.toLowerCase()
  return table.find(([, hits]) => hits(lower))?.[0] ?? "unknown"
}

/**
 * How much is gone when the kind is `not_found` (`delivery S5`): the whole chat, or only a thread or message of it. The
 * smaller reach wins; `null` for every other kind.
 */
export const reach = (text: string): "chat" | "message" | null =>
  classify(text) !== "not_found" ? null : isPartGone(text.toLowerCase()) ? "message" : "chat"

const asksToWait =
  /(?:retry|try again)[\s_-]*(?:after|in)["'\s:=]*(\d+(?:\.\d+)?)\s*(?:(ms|milliseconds?)|(m|mins?|minutes?)|(h|hrs?|hours?))?(?![a-z])/i
const asksForSeconds = /(?:retry|try again)[\s_-]*(?:after|in)["'\s:=]*(\d+(?:\.\d+)?)/i

/**
 * Seconds that a platform asks us to wait, from its error text: `retry after 1`, `"retry_after": 1.5`, `retry in 3 s`,
 * `try again in 2 minutes`. A number without a unit is in seconds. `null`: it names none.
 */
export const retryAfter = (text: string): number | null => {
  const found = asksToWait.exec(text) ?? asksForSeconds.exec(text)
  if (found === null) return null
  const [, amount, milliseconds, minutes, hours] = found
  const unit = milliseconds !== undefined ? 0.001 : minutes !== undefined ? 60 : hours !== undefined ? 3600 : 1
  const seconds = Number(amount) * unit
  return Number.isFinite(seconds) ? seconds : null
}
