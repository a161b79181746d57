/**
 * Words, the same on every storage: how a text is cut into them for the index, and what somebody means by a query
 * (`session Q2`, Q3). Pure.
 */

/** Characters of a query that count. */
const maxQuery = 2048
/** Characters of a message that are indexed. */
const maxIndexed = 65_536

/** Scripts without blanks between words: each character is a word, and a phrase of them is a substring (`session Q3`). */
const single = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u
const parts = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]|[\p{L}\p{N}]+/gu
const split = /([\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}])/gu

/** Lower case, without accents, one form for each character. */
const folded = (text: string): string =>
  text.normalize("NFKD").replaceAll(/\p{M}/gu, "").normalize("NFC").toLowerCase().normalize("NFC")

export const words = (text: string): ReadonlyArray<string> => {
  const found = folded(text.slice(0, maxIndexed)).match(parts) ?? []
  return single.test(found.join("")) ? found.flatMap((word) => word.split(split).filter((part) => part !== "")) : found
}

export interface Term {
  /** One word, or several in a row. */
  readonly words: ReadonlyArray<string>
  /** The last word is the beginning of one. */
  readonly isPrefix: boolean
}

/** All of `all` and none of `none`. */
export interface Alternative {
  readonly all: ReadonlyArray<Term>
  readonly none: ReadonlyArray<Term>
}

/** Alternatives, one of which must hold; none = the query asks for nothing and has no hits. */
export type Query = ReadonlyArray<Alternative>

/** Words are ANDed; `"a phrase"`, `OR`, `NOT`, `word*` work, everything else that looks like syntax is not (`session Q2`). */
export const parse = (text: string): Query => {
  const alternatives: Array<{ all: Array<Term>; none: Array<Term> }> = [{ all: [], none: [] }]
  let negated = false
  for (const [token, phrase] of text.slice(0, maxQuery).matchAll(/"([^"]*)"|[^\s"]+/g)) {
    if (token === "OR") {
      alternatives.push({ all: [], none: [] })
      negated = false
    } else if (token === "NOT") {
      negated = true
    } else if (token !== "AND") {
      const term = { words: words(phrase ?? token), isPrefix: phrase === undefined && token.endsWith("*") }
      if (term.words.length === 0) continue
      const alternative = alternatives.at(-1)!
      if (negated) alternative.none.push(term)
      else alternative.all.push(term)
      negated = false
    }
  }
  return alternatives.filter(({ all }) => all.length > 0)
}

/** In SQLite's own syntax; words hold letters and digits only, so that nothing in them can be syntax. */
export const toFts5 = (query: Query, place: string | null): string => {
  const term = ({ isPrefix, words }: Term) => `"${words.join(" ")}"${isPrefix ? "*" : ""}`
  const body = query
    .map(({ all, none }) => {
      const wanted = `(${all.map(term).join(" AND ")})`
      return none.length === 0 ? wanted : `(${wanted} NOT (${none.map(term).join(" OR ")}))`
    })
    .join(" OR ")
  return place === null ? `body : (${body})` : `place : "${place}" AND body : (${body})`
}

/** For PostgreSQL's `to_tsquery('simple', …)`. */
export const toTsquery = (query: Query, place: string | null): string => {
  const term = ({ isPrefix, words }: Term) =>
    `(${words.map((word, i) => `'${word}'${isPrefix && i === words.length - 1 ? ":*" : ""}`).join(" <-> ")})`
  const body = query
    .map(({ all, none }) => [`(${all.map(term).join(" & ")})`, ...none.map((one) => `!${term(one)}`)].join(" & "))
    .map((alternative) => `(${alternative})`)
    .join(" | ")
  return place === null ? body : `'${place}' & (${body})`
}

/** How well a text answers: how often the words of the query stand in it, long texts counting less. */
export const score = (query: Query, text: string): number => {
  const found = words(text)
  const wanted = query.flatMap(({ all }) => all)
  let hits = 0
  for (const { isPrefix, words } of wanted) {
    const last = words.at(-1)!
    for (const word of found) if (word === last || (isPrefix && word.startsWith(last))) hits++
  }
  return hits / (1 + Math.log1p(found.length))
}

/** About 40 words around the first match, which stands between `>>>` and `<<<` (`session Q5`). */
export const snippet = (query: Query, text: string): string => {
  const flat = text.replaceAll(/\s+/g, " ").trim()
  const wanted = query.flatMap(({ all }) => all.flatMap((term) => term.words))
  const at = [...flat.matchAll(/[\p{L}\p{N}\p{M}]+/gu)]
  const match = at.find(([word]) =>
    words(word).some((part) => wanted.some((one) => part === one || part.startsWith(one)))
  )
  if (match === undefined) return Array.from(flat).slice(0, 240).join("")
  const first = at.indexOf(match)
  const from = first <= 10 ? 0 : at[first - 10]!.index
  const last = at[Math.min(at.length - 1, first + 30)]!
  const to = first + 30 >= at.length - 1 ? flat.length : last.index + last[0].length
  const end = match.index + match[0].length
  const shown = `${flat.slice(from, match.index)}>>>${match[0]}<<<${flat.slice(end, Math.min(to, end + 400))}`
  return `${from > 0 ? "..." : ""}${shown}${Math.min(to, end + 400) < flat.length ? "..." : ""}`
}
