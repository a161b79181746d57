/**
 * Walks the tree of a text and prints it by the words of one dialect. What a dialect has no word for stays as it was
 * written: numbers of lists, lines of tables, blank lines between blocks.
 */
import type { Blockquote, Code, Heading, List, ListItem, Parent, PhrasingContent, RootContent, Table } from "mdast"
import { parse } from "./Parse.ts"
import { type Cells, cellsOf } from "./Tables.ts"

export type Mark = "strong" | "emphasis" | "delete"

/** What a platform's dialect calls things. Every `inner` is printed already; `value` is as written. */
export interface Words {
  readonly text: (value: string) => string
  readonly mark: (mark: Mark, inner: string) => string
  readonly inlineCode: (value: string) => string
  readonly code: (value: string, language: string) => string
  readonly heading: (inner: string, depth: number) => string
  /** `isBare`: its text is the address itself; `source` is the link as written. */
  readonly link: (inner: string, url: string, isBare: boolean, source: string) => string
  readonly image: (alt: string, url: string) => string
  /** Every line of a quotation, the whole of it at once. */
  readonly quote: (inner: string) => string
  /** `null`: the mark of a list stays as written. */
  readonly bullet: string | null
  /** `null`: tables stay as written. */
  readonly table: ((cells: Cells, words: Words) => string) | null
  /** Code within a quotation keeps its fence. */
  readonly codeInQuote: boolean
  /** Emphasis over more than one line is none (`delivery X1`). */
  readonly oneLineEmphasis: boolean
  /** What has to stand between two pieces so that their marks do not run together. */
  readonly between: (left: string, right: string) => string
}

interface Place {
  readonly source: string
  readonly words: Words
  readonly marks: ReadonlySet<Mark>
  readonly quoted: boolean
  readonly depth: number
}

/** Deeper than anybody writes; below it the text is shown as it stands. */
const deepest = 60

interface Point {
  readonly offset?: number | undefined
  readonly line: number
}

interface Positioned {
  readonly position?: { readonly start: Point; readonly end: Point } | undefined
}

const from = (node: Positioned): number => node.position?.start.offset ?? 0
const to = (node: Positioned): number => node.position?.end.offset ?? 0
const written = (source: string, node: Positioned): string => source.slice(from(node), to(node))

/** White space with which a line begins, marks of quotation left out; `""` when `at` does not begin its line. */
const lead = (source: string, at: number): string => {
  let start = at
  while (start > 0 && " \t>".includes(source[start - 1]!)) start--
  return start > 0 && source[start - 1] !== "\n" ? "" : source.slice(start, at).replace(/^(?:[ \t]{0,3}>[ \t]?)+/, "")
}

/** The parser takes the indentation of a paragraph's lines away; here it is again. */
const linesOf = (value: string, source: string, node: Positioned): string => {
  if (!value.includes("\n")) return value
  const lines = value.split("\n")
  const originals = written(source, node).split("\n")
  if (lines.length !== originals.length) return value
  return lines
    .map((line, index) =>
      index === 0 ? line : lead(originals[index]!, /^[ \t>]*/.exec(originals[index]!)![0].length) + line
    )
    .join("\n")
}

const asciiWordy = /[A-Za-z0-9]/

/** `2*3*4` and `a*b*c` are sums, no italics: a single star between letters or digits on every side. */
const isArithmetic = (source: string, node: Positioned): boolean =>
  source[from(node)] === "*" &&
  asciiWordy.test(source[from(node) - 1] ?? "") &&
  asciiWordy.test(source[from(node) + 1] ?? "") &&
  asciiWordy.test(source[to(node)] ?? "")

const inlines = (children: ReadonlyArray<PhrasingContent>, place: Place): string => {
  let out = ""
  let before: PhrasingContent | null = null
  for (const child of children) {
    const printed = (before?.type === "break" ? lead(place.source, from(child)) : "") + inline(child, place)
    out += place.words.between(out, printed) + printed
    before = child
  }
  return out
}

const marked = (
  mark: Mark,
  node: Parent & { readonly children: ReadonlyArray<PhrasingContent> },
  place: Place
): string => {
  const { marks, source, words } = place
  const [only] = node.children
  if (mark === "emphasis" && node.children.length === 1 && only?.type === "strong" && !marks.has("emphasis")) {
    // `***x***`: the bold mark outside, as every dialect writes it.
    const within: Place = { ...place, depth: place.depth + 1, marks: new Set([...marks, "strong", "emphasis"]) }
    const inner = words.mark("emphasis", inlines(only.children, within))
    return marks.has("strong") ? inner : words.mark("strong", inner)
  }
  if (marks.has(mark)) return inlines(node.children, { ...place, depth: place.depth + 1 })
  const isNone =
    mark === "emphasis" &&
    (isArithmetic(source, node) || (words.oneLineEmphasis && written(source, node).includes("\n")))
  const within = { ...place, depth: place.depth + 1, marks: isNone ? marks : new Set([...marks, mark]) }
  const inner = inlines(node.children, within)
  if (isNone) {
    const sign = words.text(source[from(node)] ?? "*")
    return sign + inner + sign
  }
  return inner.trim() === "" ? inner : words.mark(mark, inner)
}

