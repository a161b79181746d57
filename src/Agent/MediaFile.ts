/**
 * The bytes of a file that came with a message, for agents that take content (`conversation M4`). Only files of the media
 * cache are read: a reference comes from outside, and must never name another file of this machine.
 */
import { open, realpath } from "node:fs/promises"
import { basename, extname, isAbsolute, join, sep } from "node:path"
import { Effect } from "effect"
import type { Media } from "../Message/MessageEvent.ts"

/** What providers take at most; a larger file is left out and named. */
export const mostBytes = 20 * 1024 * 1024

export const isUrl = (ref: string): boolean => /^https?:\/\//i.test(ref)

const types: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".wav": "audio/wav",
  ".mp3": "audio/mpeg",
  ".pdf": "application/pdf"
}

/** Its own type; by the kind or the name only where that is unknown. */
export const mimeOf = (media: Media): string =>
  media.mime?.split(";")[0]?.trim().toLowerCase() ||
  types[extname(media.filename ?? media.ref).toLowerCase()] ||
  (media.kind === "photo" || media.kind === "image" ? "image/jpeg" : "application/octet-stream")

export const nameOf = (media: Media): string => media.filename ?? (basename(media.ref) || media.kind)

/** `null`: too large, gone, or no file of the media cache. */
export const bytesOf = (media: Media, cache: string): Effect.Effect<Buffer | null> =>
  Effect.promise(async () => {
    try {
      const path = await realpath(isAbsolute(media.ref) ? media.ref : join(cache, media.ref))
      if (!path.startsWith((await realpath(cache)) + sep)) return null
      await using file = await open(path, "r")
      const stat = await file.stat()
      return stat.isFile() && stat.size <= mostBytes ? await file.readFile() : null
    } catch {
      return null
    }
  })
