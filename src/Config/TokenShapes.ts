/**
 * How credentials of known issuers look (`operations Z3`): their prefixes, what must follow, and the mask that leaves
 * enough to recognise one by and too little to use it.
 */

/** Half of a character beyond ASCII would be garbage; a mark would make the mask look like an assignment of its own. */
const UNFIT = /[^\x21-\x7e]|[:@?]|=(?!=*$)/

/** Shorter than 18: `***`; else the first 6 and last 4. A mask stays as it is. */
export const mask = (value: string): string => {
  if (value === "***" || (value.length === 13 && value.startsWith("...", 6))) return value
  if (value.length < 18) return "***"
  const shown = `${value.slice(0, 6)}...${value.slice(-4)}`
  return UNFIT.test(shown) ? "***" : shown
}

interface Shape {
  readonly prefix: string
  /** Least number of characters after the prefix. */
  readonly least: number
}

const shapes = (least: number, prefixes: string): ReadonlyArray<Shape> =>
  prefixes.split(" ").map((prefix) => ({ prefix, least }))

const ALL: ReadonlyArray<Shape> = [
  ...shapes(30, "AIza xai- fw- fw_ fpk_"),
  ...shapes(20, "gAAAA"),
  ...shapes(
    10,
    "sk- ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ xoxb- xoxa- xoxp- xoxr- xoxs- pplx- fal_ fc- bb_live_ sk_live_ sk_test_ " +
      "rk_live_ hf_ r8_ npm_ pypi- dop_v1_ doo_v1_ am_ sk_ tvly- exa_ gsk_ syt_ retaindb_ hsk- mem0_ brv_ ntn_ glpat- pk-lf-"
  )
]

const byFirst = new Map<number, ReadonlyArray<Shape>>()
for (const shape of ALL) {
  const first = shape.prefix.charCodeAt(0)
  byFirst.set(first, [...(byFirst.get(first) ?? []), shape])
}

/** First two characters of every shape, `SG.`, `AKIA`, `eyJ` and `xapp-` among them. */
const pairs = new Uint8Array(1 << 14)
for (const prefix of ["SG", "AK", "ey", "xa", ...ALL.map(({ prefix }) => prefix)]) {
  pairs[(prefix.charCodeAt(0) << 7) | prefix.charCodeAt(1)] = 1
}

/** Whether a credential could start with these two: most words are dismissed by it. */
export const mayStart = (first: number, second: number): boolean =>
  first < 128 && second < 128 && pairs[(first << 7) | second] === 1

const WORD = /[A-Za-z0-9_-]/
const isWord = (char: string | undefined): boolean => char !== undefined && WORD.test(char)

/** Bounded, so that a long run of letters behind each dot costs nothing. */
const runFrom = (text: string, from: number, most: number): number => {
  let end = from
  while (end < text.length && end - from < most && isWord(text[end])) end++
  return end
}

/**
 * If a credential starts at `from`, where it ends; else -1. `end` is the end of the run of letters, digits, `_` and `-`
 * that `from` lies in. The character before `from` must be no letter, digit or `_`; the caller sees to that.
 */
export const credentialEnd = (text: string, from: number, end: number): number => {
  const length = end - from
  const first = text.charCodeAt(from)
  if (first === 83 && text.startsWith("SG.", from) && end === from + 2) {
    const body = runFrom(text, from + 3, 512)
    const last = text[body] === "." ? runFrom(text, body + 1, 512) : body
    return last - from - 3 >= 10 ? last : -1
  }
  if (first === 65 && length === 20 && /^AKIA[A-Z0-9]{16}$/.test(text.slice(from, end))) return end
  if (first === 101 && length >= 13 && text.startsWith("eyJ", from)) return jwtEnd(text, end)
  if (first === 120 && length >= 17 && /^xapp-\d{1,3}-/.test(text.slice(from, from + 9))) return end
  for (const { least, prefix } of byFirst.get(first) ?? []) {
    if (length >= prefix.length + least && text.startsWith(prefix, from)) return end
  }
  return -1
}

/** Header, payload, signature; a token cut short is still one. */
const jwtEnd = (text: string, headerEnd: number): number => {
  let end = headerEnd
  for (let part = 0; part < 2 && text[end] === "."; part++) {
    const next = runFrom(text, end + 1, 65_536)
    if (next - end < 5) break
    end = next
  }
  return end
}
