/**
 * Finds what looks like a secret (`operations Z3`) in one pass from left to right: every rule starts at a character
 * that calls for it and looks a bounded way, so time is linear whatever the text. It changes nothing itself.
 */
import { isSecretName } from "./SecretNames.ts"
import { credentialEnd, mask, mayStart } from "./TokenShapes.ts"

export interface Span {
  readonly from: number
  readonly to: number
  readonly replacement: string
}

/** `log`: query strings and passwords of web addresses are masked. `chat`: they stay, links must keep working. */
export type Audience = "log" | "chat"

const WORD = 1
const SPACE = 2
const MARK = 3
const QUOTE = 4
/** By code unit; beyond ASCII nothing matters. */
const classes = new Uint8Array(0x10000)
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
  classes[char.charCodeAt(0)] = WORD
for (const char of " \t\n\r\v\f") classes[char.charCodeAt(0)] = SPACE
for (const char of "=:+?") classes[char.charCodeAt(0)] = MARK
for (const char of "\"'`<>") classes[char.charCodeAt(0)] = QUOTE
/** What a name is made of: a word, dots, `$`. */
const nameChars = new Uint8Array(0x10000)
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.$")
  nameChars[char.charCodeAt(0)] = 1

const NEWLINE = 10
const RETURN = 13
const HASH = 35
const AMPERSAND = 38
const PLUS = 43
const COMMA = 44
const HYPHEN = 45
const SLASH = 47
const COLON = 58
const QUESTION = 63
const AT = 64
const BACKSLASH = 92

