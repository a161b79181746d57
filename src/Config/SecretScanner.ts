/**
 * Finds what looks like a secret (`operations Z3`) in one pass from left to right: every rule starts at a character
 * that calls for it and looks a bounded way, so time is linear whatever the text. It changes nothing itself.
 */
import { isSecretName } from "./SecretNames.ts"
import { credentialEnd, mask } from "./TokenShapes.ts"

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
const classes = new Uint8Array(128)
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
  classes[char.charCodeAt(0)] = WORD
for (const char of " \t\n\r\v\f") classes[char.charCodeAt(0)] = SPACE
for (const char of "=:+?") classes[char.charCodeAt(0)] = MARK
for (const char of "\"'`<>") classes[char.charCodeAt(0)] = QUOTE
const classAt = (text: string, i: number): number => {
  const code = text.charCodeAt(i)
  return code < 128 ? classes[code]! : 0
}

const HASH = 35
const PLUS = 43
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
const PLAIN = /^(?:null|none|nil|undefined|true|false)$/i

/** `==`, `!=`, `<=`, `>=`, `=>` assign nothing. */
const isComparison = (code: number) => code === 61 || code === 33 || code === 60 || code === 62
const isBlank = (code: number) => code === 32 || code === 9
const isDigit = (code: number) => code >= 48 && code <= 57
const isAlphanumeric = (code: number) =>
  isDigit(code) || code === 95 || (code >= 65 && code <= 90) || (code >= 97 && code <= 122)

