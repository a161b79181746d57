/**
 * How a chat wants its text (`delivery` X): the agent's Markdown goes in, what the platform is sent comes out. Pure and
 * stable, so that every attempt at a row sends the same. An unknown dialect takes Markdown as it is.
 */
import { length } from "../TextLength.ts"
import type { Formatting, LengthUnit } from "../Outlet.ts"
import { toBulleted, toGoogleChat, toPlain, toWhatsApp } from "./Chat.ts"
import { toMatrixHtml } from "./Html.ts"
import { toSignal } from "./Signal.ts"
import { toMrkdwn } from "./Slack.ts"
import { toMarkdownV2, toTelegramHtml } from "./Telegram.ts"

export interface Printed {
  readonly text: string
  /** Absent: Markdown as the agent wrote it. */
  readonly formatting?: Formatting
}

interface Dialect {
  /** Name that adapters are told. */
  readonly name: string
  readonly print: (text: string) => { readonly text: string } & Omit<Formatting, "dialect">
  /** Times that a text without tables can become longer at most, in any unit; `null`: it never does. */
  readonly growth: number | null
}

const textOnly = (print: (text: string) => string) => (text: string) => ({ text: print(text) })

const plain: Dialect = { name: "plain", print: textOnly(toPlain), growth: 2 }
const bulleted: Dialect = { name: "plain", print: textOnly(toBulleted), growth: 3 }
const markdownV2: Dialect = { name: "markdown_v2", print: textOnly(toMarkdownV2), growth: 3 }
const telegramHtml: Dialect = { name: "telegram_html", print: textOnly(toTelegramHtml), growth: 16 }
const mrkdwn: Dialect = { name: "mrkdwn", print: textOnly(toMrkdwn), growth: 5 }
const whatsApp: Dialect = { name: "whatsapp", print: textOnly(toWhatsApp), growth: 2 }
const googleChat: Dialect = { name: "google_chat", print: textOnly(toGoogleChat), growth: 2 }
const signal: Dialect = { name: "signal", print: toSignal, growth: 3 }
const matrix: Dialect = { name: "matrix", print: (text) => ({ text, html: toMatrixHtml(text) }), growth: null }

/** DingTalk begins a list only after a blank line, and shows the indentation of a fence. */
const toDingTalk = (text: string): string =>
  text
    .replaceAll(/^[ \t]+(?=`{3,}|~{3,})/gm, "")
    .replaceAll(/^(?![ \t]*\d{1,9}[.)] )(.*\S.*)\n(?=\d{1,9}[.)] )/gm, "$1\n\n")

const dingTalk: Dialect = { name: "dingtalk", print: textOnly(toDingTalk), growth: 2 }

const known: Readonly<Record<string, Dialect>> = {
  plain,
  text: plain,
  "": plain,
  line: bulleted,
  telegram: markdownV2,
  markdown_v2: markdownV2,
  markdownv2: markdownV2,
  telegram_html: telegramHtml,
  html: telegramHtml,
  slack: mrkdwn,
  mrkdwn,
  whatsapp: whatsApp,
  google_chat: googleChat,
  signal,
  matrix,
  dingtalk: dingTalk
}

const dialectOf = (name: string): Dialect | null => {
  const key = name.trim().toLowerCase()
  return Object.hasOwn(known, key) ? known[key]! : null
}

/** Markdown that means the text itself, mark by mark. */
const literal = (text: string): string => text.replaceAll(/[!-/:-@[-`{-~]/g, "\\$&")

/** A text in the chat's dialect, with whatever its adapter needs beside it. */
export const print = (dialect: string, text: string): Printed => {
  const found = dialectOf(dialect)
  if (found === null) return { text }
  const first = found.print(text)
  // A text whose marks would leave nothing is shown as it stands: what was said must be seen.
  const shown = first.text.trim() === "" && text.trim() !== "" ? found.print(literal(text)) : first
  const { text: printed, ...beside } = shown
  return { text: printed, formatting: { dialect: found.name, ...beside } }
}

/** A text without any marks, for a platform that refused them (`delivery O3`). */
export const unmarked = (text: string) => ({ text: print("plain", text).text, formatting: { dialect: "plain" } })

/** All that plain text lengthens: a quotation, which it marks line by line, a tab that becomes blanks, a NUL that becomes a sign. */
const lengthened = /[\0\t]|^ *(?:[-*+] |\d+[.)] )? *>/m

/**
 * How the splitter measures a chunk: as it is printed, or, where printing surely makes it no longer, as it is, which costs
 * no parsing. `undefined`: chunks are as long as they are.
 */
export const measureOf = (dialect: string): ((text: string) => string) | undefined => {
  const found = dialectOf(dialect)
  if (found === null || found.growth === null) return undefined
  return (text) => (found === plain && !lengthened.test(text) ? text : print(dialect, text).text)
}

/** The text fits however it is printed; `false` says only that it has to be measured. */
export const surelyFits = (dialect: string, text: string, limit: number, unit: LengthUnit): boolean => {
  const growth = dialectOf(dialect)?.growth ?? 1
  return (growth === 1 || !text.includes("|")) && length(text, unit) * growth <= limit
}
