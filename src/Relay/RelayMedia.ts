/**
 * Files over the connector's own HTTP routes (`relay O7`): what leaves is uploaded, what came in is fetched into the cache
 * while its address is still valid. Every request carries a fresh bearer, and never goes anywhere but to the connector.
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs/promises"
import path from "node:path"
import { Cause, Clock, Deferred, Effect, Exit, FiberSet, Result, Schedule, Schema, type Scope, Semaphore } from "effect"
import { SendError } from "../Message/SendError.ts"
import type { MediaRequest } from "../Delivery/Outlet.ts"

/** Bytes of one file (`relay O7`). */
export const maxMediaBytes = 25 * 1024 * 1024
const timeoutMillis = 60_000
/** Files that travel at once. */
const maxAtOnce = 4
const keepMillis = 7 * 24 * 3600 * 1000
const maxCacheBytes = 1024 * 1024 * 1024

const decodeAnswer = Schema.decodeUnknownResult(Schema.Struct({ id: Schema.String }))

export interface RelayMedia {
  /** What a `send_media` names as its source: an address as it stands, a file by what the connector keeps of it. */
  readonly source: (request: MediaRequest) => Effect.Effect<string, SendError>
  /** Begins to fetch what came in, if it is the connector's. */
  readonly expect: (refs: ReadonlyArray<string>) => void
  /** The cached file; the address itself where it is not the connector's, or cannot be had. */
  readonly local: (ref: string) => Effect.Effect<string>
}

const failed = (kind: SendError["kind"], message: string) => new SendError({ kind, message })

const ofStatus = (status: number): SendError =>
  status === 429 || status >= 500 || status === 401 || status === 403
    ? failed("transient", `the connector answered an upload with ${status}`)
    : failed("unsupported", `the connector does not take the file (${status})`)

/** Header values are Latin-1; anything else is written as a URL would. */
const headerText = (text: string): string =>
  /^[\x20-\x7e]*$/.test(text) ? text : encodeURIComponent(text.toWellFormed())

export const make = Effect.fnUntraced(function* (options: {
  /** `http(s)://HOST/…/relay` of the connector. */
  readonly base: string
  /** A bearer for one request; `null` = none is known. */
  readonly token: Effect.Effect<string | null>
  /** Folder for what is fetched. */
  readonly cache: string
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
}): Effect.fn.Return<RelayMedia, never, Scope.Scope> {
  const url = `${options.base}/media`
  const permits = yield* Semaphore.make(maxAtOnce)
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  const fetching = new Map<string, Deferred.Deferred<string>>()
  const isOurs = (ref: string) => ref.startsWith(`${url}/`)
  const fileOf = (ref: string) => {
    const extension = /\.[A-Za-z0-9]{1,8}$/.exec(ref)?.[0] ?? ""
    return path.join(options.cache, createHash("sha256").update(ref).digest("hex").slice(0, 32) + extension)
  }

  const request = (to: string, init: RequestInit) =>
    Effect.flatMap(options.token, (token) =>
      Effect.tryPromise((signal) =>
        options.fetch(to, {
          ...init,
          headers: { ...init.headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
          // The bearer is for the connector alone.
          redirect: "error",
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMillis)])
        })
      )
    )

  const read = (file: string) =>
    Effect.tryPromise({
      try: async () => {
        const { size } = await fs.stat(file)
        return size > maxMediaBytes ? null : await fs.readFile(file)
      },
      catch: () => failed("unsupported", "the file cannot be read")
    }).pipe(
      Effect.flatMap((bytes) =>
        bytes === null ? Effect.fail(failed("unsupported", "the file is above 25 MB")) : Effect.succeed(bytes)
      )
    )

  const upload = Effect.fnUntraced(function* ({ filename, mime, ref }: MediaRequest) {
    const body = yield* read(ref)
    const response = yield* request(url, {
      method: "POST",
      body,
      headers: {
        "content-type": mime ?? "application/octet-stream",
        "x-media-filename": headerText(filename ?? path.basename(ref))
      }
    }).pipe(Effect.mapError(() => failed("transient", "the connector's upload route cannot be reached")))
    if (!response.ok) return yield* ofStatus(response.status)
    const answer = yield* Effect.tryPromise({
      try: () => response.json(),
      catch: () => failed("transient", "the connector's answer to an upload cannot be read")
    })
    const decoded = decodeAnswer(answer)
    if (Result.isFailure(decoded)) return yield* failed("transient", "the connector's answer to an upload has no id")
    return `${url}/${encodeURIComponent(decoded.success.id)}`
  })

  const download = (ref: string) =>
    Effect.gen(function* () {
      const file = fileOf(ref)
      const known = yield* Effect.promise(() =>
        fs.stat(file).then(
          () => true,
          () => false
        )
      )
      if (known) return file
      const response = yield* request(ref, { method: "GET" })
      if (!response.ok) return yield* Effect.fail(new Error(`the connector answered ${response.status}`))
      yield* Effect.tryPromise(async () => {
        const chunks: Array<Uint8Array> = []
        let size = 0
        for await (const chunk of response.body ?? []) {
          size += chunk.length
          if (size > maxMediaBytes) throw new Error("it is above 25 MB")
          chunks.push(chunk)
        }
        await fs.mkdir(options.cache, { recursive: true, mode: 0o700 })
        // Whole or not at all: a file that is half there would pass for the whole one.
        await fs.writeFile(`${file}.part`, Buffer.concat(chunks), { mode: 0o600 })
        await fs.rename(`${file}.part`, file)
      })
      return file
    }).pipe(
      Effect.catchCause((cause) =>
        Effect.as(
          Effect.logWarning(
            "relay: a file that came in could not be fetched",
            String(Cause.squash(cause)).slice(0, 200)
          ),
          ref
        )
      )
    )

  const fetched = (ref: string): Deferred.Deferred<string> => {
    const known = fetching.get(ref)
    if (known !== undefined) return known
    const done = Deferred.makeUnsafe<string>()
    fetching.set(ref, done)
    fork(
      permits
        .withPermits(1)(download(ref))
        .pipe(
          Effect.onExit((exit) =>
            Effect.sync(() => {
              fetching.delete(ref)
              Deferred.doneUnsafe(done, Effect.succeed(Exit.isSuccess(exit) ? exit.value : ref))
            })
          ),
          Effect.asVoid
        )
    )
    return done
  }

  /** Old files first, then the oldest until the rest fits. */
  const prune = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    yield* Effect.promise(async () => {
      const names = await fs.readdir(options.cache).catch(() => [])
      const files: Array<{ readonly file: string; readonly at: number; readonly size: number }> = []
      for (const name of names) {
        const file = path.join(options.cache, name)
        const found = await fs.stat(file).catch(() => null)
        if (found !== null) files.push({ file, at: found.mtimeMs, size: found.size })
      }
      let total = 0
      for (const { at, file, size } of files.sort((a, b) => b.at - a.at)) {
        total += size
        if (now - at > keepMillis || total > maxCacheBytes) await fs.rm(file, { force: true })
      }
    })
  })
  yield* Effect.forkScoped(Effect.schedule(prune, Schedule.spaced("1 hour")))

  return {
    source: (media) => (path.isAbsolute(media.ref) ? permits.withPermits(1)(upload(media)) : Effect.succeed(media.ref)),
    expect: (refs) => {
      for (const ref of refs) if (isOurs(ref)) fetched(ref)
    },
    local: (ref) => Effect.suspend(() => (isOurs(ref) ? Deferred.await(fetched(ref)) : Effect.succeed(ref)))
  }
})
