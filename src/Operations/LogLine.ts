/**
 * One event as one line (`operations Z1`), as text or JSON. Pure. Every value is redacted, and no character of a value
 * can end the line or move the cursor of the terminal that shows it.
 */
import { Cause, type LogLevel } from "effect"
import { mask, redact } from "../Config/Redact.ts"
import { isSecretName } from "../Config/SecretNames.ts"

export interface LogEntry {
  readonly at: Date
  readonly level: LogLevel.LogLevel
  /** Texts and maps of fields, as they were given to `Effect.log…`. */
  readonly message: unknown
  readonly annotations: Readonly<Record<string, unknown>>
  readonly spans: ReadonlyArray<readonly [label: string, startedAt: number]>
  readonly cause: Cause.Cause<unknown>
}

export type LogFormat = "text" | "json"

/** A line longer than this is cut, with a note of what is missing. */
const LONGEST_LINE = 16 * 1024
const LONGEST_VALUE = 8 * 1024
const MOST_FIELDS = 64

const LEVELS: Record<string, string> = { Fatal: "CRITICAL", Warn: "WARNING" }

const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g
const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

/** Control, line-breaking and direction characters as escapes. */
const escape = (text: string): string =>
  text.replace(UNSAFE, (char) => SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

const cut = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most)}… (${text.length - most} characters more)`

const plain = (value: unknown): string => {
  if (typeof value === "string") return value
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (Cause.isCause(value)) return Cause.pretty(value)
  if (typeof value !== "object" || value === null) return String(value)
  try {
    return (
      JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner)) ?? typeof value
    )
  } catch {
    return "[cannot be shown]"
  }
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Error) &&
  !Cause.isCause(value) &&
  (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null || "_tag" in value)

interface Parts {
  readonly message: string
  readonly fields: ReadonlyArray<readonly [name: string, value: unknown]>
}

/** A field called just `key` names a row here, and would read as a secret. */
const fieldName = (name: string): string => (name === "key" ? "row_key" : name)

const partsOf = (entry: LogEntry): Parts => {
  const given = Array.isArray(entry.message) ? entry.message : [entry.message]
  const texts: Array<string> = []
  const fields: Array<readonly [string, unknown]> = []
  for (const part of given) {
    if (isFields(part)) for (const field of Object.entries(part)) fields.push(field)
    else texts.push(plain(part))
  }
  for (const [name, value] of Object.entries(entry.annotations)) {
    if (name !== "session" && name !== "logger") fields.push([name, value])
  }
  for (const [label, startedAt] of entry.spans) fields.push([label, `${entry.at.getTime() - startedAt}ms`])
  if (entry.cause.reasons.length > 0) fields.push(["cause", Cause.pretty(entry.cause)])
  return {
    message: texts.join(" "),
    fields: fields.slice(0, MOST_FIELDS).map(([name, value]) => [fieldName(name), value] as const)
  }
}

const quoted = (text: string): string =>
  text === "" || /[\s"=]/.test(text) ? `"${text.replace(/[\\"]/g, "\\$&")}"` : text

/** Masked by its name as well as by its look, and escaped only then, so that no escape can hide a secret. */
const safeValue = (name: string, value: unknown): string => {
  const text = cut(plain(value), LONGEST_VALUE)
  return escape(isSecretName(name) ? mask(text) : redact(text))
}

const isBare = (name: string, value: unknown): value is number | boolean | null =>
  typeof value === "boolean" || value === null || (typeof value === "number" && !isSecretName(name))

/** The line without its end. */
export const format = (entry: LogEntry, as: LogFormat): string => {
  const { fields, message } = partsOf(entry)
  const level = LEVELS[entry.level] ?? entry.level.toUpperCase()
  const logger = escape(plain(entry.annotations["logger"] ?? "gateway"))
  const session = entry.annotations["session"]
  const text = cut(escape(redact(cut(message, LONGEST_VALUE))), LONGEST_VALUE)
  if (as === "json") {
    const object: Record<string, unknown> = { time: entry.at.toISOString(), level, logger, message: text }
    if (session !== undefined) object["session"] = safeValue("session", session)
    for (const [name, value] of fields) {
      if (!(name in object)) object[escape(name)] = isBare(name, value) ? value : safeValue(name, value)
    }
    const line = JSON.stringify(object)
    return line.length <= LONGEST_LINE ? line : JSON.stringify({ ...pick(object), cut: line.length })
  }
  const where = session === undefined ? "" : ` [${safeValue("session", session)}]`
  const pairs = fields.map(
    ([name, value]) => ` ${escape(name)}=${isBare(name, value) ? value : quoted(safeValue(name, value))}`
  )
  return cut(`${entry.at.toISOString()} ${level}${where} ${logger}: ${text}${pairs.join("")}`, LONGEST_LINE)
}

const pick = ({ level, logger, message, time }: Record<string, unknown>) => ({ time, level, logger, message })
