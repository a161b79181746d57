/** What commands say: plain lines and aligned columns for people, one JSON document for programs. Redacted, always. */
import { Effect } from "effect"
import { redact } from "../Config/Redact.ts"

/** One line on standard output. */
export const line = (text: string): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stdout.write(`${redact(text)}\n`)
  })

export const lines = (texts: ReadonlyArray<string>): Effect.Effect<void> =>
  texts.length === 0 ? Effect.void : line(texts.join("\n"))

const redactStrings = (_: string, value: unknown): unknown =>
  typeof value === "string" ? redact(value) : typeof value === "bigint" ? String(value) : value

/** One JSON document; texts in it are redacted one by one, so that it stays JSON. */
export const json = (value: unknown): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stdout.write(`${JSON.stringify(value, redactStrings, 2)}\n`)
  })

/** Control characters would move the reader's cursor; a line break would break the table. */
export const oneLine = (text: string, most = 60): string => {
  const flat = text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, " ").trim()
  return Array.from(flat).length <= most
    ? flat
    : `${Array.from(flat)
        .slice(0, most - 1)
        .join("")}…`
}

/** Columns as wide as their widest cell, two blanks apart; the last one is not padded. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths: Array<number> = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd()
  )
}