const LONGEST_NAME = 128
const LONGEST_QUOTED = 4096
const LONGEST_AUTHORITY = 512
/** `srv` is what stands behind the plus sign of `mongodb+srv`. */
const DATABASES = /^(?:postgres(?:ql)?|mysql|mariadb|mongodb|srv|rediss?|amqps?)$/i
const LOOKUP = /^(?:process\.env|import\.meta\.env|os\.environ|os\.getenv|getenv\(|Deno\.env|ENV\[|\$[{(]?[A-Za-z_])/
const ADDRESS = /^[a-z][a-z0-9+.]{1,11}:\/\//i
const AUTHORIZATION = /(?:^|[^a-z])authorization$/i
/** A name of more than one word. */
const COMPOSED = /[._-]|[a-z][A-Z]/
const PLAIN = /^(?:null|none|nil|undefined|true|false)$/i

/** `==`, `!=`, `<=`, `>=`, `=>` assign nothing. */
const isComparison = (code: number) => code === 61 || code === 33 || code === 60 || code === 62
const isBlank = (code: number) => code === 32 || code === 9
const isDigit = (code: number) => code >= 48 && code <= 57
const isAlphanumeric = (code: number) =>
  isDigit(code) || code === 95 || (code >= 65 && code <= 90) || (code >= 97 && code <= 122)

const setOf = (chars: string): Uint8Array => {
  const flags = new Uint8Array(0x10000)
  for (const char of chars) flags[char.charCodeAt(0)] = 1
  return flags
}
const bearerMarks = setOf("._~+/=")
const closings = setOf(";)]}>.,")
/** First characters of `LOOKUP`. */
const lookupStarts = setOf("piogDE$")
const isBearerMark = (code: number) => bearerMarks[code] === 1
const isClosing = (code: number) => closings[code] === 1

/** Code units of the text at hand, and two zeros behind it: a typed array is read several times faster than a string. */
const scratch = Buffer.alloc(2 * (64 * 1024 + 2))
const codesOf = (text: string): Uint16Array => {
  const bytes = 2 * (text.length + 2)
  const buffer = bytes <= scratch.length ? scratch : Buffer.alloc(bytes)
  buffer.fill(0, buffer.write(text, "utf16le"), bytes)
  return new Uint16Array(buffer.buffer, buffer.byteOffset, text.length + 2)
}

/** Where the secrets of the text are, from left to right, and what to put there. */
export const scan = (text: string, audience: Audience): ReadonlyArray<Span> => new Scan(text, audience).run()

/** Its methods look at one place and return where to go on. */
class Scan {
  private readonly text: string
  private readonly codes: Uint16Array
  private readonly length: number
  private readonly isLog: boolean
  private readonly spans: Array<Span> = []
  private inUrl = false

  constructor(text: string, audience: Audience) {
    this.text = text
    this.codes = codesOf(text)
    this.length = text.length
    this.isLog = audience === "log"
  }

  run(): ReadonlyArray<Span> {
    const { codes, length } = this
    let i = 0
    while (i < length) {
      const code = codes[i]!
      const kind = classes[code]
      if (kind === WORD) i = this.word(i)
      else if (kind === SPACE || kind === QUOTE) {
        this.inUrl = false
        i++
      } else if (kind !== MARK) i++
      else if (code === PLUS) i = this.phone(i)
      else if (code === QUESTION) i = this.inUrl && this.isLog ? this.query(i) : i + 1
      else if (code === COLON && codes[i + 1] === SLASH && codes[i + 2] === SLASH) i = this.authority(i)
      else if (i < 2 || classes[codes[i - 1]!] === MARK) i++
      else {
        const token = code === COLON ? this.telegram(i) : -1
        i = token >= 0 ? token : this.inUrl && !this.isLog ? i + 1 : this.assignment(i)
      }
    }
    return this.spans
  }

  private put(i: number, from: number, to: number, replacement: string): number {
    if (to > from) this.spans.push({ from, to, replacement })
    return Math.max(to, i + 1)
  }

  /** A run of letters, digits, `_` and `-`: credentials by their prefix. */
  private word(start: number): number {
    const { codes } = this
    let end = start
    let hasStart = mayStart(codes[start]!, codes[start + 1]!)
    for (let code = codes[end]!; classes[code] === WORD; code = codes[++end]!) {
      if (code === HYPHEN && mayStart(codes[end + 1]!, codes[end + 2]!)) hasStart = true
    }
    if (end - start < 2) return end
    for (let from = start; hasStart && from < end; from++) {
      if (from > start && codes[from - 1] !== HYPHEN) continue
      if (!mayStart(codes[from]!, codes[from + 1]!)) continue
      const to = credentialEnd(this.text, from, end)
      if (to > 0) return this.put(start, from, to, mask(this.text.slice(from, to)))
    }
    const isBearer = end - start === 6 && this.text.slice(start, end).toLowerCase() === "bearer"
    return isBearer ? this.bearer(start, end) : end
  }

  private bearer(start: number, schemeEnd: number): number {
    const { codes } = this
    let from = schemeEnd
    while (from - schemeEnd < 5 && isBlank(codes[from]!)) from++
    let to = from
    while (classes[codes[to]!] === WORD || isBearerMark(codes[to]!)) to++
    return from > schemeEnd && to - from >= 20 ? this.put(start, from, to, "[redacted]") : schemeEnd
  }

  /** `scheme://user:password@`, `scheme://token@`; `i` is at the colon. */
  private authority(i: number): number {
    const { codes, length, text } = this
    this.inUrl = true
    let schemeStart = i
    while (schemeStart > 0 && i - schemeStart < 12 && classes[codes[schemeStart - 1]!] === WORD) schemeStart--
    const database = DATABASES.test(text.slice(schemeStart, i))
    const start = i + 3
    let at = -1
    let colon = -1
    for (let j = start; j < length && j - start < LONGEST_AUTHORITY; j++) {
      const char = codes[j]!
      if (char === AT) {
        at = j
        if (!database) break
      } else if (char === COLON) {
        if (codes[j + 1] === SLASH && codes[j + 2] === SLASH) break
        if (colon < 0) colon = j
      } else if (char === QUESTION || char === HASH || (char === SLASH && !database)) break
      else if (classes[char] === SPACE || classes[char] === QUOTE) break
    }
    if (at < 0) return start
    if (colon >= 0 && colon < at) return database || this.isLog ? this.put(i, colon + 1, at, "***") : start
    return at - start >= 8 ? this.put(i, start, at, mask(text.slice(start, at))) : start
  }

  /** The query of a web address, up to its end. */
  private query(i: number): number {
    const { codes, length } = this
    let end = i + 1
    while (end < length && classes[codes[end]!] !== SPACE && classes[codes[end]!] !== QUOTE) end++
    return this.put(i, i + 1, end, "***")
  }

  private phone(i: number): number {
    const { codes, text } = this
    if (i > 0 && isAlphanumeric(codes[i - 1]!)) return i + 1
    let end = i + 1
    while (end - i <= 16 && isDigit(codes[end]!)) end++
    const digits = end - i - 1
    if (digits < 7 || digits > 15 || isAlphanumeric(codes[end]!)) return i + 1
    const shown = end - i <= 8 ? 2 : 4
    return this.put(i, i, end, `${text.slice(i, i + shown)}****${text.slice(end - shown, end)}`)
  }

  /** `[bot]DIGITS:SECRET` of Telegram; `i` is at the colon. -1 when it is none. */
  private telegram(i: number): number {
    const { codes } = this
    if (i === 0 || !isDigit(codes[i - 1]!)) return -1
    let start = i
    while (start > 0 && i - start <= 20 && isDigit(codes[start - 1]!)) start--
    if (i - start < 8 || i - start > 20) return -1
    const before = start > 0 ? codes[start - 1]! : 0
    if (isAlphanumeric(before) && this.text.slice(Math.max(0, start - 3), start).toLowerCase() !== "bot") return -1
    let end = i + 1
    while (classes[codes[end]!] === WORD) end++
    return end - i - 1 >= 30 ? this.put(i, i + 1, end, "***") : -1
  }

  /** `NAME=value`, `name: value`, `"name": "value"`; `i` is at the mark. */
  private assignment(i: number): number {
    const { codes, text } = this
    const colon = codes[i] === COLON
    if (!colon && (isComparison(codes[i + 1]!) || isComparison(codes[i - 1]!))) return i + 1
    let nameEnd = i
    while (nameEnd > 0 && i - nameEnd < 8 && isBlank(codes[nameEnd - 1]!)) nameEnd--
    const escaped = nameEnd > 1 && codes[nameEnd - 2] === BACKSLASH ? 1 : 0
    const quoted = nameEnd > 1 && classes[codes[nameEnd - 1]!] === QUOTE
    if (quoted) nameEnd -= 1 + escaped
    let nameStart = nameEnd
    while (nameStart > 0 && nameEnd - nameStart < LONGEST_NAME && nameChars[codes[nameStart - 1]!] === 1) nameStart--
    // The shortest is `pw`; a name of digits alone is the hour of a time.
    if (nameEnd - nameStart < 2 || isDigit(codes[nameStart]!)) return i + 1
    const name = text.slice(nameStart, nameEnd)
    const header = name.length >= 13 && AUTHORIZATION.test(name)
    if (!header && !isSecretName(name)) return i + 1
    if (colon && !quoted && !header && !COMPOSED.test(name) && !startsLine(text, nameStart)) return i + 1
    return this.value(i, header, colon)
  }

  private value(i: number, header: boolean, colon: boolean): number {
    const { codes, length, text } = this
    let start = i + 1
    while (start - i < 9 && isBlank(codes[start]!)) start++
    const quoteAt = codes[start] === BACKSLASH ? start + 1 : start
    const quote = quoteAt < length ? text[quoteAt]! : ""
    if (quote === '"' || quote === "'" || quote === "`") {
      const end = closingQuote(text, quoteAt + 1, quote)
      if (end > 0) {
        const inner = quoteAt + 1
        const stop = quoteAt > start && codes[end - 1] === BACKSLASH ? end - 1 : end
        return header ? this.credential(i, inner, stop) : this.secretValue(i, inner, stop)
      }
      // Cut off in the middle: the rest of the line belongs to it.
      return this.secretValue(i, quoteAt + 1, this.lineEnd(quoteAt + 1, false))
    }
    if (start >= length || classes[codes[start]!] === SPACE) return i + 1
    if (header) return this.credential(i, start, this.lineEnd(start, true))
    // A word with blanks at the side of a colon is prose more often than a passphrase; the first word must do.
    let end = start
    while (end < length && !this.endsValue(end)) end++
    while (end > start && isClosing(codes[end - 1]!)) end--
    return this.secretValue(i, start, end, colon)
  }

  private credential(i: number, from: number, to: number): number {
    const start = credentialStart(this.text, from, to)
    return this.put(i, start, to, mask(this.text.slice(start, to)))
  }

  private secretValue(i: number, from: number, to: number, colon = false): number {
    const secret = this.text.slice(from, to)
    if (secret === "" || (secret.length < 10 && PLAIN.test(secret)) || this.isLookup(from, secret)) return i + 1
    // `scheme://…` behind a colon or equals sign is an address: its own rules see to its password.
    if ((secret.includes("://") && ADDRESS.test(secret)) || (colon && secret.startsWith("//"))) return i + 1
    return this.put(i, from, to, mask(secret))
  }

  private isLookup(at: number, secret: string): boolean {
    return lookupStarts[this.codes[at]!] === 1 && LOOKUP.test(secret)
  }

  private endsValue(i: number): boolean {
    const code = this.codes[i]!
    const kind = classes[code]
    if (kind === SPACE || kind === QUOTE || code === AMPERSAND) return true
    return code === COMMA && (i + 1 === this.length || classes[this.codes[i + 1]!] === SPACE)
  }

  private lineEnd(from: number, stopAtQuote: boolean): number {
    const { codes } = this
    const most = Math.min(this.length, from + LONGEST_QUOTED)
    let end = from
    while (
      end < most &&
      codes[end] !== NEWLINE &&
      codes[end] !== RETURN &&
      !(stopAtQuote && classes[codes[end]!] === QUOTE)
    )
      end++
    return end
  }
}

const startsLine = (text: string, at: number): boolean => {
  let i = at
  while (i > 0 && at - i < 64 && " \t-{,".includes(text[i - 1]!)) i--
  return i === 0 || text[i - 1] === "\n" || text[i - 1] === "\r" || text[i] === "{" || text[i] === ","
}

const closingQuote = (text: string, from: number, quote: string): number => {
  for (let i = from; i < text.length && i - from < LONGEST_QUOTED; i++) {
    if (text[i] === quote) return i
    if (text[i] === "\\" && text[i + 1] === quote && quote === '"')
      return doublyQuoted(text, from) ? i + 1 : skipEscaped(text, i, from)
  }
  return -1
}

/** Inside JSON that was itself put into a string, the quotes are `\"` on both sides. */
const doublyQuoted = (text: string, from: number): boolean => text[from - 2] === "\\"

const skipEscaped = (text: string, escape: number, from: number): number => {
  for (let i = escape + 2; i < text.length && i - from < LONGEST_QUOTED; i++) {
    if (text[i] === "\\") i++
    else if (text[i] === '"') return i
  }
  return -1
}

/** Behind the scheme of an `Authorization` value, when there is one. */
const credentialStart = (text: string, from: number, to: number): number => {
  const scheme = /^[A-Za-z][A-Za-z0-9-]{1,31}[ \t]+/.exec(text.slice(from, Math.min(to, from + 64)))
  return scheme !== null && from + scheme[0].length < to ? from + scheme[0].length : from
}
