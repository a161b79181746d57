/**
 * Where the blocks of a markdown text are that a cut has to respect: fences, tables, list items, inline spans (`delivery
 * C9`). Reads the text once; what looks odd is prose, never an error.
 */
import { addSpans, type Spans } from "./InlineSpans.ts"

export interface Fence {
  readonly kind: "fence"
  readonly from: number
  /** After the opening line. */
  readonly contentFrom: number
  /** Start of the closing line; the end of the text when there is none. */
  readonly closeFrom: number
  readonly to: number
  readonly closed: boolean
  /** Lines that open and close it again around a cut. */
  readonly reopen: string
  readonly close: string
}

export interface Table {
  readonly kind: "table"
  readonly from: number
  /** After the delimiter row. */
  readonly bodyFrom: number
  readonly to: number
}

export interface Item {
  readonly kind: "item"
  readonly from: number
  readonly to: number
}

export type Block = Fence | Table | Item

export interface Layout {
  readonly text: string
  /** In order, disjoint. */
  readonly blocks: ReadonlyArray<Block>
  readonly spans: Spans
}

const opener = /([ \t]*)(`{3,}(?=[^`\n]*(?:\n|$))|~{3,})/y
const item = /[ \t]*(?:[-*+•]|\d{1,9}[.)])[ \t]/y

/** First word of an info string; what no language is called is dropped, so that it cannot eat the limit (`delivery C9` a). */
const language = (text: string, from: number, to: number): string => {
  const word = inkFrom(text, from, to)
  return /^[A-Za-z0-9_+#.-]{1,32}(?=\s|$)/.exec(text.slice(word, Math.min(to, word + 33)))?.[0] ?? ""
}

/** At least one inner `|`, and nothing but dashes, colons and blanks around it. */
const isDelimiterRow = (text: string, from: number, to: number): boolean => {
  let hasDash = false
  let hasPipe = false
  for (let at = from; at < to; at++) {
    const char = text[at]!
    if (char === "-") hasDash = true
    else if (char === "|") hasPipe = true
    else if (char !== ":" && char !== " " && char !== "\t" && char !== "\r") return false
  }
  return hasDash && hasPipe
}

const hasPipe = (text: string, from: number, to: number): boolean => {
  const at = text.indexOf("|", from)
  return at >= 0 && at < to
}

const lineEnd = (text: string, from: number): number => {
  const end = text.indexOf("\n", from)
  return end < 0 ? text.length : end
}

/** First position in [from, to) that is no blank; `to` for a blank line. */
const inkFrom = (text: string, from: number, to: number): number => {
  let at = from
  while (at < to && (text[at] === " " || text[at] === "\t" || text[at] === "\r")) at++
  return at
}

/** The fence that opens in the line at `from`, up to its end; `null`: none opens there. */
const fenceAt = (text: string, from: number, to: number): Fence | null => {
  opener.lastIndex = from
  const match = opener.exec(text)
  if (match === null) return null
  const [head, indent, marker] = match as unknown as [string, string, string]
  const contentFrom = Math.min(text.length, to + 1)
  const lines = {
    kind: "fence" as const,
    from,
    contentFrom,
    reopen: `${indent}${marker}${language(text, from + head.length, to)}\n`,
    close: `${indent}${marker}`
  }
  for (let line = contentFrom; line < text.length;) {
    const end = lineEnd(text, line)
    const ink = inkFrom(text, line, end)
    // Indented at most three columns more than its opening, as long at least, and nothing behind it.
    if (text[ink] === marker[0] && ink - line <= indent.length + 3 && text.startsWith(marker, ink)) {
      let after = ink
      while (text[after] === marker[0]) after++
      if (inkFrom(text, after, end) === end) return { ...lines, closeFrom: line, to: end, closed: true }
    }
    line = end + 1
  }
  return { ...lines, closeFrom: text.length, to: text.length, closed: false }
}

/** The table whose delimiter row is [from, to), below the header row at `header`. */
const tableAt = (text: string, header: number, to: number): Table => {
  const bodyFrom = Math.min(text.length, to + 1)
  let last = to
  for (let line = bodyFrom; line < text.length;) {
    const end = lineEnd(text, line)
    if (inkFrom(text, line, end) === end || !hasPipe(text, line, end)) break
    last = end
    line = end + 1
  }
  return { kind: "table", from: header, bodyFrom, to: last }
}

export const read = (text: string): Layout => {
  const blocks: Array<Block> = []
  const spans: Spans = { starts: [], ends: [] }
  /** Start of the paragraph being read, -1 between paragraphs. */
  let paragraph = -1
  /** Start of the list item being read, -1 outside; and whether a blank line was seen in it. */
  let itemFrom = -1
  let loose = false
  /** Start of the line before, if that was prose and could be a table's header. */
  let header = -1
  /** End of the last line that was not blank. */
  let inkTo = 0

  const endParagraph = (to: number) => {
    if (paragraph >= 0 && to > paragraph) addSpans(text, paragraph, to, spans)
    paragraph = -1
  }
  const endItem = (to: number) => {
    if (itemFrom >= 0 && to > itemFrom) blocks.push({ kind: "item", from: itemFrom, to })
    itemFrom = -1
    loose = false
  }

  for (let line = 0; line < text.length;) {
    let end = lineEnd(text, line)
    const ink = inkFrom(text, line, end)
    const first = text.charCodeAt(ink)
    const fence = ink < end && (first === 0x60 || first === 0x7e) ? fenceAt(text, line, end) : null
    item.lastIndex = line
    if (ink === end) {
      endParagraph(line)
      loose = true
      header = -1
    } else if (fence !== null) {
      endParagraph(line)
      endItem(inkTo)
      blocks.push(fence)
      header = -1
      end = inkTo = fence.to
    } else if (header >= 0 && isDelimiterRow(text, ink, end) && hasPipe(text, header, line)) {
      if (itemFrom >= 0) endItem(Math.max(itemFrom, header - 1))
      const table = tableAt(text, header, end)
      blocks.push(table)
      endParagraph(table.to)
      header = -1
      end = inkTo = table.to
    } else if (item.test(text)) {
      endParagraph(line)
      endItem(inkTo)
      itemFrom = paragraph = line
      header = -1
      inkTo = end
    } else {
      if (first === 0x23 || (loose && ink === line)) endItem(inkTo)
      if (paragraph < 0) paragraph = line
      header = line
      inkTo = end
    }
    line = end + 1
  }
  endParagraph(text.length)
  endItem(inkTo)
  return { text, blocks, spans }
}

/** Number of elements of a sorted array that are below `value`. */
const countBelow = (size: number, at: (index: number) => number, value: number): number => {
  let low = 0
  let high = size
  while (low < high) {
    const middle = (low + high) >> 1
    if (at(middle) < value) low = middle + 1
    else high = middle
  }
  return low
}

/** The last block that begins before `at` and does not end before it: `at` is inside, or just at its end. */
export const blockAround = ({ blocks }: Layout, at: number): Block | null => {
  const block = blocks[countBelow(blocks.length, (index) => blocks[index]!.from, at) - 1]
  return block !== undefined && at <= block.to ? block : null
}

/** Start of the inline span that a cut at `at` would go through; -1: of none. */
export const spanAround = ({ spans: { ends, starts } }: Layout, at: number): number => {
  const index = countBelow(starts.length, (i) => starts[i]!, at) - 1
  return index >= 0 && at < ends[index]! ? starts[index]! : -1
}
