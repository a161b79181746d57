/**
 * Counts, from what the chats show, which messages were answered, lost, answered twice or out of order. Pure. A message
 * carries marks at both ends, so that a text cut in the middle, or joined with its neighbours, is still told apart.
 */
import type { ChatView } from "../support/ChatView.ts"

const three = (n: number) => String(n).padStart(3, "0")
const five = (n: number) => String(n).padStart(5, "0")

/** The text of message `n` of a chat, with `filler` between the marks. */
export const marked = (chat: number, n: number, filler: string): string =>
  `b${three(chat)}x${five(n)} ${filler} ${three(chat)}x${five(n)}e`

const ends = /\b(\d{3})x(\d{5})e\b/g
const begins = /\bb(\d{3})x(\d{5})\b/g

const numbersOf = (text: string, chat: number, pattern: RegExp): Array<number> =>
  [...text.matchAll(pattern)].filter((match) => Number(match[1]) === chat).map((match) => Number(match[2]))

/** Numbers of the messages that a text answers whole, in the order of the text. */
export const answersIn = (text: string, chat: number): Array<number> => {
  const begun = new Set(numbersOf(text, chat, begins))
  return numbersOf(text, chat, ends).filter((n) => begun.has(n))
}

/** Numbers of those of which a text shows only the beginning. */
export const fragmentsIn = (text: string, chat: number): Array<number> => {
  const ended = new Set(numbersOf(text, chat, ends))
  return numbersOf(text, chat, begins).filter((n) => !ended.has(n))
}

export interface ChatTally {
  readonly answered: number
  readonly lost: ReadonlyArray<number>
  /** Shown whole in more than one message, or a beginning of it left standing beside the whole. */
  readonly doubled: ReadonlyArray<number>
  readonly outOfOrder: ReadonlyArray<number>
  readonly markedRepeats: number
  /** Shown here although another chat sent it. */
  readonly strayed: number
  readonly notices: ReadonlyArray<string>
}

/** `sent` messages were numbered from 1. */
export const tally = (chat: number, sent: number, view: ChatView): ChatTally => {
  const times = new Map<number, number>()
  const fragments = new Set<number>()
  const order: Array<number> = []
  const notices: Array<string> = []
  let markedRepeats = 0
  let strayed = 0
  for (const shown of view.shown) {
    if (shown.repeatOf !== null) {
      markedRepeats++
      continue
    }
    const answers = answersIn(shown.text, chat)
    const parts = fragmentsIn(shown.text, chat)
    for (const n of answers) {
      if (!times.has(n)) order.push(n)
      times.set(n, (times.get(n) ?? 0) + 1)
    }
    for (const n of parts) fragments.add(n)
    if (answers.length + parts.length > 0) continue
    if ([...shown.text.matchAll(ends)].length > 0) strayed++
    else notices.push(shown.text)
  }
  const lost: Array<number> = []
  for (let n = 1; n <= sent; n++) if (!times.has(n)) lost.push(n)
  const doubled = [...times.keys()].filter((n) => times.get(n)! > 1 || fragments.has(n))
  const outOfOrder = order.filter((n, at) => at > 0 && n < order[at - 1]!)
  return { answered: times.size, lost, doubled, outOfOrder, markedRepeats, strayed, notices }
}
