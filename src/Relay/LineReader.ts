/**
 * Bytes of WebSocket messages in, lines out (`relay W1`). A line, and any character of it, may be cut anywhere; what is
 * not complete is kept, up to 4 MiB. It decodes no JSON and never throws.
 */
import { isUtf8 } from "node:buffer"

/**
 * A line that cannot be read as text: `text` is what a preview may show of it (all of it, if it is only bad UTF-8). Of one
 * that is too large `end` holds its last bytes too: there may stand which delivery it was.
 */
export interface BadLine {
  readonly reason: "TooLarge" | "InvalidUtf8"
  readonly text: string
  readonly end?: string
}

/** `relay W3`; without the newline. */
export const maxLineBytes = 4 * 1024 * 1024

const newline = 0x0a
/** What is kept of a line that is too large, at its beginning and at its end. */
const headBytes = 1024
const endBytes = 1024
/** A tail buffer larger than this is given back once its line is complete. */
const keptCapacity = 64 * 1024
const empty = Buffer.alloc(0)

export interface LineReader {
  /** Appends the lines that `chunk` completes to `out`; blank ones are left out. */
  readonly push: (chunk: Uint8Array | string, out: Array<string | BadLine>) => void
  /** Bytes of the line that is not complete yet. */
  readonly heldBytes: () => number
}

export const make = (limit: number = maxLineBytes): LineReader => {
  let tail: Buffer = empty
  let tailLength = 0
  /** Within a line that is too large: how it begins, and the last of it so far. */
  let skipped: { readonly head: Buffer; end: Buffer } | null = null
  /** A string chunk may end in the middle of a surrogate pair. */
  let highSurrogate = ""

  const hold = (bytes: Uint8Array) => {
    if (bytes.length === 0) return
    if (skipped !== null) {
      skipped.end = lastOf(skipped.end, bytes)
      return
    }
    const length = tailLength + bytes.length
    if (length > limit) {
      const held = tail.subarray(0, tailLength)
      const head = Buffer.concat([held.subarray(0, headBytes), bytes.subarray(0, headBytes)])
      skipped = { head: Buffer.from(head.subarray(0, headBytes)), end: lastOf(held, bytes) }
      release()
      return
    }
    if (length > tail.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(limit, Math.max(length, tail.length * 2, 1024)))
      tail.copy(grown, 0, 0, tailLength)
      tail = grown
    }
    tail.set(bytes, tailLength)
    tailLength = length
  }

  const release = () => {
    tailLength = 0
    if (tail.length > keptCapacity) tail = empty
  }

  /** The end of a line: what was held and `bytes` make it up. */
  const complete = (bytes: Uint8Array, out: Array<string | BadLine>) => {
    if (tailLength === 0 && skipped === null) {
      emitBytes(bytes, limit, out)
      return
    }
    hold(bytes)
    if (skipped !== null) {
      out.push(badLine(skipped.head, skipped.end))
      skipped = null
    } else {
      emitBytes(tail.subarray(0, tailLength), limit, out)
      release()
    }
  }

  const pushBytes = (chunk: Buffer, out: Array<string | BadLine>) => {
    let from = 0
    if (tailLength > 0 || skipped !== null) {
      const end = chunk.indexOf(newline)
      if (end < 0) return hold(chunk)
      complete(chunk.subarray(0, end), out)
      from = end + 1
      if (from === chunk.length) return
    }
    const rest = from === 0 ? chunk : chunk.subarray(from)
    const text = rest.toString("utf8")
    // Bad bytes become U+FFFD; only where there is one is it worth a look whether it was sent as such.
    if (!text.includes("\ufffd") || isUtf8(rest)) return pushText(text, out)
    from = 0
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline, from)) {
      complete(rest.subarray(from, end), out)
      from = end + 1
    }
    hold(rest.subarray(from))
  }

  /** Only for whole characters, while nothing is held. */
  const pushText = (text: string, out: Array<string | BadLine>) => {
    let from = 0
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      emitText(from === 0 && end === text.length ? text : text.slice(from, end), limit, out)
      from = end + 1
    }
    if (from < text.length) hold(Buffer.from(from === 0 ? text : text.slice(from)))
  }

  const pushString = (chunk: string, out: Array<string | BadLine>) => {
    let text = highSurrogate + chunk
    highSurrogate = ""
    const last = text.charCodeAt(text.length - 1)
    if (last >= 0xd800 && last <= 0xdbff) {
      highSurrogate = text.slice(-1)
      text = text.slice(0, -1)
    }
    if (!text.isWellFormed()) pushBytes(unpaired(text), out)
    else if (tailLength > 0 || skipped !== null) pushBytes(Buffer.from(text), out)
    else pushText(text, out)
  }

  return {
    push: (chunk, out) => {
      if (typeof chunk === "string") return pushString(chunk, out)
      if (highSurrogate !== "") {
        highSurrogate = ""
        hold(Buffer.of(0xff))
      }
      pushBytes(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), out)
    },
    heldBytes: () => tailLength
  }
}

const badLine = (head: Buffer, end: Buffer): BadLine => ({
  reason: "TooLarge",
  text: head.toString("utf8"),
  end: end.toString("utf8")
})

const tooLarge = (bytes: Buffer): BadLine => badLine(bytes.subarray(0, headBytes), bytes.subarray(-endBytes))

/** Copied: what it is cut from may be large, or used again. */
const lastOf = (before: Buffer, bytes: Uint8Array): Buffer =>
  bytes.length >= endBytes
    ? Buffer.from(bytes.subarray(-endBytes))
    : Buffer.concat([before.subarray(-(endBytes - bytes.length)), bytes])

const emitBytes = (bytes: Uint8Array, limit: number, out: Array<string | BadLine>) => {
  const line = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (line.length > limit) out.push(tooLarge(line))
  else if (!isUtf8(line)) out.push({ reason: "InvalidUtf8", text: line.toString("utf8") })
  else emitText(line.toString("utf8"), limit, out)
}

const emitText = (line: string, limit: number, out: Array<string | BadLine>) => {
  // A UTF-16 unit is at most three bytes of UTF-8; most lines need no count.
  if (line.length * 3 > limit && Buffer.byteLength(line) > limit) {
    out.push(tooLarge(Buffer.from(line)))
  } else if (line !== "" && (line.charCodeAt(0) > 0x20 || line.trim() !== "")) out.push(line)
}

/** Half a pair has no UTF-8 form: it becomes a byte that is no UTF-8 either, so that its line is seen as bad. */
const unpaired = (text: string): Buffer =>
  Buffer.concat(
    text
      .split(/\p{Surrogate}/u)
      .flatMap((part, index) => (index === 0 ? [Buffer.from(part)] : [Buffer.of(0xff), Buffer.from(part)]))
  )
