/**
 * The values this process knows to be secret, by exact content (`operations Z4`), so that the redactor can replace
 * them wherever they appear. It gives them to nobody but the redactor.
 */

/** Shorter values are placeholders (`operations F6`); replacing them everywhere would only garble the log. */
const SHORTEST = 4
/** More than any configuration holds. When full the oldest goes: what fills it are tokens that rotate. */
const MOST = 4096

const known = new Set<string>()

/** The search structure over `known`, built when it is first needed after a change. */
interface Index {
  /** One flag per hash of two characters: most positions of a text are dismissed by it. */
  readonly pairs: Uint8Array
  /** By the first four characters, longest first. */
  readonly buckets: ReadonlyMap<string, ReadonlyArray<string>>
}

let index: Index | null = null

const pairHash = (a: number, b: number): number => (a * 251 + b) & 0xffff

/** Registers what was read or received as a secret. Registering again makes it the youngest. */
export const registerSecret = (value: string): void => {
  const secret = value.trim()
  // What the redactor itself writes must never be found again, or masking would not be idempotent.
  if (secret.length < SHORTEST || secret.includes("***") || /^[*.]+$/.test(secret)) return
  if (!known.delete(secret)) {
    if (known.size >= MOST) known.delete(known.values().next().value!)
    index = null
  }
  known.add(secret)
}

const build = (): Index => {
  const pairs = new Uint8Array(0x10000)
  const buckets = new Map<string, Array<string>>()
  for (const secret of [...known].sort((a, b) => b.length - a.length)) {
    pairs[pairHash(secret.charCodeAt(0), secret.charCodeAt(1))] = 1
    const head = secret.slice(0, SHORTEST)
    const bucket = buckets.get(head)
    if (bucket === undefined) buckets.set(head, [secret])
    else bucket.push(secret)
  }
  return { pairs, buckets }
}

/** The places of known secrets, leftmost first, at one place the longest; `[from, to]` pairs that do not overlap. */
export const findSecrets = (text: string): ReadonlyArray<readonly [number, number]> => {
  if (known.size === 0) return []
  const { buckets, pairs } = (index ??= build())
  const spans: Array<readonly [number, number]> = []
  for (let i = 0; i + SHORTEST <= text.length; i++) {
    if (pairs[pairHash(text.charCodeAt(i), text.charCodeAt(i + 1))] === 0) continue
    const found = buckets.get(text.slice(i, i + SHORTEST))?.find((secret) => text.startsWith(secret, i))
    if (found === undefined) continue
    spans.push([i, i + found.length])
    i += found.length - 1
  }
  return spans
}

/** `operations F6`: what stands where a token should, in copied examples. */
export const isPlaceholder = (token: string): boolean => {
  const value = token.trim().toLowerCase()
  return (
    value.length < 4 ||
    value === "changeme" ||
    value === "your-token-here" ||
    /^x{3,}/.test(value) ||
    /^\*{3,}$/.test(value)
  )
}
