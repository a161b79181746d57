/**
 * Replies that mean "say nothing" (`delivery F1`, F4). Judges text only; whether a filter applies to a chat, a failed turn
 * or a local file is the caller's decision. Text that merely mentions a marker is never silence.
 */
import { length } from "./TextLength.ts"

const maxLength = 64

const markers: ReadonlySet<string> = new Set(["[SILENT]", "SILENT", "NO_REPLY", "NO REPLY"])

const folded = (text: string): string => text.toUpperCase().replace(/\s+/g, " ")

const isShort = (trimmed: string): boolean => trimmed.length <= 2 * maxLength && length(trimmed, "chars") <= maxLength

/** The whole reply of an agent is a silence marker: it is stored, not sent (`delivery F1`). Blank text is not silence. */
export const isLiveSilence = (text: string): boolean => {
  const trimmed = text.trim()
  return isShort(trimmed) && markers.has(folded(trimmed))
}

/**
 * Where no person asked (a webhook, a schedule) a marker alone on the first or last line is silence too, and the bracketed
 * one in front; inside prose it is not (`delivery F3`).
 */
export const isUnattendedSilence = (text: string): boolean => {
  const lines = text.trim().split("\n")
  return isLiveSilence(lines[0] ?? "") || isLiveSilence(lines.at(-1) ?? "") || /^\[SILENT\](?:\s|$)/i.test(text.trim())
}

/** A streamed text may still become a marker, so that its preview has to wait (`delivery F2`). */
export const mayBecomeSilence = (text: string): boolean => {
  const start = folded(text.trimStart())
  return isShort(start) && [...markers].some((marker) => marker.startsWith(start.trimEnd()))
}

const narration =
  /^[\s*_~`]*(?:\(?\s*(?:silent|silence|no\s+response|no\s+reply)\s*\.?\s*\)?|[\u{1f507}.\u2026]+(?:\s+[\u{1f507}.\u2026]+)*)[\s*_~`]*$/iu

/** Text that only narrates its own silence (`*(silent)*`, `🔇`, `…`); two bots would mirror it for ever (`delivery F4`). */
export const isSilenceNarration = (text: string): boolean => {
  const trimmed = text.trim()
  return isShort(trimmed) && narration.test(trimmed)
}
