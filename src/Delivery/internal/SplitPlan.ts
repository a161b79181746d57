/**
 * Decides where a text is cut (`delivery C2`–`C5`, C9). The pieces cover the text in order; what lies between two of them is
 * white space at a break in prose, never anything inside a fence.
 */
import type { LengthUnit } from "../Outlet.ts"
import { codePointFloor, codePointSize, cut, length } from "../TextLength.ts"
import { graphemeFloor, isExtender } from "./Graphemes.ts"
import { type Block, blockAround, type Fence, type Layout, spanAround, type Table } from "./MarkdownLayout.ts"

export interface Piece {
  /** Repeated in front: the opening line of a fence, or header and delimiter row of a table. */
  readonly open: string
  readonly from: number
  readonly to: number
  /** Closes a fence that goes on in the next piece. */
  readonly close: string
  /** What parts the text from an indicator: a line of its own after code, a blank line after a table (`delivery C9` c). */
  readonly separator: string
}

export interface Measure {
  readonly limit: number
  readonly unit: LengthUnit
  /** Digits of the largest number in an indicator; 0: no indicators. */
  readonly digits: number
  /** How the platform's dialect prints a chunk, where it is not sent as it stands. */
  readonly convert: ((source: string) => string) | undefined
  /** Pieces after which one more is planned, and no other. */
  readonly most: number
}

/** Room for the longest separator and ` (n/n)` with numbers of so many digits. */
export const indicatorRoom = (digits: number): number => (digits === 0 ? 0 : 5 + 2 * digits)

/** Where a piece ends and the next begins. */
interface Break {
  readonly to: number
  readonly resume: number
  readonly close: string
}

const isSpace = (code: number): boolean => (code >= 0x09 && code <= 0x0d) || code === 0x20 || code === 0x3000

