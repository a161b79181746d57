/**
 * Small JSON files of the home (`operations N4`): written whole or not at all, and read so that a torn one is absent.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from "node:fs"

/** Temporary file in the same folder, fsynced, renamed; mode 0600. Throws the file system's error. */
export const writeJson = (path: string, value: unknown): void => {
  const temporary = `${path}.${process.pid}.tmp`
  const file = openSync(temporary, "w", 0o600)
  try {
    try {
      writeSync(file, `${JSON.stringify(value)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    unlinkSync(temporary)
    throw error
  }
}

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
