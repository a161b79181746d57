/** Titles of conversations (`session C2`, C4): what is left of what somebody wrote, and names of continuations. Pure. */

export const maxTitle = 100

/** Controls but tab and line ends, zero-width characters, bidi marks, separators, BOM, annotations. */
const invisible =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffc]/g

/** Without what cannot be seen, blanks collapsed; "" = no title. */
export const clean = (text: string): string =>
  text
    .replaceAll(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "")
    .replaceAll(invisible, "")
    .replaceAll(/\s+/g, " ")
    .trim()

/** Characters as people count them. */
export const lengthOf = (title: string): number => Array.from(title).length

const numbered = /^(.*?) #(\d+)$/

/** A title without the number of its continuation. */
export const baseOf = (title: string): string => numbered.exec(title)?.[1] ?? title

/** 1 for the plain title, N for `BASE #N`, 0 for another title. */
export const numberOf = (title: string, base: string): number => {
  if (title === base) return 1
  const match = numbered.exec(title)
  return match !== null && match[1] === base ? Number(match[2]) : 0
}

/** The next name in a lineage: the plain title when it is free, else `BASE #N` after the highest (`session C4`). */
export const next = (base: string, taken: ReadonlyArray<string>): string => {
  const highest = Math.max(0, ...taken.map((title) => numberOf(title, base)))
  return highest === 0 ? base : `${base} #${highest + 1}`
}

/** What was written in one pair of quotes or brackets stands for what is in it (`session C5`). */
export const unwrapped = (text: string): string => {
  const trimmed = text.trim()
  const pairs = ["<>", "[]", '""', "''"]
  const isWrapped = pairs.some((pair) => trimmed.length > 1 && trimmed[0] === pair[0] && trimmed.at(-1) === pair[1])
  return isWrapped ? trimmed.slice(1, -1).trim() : trimmed
}