export const scan = (text: string, audience: Audience): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  const length = text.length
  let inUrl = false
  let i = 0

  const put = (from: number, to: number, replacement: string): number => {
    if (to > from) spans.push({ from, to, replacement })
    return Math.max(to, i + 1)
  }

  /** A run of letters, digits, `_` and `-`: credentials by their prefix. Returns where to go on. */
  const word = (): number => {
    const start = i
    let end = i
    let hyphens = 0
    for (let code = text.charCodeAt(end); code < 128 && classes[code] === WORD; code = text.charCodeAt(++end)) {
      if (code === HYPHEN) hyphens++
    }
    if (end - start >= 2) {
      for (let from = start; ; from = text.indexOf("-", from) + 1) {
        const to = credentialEnd(text, from, end)
        if (to > 0) return put(from, to, mask(text.slice(from, to)))
        // Counted, for a search past the run would make the whole quadratic.
        if (hyphens-- === 0) break
      }
      if (end - start === 6 && text.slice(start, end).toLowerCase() === "bearer") return bearer(end)
    }
    return end
  }

  const bearer = (schemeEnd: number): number => {
    let from = schemeEnd
    while (from < length && from - schemeEnd < 5 && (text[from] === " " || text[from] === "\t")) from++
    let to = from
    while (to < length && (classAt(text, to) === WORD || "._~+/=".includes(text[to]!))) to++
    return from > schemeEnd && to - from >= 20 ? put(from, to, "[redacted]") : schemeEnd
  }

  /** `scheme://user:password@`, `scheme://token@`; `i` is at the colon. */
  const authority = (): number => {
    inUrl = true
    let schemeStart = i
    while (schemeStart > 0 && i - schemeStart < 12 && classAt(text, schemeStart - 1) === WORD) schemeStart--
    const database = DATABASES.test(text.slice(schemeStart, i))
    const start = i + 3
    let at = -1
    let colon = -1
    for (let j = start; j < length && j - start < LONGEST_AUTHORITY; j++) {
      const char = text.charCodeAt(j)
      if (char === AT) {
        at = j
        if (!database) break
      } else if (char === COLON) {
        if (text.charCodeAt(j + 1) === SLASH && text.charCodeAt(j + 2) === SLASH) break
        if (colon < 0) colon = j
      } else if (char === QUESTION || char === HASH || (char === SLASH && !database)) break
      else if (char < 128 && (classes[char] === SPACE || classes[char] === QUOTE)) break
    }
    if (at < 0) return start
    if (colon >= 0 && colon < at) return database || audience === "log" ? put(colon + 1, at, "***") : start
    return at - start >= 8 ? put(start, at, mask(text.slice(start, at))) : start
  }

  /** The query of a web address, up to its end. */
  const query = (): number => {
    let end = i + 1
    while (end < length && classAt(text, end) !== SPACE && classAt(text, end) !== QUOTE) end++
    return put(i + 1, end, "***")
  }

  const phone = (): number => {
    if (i > 0 && isAlphanumeric(text.charCodeAt(i - 1))) return i + 1
    let end = i + 1
    while (end < length && end - i <= 16 && isDigit(text.charCodeAt(end))) end++
    const digits = end - i - 1
    if (digits < 7 || digits > 15 || isAlphanumeric(text.charCodeAt(end))) return i + 1
    const shown = end - i <= 8 ? 2 : 4
    return put(i, end, `${text.slice(i, i + shown)}****${text.slice(end - shown, end)}`)
  }

  /** `[bot]DIGITS:SECRET` of Telegram; `i` is at the colon. -1 when it is none. */
  const telegram = (): number => {
    if (!isDigit(text.charCodeAt(i - 1))) return -1
    let start = i
    while (start > 0 && i - start <= 20 && isDigit(text.charCodeAt(start - 1))) start--
    if (i - start < 8 || i - start > 20) return -1
    const before = start > 0 ? text.charCodeAt(start - 1) : 0
    if (isAlphanumeric(before) && text.slice(Math.max(0, start - 3), start).toLowerCase() !== "bot") return -1
    let end = i + 1
    while (end < length && classAt(text, end) === WORD) end++
    return end - i - 1 >= 30 ? put(i + 1, end, "***") : -1
  }

  /** `NAME=value`, `name: value`, `"name": "value"`; `i` is at the mark. */
  const assignment = (): number => {
    const colon = text.charCodeAt(i) === COLON
    if (!colon && (isComparison(text.charCodeAt(i + 1)) || isComparison(text.charCodeAt(i - 1)))) return i + 1
    let nameEnd = i
    while (nameEnd > 0 && i - nameEnd < 8 && isBlank(text.charCodeAt(nameEnd - 1))) nameEnd--
    const escaped = nameEnd > 1 && text.charCodeAt(nameEnd - 2) === BACKSLASH ? 1 : 0
    const quoted = nameEnd > 1 && classAt(text, nameEnd - 1) === QUOTE
    if (quoted) nameEnd -= 1 + escaped
    let nameStart = nameEnd
    while (nameStart > 0 && nameEnd - nameStart < LONGEST_NAME && isNameChar(text, nameStart - 1)) nameStart--
    // The shortest is `pw`; a name of digits alone is the hour of a time.
    if (nameEnd - nameStart < 2 || isDigit(text.charCodeAt(nameStart))) return i + 1
    const name = text.slice(nameStart, nameEnd)
    const header = name.length >= 13 && /(?:^|[^a-z])authorization$/i.test(name)
    if (!header && !isSecretName(name)) return i + 1
    if (colon && !quoted && !header && !/[._-]|[a-z][A-Z]/.test(name) && !startsLine(text, nameStart)) return i + 1
    return value(header, colon)
  }

  const value = (header: boolean, colon: boolean): number => {
    let start = i + 1
    while (start < length && start - i < 9 && isBlank(text.charCodeAt(start))) start++
    const quoteAt = text[start] === "\\" ? start + 1 : start
    const quote = text[quoteAt]
    if (quote === '"' || quote === "'" || quote === "`") {
      const end = closingQuote(text, quoteAt + 1, quote)
      if (end > 0) {
        const inner = quoteAt + 1
        const stop = quoteAt > start && text[end - 1] === "\\" ? end - 1 : end
        return header ? credential(inner, stop) : secretValue(inner, stop)
      }
      // Cut off in the middle: the rest of the line belongs to it.
      return secretValue(quoteAt + 1, lineEnd(text, quoteAt + 1, false))
    }
    if (start >= length || classAt(text, start) === SPACE) return i + 1
    if (header) return credential(start, lineEnd(text, start, true))
    // A word with blanks at the side of a colon is prose more often than a passphrase; the first word must do.
    let end = start
    while (end < length && !endsValue(text, end)) end++
    while (end > start && ";)]}>.,".includes(text[end - 1]!)) end--
    return secretValue(start, end, colon)
  }

  const credential = (from: number, to: number): number => {
    const start = credentialStart(text, from, to)
    return put(start, to, mask(text.slice(start, to)))
  }

  const secretValue = (from: number, to: number, colon = false): number => {
    const secret = text.slice(from, to)
    if (secret === "" || (secret.length < 10 && PLAIN.test(secret)) || LOOKUP.test(secret)) return i + 1
    // `scheme://…` behind a colon or equals sign is an address: its own rules see to its password.
    if ((secret.includes("://") && /^[a-z][a-z0-9+.]{1,11}:\/\//i.test(secret)) || (colon && secret.startsWith("//")))
      return i + 1
    return put(from, to, mask(secret))
  }

  while (i < length) {
    const kind = classAt(text, i)
    if (kind === WORD) i = word()
    else if (kind === SPACE || kind === QUOTE) {
      inUrl = false
      i++
    } else if (kind === MARK) {
      const char = text.charCodeAt(i)
      if (char === PLUS) i = phone()
      else if (char === QUESTION) i = inUrl && audience === "log" ? query() : i + 1
      else if (char === COLON && text.charCodeAt(i + 1) === SLASH && text.charCodeAt(i + 2) === SLASH) i = authority()
      else if (i < 2 || classAt(text, i - 1) === MARK) i++
      else {
        const token = char === COLON ? telegram() : -1
        i = token >= 0 ? token : inUrl && audience === "chat" ? i + 1 : assignment()
      }
    } else i++
  }
  return spans
}

const isNameChar = (text: string, i: number): boolean => {
  const code = text.charCodeAt(i)
  return (code < 128 && classes[code] === WORD) || code === 46 || code === 36
}

const startsLine = (text: string, at: number): boolean => {
  let i = at
  while (i > 0 && at - i < 64 && " \t-{,".includes(text[i - 1]!)) i--
  return i === 0 || text[i - 1] === "\n" || text[i - 1] === "\r" || text[i] === "{" || text[i] === ","
}

const endsValue = (text: string, i: number): boolean => {
  const kind = classAt(text, i)
  const code = text.charCodeAt(i)
  if (kind === SPACE || kind === QUOTE || code === 38) return true
  return code === 44 && (i + 1 === text.length || classAt(text, i + 1) === SPACE)
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

const lineEnd = (text: string, from: number, stopAtQuote: boolean): number => {
  const most = Math.min(text.length, from + LONGEST_QUOTED)
  let end = from
  while (end < most && text[end] !== "\n" && text[end] !== "\r" && !(stopAtQuote && classAt(text, end) === QUOTE)) end++
  return end
}

/** Behind the scheme of an `Authorization` value, when there is one. */
const credentialStart = (text: string, from: number, to: number): number => {
  const scheme = /^[A-Za-z][A-Za-z0-9-]{1,31}[ \t]+/.exec(text.slice(from, Math.min(to, from + 64)))
  return scheme !== null && from + scheme[0].length < to ? from + scheme[0].length : from
}
