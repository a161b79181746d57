/**
 * The files that an agent may read and write through us: those of its working folder, and for reading those that came
 * with messages. Links are followed before the decision, so that none leads out.
 */
import { constants, realpathSync } from "node:fs"
import { mkdir, open, realpath } from "node:fs/promises"
import { basename, dirname, isAbsolute, join, resolve, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { RequestError } from "@agentclientprotocol/sdk"

const mostBytes = 10 * 1024 * 1024

const isWithin = (path: string, root: string): boolean => path === root || path.startsWith(root + sep)

/** The real place of a path whose last parts need not exist yet. */
const realPlace = async (path: string): Promise<string> => {
  try {
    return await realpath(path)
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT") || dirname(path) === path) throw error
    return join(await realPlace(dirname(path)), basename(path))
  }
}

/** Refuses what lies outside of all `roots`, wherever links lead. */
export const confine = async (path: string, roots: ReadonlyArray<string>): Promise<string> => {
  if (!isAbsolute(path) || path.includes("\0")) throw RequestError.invalidParams({ path }, "the path is not absolute")
  const place = await realPlace(resolve(path))
  for (const root of roots) {
    try {
      if (isWithin(place, await realpath(root))) return place
    } catch {
      // A root that is not there holds nothing.
    }
  }
  throw RequestError.invalidParams({ path }, "the path lies outside of the working folder")
}

export const readText = async (
  path: string,
  roots: ReadonlyArray<string>,
  line: number | null | undefined,
  limit: number | null | undefined
): Promise<string> => {
  const place = await confine(path, roots)
  let file
  try {
    file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    throw RequestError.resourceNotFound(path)
  }
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw RequestError.invalidParams({ path }, "not a file")
    if (stat.size > mostBytes) throw RequestError.invalidParams({ path }, `larger than ${mostBytes} bytes`)
    const text = await file.readFile("utf8")
    if (line == null && limit == null) return text
    const from = Math.max(0, (line ?? 1) - 1)
    return text
      .split("\n")
      .slice(from, limit == null ? undefined : from + Math.max(0, limit))
      .join("\n")
  } finally {
    await file.close()
  }
}

export const writeText = async (path: string, root: string, content: string): Promise<void> => {
  if (Buffer.byteLength(content) > mostBytes)
    throw RequestError.invalidParams({ path }, `larger than ${mostBytes} bytes`)
  const place = await confine(path, [root])
  await mkdir(dirname(place), { recursive: true })
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(place, flags, 0o600)
  try {
    await file.writeFile(content)
  } finally {
    await file.close()
  }
}

/** What an agent attaches to its answer: an address of the web, or a file of its working folder. */
export const attachable = (uri: string, root: string): string | null => {
  if (/^https?:\/\//i.test(uri)) return uri
  if (!uri.startsWith("file:")) return null
  try {
    const place = realpathSync(fileURLToPath(uri))
    return isWithin(place, realpathSync(root)) ? place : null
  } catch {
    return null
  }
}
