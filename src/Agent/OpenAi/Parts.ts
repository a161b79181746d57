/**
 * The user's message as content parts (`conversation M4`): images by address or by value, sound and documents by value.
 * What cannot be sent is named in the text, so that the model does not speak of a picture it never saw.
 */
import { Effect } from "effect"
import type { Media } from "../../Message/MessageEvent.ts"
import { bytesOf, isUrl, mimeOf, nameOf } from "../MediaFile.ts"
import type { Message, Part } from "./Wire.ts"

type UserMessage = Extract<Message, { readonly role: "user" }>

const sounds: Readonly<Record<string, "wav" | "mp3">> = {
  "audio/wav": "wav",
  "audio/x-wav": "wav",
  "audio/mpeg": "mp3",
  "audio/mp3": "mp3"
}

const partOf = (media: Media, cache: string): Effect.Effect<Part | null> => {
  const mime = mimeOf(media)
  const isImage = mime.startsWith("image/")
  if (isUrl(media.ref)) {
    return Effect.succeed(isImage ? { type: "image_url", image_url: { url: media.ref } } : null)
  }
  const sound = sounds[mime]
  if (!isImage && sound === undefined && mime !== "application/pdf") return Effect.succeed(null)
  return Effect.map(bytesOf(media, cache), (bytes): Part | null => {
    if (bytes === null) return null
    const data = bytes.toString("base64")
    if (isImage) return { type: "image_url", image_url: { url: `data:${mime};base64,${data}` } }
    if (sound !== undefined) return { type: "input_audio", input_audio: { data, format: sound } }
    return { type: "file", file: { filename: nameOf(media), file_data: `data:${mime};base64,${data}` } }
  })
}

const missing = (names: ReadonlyArray<string>): string =>
  names.length === 0 ? "" : `\n\n[Attached, but not readable for you: ${names.join(", ")}]`

/** The message with what is attached, and the same as text alone for a server that takes no parts. */
export const messageOf = (
  text: string,
  media: ReadonlyArray<Media>,
  cache: string
): Effect.Effect<{ readonly message: UserMessage; readonly plain: UserMessage }> => {
  if (media.length === 0) {
    const message: UserMessage = { role: "user", content: text }
    return Effect.succeed({ message, plain: message })
  }
  return Effect.map(
    Effect.forEach(media, (one) => partOf(one, cache)),
    (parts) => {
      const found = parts.filter((part) => part !== null)
      const lost = media.filter((_, i) => parts[i] === null).map(nameOf)
      const plain: UserMessage = { role: "user", content: `${text}${missing(media.map(nameOf))}`.trim() }
      const said = `${text}${missing(lost)}`.trim()
      return {
        plain,
        message:
          found.length === 0
            ? plain
            : { role: "user", content: [...(said === "" ? [] : [{ type: "text" as const, text: said }]), ...found] }
      }
    }
  )
}
