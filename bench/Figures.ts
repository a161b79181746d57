/** The few statistics that a benchmark report needs. */

export const median = (values: ReadonlyArray<number>): number => {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Nearest rank; `share` in (0, 1]. */
export const percentile = (values: Float64Array, share: number): number => {
  if (values.length === 0) return Number.NaN
  const sorted = values.slice().sort()
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!
}

export const rate = (perSecond: number): string => Math.round(perSecond).toLocaleString("en-US")

export const millis = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} ms`

export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join("  ")
    )
    .join("\n")
}
