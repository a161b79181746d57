/**
 * One chat as its user sees it: messages in the order they appeared, with their present text. A deduplicating chat shows
 * a key once; a chat that knows no keys shows every send, and tells a marked repeat from a plain second showing.
 */

export interface Shown {
  readonly messageId: string
  readonly key: string
  /** The text as it was first sent and as it stands now. */
  readonly first: string
  text: string
  edits: number
  /** Sends that carried the same key again and were not shown. */
  suppressed: number
  /** Set when this is the text of an earlier message once more, headed by a line that says so (`delivery O4 c`). */
  readonly repeatOf: string | null
  /** `performance.now()` of its first showing. */
  readonly at: number
  readonly replyTo: string | null
  readonly op: string
}

/** `text` is `original` under exactly one more heading line. */
export const isMarkedRepeat = (text: string, original: string): boolean => {
  if (text.length <= original.length || !text.endsWith(original)) return false
  const head = text.slice(0, text.length - original.length)
  return head.endsWith("\n") && head.trim() !== "" && !head.trim().includes("\n")
}

export class ChatView {
  readonly id: string
  readonly shown: Array<Shown> = []
  /** `typing` actions, for tests of the indicator. */
  typing = 0
  scopeId: string | null = null
  private readonly byMessageId = new Map<string, Shown>()
  private readonly byKey = new Map<string, Shown>()

  constructor(id: string) {
    this.id = id
  }

  byKeyOf(key: string): Shown | undefined {
    return this.byKey.get(key)
  }

  byId(messageId: string): Shown | undefined {
    return this.byMessageId.get(messageId)
  }

  /** Carries out a send; returns what its key now shows. */
  show(
    send: { readonly key: string; readonly text: string; readonly replyTo: string | null; readonly op: string },
    messageId: string,
    deduplicates: boolean
  ): { readonly shown: Shown; readonly fresh: boolean } {
    const earlier = this.byKey.get(send.key)
    if (earlier !== undefined && deduplicates) {
      earlier.suppressed++
      return { shown: earlier, fresh: false }
    }
    const marked = earlier !== undefined && isMarkedRepeat(send.text, earlier.first)
    const shown: Shown = {
      messageId,
      key: send.key,
      first: send.text,
      text: send.text,
      edits: 0,
      suppressed: 0,
      repeatOf: marked ? earlier.messageId : null,
      at: performance.now(),
      replyTo: send.replyTo,
      op: send.op
    }
    this.shown.push(shown)
    this.byMessageId.set(messageId, shown)
    if (earlier === undefined) this.byKey.set(send.key, shown)
    return { shown, fresh: true }
  }

  /** Texts as they stand, oldest first, marked repeats left out. */
  texts(): ReadonlyArray<string> {
    return this.shown.filter((shown) => shown.repeatOf === null).map((shown) => shown.text)
  }
}
