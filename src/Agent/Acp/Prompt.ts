/**
 * A turn as the content blocks of a prompt: what the agent is told before the message (where it speaks, what was said
 * before it joined), the message, and the files, by value where the agent takes them, else by their place.
 */
import { pathToFileURL } from "node:url"
import { isAbsolute, join } from "node:path"
import type { ContentBlock, PromptCapabilities } from "@agentclientprotocol/sdk"
import { Effect } from "effect"
import type { Media } from "../../Message/MessageEvent.ts"
import type { StoredMessage } from "../../Storage/Transcript.ts"
import { bytesOf, isUrl, mimeOf, nameOf } from "../MediaFile.ts"
import { cut, transcriptOf } from "../OpenAi/Replay.ts"

/** Of a conversation that the agent does not know; more of it would crowd out the message. */
const historyTokens = 16_000

/** A message that begins with a command of the agent stands alone, or the agent would not see the command. */
export const isCommand = (text: string): boolean => text.startsWith("/")

export const preamble = (
  context: string | null,
  history: ReadonlyArray<StoredMessage>
): ReadonlyArray<ContentBlock> => {
  const { kept } = cut(history, historyTokens)
  const parts = [
    ...(context === null || context === "" ? [] : [`<context>\n${context}\n</context>`]),
    ...(kept.length === 0 ? [] : [`<conversation-so-far>\n${transcriptOf(kept)}\n</conversation-so-far>`])
  ]
  return parts.length === 0 ? [] : [{ type: "text", text: parts.join("\n\n") }]
}

const fileOf = (media: Media, takes: PromptCapabilities, cache: string): Effect.Effect<ContentBlock> => {
  const mimeType = mimeOf(media)
  const uri = isUrl(media.ref)
    ? media.ref
    : pathToFileURL(isAbsolute(media.ref) ? media.ref : join(cache, media.ref)).href
  const link: ContentBlock = { type: "resource_link", uri, name: nameOf(media), mimeType }
  const kind = mimeType.split("/")[0]
  if (isUrl(media.ref) || !((kind === "image" && takes.image) || (kind === "audio" && takes.audio))) {
    return Effect.succeed(link)
  }
  return Effect.map(bytesOf(media, cache), (bytes) =>
    bytes === null
      ? link
      : { type: kind === "image" ? ("image" as const) : ("audio" as const), data: bytes.toString("base64"), mimeType }
  )
}

export const blocks = (options: {
  readonly text: string
  readonly media: ReadonlyArray<Media>
  readonly before: ReadonlyArray<ContentBlock>
  readonly takes: PromptCapabilities
  readonly mediaCache: string
}): Effect.Effect<Array<ContentBlock>> =>
  Effect.map(
    Effect.forEach(options.media, (media) => fileOf(media, options.takes, options.mediaCache)),
    (files) => [
      ...options.before,
      ...(options.text === "" && files.length > 0 ? [] : [{ type: "text" as const, text: options.text }]),
      ...files
    ]
  )
