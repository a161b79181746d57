/**
 * Why a send or an edit failed, and above all whether the platform may have carried it out (`delivery S2`–`S4`).
 * What follows from a kind (retry, degrade, give up) is the Outbox's decision alone.
 */
import { Schema } from "effect"

/** `ambiguous`: it left us and no answer came, so it may have been shown. Every other kind: surely not carried out. */
export const SendErrorKind = Schema.Literals([
  "too_long",
  "bad_format",
  "forbidden",
  "not_found",
  "rate_limited",
  "transient",
  "window_closed",
  "unsupported",
  "unknown",
  "ambiguous"
])
export type SendErrorKind = typeof SendErrorKind.Type

export class SendError extends Schema.TaggedError<SendError>()("SendError", {
  kind: SendErrorKind,
  /** For operators; redacted before it is logged. */
  message: Schema.String,
  /** `not_found` only: the whole chat is gone, or just the thread or message (`delivery S5`). */
  reach: Schema.optionalKey(Schema.Literals(["chat", "message"])),
  /** Seconds that the platform asked us to wait. */
  retryAfter: Schema.optionalKey(Schema.Number)
}) {
  /** The platform may already have shown it. */
  get isAmbiguous(): boolean {
    return this.kind === "ambiguous"
  }
}