const inline = (node: PhrasingContent, place: Place): string => {
  const { source, words } = place
  if (place.depth > deepest) return words.text(written(source, node))
  switch (node.type) {
    case "text":
      return words.text(linesOf(node.value, source, node))
    case "strong":
    case "emphasis":
    case "delete":
      return marked(node.type, node, place)
    case "inlineCode":
      return words.inlineCode(node.value)
    case "break":
      return "\n"
    case "link": {
      const [only] = node.children
      const shown = node.children.length === 1 && only?.type === "text" ? only.value : null
      const isBare =
        shown !== null && (shown === node.url || `mailto:${shown}` === node.url || `http://${shown}` === node.url)
      if (isBare)
        return words.link(
          words.text(shown),
          shown.includes("@") ? shown : shown === node.url ? shown : node.url,
          true,
          written(source, node)
        )
      return words.link(
        inlines(node.children, { ...place, depth: place.depth + 1 }),
        node.url,
        false,
        written(source, node)
      )
    }
    case "image":
      return words.image(node.alt ?? "", node.url)
    default:
      return words.text(written(source, node))
  }
}

const marker = (item: ListItem, source: string): string => {
  const first = item.children[0]
  const raw = source.slice(from(item), first === undefined ? to(item) : from(first))
  return /^(?:[-*+]|\d{1,9}[.)])/.exec(raw)?.[0] ?? "-"
}

const item = (node: ListItem, place: Place): string => {
  const { source, words } = place
  const sign = marker(node, source)
  const isNumber = /\d/.test(sign)
  const box = node.checked == null ? "" : node.checked ? words.text("[x] ") : words.text("[ ] ")
  const head = `${isNumber || words.bullet === null ? words.text(sign) : words.bullet} ${box}`
  let out = head
  let before: RootContent | null = null
  for (const child of node.children) {
    if (before !== null) out += gap(before, child, source)
    out += block(child, { ...place, depth: place.depth + 1 })
    before = child
  }
  return out.trimEnd() === head.trimEnd() ? head.trimEnd() : out
}

const list = (node: List, place: Place): string => {
  let out = ""
  let before: ListItem | null = null
  for (const child of node.children) {
    if (before !== null) out += gap(before, child, place.source)
    out += item(child, place)
    before = child
  }
  return out
}

/** As many blank lines as were written, one at most, and the indentation of the line that follows; none before code or a quotation. */
const gap = (before: Positioned, after: RootContent | ListItem, source: string): string =>
  ((after.position?.start.line ?? 2) - (before.position?.end.line ?? 0) > 1 ? "\n\n" : "\n") + start(after, source)

const start = (node: RootContent | ListItem, source: string): string =>
  node.type === "code" || node.type === "blockquote" ? "" : lead(source, from(node))

const blocks = (children: ReadonlyArray<RootContent>, place: Place): string => {
  let out = ""
  let before: RootContent | null = null
  for (const child of children) {
    out += before === null ? start(child, place.source) : gap(before, child, place.source)
    out += block(child, place)
    before = child
  }
  return out
}

/** First word of an info string. */
const languageOf = (node: Code): string => /^[A-Za-z0-9_+#.-]{1,32}$/.exec(node.lang ?? "")?.[0] ?? ""

const heading = (node: Heading, place: Place): string => {
  const inner = inlines(node.children, { ...place, marks: new Set([...place.marks, "strong"]), depth: place.depth + 1 })
  return inner.trim() === "" ? "" : place.words.heading(inner, node.depth)
}

const quote = (node: Blockquote, place: Place): string => {
  const inner = blocks(node.children, { ...place, quoted: true, depth: place.depth + 1 })
  return place.quoted ? inner : place.words.quote(inner)
}

const table = (node: Table, place: Place): string =>
  place.words.table === null
    ? rows(written(place.source, node), place)
    : place.words.table(
        cellsOf(node, (cell) => inlines(cell, { ...place, depth: place.depth + 1 })),
        place.words
      )

/** Lines as they were written, each escaped. */
const rows = (source: string, { words }: Place): string => words.text(source)

const block = (node: RootContent, place: Place): string => {
  const { quoted, source, words } = place
  if (place.depth > deepest) return words.text(written(source, node))
  switch (node.type) {
    case "paragraph":
      return inlines(node.children, place)
    case "heading":
      return heading(node, place)
    case "code":
      return quoted && !words.codeInQuote
        ? node.value
            .split("\n")
            .map((line) => (line === "" ? "" : words.inlineCode(line)))
            .join("\n")
        : words.code(node.value, languageOf(node))
    case "blockquote":
      return quote(node, place)
    case "list":
      return list(node, place)
    case "table":
      return table(node, place)
    case "thematicBreak":
      return words.text(written(source, node).trim())
    default:
      return words.text(written(source, node))
  }
}

/** A whole text. Blank lines at its ends are dropped. */
export const print = (source: string, words: Words): string =>
  blocks(parse(source).children, { source, words, marks: new Set(), quoted: false, depth: 0 })
