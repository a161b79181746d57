/**
 * A log file with a bounded size: written by appending, rotated to `NAME.1 … NAME.N`, opened again when somebody moved
 * it away (`operations Z1`). Asynchronous: a slow disk delays nobody but its caller.
 */
import { open, rename, rm, stat, type FileHandle } from "node:fs/promises"

export interface LogFile {
  /** Appends whole lines. Rejects when the disk does not take them; what was written before stays. */
  readonly write: (lines: string) => Promise<void>
  readonly close: () => Promise<void>
}

export const make = (options: {
  readonly path: string
  /** Rotated before a write that would exceed it. */
  readonly maxBytes: number
  /** Rotated files kept; 0 = the file is emptied instead. */
  readonly backups: number
}): LogFile => {
  const { backups, maxBytes, path } = options
  let handle: FileHandle | null = null
  let inode = 0
  let size = 0

  const close = async () => {
    const open = handle
    handle = null
    await open?.close()
  }

  const reopen = async () => {
    await close()
    const opened = await open(path, "a", 0o600)
    const found = await opened.stat()
    handle = opened
    inode = found.ino
    size = found.size
    return opened
  }

  const rotate = async () => {
    await close()
    if (backups === 0) await rm(path, { force: true })
    else {
      await rm(`${path}.${backups}`, { force: true })
      for (let n = backups - 1; n >= 1; n--) await rename(`${path}.${n}`, `${path}.${n + 1}`).catch(ignoreMissing)
      await rename(path, `${path}.1`).catch(ignoreMissing)
    }
    return reopen()
  }

  return {
    write: async (lines) => {
      const bytes = Buffer.byteLength(lines)
      const found = await stat(path).catch(ignoreMissing)
      let file = handle === null || found?.ino !== inode ? await reopen() : handle
      if (size > 0 && size + bytes > maxBytes) file = await rotate()
      await file.appendFile(lines)
      size += bytes
    },
    close
  }
}

const ignoreMissing = (error: unknown): undefined => {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
  throw error
}
