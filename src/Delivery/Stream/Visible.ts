/**
 * What of a text that still grows may be shown (`delivery B2`, B4): without thoughts and directives, and without what may
 * yet turn out to be one. Pure; the longer text shows the shorter one's beginning, or the final text mends it.
 */
import { homedir } from "node:os"
import { extractFiles, extractImages } from "../MediaTags.ts"

const names = ["think", "thinking", "thought", "reasoning", "reasoning_scratchpad"]
const opening = new RegExp(`^[ \\t]*<(?:${names.join("|")})>`, "i")
const closing = new RegExp(`</(?:${names.join("|")})>`, "i")
const fence = /^ {0,3}(`{3,}|~{3,})/

const mayOpen = (line: string): boolean => {
  const begun = /^[ \t]*<([a-z_]*)$/i.exec(line)
  return begun !== null && names.some((name) => name.startsWith(begun[1]!.toLowerCase()))
}

/** The fence that is open at the end; `null` = none. */
const openFence = (text: string): string | null => {
  let open: string | null = null
  for (const line of text.split("\n")) {
    const mark = fence.exec(line)?.[1]
    if (mark === undefined) continue
    if (open === null) open = mark
    else if (mark.startsWith(open) && line.trim() === mark) open = null
  }
  return open
}

/** Thoughts begin at the start of a line, outside fences; the earliest closing tag ends them. `isEnd`: nothing follows. */
export const withoutThoughts = (text: string, isEnd: boolean): string => {
  if (!text.includes("<")) return text
  let out = ""
  let at = 0
  let open: string | null = null
  let isLineStart = true
  while (at < text.length) {
    const newline = text.indexOf("\n", at)
    const end = newline < 0 ? text.length : newline + 1
    const line = text.slice(at, end)
    const begun = open === null && isLineStart ? opening.exec(line) : null
    if (begun !== null) {
      const rest = text.slice(at + begun[0].length)
      const ended = closing.exec(rest)
      if (ended === null) return out
      at += begun[0].length + ended.index + ended[0].length
      isLineStart = false
      continue
    }
    if (newline < 0 && !isEnd && open === null && isLineStart && mayOpen(line)) return out
    const mark = isLineStart ? fence.exec(line)?.[1] : undefined
    if (mark !== undefined) {
      if (open === null) open = mark
      else if (mark.startsWith(open) && line.trim() === mark) open = null
    }
    out += line
    at = end
    isLineStart = true
  }
  return out
}

const directive = /["'`]?MEDIA:|\[\[|!\[|<img/i
/** The beginnings of a directive at the very end. */
const begun = /(?:["'`]?(?:M|ME|MED|MEDI|MEDIA)|\[|!|<|<i|<im)$/i

/** Where the last line holds what may become a directive; everything from there on waits. */
const heldFrom = (text: string): number => {
  const line = text.lastIndexOf("\n") + 1
  const last = text.slice(line)
  const at = last.search(directive)
  if (at >= 0) return line + at
  const end = last.search(begun)
  return end < 0 ? text.length : line + end
}

/** `isEnd`: what waits is released. */
export const visible = (raw: string, isEnd: boolean): string => {
  const said = withoutThoughts(raw, isEnd)
  const shown = isEnd ? said : said.slice(0, heldFrom(said))
  return directive.test(shown) ? extractImages(extractFiles(shown, homedir()).text).text : shown
}

/** A preview closes the fence that its text leaves open. */
export const closed = (text: string): string => {
  const trimmed = text.trimEnd()
  const open = trimmed.includes("```") || trimmed.includes("~~~") ? openFence(trimmed) : null
  return open === null ? trimmed : `${trimmed}\n${open}`
}
