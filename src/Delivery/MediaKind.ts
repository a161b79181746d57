/** What kind of file something is (`delivery N3`, N4, M6, M10): by MIME type, then by extension, then by what the platform said. Pure. */
import type { MediaKind } from "./Outlet.ts"

const extensions = (text: string): ReadonlyArray<string> => text.split(" ")

const images = extensions("jpg jpeg png webp gif bmp tiff svg")
const audios = extensions("ogg opus mp3 wav m4a flac")
const videos = extensions("mp4 mov webm mkv avi 3gp")

/** Extensions that a `MEDIA:` tag may name (`delivery M6`). */
export const taggable: ReadonlySet<string> = new Set([
  ...images,
  ...extensions("mp4 mov avi mkv webm mp3 wav ogg opus m4a flac"),
  ...extensions("pdf docx doc odt rtf txt md epub xlsx xls ods csv tsv json xml yaml yml pptx ppt odp key"),
  ...extensions("zip tar gz tgz bz2 xz 7z rar apk ipa html htm")
])

const mimes: Readonly<Record<string, string>> = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
  bmp: "image/bmp",
  tiff: "image/tiff",
  svg: "image/svg+xml",
  ogg: "audio/ogg",
  opus: "audio/ogg",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  m4a: "audio/mp4",
  flac: "audio/flac",
  mp4: "video/mp4",
  mov: "video/quicktime",
  webm: "video/webm",
  mkv: "video/x-matroska",
  avi: "video/x-msvideo",
  "3gp": "video/3gpp",
  pdf: "application/pdf",
  txt: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  json: "application/json",
  xml: "application/xml",
  html: "text/html",
  htm: "text/html",
  zip: "application/zip",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation"
}

/** Last part of a path or address, without query. */
export const baseName = (ref: string): string => {
  const path = /^[a-z][a-z0-9+.-]*:\/\//i.test(ref) ? (URL.parse(ref)?.pathname ?? "") : ref
  return path.split(/[\\/]/).at(-1) ?? ""
}

/** Lower case, without the dot; `""` = none. */
export const extensionOf = (ref: string): string =>
  /\.([A-Za-z0-9]{1,8})$/.exec(baseName(ref))?.[1]?.toLowerCase() ?? ""

/** Parameters cut off, lower case; `""` for none. */
export const bareMime = (mime: string | null): string => mime?.split(";")[0]?.trim().toLowerCase() ?? ""

export const mimeOf = (ref: string, declared: string | null = null): string => {
  const bare = bareMime(declared)
  return mimes[extensionOf(ref)] ?? (/^[\w.+-]+\/[\w.+-]+$/.test(bare) ? bare : "application/octet-stream")
}

/** SVG is text that may hold scripts: a document to everybody but browsers. */
const shownAsImage: ReadonlySet<string> = new Set(extensions("jpg jpeg png webp gif"))

/** For sending (`delivery M10`). */
export const kindOf = (ref: string): MediaKind => {
  const extension = extensionOf(ref)
  if (shownAsImage.has(extension)) return "image"
  if (audios.includes(extension)) return "audio"
  return videos.includes(extension) ? "video" : "document"
}

/** For what came in (`delivery N4`); `hint` is the platform's own word. */
export const inboundKind = (
  filename: string,
  mime: string | null,
  hint: string | null
): Exclude<MediaKind, "voice"> => {
  const bare = bareMime(mime)
  const major = bare.split("/")[0]
  if (bare !== "image/svg+xml" && (major === "image" || major === "audio" || major === "video")) return major
  const byName = kindOf(filename)
  if (byName !== "document" && byName !== "voice") return byName
  if (bare !== "" && bare !== "application/octet-stream") return "document"
  switch (hint) {
    case "image":
    case "photo":
      return "image"
    case "audio":
    case "voice":
      return "audio"
    case "video":
      return "video"
    default:
      return "document"
  }
}

/** The extension under which a file of this kind is kept. */
export const keptExtension = (kind: "image" | "audio" | "video", filename: string): string => {
  const extension = extensionOf(filename)
  switch (kind) {
    case "image":
      return shownAsImage.has(extension) ? extension : "jpg"
    case "audio":
      return audios.includes(extension) ? extension : "ogg"
    case "video":
      return videos.includes(extension) ? extension : "mp4"
  }
}

const ascii = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.subarray(from, to)).toString("latin1")

/** The first bytes are those of a PNG, JPEG, GIF, BMP or WEBP; a page that says "not found" is none (`delivery N3`). */
export const isImage = (head: Uint8Array): boolean =>
  ascii(head, 0, 8) === "\x89PNG\r\n\x1a\n" ||
  ascii(head, 0, 3) === "\xff\xd8\xff" ||
  /^GIF8[79]a$/.test(ascii(head, 0, 6)) ||
  ascii(head, 0, 2) === "BM" ||
  (ascii(head, 0, 4) === "RIFF" && ascii(head, 8, 12) === "WEBP")

/** A name that is safe in any folder (`delivery N1`): no folder, no control characters, at most 120 characters. */
export const safeName = (filename: string | null): string => {
  const base = (filename ?? "")
    .split(/[\\/]/)
    .at(-1)!
    .replaceAll(/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, "")
    .trim()
  if (base === "" || base === "." || base === "..") return "document"
  const characters = Array.from(base.toWellFormed())
  if (characters.length <= 120) return characters.join("")
  const extension = extensionOf(base)
  return extension === ""
    ? characters.slice(0, 120).join("")
    : `${characters.slice(0, 119 - extension.length).join("")}.${extension}`
}
