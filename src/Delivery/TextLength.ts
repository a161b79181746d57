/**
 * Lengths of text as platforms count them, and the longest prefix that fits (`delivery C1`). Positions are always UTF-16
 * indexes of the string. Nothing here knows of graphemes or markdown.
 */
import type { LengthUnit } from "./Outlet.ts"

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff

/** UTF-16 units of the code point that begins at `at`: 2 for a surrogate pair, else 1, also for a lone surrogate. */
export const codePointSize = (text: string, at: number): 1 | 2 =>
  isHigh(text.charCodeAt(at)) && at + 1 < text.length && isLow(text.charCodeAt(at + 1)) ? 2 : 1

/** `at`, or one less when it lies inside a surrogate pair. */
export const codePointFloor = (text: string, at: number): number =>
  at > 0 && at < text.length && isLow(text.charCodeAt(at)) && isHigh(text.charCodeAt(at - 1)) ? at - 1 : at

/** Cost of the code point at `at`; a lone surrogate leaves as U+FFFD, three bytes of UTF-8. */
const cost = (text: string, at: number, size: 1 | 2, unit: LengthUnit): number => {
  if (unit === "chars") return 1
  if (unit === "utf16") return size
  if (size === 2) return 4
  const code = text.charCodeAt(at)
  return code < 0x80 ? 1 : code < 0x800 ? 2 : 3
}

/**
 * Length of a text: code points, UTF-16 units or UTF-8 bytes. A lone surrogate counts as one (`relay D2`).
 */
export const length = (text: string, unit: LengthUnit): number => {
  if (unit === "utf16") return text.length
  if (unit === "utf8") return Buffer.byteLength(text, "utf8")
  let points = text.length
  for (let at = 0; at + 1 < text.length; at++) {
    if (isHigh(text.charCodeAt(at)) && isLow(text.charCodeAt(at + 1))) {
      points--
      at++
    }
  }
  return points
}

/**
 * End of the longest run of whole code points that begins at `from` and is no longer than `budget`; `from` itself when
 * not even one fits. Costs no more than the run.
 */
export const cut = (text: string, from: number, budget: number, unit: LengthUnit): number => {
  if (unit === "utf16") return codePointFloor(text, Math.min(text.length, from + Math.max(0, Math.floor(budget))))
  let at = from
  let left = budget
  while (at < text.length) {
    const size = codePointSize(text, at)
    left -= cost(text, at, size, unit)
    if (left < 0) break
    at += size
  }
  return at
}

/** The longest prefix of whole code points within the limit. */
export const truncate = (text: string, limit: number, unit: LengthUnit): string => {
  const end = cut(text, 0, limit, unit)
  return end === text.length ? text : text.slice(0, end)
}
