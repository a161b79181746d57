/**
 * Telegram's MarkdownV2 and its HTML (`delivery X1`, X6; Bot API, "Formatting options"). Everything that is not markup is
 * escaped, so that no text is refused and none disappears.
 */
import { asGroups } from "./Tables.ts"
import { print, type Words } from "./Walk.ts"

const escaped = (text: string): string => text.replaceAll(/[_*[\]()~`>#+\-=|{}.!\\]/g, "\\$&")
const inCode = (text: string): string => text.replaceAll(/[`\\]/g, "\\$&")
const inUrl = (text: string): string => text.replaceAll(/[)\\]/g, "\\$&")

const spoiler = /\|\|(?=[^\s|])([^|\n]*[^\s|])\|\|/g

/** `||spoiler||` is no Markdown of the parser's, but of Telegram's. */
const withSpoilers = (text: string, escape: (text: string) => string, open: string, close: string): string => {
  let out = ""
  let at = 0
  for (const match of text.matchAll(spoiler)) {
    out += escape(text.slice(at, match.index)) + open + escape(match[1]!) + close
    at = match.index + match[0].length
  }
  return out + escape(text.slice(at))
}

const endsInMark = (text: string): boolean => {
  if (!text.endsWith("_")) return false
  let slashes = 0
  while (text[text.length - 2 - slashes] === "\\") slashes++
  return slashes % 2 === 0
}

const marks = { strong: "*", emphasis: "_", delete: "~" } as const

const markdownV2: Words = {
  text: (value) => withSpoilers(value, escaped, "||", "||"),
  mark: (mark, inner) => marks[mark] + inner + marks[mark],
  inlineCode: (value) => `\`${inCode(value)}\``,
  code: (value, language) => `\`\`\`${language}\n${inCode(value)}\n\`\`\``,
  heading: (inner) => `*${inner}*`,
  link: (inner, url, isBare) => (isBare ? inner : `[${inner}](${inUrl(url)})`),
  image: (alt, url) => (alt === "" ? escaped(url) : `[${escaped(alt)}](${inUrl(url)})`),
  quote: (inner) => inner.replaceAll(/^/gm, ">"),
  bullet: "•",
  table: asGroups,
  codeInQuote: false,
  oneLineEmphasis: true,
  // Two italics side by side would read as underline; an empty bold parts them, as the manual says.
  between: (left, right) => (right.startsWith("_") && endsInMark(left) ? "**" : "")
}

const html = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
const attribute = (text: string): string => html(text).replaceAll('"', "&quot;")
const tags = { strong: "b", emphasis: "i", delete: "s" } as const

const telegramHtml: Words = {
  text: (value) => withSpoilers(value, html, "<tg-spoiler>", "</tg-spoiler>"),
  mark: (mark, inner) => `<${tags[mark]}>${inner}</${tags[mark]}>`,
  inlineCode: (value) => `<code>${html(value)}</code>`,
  code: (value, language) =>
    language === ""
      ? `<pre>${html(value)}</pre>`
      : `<pre><code class="language-${attribute(language)}">${html(value)}</code></pre>`,
  heading: (inner) => `<b>${inner}</b>`,
  link: (inner, url, isBare) => (isBare ? inner : `<a href="${attribute(url)}">${inner}</a>`),
  image: (alt, url) => (alt === "" ? html(url) : `<a href="${attribute(url)}">${html(alt)}</a>`),
  quote: (inner) => `<blockquote>${inner}</blockquote>`,
  bullet: "•",
  table: asGroups,
  codeInQuote: false,
  oneLineEmphasis: true,
  between: () => ""
}

/** `**>first line`, `>more`, up to a line that ends in `||`: a quotation that is folded until somebody opens it. */
const expandable = /^\*\*>/

interface Part {
  readonly text: string
  readonly isFolded: boolean
}

const parts = (text: string): ReadonlyArray<Part> => {
  const found: Array<Part> = []
  const lines = text.split("\n")
  let plain: Array<string> = []
  let fence: string | null = null
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1]
    if (fence !== null) {
      if (mark !== undefined && mark.startsWith(fence) && line.trim() === mark) fence = null
    } else if (mark !== undefined) fence = mark
    else if (expandable.test(line)) {
      let end = at
      while (end + 1 < lines.length && !lines[end]!.endsWith("||") && lines[end + 1]!.startsWith(">")) end++
      if (lines[end]!.endsWith("||")) {
        if (plain.length > 0) found.push({ text: plain.join("\n"), isFolded: false })
        plain = []
        const quoted = lines.slice(at, end + 1).map((quote) => quote.replace(/^(?:\*\*)?>/, ""))
        found.push({ text: quoted.join("\n").slice(0, -2), isFolded: true })
        at = end
        continue
      }
    }
    plain.push(line)
  }
  if (plain.length > 0) found.push({ text: plain.join("\n"), isFolded: false })
  return found
}

const withFolded = (text: string, words: Words, folded: (inner: string) => string): string =>
  /^\*\*>/m.test(text)
    ? parts(text)
        .map((part) =>
          part.isFolded ? folded(print(part.text, { ...words, quote: (inner) => inner })) : print(part.text, words)
        )
        .filter((printed) => printed !== "")
        .join("\n")
    : print(text, words)

export const toMarkdownV2 = (text: string): string =>
  withFolded(text, markdownV2, (inner) => `**${inner.replaceAll(/^/gm, ">")}||`)

export const toTelegramHtml = (text: string): string =>
  withFolded(text, telegramHtml, (inner) => `<blockquote expandable>${inner}</blockquote>`)
