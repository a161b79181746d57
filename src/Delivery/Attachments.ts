/**
 * From a reply to its text and its files (`delivery M`, P): what is named is opened once, judged on the open file, and
 * copied from it into the media cache, so that a row always names a file that stays as it was judged.
 */
import { constants, type Stats } from "node:fs"
import { open, type FileHandle, realpath } from "node:fs/promises"
import { homedir } from "node:os"
import { Clock, Context, Duration, Effect, Layer } from "effect"
import {
  DeliveryBarePaths,
  GatewayStrict,
  MediaAllowDirs,
  MediaTrustRecentFiles,
  MediaTrustRecentSeconds
} from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import type { Payload } from "../Storage/Outbox.ts"
import { type CachedFile, MediaCache } from "./MediaCache.ts"
import { baseName, kindOf, mimeOf } from "./MediaKind.ts"
import { isAlwaysAllowed, loggable, type MediaRules, refusal } from "./MediaPolicy.ts"
import { absolute, barePaths, extractFiles, extractImages, withoutPaths } from "./MediaTags.ts"

export type MediaPart = NonNullable<Payload["media"]>

export interface Named {
  /** Address or path. */
  readonly ref: string
  readonly caption: string | null
}

export interface Reply {
  readonly text: string
  /** In the order in which they are sent (`delivery M10`). */
  readonly media: ReadonlyArray<MediaPart>
  /** What was named and does not leave, by name and why (`delivery M14`). */
  readonly refused: ReadonlyArray<{ readonly name: string; readonly why: string }>
}

export class Attachments extends Context.Service<
  Attachments,
  {
    /** A text that names no file costs nothing. Never fails. */
    readonly of: (text: string, named: ReadonlyArray<Named>) => Effect.Effect<Reply>
    /** A text as a file, where it is too long for messages (`delivery C9` h). `null`: it could not be written. */
    readonly document: (text: string, filename: string) => Effect.Effect<MediaPart | null>
  }
>()("Delivery/Attachments") {
  static readonly layer = Layer.effect(
    Attachments,
    Effect.suspend(() => make())
  )
}

