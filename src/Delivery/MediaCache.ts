/**
 * Files that came with messages, and those we make for sending: kept under `cache/` of the home for a day, within a limit
 * (`delivery N1`–`N8`). It streams to the disk, never holds a file in memory, and leaves nothing of a file that it refuses.
 */
import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { mkdir, open as openFile, readdir, rename, rm, stat, unlink } from "node:fs/promises"
import path from "node:path"
import { Clock, Context, Duration, Effect, Layer, Schedule, Schema, Semaphore } from "effect"
import { AllowPrivateUrls, MaxInboundMediaBytes } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { Database } from "../Storage/Database.ts"
import { DownloadError, open as openDownload } from "./internal/MediaDownload.ts"
import { inboundKind, isImage, keptExtension, mimeOf, safeName } from "./MediaKind.ts"
import type { MediaKind } from "./Outlet.ts"
import { type Resolve, shown, systemResolve, type UrlRefused } from "./UrlGuard.ts"

/** Nothing was kept. `message` is for the log and the agent, without user, query or secret. */
export class MediaError extends Schema.TaggedError<MediaError>()("MediaError", {
  reason: Schema.Literals(["TooLarge", "NotAnImage", "Refused", "Unreachable", "Storage"]),
  message: Schema.String
}) {}

export interface CachedFile {
  /** Absolute; readable by the agent. */
  readonly path: string
  readonly kind: Exclude<MediaKind, "voice">
  readonly mime: string
  readonly size: number
  /** As the sender named it, made safe; `null` = it had none. */
  readonly filename: string | null
}

/** What is known of a file before its bytes. */
export interface MediaFacts {
  readonly filename?: string | null | undefined
  readonly mime?: string | null | undefined
  /** The platform's own word for the kind. */
  readonly hint?: string | null | undefined
}

