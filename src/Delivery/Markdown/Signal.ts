/** Signal shows no marks: a plain text and the ranges that are bold, italic, struck or code, in UTF-16 units (`delivery X4`). */
import { asColumns } from "./Tables.ts"
import { print, type Words } from "./Walk.ts"

export interface Styled {
  readonly text: string
  /** `START:LENGTH:STYLE`, in order of their starts. */
  readonly styles: ReadonlyArray<string>
}

// Characters that are none mark the ends of a range until the text is whole; a text that holds them loses them.
const marks = { strong: "\ufdd0", emphasis: "\ufdd1", delete: "\ufdd2" } as const
const code = "\ufdd3"
const end = "\ufdd8"
const styles: Readonly<Record<string, string>> = {
  [marks.strong]: "BOLD",
  [marks.emphasis]: "ITALIC",
  [marks.delete]: "STRIKETHROUGH",
  [code]: "MONOSPACE"
}
const anyMark = /[\ufdd0-\ufdd8]/g

const words: Words = {
  text: (value) => value,
  mark: (mark, inner) => marks[mark] + inner + end,
  inlineCode: (value) => code + value + end,
  code: (value) => code + value + end,
  heading: (inner) => marks.strong + inner + end,
  link: (inner, url, isBare) => (isBare ? inner : `${inner} (${url})`),
  image: (alt, url) => (alt === "" ? url : `${alt} (${url})`),
  quote: (inner) => inner.replaceAll(/^/gm, "> "),
  bullet: "•",
  table: asColumns(40),
  codeInQuote: true,
  oneLineEmphasis: true,
  between: () => ""
}

export const toSignal = (source: string): Styled => {
  const printed = print(source.replaceAll(anyMark, ""), words)
  const found: Array<{ readonly start: number; readonly length: number; readonly style: string }> = []
  const open: Array<{ readonly start: number; readonly style: string }> = []
  let text = ""
  let at = 0
  for (const match of printed.matchAll(anyMark)) {
    text += printed.slice(at, match.index)
    at = match.index + 1
    const style = styles[match[0]]
    if (style !== undefined) open.push({ start: text.length, style })
    else {
      const range = open.pop()
      if (range !== undefined && text.length > range.start) found.push({ ...range, length: text.length - range.start })
    }
  }
  return {
    text: text + printed.slice(at),
    styles: found
      .toSorted((a, b) => a.start - b.start || b.length - a.length)
      .map(({ length, start, style }) => `${start}:${length}:${style}`)
  }
}
