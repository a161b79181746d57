/**
 * Markdown as a tree, as chats read it rather than as documents do: HTML, indented code, link definitions, footnotes and
 * underlined headings are plain text. Bounded: what is too long or nested too deeply is one paragraph as it stands.
 */
import type { Root } from "mdast"
import { fromMarkdown } from "mdast-util-from-markdown"
import { gfmFromMarkdown } from "mdast-util-gfm"
import { gfm } from "micromark-extension-gfm"

const ignored = {
  disable: {
    null: [
      "htmlFlow",
      "htmlText",
      "codeIndented",
      "definition",
      "setextUnderline",
      "gfmFootnoteCall",
      "gfmPotentialFootnoteCall",
      "gfmFootnoteDefinition"
    ]
  }
}

const options = {
  extensions: [gfm({ singleTilde: false }), ignored],
  // The tokenizer has found the addresses already; the second search walks the tree recursively and finds no more.
  mdastExtensions: gfmFromMarkdown().map((extension) => ({ ...extension, transforms: [] }))
}

/** No message of a platform is longer; a longer text is split before it is printed. */
const longest = 100_000
/** Containers opened in one line: the parser's time grows with their square. */
const nested = /^[ \t]*(?:>[ \t]*|[-*+][ \t]+|\d{1,9}[.)][ \t]+){40,}/m

/** Runs of `*`, `_` and `~` in one paragraph: those without a partner cost the parser the square of their number. */
const mostRuns = 2000

const hasTooManyRuns = (text: string): boolean => {
  let runs = 0
  for (const [found] of text.matchAll(/\n[ \t]*(?=\n)|\*+|_+|~+/g)) {
    if (found[0] === "\n") runs = 0
    else if (++runs > mostRuns) return true
  }
  return false
}

const asItStands = (text: string): Root => {
  const end = { line: text.split("\n").length, column: 1, offset: text.length }
  const position = { start: { line: 1, column: 1, offset: 0 }, end }
  return {
    type: "root",
    children: [{ type: "paragraph", position, children: [{ type: "text", value: text, position }] }],
    position
  }
}

export const parse = (text: string): Root =>
  text.length > longest || nested.test(text) || hasTooManyRuns(text) ? asItStands(text) : fromMarkdown(text, options)
