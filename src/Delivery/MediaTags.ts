/**
 * Files that a reply names (`delivery M1`–`M8`): `MEDIA:` tags, images by address, and, on request, bare paths. Pure; it
 * says what was named, never whether it may leave.
 */
import path from "node:path"
import { taggable } from "./MediaKind.ts"

export interface TaggedFile {
  /** Absolute. */
  readonly path: string
  readonly isVoice: boolean
}

export interface LinkedImage {
  readonly url: string
  readonly alt: string
}

/** Fences (an open one reaches to the end) and inline code: shown as written, never obeyed (`delivery M2`). */
const code = /```[^]*?(?:```|$)|`[^`\n]+`/g

interface Stretch {
  readonly from: number
  readonly to: number
}

/** Sorted and disjoint. */
const verbatim = (text: string): ReadonlyArray<Stretch> =>
  Array.from(text.matchAll(code), (match) => ({ from: match.index, to: match.index + match[0].length }))

const within = (stretches: ReadonlyArray<Stretch>) => {
  let next = 0
  // Asked only in rising order of position.
  return (at: number): boolean => {
    while (next < stretches.length && stretches[next]!.to <= at) next++
    return next < stretches.length && stretches[next]!.from <= at
  }
}

const lineStart = (text: string, at: number): number => text.lastIndexOf("\n", at - 1) + 1

const extensions = [...taggable].toSorted((a, b) => b.length - a.length).join("|")
const ending = `\\.(?:${extensions})(?=$|[\\s\`"',;:)\\]}])`
const root = "(?:~?/|[A-Za-z]:[\\\\/])"
// A path holds no other tag, so that two on one line are two (`delivery M5`).
const inner = '(?:(?!MEDIA:|\\[\\[|!\\[)[^\\n<"`])'
const tag = new RegExp(`(["'\`]?)MEDIA:[ \\t]*(["'\`]?)(${root}${inner}{0,300}?${ending})\\2\\1`, "gi")
const directive = /\[\[(audio_as_voice|as_document)\]\]/gi

const squeezed = (text: string): string => text.replaceAll(/\n{3,}/g, "\n\n").trim()

const without = (text: string, removed: ReadonlyArray<Stretch>): string => {
  let out = ""
  let at = 0
  for (const { from, to } of removed) {
    out += text.slice(at, from)
    at = to
  }
  return out + text.slice(at)
}

/** In a quoted line, or the value of a JSON field, a tag is part of what is shown. */
const isQuoted = (text: string, at: number): boolean =>
  /^ {0,3}>/.test(text.slice(lineStart(text, at), at + 1)) || /[:,[]\s*"$/.test(text.slice(Math.max(0, at - 8), at + 1))

export const absolute = (written: string, home: string): string =>
  written.startsWith("~/") ? path.posix.join(home, written.slice(2)) : written

export interface Extracted {
  readonly files: ReadonlyArray<TaggedFile>
  readonly text: string
  /** Images go as files (`delivery M3`). */
  readonly asDocument: boolean
}

/** `home` stands for `~`. A text that holds no tag stays as it is. */
export const extractFiles = (text: string, home: string): Extracted => {
  const stretches = verbatim(text)
  const hidden = within(stretches)
  const removed: Array<Stretch> = []
  let isVoice = false
  let asDocument = false
  for (const match of text.matchAll(directive)) {
    if (hidden(match.index)) continue
    if (match[1]!.toLowerCase() === "as_document") asDocument = true
    else isVoice = true
    removed.push({ from: match.index, to: match.index + match[0].length })
  }
  const masked = within(stretches)
  const found: Array<string> = []
  for (const match of text.matchAll(tag)) {
    if (masked(match.index) || isQuoted(text, match.index)) continue
    found.push(absolute(match[3]!, home))
    removed.push({ from: match.index, to: match.index + match[0].length })
  }
  if (removed.length === 0) return { files: [], text, asDocument }
  const rest = without(
    text,
    removed.toSorted((a, b) => a.from - b.from)
  )
  return {
    files: found.map((file) => ({ path: file, isVoice })),
    text: found.length === 0 ? rest : squeezed(rest),
    asDocument
  }
}

const image =
  /!\[([^\]\n]{0,500})\]\((https?:\/\/[^\s)]{1,2000})\)|<img\s[^>\n<]{0,300}?src=["'](https?:\/\/[^"'\s]{1,2000})["'][^>\n<]{0,300}>(?:\s*<\/img>)?\s*/gi
const pictured = /\.(?:png|jpe?g|gif|webp)|fal\.media|fal-cdn|replicate\.delivery/i

/** Images of elsewhere, by address (`delivery M7`); links to anything else stay. */
export const extractImages = (text: string): { readonly images: ReadonlyArray<LinkedImage>; readonly text: string } => {
  const hidden = within(verbatim(text))
  const images: Array<LinkedImage> = []
  const removed: Array<Stretch> = []
  for (const match of text.matchAll(image)) {
    const [all, alt = "", linked, embedded] = match
    if (hidden(match.index) || (linked !== undefined && !pictured.test(linked))) continue
    images.push({ url: linked ?? embedded!, alt })
    removed.push({ from: match.index, to: match.index + all.length })
  }
  return images.length === 0 ? { images, text } : { images, text: squeezed(without(text, removed)) }
}

const bare = new RegExp(`(?<![\\w/:.~=])${root}[^\\s\`"'<>|]{1,300}?${ending}`, "gi")

/** Bare paths in prose, each once (`delivery M8`). Whether they are files is for the caller to see. */
export const barePaths = (text: string): ReadonlyArray<string> => {
  const hidden = within(verbatim(text))
  const found = new Set<string>()
  for (const match of text.matchAll(bare)) {
    if (!hidden(match.index) && !isQuoted(text, match.index)) found.add(match[0])
  }
  return [...found]
}

/** A reply without directives, where extraction has left nothing of it (`delivery M9`). */
export const withoutPaths = (text: string, paths: ReadonlyArray<string>): string =>
  squeezed(paths.reduce((rest, file) => rest.replaceAll(file, ""), text))
