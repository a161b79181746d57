/**
 * The dialects with a few marks and no escapes: WhatsApp (`delivery X3`), Google Chat, and plain text (X5), which keeps
 * what the marks enclosed. None of them makes a text longer, so that what fits before fits after.
 */
import { print, type Words } from "./Walk.ts"

const titled = (text: string, url: string): string => (text === "" || text === url ? url : `${text} (${url})`)

const plain: Words = {
  text: (value) => value,
  mark: (_, inner) => inner,
  inlineCode: (value) => value,
  code: (value) => value,
  heading: (inner) => inner,
  link: (inner, url, isBare) => (isBare ? inner : titled(inner, url)),
  image: (_, url) => url,
  quote: (inner) => inner.replaceAll(/^/gm, "> "),
  bullet: null,
  table: null,
  codeInQuote: true,
  oneLineEmphasis: false,
  between: () => ""
}

const marks = { strong: "*", emphasis: "_", delete: "~" } as const

const whatsApp: Words = {
  ...plain,
  mark: (mark, inner) => marks[mark] + inner + marks[mark],
  inlineCode: (value) => (value.includes("`") ? value : `\`${value}\``),
  code: (value, language) => `\`\`\`${language}\n${value}\n\`\`\``,
  heading: (inner) => `*${inner}*`,
  image: titled
}

const googleChat: Words = {
  ...whatsApp,
  link: (inner, url, isBare) => (isBare ? inner : `<${url}|${inner}>`),
  text: (value) => value.replaceAll(/[\u200b-\u200f\u2060\ufeff]|[\ufe00-\ufe0f]/g, "").replaceAll(/(?<=\S) {2,}/g, " ")
}

const squeezed = (text: string): string => text.replaceAll(/\n{3,}/g, "\n\n")

export const toPlain = (text: string): string => squeezed(print(text, plain))

/** Plain text whose lists have round bullets, as on LINE. */
export const toBulleted = (text: string): string => squeezed(print(text, { ...plain, bullet: "•" }))

/** Invisible characters go, and every odd blank becomes a blank: they keep WhatsApp from seeing its marks. */
const normal = (text: string): string =>
  text.replaceAll(/[\u200b\u2060\u2063\ufeff]/g, "").replaceAll(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g, " ")

export const toWhatsApp = (text: string): string => print(normal(text), whatsApp)

export const toGoogleChat = (text: string): string => print(text, googleChat)
