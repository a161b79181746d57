/**
 * Cuts a text into chunks that a platform takes (`delivery C1`–`C6`, C9 a–g). Pure and stable: the same text and options
 * give the same chunks on every machine, so rows written once never change. It never converts what it returns.
 */
import { read } from "./internal/MarkdownLayout.ts"
import { indicatorRoom, plan, render } from "./internal/SplitPlan.ts"
import type { LengthUnit } from "./Outlet.ts"
import { length } from "./TextLength.ts"

export interface SplitOptions {
  /** Longest chunk, in `unit`, indicator and re-opened fences included; at least 1. */
  readonly limit: number
  readonly unit: LengthUnit
  /** ` (i/n)` behind each of several chunks; default true. */
  readonly indicators?: boolean | undefined
  /**
   * The printer of the platform's dialect: chunks are measured as it prints them, and returned as they are in the source.
   * Pure; linear.
   */
  readonly convert?: ((source: string) => string) | undefined
  /** Stops once there are more chunks than this, and gives one more: how many there would be nobody asked. */
  readonly most?: number | undefined
}

const digitsOf = (count: number): number => String(count).length

/**
 * The chunks of a text in order. A text that fits is returned as it is; one of nothing but white space that does not fit
 * has no chunk. Indicators and repeated table headers are left out where they would take more than half of the limit,
 * re-opened fences where they would take more than a third. Every chunk is within the limit, except a single code point that
 * is longer by itself. Linear time.
 */
export const split = (text: string, options: SplitOptions): ReadonlyArray<string> => {
  const limit = Math.max(1, Math.floor(options.limit))
  const { convert, unit } = options
  const whole = length(text, unit)
  // No printer makes a text so much shorter; and what is long is printed only in pieces.
  const isShort = convert === undefined ? whole <= limit : whole <= 4 * limit && length(convert(text), unit) <= limit
  if (isShort) return [text]
  const layout = read(text)
  let digits = options.indicators === false ? 0 : digitsOf(Math.ceil(whole / limit))
  while (true) {
    if (indicatorRoom(digits) * 2 > limit) digits = 0
    const pieces = plan(layout, { limit, unit, digits, convert, most: options.most ?? Infinity })
    const count = pieces.length
    if (count === 1) return [text.slice(pieces[0]!.from, pieces[0]!.to)]
    if (digits === 0) return pieces.map((piece) => render(text, piece, ""))
    if (digitsOf(count) <= digits) return pieces.map((piece, index) => render(text, piece, `(${index + 1}/${count})`))
    digits = digitsOf(count)
  }
}

/**
 * The first message of a text that still grows: its chunk without indicator, where the rest begins, and the fence or table
 * header that goes on there; `null` = the text fits.
 */
export const head = (
  text: string,
  { convert, limit, unit }: Pick<SplitOptions, "limit" | "unit" | "convert">
): { readonly chunk: string; readonly to: number; readonly reopened: string } | null => {
  const whole = length(text, unit)
  if (convert === undefined ? whole <= limit : whole <= 4 * limit && length(convert(text), unit) <= limit) return null
  const [first, second] = plan(read(text), { limit, unit, digits: 0, convert, most: 1 })
  return first === undefined || second === undefined
    ? null
    : { chunk: render(text, first, ""), to: second.from, reopened: second.open }
}
