/** Where a text may be cut without breaking what a reader sees as one character (`delivery C9` e). Costs no more than the run it looks at. */
import { codePointFloor } from "../TextLength.ts"

// One locale for everyone: the same text is cut at the same places on every machine.
const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" })

const isPlain = (code: number): boolean => code >= 0x20 && code < 0x7f

/**
 * The last grapheme border in (from, at], or `from` when one cluster holds it all. `from` is taken to be a border. Only
 * what lies before `at` and the code point after it matter, so the rest of the text is never looked at.
 */
export const graphemeFloor = (text: string, from: number, at: number): number => {
  if (at >= text.length || at <= from) return Math.min(at, text.length)
  if (isPlain(text.charCodeAt(at - 1)) && isPlain(text.charCodeAt(at))) return at
  const slice = text.slice(from, codePointFloor(text, Math.min(text.length, at + 2)))
  return from + (segmenter.segment(slice).containing(at - from)?.index ?? 0)
}

/** The code point at `at` clings to the one before it: a combining mark, joiner or variation selector. */
export const isExtender = (text: string, at: number): boolean => {
  const code = text.codePointAt(at)
  return code !== undefined && code > 0x7f && /^[\p{M}\u200d\p{Emoji_Modifier}]$/u.test(String.fromCodePoint(code))
}
