/** Slack's mrkdwn (`delivery X2`; Slack, "Formatting message text"). An agent's text never rings everybody. */
import { asColumns } from "./Tables.ts"
import { print, type Words } from "./Walk.ts"

/** Ampersand and angle brackets are the only characters that mrkdwn escapes. */
const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** Mentions, channels and dates that Slack itself would write; those that ring a whole channel are left out. */
const reference = /<(?:[@#][A-Z0-9]+(?:\|[^<>|\n]*)?|!(?:subteam\^[A-Z0-9]+|date\^[^<>\n]+)(?:\|[^<>|\n]*)?)>/g

const withReferences = (text: string): string => {
  let out = ""
  let at = 0
  for (const match of text.matchAll(reference)) {
    out += escaped(text.slice(at, match.index)) + match[0]
    at = match.index + match[0].length
  }
  return out + escaped(text.slice(at))
}

const inUrl = (url: string): string => escaped(url).replaceAll("|", "%7C")

const marks = { strong: "*", emphasis: "_", delete: "~" } as const

/** A fence within a fence would end it; nothing but its look is changed. */
const inFence = (value: string): string => value.replaceAll("```", "`\u200b``")

const mrkdwn: Words = {
  text: withReferences,
  mark: (mark, inner) => marks[mark] + inner + marks[mark],
  inlineCode: (value) => (value.includes("`") ? escaped(value) : `\`${escaped(value)}\``),
  // The language would show as the first line of the code.
  code: (value) => `\`\`\`\n${inFence(escaped(value))}\n\`\`\``,
  heading: (inner) => `*${inner}*`,
  link: (inner, url, isBare, source) => {
    if (!isBare) return `<${inUrl(url)}|${inner.replaceAll("\n", " ")}>`
    return source.startsWith("<") ? `<${escaped(url)}>` : inner
  },
  image: (alt, url) => (alt === "" ? `<${inUrl(url)}>` : `<${inUrl(url)}|${escaped(alt)}>`),
  quote: (inner) => inner.replaceAll(/^/gm, "> "),
  bullet: null,
  table: asColumns(96),
  codeInQuote: true,
  oneLineEmphasis: false,
  between: () => ""
}

export const toMrkdwn = (text: string): string => print(text, mrkdwn)
