/**
 * Small JSON files of the home (`operations N4`), read so that a torn one counts as absent.
 */
import { readFileSync } from "node:fs"

/** A BOM is accepted; missing, torn, empty and non-object files are `null`. Larger than 1 MiB is none of ours. */
export const readJson = (path: string): Record<string, unknown> | null => {
  const text = readText(path)
  if (text === null) return null
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

export const readText = (path: string): string | null => {
  try {
    const text = readFileSync(path, "utf8")
    return text.length > 1024 * 1024 ? null : text.replace(/^\uFEFF/, "")
  } catch {
    return null
  }
}