export interface Download extends MediaFacts {
  readonly url: string
  /** `scheme://host:port` of a peer that the operator configured: asked wherever it is, and alone given `headers`. */
  readonly trustedOrigin?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export class MediaCache extends Context.Service<
  MediaCache,
  {
    /** Absolute path of the folder. */
    readonly root: string
    /** Fetches within 30 s, twice more after a time-out or a status of 429 and above; every hop is checked (`delivery N5`, N7). */
    readonly download: (request: Download) => Effect.Effect<CachedFile, MediaError>
    /** Keeps bytes that are here already, whole or in pieces. */
    readonly store: (
      bytes: Uint8Array | AsyncIterable<Uint8Array>,
      facts: MediaFacts
    ) => Effect.Effect<CachedFile, MediaError>
    /** Removes what is older than a day, then the oldest until the limit holds; says how many. Runs each hour by itself. */
    readonly sweep: Effect.Effect<number>
  }
>()("Delivery/MediaCache") {
  static readonly layer = Layer.effect(
    MediaCache,
    Effect.suspend(() => make(systemResolve))
  )
  /** With another resolver, so that a test can play a hostile one. */
  static readonly layerWith = (resolve: Resolve) => Layer.effect(MediaCache, make(resolve))
}

const folders = { image: "images", audio: "audio", video: "videos", document: "documents" } as const
const prefixes = { image: "img", audio: "audio", video: "video", document: "doc" } as const

const keptFor = Duration.hours(24)
/** All four folders together. */
const totalBytes = 2 * 1024 ** 3
const sweepEvery = Duration.hours(1)
const patience = Duration.seconds(30)
const waits = [Duration.millis(1500), Duration.seconds(3)]
/** Downloads at once; further ones wait. */
const downloadsAtOnce = 8
const headBytes = 16

const failure = (cause: unknown) =>
  new MediaError({ reason: "Storage", message: cause instanceof Error ? cause.message : String(cause) })

/** The name of a file, as far as an address tells one. */
const nameIn = (url: string): string | null => {
  const last = URL.parse(url)?.pathname.split("/").at(-1) ?? ""
  if (!last.includes(".")) return null
  try {
    return decodeURIComponent(last)
  } catch {
    return last
  }
}

interface Held {
  readonly file: string
  readonly size: number
  readonly modified: number
}

/** Files there are, oldest first; a folder that is missing is empty. */
const listing = async (root: string): Promise<ReadonlyArray<Held>> => {
  const found: Array<Held> = []
  for (const folder of Object.values(folders)) {
    const names = await readdir(path.join(root, folder)).catch(() => [])
    for (const name of names) {
      const file = path.join(root, folder, name)
      const about = await stat(file).catch(() => null)
      if (about?.isFile() === true) found.push({ file, size: about.size, modified: about.mtimeMs })
    }
  }
  return found.toSorted((a, b) => a.modified - b.modified)
}

const make = Effect.fnUntraced(function* (resolve: Resolve) {
  const settings = yield* Settings
  const database = yield* Database
  const clock = yield* Clock.Clock
  const limit = yield* settings.get(MaxInboundMediaBytes)
  const allowPrivate = yield* settings.get(AllowPrivateUrls)
  const permits = yield* Semaphore.make(downloadsAtOnce)
  const root = path.join(settings.home, "cache")

  const tooLarge = () => new MediaError({ reason: "TooLarge", message: `larger than ${limit} bytes` })

  const write = async (
    bytes: Uint8Array | AsyncIterable<Uint8Array>,
    facts: MediaFacts,
    signal: AbortSignal
  ): Promise<CachedFile> => {
    const filename = facts.filename == null || facts.filename === "" ? null : safeName(facts.filename)
    const kind = inboundKind(filename ?? "", facts.mime ?? null, facts.hint ?? null)
    const folder = path.join(root, folders[kind])
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const stem = `${prefixes[kind]}_${randomBytes(6).toString("hex")}`
    const name =
      kind === "document" ? `${stem}_${filename ?? "document"}` : `${stem}.${keptExtension(kind, filename ?? "")}`
    const target = path.join(folder, name)
    const part = path.join(folder, `.${stem}.part`)
    const handle = await openFile(part, "wx", 0o600)
    try {
      let size = 0
      let head = Buffer.alloc(0)
      for await (const piece of bytes instanceof Uint8Array ? [bytes] : bytes) {
        signal.throwIfAborted()
        size += piece.byteLength
        if (limit > 0 && size > limit) throw tooLarge()
        if (head.length < headBytes) head = Buffer.concat([head, piece.subarray(0, headBytes - head.length)])
        await handle.writeFile(piece)
      }
      if (kind === "image" && !isImage(head)) {
        throw new MediaError({ reason: "NotAnImage", message: "it says it is an image, and is none" })
      }
      await handle.close()
      await rename(part, target)
      return { path: target, kind, mime: mimeOf(name, facts.mime ?? null), size, filename }
    } catch (cause) {
      await handle.close().catch(() => {})
      await rm(part, { force: true })
      throw cause
    }
  }

  const store = (bytes: Uint8Array | AsyncIterable<Uint8Array>, facts: MediaFacts) =>
    Effect.tryPromise({
      try: (signal) => write(bytes, facts, signal),
      catch: (cause) => (cause instanceof MediaError ? cause : failure(cause))
    })

  const attempt = (request: Download): Effect.Effect<CachedFile, MediaError | DownloadError | UrlRefused> =>
    Effect.gen(function* () {
      const { headers, trustedOrigin, url } = request
      const response = yield* openDownload({ url, headers, policy: { allowPrivate, trustedOrigin } }, resolve)
      if (limit > 0 && Number(response.headers["content-length"] ?? 0) > limit) return yield* tooLarge()
      return yield* store(response, {
        filename: request.filename ?? nameIn(url),
        mime: request.mime ?? response.headers["content-type"] ?? null,
        hint: request.hint
      })
    }).pipe(
      Effect.scoped,
      Effect.timeoutOrElse({
        duration: patience,
        orElse: () =>
          Effect.fail(new DownloadError({ reason: "Unreachable", message: "no answer within 30 s", retryable: true }))
      })
    )

  const download = (request: Download, tries = 0): Effect.Effect<CachedFile, MediaError> =>
    Effect.catch(attempt(request), (error) => {
      if (error._tag === "MediaError") return Effect.fail(error)
      const wait = waits[tries]
      if (error._tag === "DownloadError" && error.retryable && wait !== undefined) {
        return Effect.andThen(
          Effect.sleep(wait),
          Effect.suspend(() => download(request, tries + 1))
        )
      }
      const reason = error._tag === "UrlRefused" ? "Refused" : "Unreachable"
      return Effect.andThen(
        Effect.logWarning("a file was not fetched", { url: shown(request.url), why: error.message }),
        Effect.fail(new MediaError({ reason, message: error.message }))
      )
    })

  /** Paths that a message or row names which has not come to its end. */
  const named = Effect.map(
    Effect.forEach(
      [
        "SELECT event AS text FROM inbox WHERE state IN ('waiting', 'running', 'refused')",
        "SELECT payload AS text FROM outbox WHERE state IN ('preview', 'pending', 'sending', 'ambiguous')",
        "SELECT payload AS text FROM outbox WHERE state IN ('held', 'dead')"
      ],
      (query) => database.execute(query, [])
    ),
    (rows) =>
      rows
        .flat()
        .map(({ text }) => String(text))
        .filter((text) => text.includes("cache"))
  )

  const sweep = Effect.gen(function* () {
    if (!existsSync(root)) return 0
    const files = yield* Effect.tryPromise({ try: () => listing(root), catch: failure })
    let total = files.reduce((sum, { size }) => sum + size, 0)
    const before = clock.currentTimeMillisUnsafe() - Duration.toMillis(keptFor)
    if (total <= totalBytes && (files[0]?.modified ?? before) >= before) return 0
    const open = yield* named
    let removed = 0
    for (const { file, modified, size } of files) {
      if (modified >= before && total <= totalBytes) continue
      const name = JSON.stringify(path.basename(file)).slice(1, -1)
      if (open.some((text) => text.includes(name))) continue
      yield* Effect.tryPromise({ try: () => unlink(file), catch: failure })
      total -= size
      removed++
    }
    return removed
  }).pipe(
    Effect.catch((error) =>
      Effect.as(Effect.logWarning("old files were not removed, will try again", error.message), 0)
    )
  )
  yield* Effect.forkScoped(Effect.schedule(sweep, Schedule.spaced(sweepEvery)))

  return {
    root,
    download: (request: Download) => permits.withPermits(1)(download(request)),
    store,
    sweep
  }
})