export const plan = (layout: Layout, measure: Measure): ReadonlyArray<Piece> => {
  const { text } = layout
  const { convert, digits, limit, most, unit } = measure
  const available = limit - indicatorRoom(digits)
  const sample = digits === 0 ? "" : `(${"9".repeat(digits)}/${"9".repeat(digits)})`

  const isWithin = (piece: Piece): boolean =>
    convert === undefined || length(convert(render(text, piece, sample)), unit) <= limit

  const shrink = (from: number, to: number): number => codePointFloor(text, from + Math.floor((to - from) * 0.9))

  /** The furthest end of a piece that begins at `from` with these additions; `from` when nothing fits. */
  const reach = (from: number, open: string, close: string): number => {
    let to = cut(text, from, available - length(open, unit) - length(close, unit), unit)
    while (to > from && !isWithin({ open, from, to, close, separator: "\n\n" })) to = shrink(from, to)
    return to
  }

  /** A fence or table whose additions would take more than this share of a piece is cut without them. */
  const isAffordable = (addition: string, share: number): boolean =>
    addition.length <= available * share && length(addition, unit) <= available * share

  const isWrappable = (fence: Fence): boolean =>
    fence.contentFrom - fence.from <= available / 3 && isAffordable(`${fence.reopen}${fence.close}\n`, 1 / 3)

  const closing = (fence: Fence, to: number): string => (text[to - 1] === "\n" ? fence.close : `\n${fence.close}`)

  const inkEnd = (from: number, to: number): number => {
    let end = to
    while (end > from && isSpace(text.charCodeAt(end - 1))) end--
    return end
  }

  /** A break in prose at white space: all of it goes, but the indentation of the next line stays (`delivery C3`, C9 b). */
  const breakAt = (from: number, at: number): Break => {
    let end = at
    let line = -1
    for (; end < text.length && isSpace(text.charCodeAt(end)); end++) if (text[end] === "\n") line = end + 1
    return { to: inkEnd(from, at), resume: line < 0 || end === text.length ? end : line, close: "" }
  }

  const lossless = (at: number, close = ""): Break => ({ to: at, resume: at, close })

  const before = (from: number, block: Block): Break => ({
    to: inkEnd(from, block.from),
    resume: block.from,
    close: ""
  })

  const lastNewline = (min: number, max: number): number => {
    for (let at = Math.min(max, text.length - 1); at >= min; at--) if (text.charCodeAt(at) === 0x0a) return at
    return -1
  }

  /** A cut that drops nothing: after the last space of the second half, else between two graphemes. */
  const hardCut = (from: number, end: number): number => {
    for (let at = end; at > from + ((end - from) >> 1); at--) {
      if (isSpace(text.charCodeAt(at - 1)) && text[at] !== "\n" && !isExtender(text, at)) return at
    }
    const border = graphemeFloor(text, from, end)
    return border > from ? border : end
  }

  /** A line that begins here would open a fence: the rest of the text would change its meaning. */
  const opensFence = (at: number): boolean =>
    text.startsWith("~~~", at) || (text.startsWith("```", at) && spanAround(layout, at + 1) !== at)

  const inProse = (from: number, end: number): Break => {
    const half = from + ((end - from) >> 1)
    for (let at = lastNewline(half, end); at > from; at = lastNewline(half, spanAround(layout, at))) {
      if (spanAround(layout, at) < 0) return breakAt(from, at)
    }
    for (let at = end; at > from; at--) {
      if (!isSpace(text.charCodeAt(at))) continue
      const span = spanAround(layout, at)
      if (span >= 0) {
        at = Math.max(from, span) + 1
        continue
      }
      const found = breakAt(from, at)
      const startsLine = text[found.resume - 1] === "\n"
      if (startsLine || !(opensFence(found.resume) || isExtender(text, found.resume))) return found
      at = found.to
    }
    const border = graphemeFloor(text, from, end)
    const span = spanAround(layout, border)
    return lossless(span > from ? span : span >= 0 || border <= from ? hardCut(from, end) : border)
  }

  const inFence = (fence: Fence, from: number, end: number): Break => {
    const min = Math.max(from, fence.contentFrom)
    // The closing line is not left alone with nothing to close.
    const max = fence.closed ? Math.min(end, fence.closeFrom - 2) : end
    const line = lastNewline(Math.max(min, from + ((end - from) >> 1)), max - 1) + 1
    if (line > min) return lossless(line, isWrappable(fence) ? closing(fence, line) : "")
    if (fence.from > from) return before(from, fence)
    const at = max > min ? hardCut(min, max) : hardCut(from, end)
    return lossless(at, isWrappable(fence) && at > fence.contentFrom ? closing(fence, at) : "")
  }

  /** `null`: not one row fits below the repeated header. */
  const inTable = (table: Table, from: number, end: number, open: string): Break | null => {
    const row = lastNewline(Math.max(from, table.bodyFrom) + 1, end)
    if (row >= 0) return { to: inkEnd(from, row), resume: row + 1, close: "" }
    if (table.from > from) return before(from, table)
    return open === "" ? inProse(from, end) : null
  }

  /** The block fits whole into a piece of its own, so it is not cut (`delivery C9` d). */
  const fitsWhole = (block: Block): boolean =>
    reach(block.from, "", block.kind === "fence" && !block.closed ? `\n${block.close}` : "") >= block.to

  const choose = (from: number, end: number, open: string): Break | null => {
    const block = blockAround(layout, end)
    if (block === null || end >= block.to) return inProse(from, end)
    if (block.from > from && (inkEnd(from, block.from) === from || fitsWhole(block))) return before(from, block)
    if (block.kind === "fence") return inFence(block, from, end)
    return block.kind === "table" ? inTable(block, from, end, open) : inProse(from, end)
  }

  /** The fence that a piece ending at `to` would leave open. */
  const leftOpen = (to: number): Fence | null => {
    const block = blockAround(layout, to)
    return block?.kind === "fence" && (to < block.to || !block.closed) && to > block.contentFrom && isWrappable(block)
      ? block
      : null
  }

  const reopening = (from: number): string => {
    const block = blockAround(layout, from)
    if (block === null || from >= block.to) return ""
    if (block.kind === "fence") return from > block.contentFrom && isWrappable(block) ? block.reopen : ""
    if (block.kind === "item" || from <= block.bodyFrom || text[from - 1] !== "\n") return ""
    if (block.bodyFrom - block.from > available / 2) return ""
    const header = text.slice(block.from, block.bodyFrom)
    return isAffordable(header, 1 / 2) ? header : ""
  }

  const separatorAt = (to: number): string => {
    const block = blockAround(layout, to)
    return block?.kind === "fence" ? "\n" : block?.kind === "table" ? "\n\n" : " "
  }

  const next = (from: number, open: string): { readonly piece: Piece; readonly resume: number } => {
    let end = reach(from, open, "")
    const fence = leftOpen(end)
    if (fence !== null) end = Math.min(end, reach(from, open, `\n${fence.close}`))
    while (true) {
      if (end <= from) {
        if (open !== "") return next(from, "")
        // Not even one code point fits; the text must go on.
        end = from + codePointSize(text, from)
      }
      const found =
        end === text.length
          ? lossless(end, leftOpen(end) === null ? "" : closing(leftOpen(end)!, end))
          : choose(from, end, open)
      if (found === null) return next(from, "")
      const piece: Piece = { open, from, to: found.to, close: found.close, separator: separatorAt(found.to) }
      if (found.to <= from + 1 || isWithin(piece)) return { piece, resume: found.resume }
      end = shrink(from, found.to)
    }
  }

  const isBlank = ({ from, to }: Piece): boolean => inkEnd(from, to) === from

  const pieces: Array<Piece> = []
  for (let from = 0; from < text.length && pieces.length <= most;) {
    const { piece, resume } = next(from, reopening(from))
    if (piece.close !== "" || piece.open !== "" || !isBlank(piece)) pieces.push(piece)
    from = resume
  }
  return pieces
}

/** The text of a piece, with an indicator unless that is `""`. */
export const render = (text: string, piece: Piece, indicator: string): string =>
  piece.open + text.slice(piece.from, piece.to) + piece.close + (indicator === "" ? "" : piece.separator + indicator)
