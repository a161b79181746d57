/**
 * Files of the home that only their owner may read, replaced whole: a temporary file in the same folder, synced, renamed
 * (`operations N4`). Whoever reads one sees the old text or the new one, never half of it.
 */
import { open, realpath, rename, rm } from "node:fs/promises"
import { Effect, Schema } from "effect"

/** The file is as it was. */
export class PrivateFileError extends Schema.TaggedError<PrivateFileError>()("PrivateFileError", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path} cannot be written: ${this.detail}`
  }
}

/** Writes the text beside the file; a link is followed. */
const beside = async (path: string, text: string, use: (temporary: string, target: string) => Promise<void>) => {
  const target = await realpath(path).catch(() => path)
  const temporary = `${target}.${process.pid}.tmp`
  try {
    const file = await open(temporary, "w", 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await use(temporary, target)
  } finally {
    await rm(temporary, { force: true })
  }
}

const attempt = (path: string, act: () => Promise<void>): Effect.Effect<void, PrivateFileError> =>
  Effect.tryPromise({
    try: act,
    catch: (error) => new PrivateFileError({ path, detail: error instanceof Error ? error.message : String(error) })
  }).pipe(Effect.uninterruptible)

/** Does not hold up the event loop; mode 0600, whatever it was before. */
export const replace = (path: string, text: string): Effect.Effect<void, PrivateFileError> =>
  attempt(path, () => beside(path, text, rename))

/** Whether `replace` could write there; leaves nothing behind, and the file itself alone. */
export const probe = (path: string): Effect.Effect<void, PrivateFileError> =>
  attempt(path, () => beside(path, "", () => Promise.resolve()))
