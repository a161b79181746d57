/**
 * Changes the operator's own files without spoiling them: comments, order and unknown keys stay, and the file is replaced
 * as a whole or not at all. The edits are pure; only `replace` touches the disk.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync
} from "node:fs"
import { Effect, Schema } from "effect"
import { isMap, isScalar, parseDocument } from "yaml"
import { parse } from "./EnvFile.ts"

/** Nothing was changed. `Unreadable`: it is no file we can edit. `NotWritten`: the new one could not be put in its place. */
export class FileEditError extends Schema.TaggedError<FileEditError>()("FileEditError", {
  reason: Schema.Literals(["Unreadable", "NotWritten"]),
  path: Schema.String,
  message: Schema.String
}) {}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return ""
    throw error
  }
}

const modeOf = (path: string): number => {
  try {
    return statSync(path).mode & 0o777
  } catch {
    return 0o600
  }
}

/** Written beside it, synced and renamed. A new file is its owner's alone; one that is there keeps its rights. */
const replace = (path: string, content: string): void => {
  const temporary = `${path}.${process.pid}.new`
  const mode = modeOf(path)
  try {
    const file = openSync(temporary, "w", mode)
    try {
      writeSync(file, content)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    chmodSync(temporary, mode)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** Replaces the file by what `change` makes of it, an absent one counting as empty; `null` leaves it alone. */
export const edit = (path: string, change: (content: string) => string | null): Effect.Effect<boolean, FileEditError> =>
  Effect.gen(function* () {
    const changed = yield* Effect.try({
      try: () => change(read(path)),
      catch: (error) => new FileEditError({ reason: "Unreadable", path, message: said(error) })
    })
    if (changed === null) return false
    return yield* Effect.try({
      try: () => {
        replace(path, changed)
        return true
      },
      catch: (error) => new FileEditError({ reason: "NotWritten", path, message: said(error) })
    })
  })

/** Sets one key of a YAML file, making the maps on the way. Throws when the file is not YAML with a map at its top. */
export const withKey = (content: string, path: ReadonlyArray<string>, value: unknown): string => {
  const document = parseDocument(content, { keepSourceTokens: true, intAsBigInt: true })
  if (document.errors.length > 0) throw new Error(document.errors[0]!.message)
  if (
    document.contents !== null &&
    !isMap(document.contents) &&
    !(isScalar(document.contents) && document.contents.value === null)
  ) {
    throw new Error("the file is no map of keys")
  }
  for (let length = 1; length < path.length; length++) {
    const above = document.getIn(path.slice(0, length), true)
    // `name:` without anything below it is a map that nobody has begun yet.
    if (isScalar(above) && above.value === null) document.setIn(path.slice(0, length), document.createNode({}))
    else if (above !== undefined && !isMap(above))
      throw new Error(`${path.slice(0, length).join(".")} is no map of keys`)
  }
  document.setIn(path, document.createNode(value))
  return document.toString({ lineWidth: 0 })
}

const assignment = (name: string) => new RegExp(`^(\\s*(?:export\\s+)?${name}\\s*=[ \\t]*)(.*)$`)

/**
 * Changes a list with commas in a `.env` file. `null` when the name is not assigned there, when nothing changes, or when
 * its value spans lines; of several assignments the last one counts and is changed.
 */
export const withList = (
  content: string,
  name: string,
  change: (entries: ReadonlyArray<string>) => ReadonlyArray<string>
): string | null => {
  const value = parse(content).values.get(name)
  if (value === undefined || value.includes("\n")) return null
  const entries = value
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
  const next = change(entries)
  if (next.join(",") === entries.join(",")) return null
  const lines = content.split(/(?<=\n)/)
  const at = lines.findLastIndex((line) => assignment(name).test(line.replace(/[\r\n]+$/, "")))
  const line = lines[at]
  if (line === undefined) return null
  const end = /[\r\n]*$/.exec(line)![0]
  const [, head, rest] = assignment(name).exec(line.slice(0, line.length - end.length))!
  const comment = /^["']/.test(rest!) ? "" : (/\s#.*$/.exec(rest!)?.[0] ?? "")
  const joined = next.join(",")
  const quoted = /^[A-Za-z0-9_@.:+,*/-]*$/.test(joined) ? joined : `"${joined.replace(/["\\$]/g, "\\$&")}"`
  lines[at] = `${head}${quoted}${comment}${end}`
  return lines.join("")
}