const mayName = /MEDIA:|!\[|<img|\[\[/i
/** Files of one reply; more are named as refused. */
const mostFiles = 50
const headBytes = 128

interface Opened {
  readonly handle: FileHandle
  readonly path: string
  readonly about: Stats
  readonly head: Uint8Array
}

class Unopened extends Error {}

const openRegular = async (file: string): Promise<Opened> => {
  const real = await realpath(file).catch(() => {
    throw new Unopened("not found")
  })
  // Not blocking: a pipe has to be refused, not waited for. No link: what was resolved must still be there.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW
  const handle = await open(real, flags).catch(() => {
    throw new Unopened("cannot be read")
  })
  const about = await handle.stat()
  if (!about.isFile()) {
    await handle.close()
    throw new Unopened("no regular file")
  }
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0)
  return { handle, path: real, about, head: buffer.subarray(0, bytesRead) }
}

const isAddress = (ref: string): boolean => /^https?:\/\//i.test(ref)
const pathOf = (ref: string): string => (/^file:\/\//i.test(ref) ? decodeURI(ref.slice("file://".length)) : ref)

interface Wanted extends Named {
  readonly isVoice: boolean
  readonly asDocument: boolean
}

const rank = ({ kind, ref }: MediaPart): number => (kind === "image" ? (isAddress(ref) ? 0 : 1) : 2)

const make = Effect.fnUntraced(function* () {
  const settings = yield* Settings
  const cache = yield* MediaCache
  const clock = yield* Clock.Clock
  const bare = yield* settings.get(DeliveryBarePaths)
  const recent = yield* settings.get(MediaTrustRecentSeconds)
  const rules: MediaRules = {
    userHome: homedir(),
    home: settings.home,
    allowed: (yield* settings.get(MediaAllowDirs)).split(/[,:]/).map((folder) => folder.trim()),
    strict: yield* settings.get(GatewayStrict),
    trustRecent: (yield* settings.get(MediaTrustRecentFiles)) ? Duration.toMillis(recent) : 0
  }

  const partOf = (wanted: Wanted, ref: string, filename: string): MediaPart => {
    const kind = wanted.asDocument && kindOf(filename) === "image" ? "document" : kindOf(filename)
    return {
      kind: kind === "audio" && wanted.isVoice ? "voice" : kind,
      ref,
      caption: wanted.caption === "" ? null : wanted.caption,
      filename: filename === "" ? null : filename,
      mime: mimeOf(filename)
    }
  }

  /** A file of ours is named as it is; every other is copied from the descriptor that was judged. */
  const admitted = (opened: Opened, filename: string): Effect.Effect<string, { readonly message: string }> => {
    const { about, head, path } = opened
    const why = refusal({ path, modified: about.mtimeMs, head }, rules, clock.currentTimeMillisUnsafe())
    if (why !== null) {
      return Effect.andThen(
        Effect.logWarning("a file may not leave", { file: loggable(path), why }),
        Effect.fail({ message: why })
      )
    }
    if (isAlwaysAllowed(path, { ...rules, allowed: [] })) return Effect.succeed(path)
    const bytes = opened.handle.createReadStream({ start: 0, autoClose: false })
    return Effect.map(
      cache.store(bytes, { filename, mime: "application/octet-stream" }),
      (kept: CachedFile) => kept.path
    )
  }

  const part = (wanted: Wanted): Effect.Effect<MediaPart, { readonly name: string; readonly why: string }> => {
    const name = baseName(wanted.ref)
    if (isAddress(wanted.ref)) return Effect.succeed(partOf(wanted, wanted.ref, name))
    const refused = (why: string) => ({ name: name === "" ? "a file" : name, why })
    const file = absolute(pathOf(wanted.ref), rules.userHome)
    if (!file.startsWith("/")) return Effect.fail(refused("no absolute path"))
    return Effect.acquireUseRelease(
      Effect.tryPromise({
        try: () => openRegular(file),
        catch: (cause) => refused(cause instanceof Unopened ? cause.message : "cannot be read")
      }),
      (opened) =>
        admitted(opened, name).pipe(
          Effect.mapError(({ message }) => refused(message)),
          Effect.map((ref) => partOf(wanted, ref, name))
        ),
      ({ handle }) => Effect.promise(() => handle.close().catch(() => {}))
    )
  }

  const isThere = (file: string) =>
    Effect.promise(() =>
      openRegular(absolute(file, rules.userHome)).then(
        ({ handle }) => handle.close().then(() => true),
        () => false
      )
    )

  const of = Effect.fnUntraced(function* (text: string, named: ReadonlyArray<Named>) {
    const tagged = extractFiles(text, rules.userHome)
    const { images, text: rest } = extractImages(tagged.text)
    const paths = bare ? yield* Effect.filter(barePaths(rest), isThere) : []
    const plain = { isVoice: false, asDocument: tagged.asDocument }
    const wanted: ReadonlyArray<Wanted> = [
      ...images.map(({ alt, url }) => ({ ...plain, ref: url, caption: alt })),
      ...tagged.files.map(({ isVoice, path }) => ({ ...plain, ref: path, caption: null, isVoice })),
      ...named.map((one) => ({ ...plain, ...one })),
      ...paths.map((path) => ({ ...plain, ref: path, caption: null }))
    ]
    const media: Array<MediaPart> = []
    const refused: Array<{ readonly name: string; readonly why: string }> = []
    for (const one of wanted.slice(0, mostFiles)) {
      const result = yield* Effect.result(part(one))
      if (result._tag === "Success") media.push(result.success)
      else refused.push(result.failure)
    }
    for (const { ref } of wanted.slice(mostFiles)) refused.push({ name: baseName(ref), why: "too many files" })
    return {
      text: paths.length === 0 ? rest : withoutPaths(rest, paths),
      media: media.toSorted((a, b) => rank(a) - rank(b)),
      refused
    }
  })

  return {
    of: (text: string, named: ReadonlyArray<Named>): Effect.Effect<Reply> =>
      named.length === 0 && !bare && !mayName.test(text)
        ? Effect.succeed({ text, media: [], refused: [] })
        : of(text, named),
    document: (text: string, filename: string) =>
      cache.store(Buffer.from(text), { filename, mime: "text/markdown" }).pipe(
        Effect.map(({ path }): MediaPart => ({
          kind: "document",
          ref: path,
          caption: null,
          filename,
          mime: "text/markdown"
        })),
        Effect.catch((error) =>
          Effect.as(Effect.logWarning("a long text could not be written as a file", error.message), null)
        )
      )
  }
})
