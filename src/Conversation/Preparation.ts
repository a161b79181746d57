/**
 * What the agent is given of a message (`conversation M1`, M3–M9, V1): recent channel messages, quoted reply, readable
 * documents and notes on files stand before the text. Files that are still somewhere else are fetched into the media cache
 * first. The stored message stays as it came.
 */
import { open } from "node:fs/promises"
import { Effect } from "effect"
import { type CachedFile, MediaCache, type MediaError } from "../Delivery/MediaCache.ts"
import { baseName, extensionOf, inboundKind, mimeOf } from "../Delivery/MediaKind.ts"
import type { Media, MessageEvent } from "../Message/MessageEvent.ts"
import { withContext } from "./ChannelContext.ts"

export interface Prepared {
  readonly text: string
  /** Files as the agent can open them; what could not be fetched is left out. */
  readonly media: ReadonlyArray<Media>
}

/** Files at most of one message; the rest is named. */
const mostFiles = 32
const mostInlined = 100 * 1024
const mostQuoted = 500

/** `delivery N9`: by extension only. */
const readable: ReadonlySet<string> = new Set(
  (
    "txt md markdown csv tsv log json jsonl ndjson xml yaml yml toml ini cfg conf env properties html htm css scss sass " +
    "less py pyi js mjs cjs ts tsx jsx sh bash zsh fish ps1 bat c h cpp cc hpp cs java kt go rs rb php pl lua r jl swift m " +
    "scala clj ex exs erl sql graphql proto tf hcl dockerfile makefile cmake gradle rst tex srt vtt diff patch"
  ).split(" ")
)

const isReadable = (name: string): boolean => readable.has(extensionOf(name)) || readable.has(name.toLowerCase())

/** A name as it may stand between quotes in one line (`conversation M7`). */
const displayName = (media: Media): string => {
  const name = media.filename ?? baseName(media.ref).replace(/^doc_[0-9a-f]{12}_/, "")
  return name.replaceAll(/[^\p{L}\p{N}_.\- ]/gu, "_").slice(0, 120) || "file"
}

type Kind = CachedFile["kind"]

/** `null`: longer than may be inlined, not valid UTF-8, or not there. */
const inlined = (file: string): Effect.Effect<string | null> =>
  Effect.promise(async () => {
    const handle = await open(file).catch(() => null)
    if (handle === null) return null
    try {
      const { size } = await handle.stat()
      if (size > mostInlined) return null
      return new TextDecoder("utf-8", { fatal: true }).decode(await handle.readFile())
    } catch {
      return null
    } finally {
      await handle.close()
    }
  })

interface Piece {
  readonly media: Media | null
  /** Stands before everything else. */
  readonly content: string
  readonly note: string
}

const words: Readonly<Record<Kind, string>> = { image: "image", audio: "audio", video: "video", document: "document" }

const noteOf = (media: Media, kind: Kind, isVoice: boolean, isInlined: boolean): string => {
  const name = displayName(media)
  const caption = media.caption === null || media.caption === "" ? "" : ` ${media.caption}`
  const saved = `[${isVoice ? "voice message" : words[kind]} '${name}' saved at: ${media.ref}]${caption}`
  if (isVoice) return `${saved} (not transcribed)`
  if (kind === "image" || isInlined) return saved
  return isReadable(name) && kind === "document"
    ? `${saved} (too long or not plain text: not inlined)`
    : `${saved} (not inlined${kind === "document" ? ": binary, extract the text yourself" : ""})`
}

const lost = (media: Media, why: string): Piece => ({
  media: null,
  content: "",
  note: `[a file '${displayName(media)}' came with this message and could not be fetched: ${why}]`
})

const isElsewhere = (ref: string): boolean => /^https?:\/\//i.test(ref)

const bringHere = (media: Media): Effect.Effect<Media, MediaError, MediaCache> =>
  isElsewhere(media.ref)
    ? Effect.flatMap(MediaCache, (cache) =>
        Effect.map(
          cache.download({ url: media.ref, filename: media.filename, mime: media.mime, hint: media.kind }),
          (kept): Media => ({ ...media, ref: kept.path, mime: kept.mime, size: kept.size, filename: kept.filename })
        )
      )
    : Effect.succeed(media)

const piece = (event: MessageEvent) => (media: Media) =>
  bringHere(media).pipe(
    Effect.flatMap((here) => {
      const kind = inboundKind(here.filename ?? here.ref, here.mime, here.kind)
      const isVoice = kind === "audio" && (here.kind === "voice" || event.type === "voice")
      const name = displayName(here)
      const read = kind === "document" && isReadable(name) ? inlined(here.ref) : Effect.succeed(null)
      return Effect.map(read, (content): Piece => ({
        media: { ...here, kind: isVoice ? "voice" : kind, mime: mimeOf(here.ref, here.mime) },
        content: content === null ? "" : `[Content of ${name}]:\n${content}\n\n`,
        note: noteOf(here, kind, isVoice, content !== null)
      }))
    }),
    Effect.catch((error) => Effect.succeed(lost(media, error.message)))
  )

/** One line of a person: no line of it can pass for one of ours. */
const oneLine = (text: string): string => text.replaceAll(/\s*[\r\n\u2028\u2029]+\s*/g, " ")

/** The first 500 characters, marked as ours when they were (`conversation M9`). */
const quoteOf = ({ replyTo }: MessageEvent): string => {
  const quoted = replyTo?.text?.trim() ?? ""
  if (quoted === "") return ""
  const characters = Array.from(quoted.replace(/^\[Replying to [^\n]*\]\n\n?/, ""))
  const shown = characters.slice(0, mostQuoted).join("") + (characters.length > mostQuoted ? "…" : "")
  const whose =
    replyTo?.isOwn === true
      ? "your previous message"
      : replyTo?.author == null
        ? "a message"
        : `a message of ${oneLine(replyTo.author)}`
  return `[Replying to ${whose}: "${oneLine(shown)}"]\n\n`
}

/** Never fails: what cannot be had is said. A message of plain text costs nothing. */
export const prepare = (event: MessageEvent): Effect.Effect<Prepared, never, MediaCache> => {
  const quote = quoteOf(event)
  const behindContext = (text: string) => withContext({ context: event.context, text })
  if (event.media.length === 0) return Effect.succeed({ text: behindContext(quote + event.text), media: [] })
  return Effect.map(
    Effect.forEach(event.media.slice(0, mostFiles), piece(event), { concurrency: 4 }),
    (pieces): Prepared => {
      const notes = pieces.map(({ note }) => note)
      if (event.media.length > mostFiles) notes.push(`[${event.media.length - mostFiles} more files were left out]`)
      const contents = pieces.map(({ content }) => content).join("")
      return {
        text: behindContext(`${contents}${notes.join("\n")}\n\n${quote}${event.text}`.trimEnd()),
        media: pieces.flatMap(({ media }) => (media === null ? [] : [media]))
      }
    }
  )
}
