/**
 * The redactor (`operations Z2`–`Z4`): every line, notice, status text and error passes it on its way out.
 * Linear in the text, idempotent, and it fails closed: a fault inside yields `[redaction-unavailable]`, never the text.
 */
import { SECRET_FIELD } from "./SecretNames.ts"
import { scan, type Audience, type Span } from "./SecretScanner.ts"
import { findSecrets } from "./Secrets.ts"

export { registerSecret } from "./Secrets.ts"
export { mask } from "./TokenShapes.ts"

export const UNAVAILABLE = "[redaction-unavailable]"

let enabled = true

/** `security.redact_secrets`, read once at start; nothing else may switch it. */
export const setRedaction = (on: boolean): void => {
  enabled = on
}

const apply = (text: string, spans: ReadonlyArray<Span>): string => {
  if (spans.length === 0) return text
  let out = ""
  let at = 0
  for (const { from, replacement, to } of spans) {
    out += text.slice(at, from) + replacement
    at = to
  }
  return out + text.slice(at)
}

const knownSpans = (text: string): ReadonlyArray<Span> =>
  findSecrets(text).map(([from, to]) => ({ from, to, replacement: "***" }))

const KEY_BEGIN = "-----BEGIN "
const KEY_END = "-----END "

const KEY_NAME = "PRIVATE KEY"
/** What may stand between, such as `RSA `. */
const KEY_KIND = /^[A-Z0-9 ]{0,40}$/

/** Whole blocks; one whose end is missing reaches to the end of the text. Looks for the rarest of its words first. */
const privateKeys = (text: string): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  let to = 0
  for (let name = text.indexOf(KEY_NAME); name >= 0; name = text.indexOf(KEY_NAME, Math.max(to, name + 1))) {
    const before = text.slice(Math.max(to, name - 40 - KEY_BEGIN.length), name)
    const begin = before.lastIndexOf(KEY_BEGIN)
    if (begin < 0 || !KEY_KIND.test(before.slice(begin + KEY_BEGIN.length))) continue
    const end = text.indexOf(KEY_END, name)
    const close = end < 0 ? -1 : text.slice(end + KEY_END.length, end + 96).indexOf("-----")
    to = end < 0 ? text.length : close < 0 ? end + KEY_END.length : end + KEY_END.length + close + 5
    spans.push({ from: name - before.length + begin, to, replacement: "[REDACTED PRIVATE KEY]" })
  }
  return spans
}

/** Control and zero-width characters that are invisible in a chat and would hide a token from every rule. */
const INVISIBLE = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/
const INVISIBLES = new RegExp(INVISIBLE, "g")
/** The same by code unit. */
const invisible = Uint8Array.from({ length: 0x10000 }, (_, code) => Number(INVISIBLE.test(String.fromCharCode(code))))

/** Replaces what invisible characters split, by rules that see the text without them. */
const joinSplit = (text: string, audience: Audience): string => {
  let out = text
  for (const find of [knownSpans, (plain: string) => scan(plain, audience)]) {
    if (!INVISIBLE.test(out)) return out
    const spans = find(out.replace(INVISIBLES, ""))
    if (spans.length > 0) out = apply(out, placed(out, spans))
  }
  return out
}

/** Spans of the text without invisible characters, placed in the text that has them; only those with some inside. */
const placed = (text: string, spans: ReadonlyArray<Span>): ReadonlyArray<Span> => {
  const visible = new Uint32Array(text.length)
  let count = 0
  for (let at = 0; at < text.length; at++) if (invisible[text.charCodeAt(at)] === 0) visible[count++] = at
  return spans
    .map((span) => ({ ...span, from: visible[span.from]!, to: visible[span.to - 1]! + 1 }))
    .filter((span) => INVISIBLE.test(text.slice(span.from, span.to)))
}

/** The whole text is a form body: fields of known names are masked. */
const formBody = (text: string): string =>
  text.includes("&") && /^[^=&\s]{1,64}=/.test(text) && !/[\s"'<>{}]/.test(text)
    ? text.replace(SECRET_FIELD, "$1***")
    : text

const pass = (text: string, audience: Audience): string => {
  let out = INVISIBLE.test(text) ? joinSplit(text, audience) : text
  out = apply(out, privateKeys(out))
  out = apply(out, knownSpans(out))
  out = formBody(out)
  return apply(out, scan(out, audience))
}

const MOST_PASSES = 5
/** Longer texts get one pass. Lines of the log and messages of a chat are far below it. */
const LONG = 64 * 1024

const run = (text: string, audience: Audience): string => {
  if (!enabled || text === "") return text
  try {
    let out = pass(text, audience)
    if (text.length > LONG) return out
    // A mask may close a quote or end a word, so that its neighbour reads anew; idempotent means that it settles here.
    for (let n = 1, before = text; n < MOST_PASSES && out !== before; n++) {
      before = out
      out = pass(out, audience)
    }
    return out
  } catch {
    return UNAVAILABLE
  }
}

/** For logs, status, errors, metrics, hooks: also masks queries and passwords of web addresses. */
export const redact = (text: string): string => run(text, "log")

/** For what users read: links keep their query, so that they work. */
export const redactForChat = (text: string): string => run(text, "chat")
