/**
 * What is wrong with a line of the relay (`relay W3`): a typed reason and a short redacted preview, never the whole
 * line. Made in one place, so that no preview escapes the redactor.
 */
import { Schema } from "effect"
import { redact } from "../Config/Redact.ts"

export const FrameDecodeReason = Schema.Literals([
  "TooLarge",
  "InvalidUtf8",
  "InvalidJson",
  "NotAnObject",
  "InvalidFields"
])
export type FrameDecodeReason = typeof FrameDecodeReason.Type

export class FrameDecodeError extends Schema.TaggedError<FrameDecodeError>()("FrameDecodeError", {
  reason: FrameDecodeReason,
  /** The frame's `type`, when it could be read. */
  frameType: Schema.NullOr(Schema.String),
  /** Where and what, for operators; redacted, at most 200 characters. */
  detail: Schema.String,
  /** The beginning of the line; redacted, at most 200 characters. */
  preview: Schema.String,
  /** The delivery that has to be buried and acknowledged, when it could be read (`relay I3a`). */
  bufferId: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    return `${this.reason}${this.frameType === null ? "" : ` in ${this.frameType}`}: ${this.detail}`
  }
}

const previewLength = 200

/** Long unbroken runs of token alphabet, and what stands after a word that announces a secret. */
const tokenLike = /[A-Za-z0-9_\-+/=]{40,}/g
const announced =
  /((?:token|secret|authorization|password|passwd|api_?key|bearer)["'\s:=]{1,4}(?:bearer\s+)?)[^\s"',}]+/gi

/** At most 200 characters of a text, without control characters and without what may be a secret. */
export const preview = (text: string): string => {
  // A secret that the cut would halve is not recognised any more: redact some way beyond it.
  const head = redact(text.slice(0, 4 * previewLength))
    .replace(announced, "$1***")
    .replace(tokenLike, "***")
  let clean = ""
  for (const character of head) {
    if (clean.length + character.length > previewLength) break
    clean += character < " " || character === "\u007f" ? " " : character
  }
  return clean
}

/** The only maker: everything that could hold foreign text passes through `preview`. */
export const make = (error: {
  readonly reason: FrameDecodeReason
  readonly detail: string
  readonly line: string
  readonly frameType?: string | null
  readonly bufferId?: string | null
}): FrameDecodeError =>
  new FrameDecodeError({
    reason: error.reason,
    frameType: error.frameType == null ? null : preview(error.frameType),
    detail: preview(error.detail),
    preview: preview(error.line),
    bufferId: error.bufferId ?? null
  })
