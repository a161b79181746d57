/**
 * Chats that behave like people: most send the next message when they have their answer, some send three at once. It
 * knows what is still unanswered; what was shown wrongly is for `Tally` to find at the end.
 */
import type { ChatView, Shown } from "../support/ChatView.ts"
import { type Random, seeded } from "../support/Random.ts"
import type { StrictConnector } from "../support/StrictConnector.ts"
import { answersIn, marked, tally, type ChatTally } from "./Tally.ts"

interface Waiting {
  /** How often the gateway was hit while this was unanswered. */
  hits: number
  /** Nobody waits for it any more; it still counts as lost. */
  abandoned: boolean
}

interface Person {
  readonly number: number
  readonly id: string
  readonly burst: boolean
  readonly waiting: Map<number, Waiting>
  sent: number
}

export interface LoadOptions {
  readonly chats: number
  readonly seed: number
  /** Longest time that a person thinks before the next message, in milliseconds. */
  readonly think: number
}

/** The line that announces a tool previews what follows it; the marks must not be in that preview. */
const toolWord = "!tool lookup One moment, this has to be looked up in the catalogue first: "

const filler = (random: Random): string =>
  "lorem ipsum dolor sit amet consectetur".slice(0, 5 + random.below(32)).trim()

export class Load {
  private readonly connector: StrictConnector
  private readonly random: Random
  private readonly options: LoadOptions
  private readonly people: Array<Person> = []
  private readonly byId = new Map<string, Person>()
  private readonly timers = new Set<NodeJS.Timeout>()
  private stopped = false

  constructor(connector: StrictConnector, options: LoadOptions) {
    this.connector = connector
    this.options = options
    this.random = seeded(options.seed ^ 0x10ad)
    for (let number = 0; number < options.chats; number++) {
      const person: Person = { number, id: `chat-${number}`, burst: number % 4 === 3, waiting: new Map(), sent: 0 }
      this.people.push(person)
      this.byId.set(person.id, person)
    }
    connector.platform.onShown = (chat, shown) => this.shown(chat, shown)
  }

  start(): void {
    for (const person of this.people) this.schedule(person)
  }

  /** No new message from now on; what is under way is still watched. */
  stop(): void {
    this.stopped = true
    for (const timer of this.timers) clearTimeout(timer)
    this.timers.clear()
  }

  get sent(): number {
    return this.people.reduce((sum, person) => sum + person.sent, 0)
  }

  get unanswered(): number {
    return this.people.reduce((sum, person) => sum + person.waiting.size, 0)
  }

  countHit(): void {
    for (const person of this.people) for (const waiting of person.waiting.values()) waiting.hits++
  }

  /** The largest number of hits that one unanswered message has seen. */
  get mostHits(): number {
    let most = 0
    for (const person of this.people) {
      for (const { abandoned, hits } of person.waiting.values()) if (!abandoned) most = Math.max(most, hits)
    }
    return most
  }

  /** Gives up on what is unanswered, so that one lost message does not hold up every later cycle. */
  abandon(): void {
    for (const person of this.people) for (const waiting of person.waiting.values()) waiting.abandoned = true
  }

  tallies(): ReadonlyArray<{ readonly chat: string; readonly tally: ChatTally }> {
    return this.people.map((person) => ({
      chat: person.id,
      tally: tally(person.number, person.sent, this.connector.chat(person.id))
    }))
  }

  private schedule(person: Person): void {
    if (this.stopped) return
    const timer = setTimeout(
      () => {
        this.timers.delete(timer)
        for (let n = 0; n < (person.burst ? 3 : 1); n++) this.send(person)
      },
      this.random.between(0, this.options.think)
    )
    this.timers.add(timer)
  }

  private send(person: Person): void {
    const n = ++person.sent
    person.waiting.set(n, { hits: 0, abandoned: false })
    const text = marked(person.number, n, filler(this.random))
    const dice = this.random.next()
    const word =
      dice < 0.15
        ? `!sleep ${20 + this.random.below(130)} `
        : dice < 0.3
          ? `!stream 4 ${2 + this.random.below(10)} `
          : dice < 0.4
            ? toolWord
            : ""
    this.connector.deliver({ chatId: person.id, text: `${word}${text}`, messageId: `${person.number}-${n}` })
  }

  private shown(chat: ChatView, shown: Shown): void {
    const person = this.byId.get(chat.id)
    if (person === undefined || person.waiting.size === 0) return
    for (const n of answersIn(shown.text, person.number)) person.waiting.delete(n)
    if (person.waiting.size === 0) this.schedule(person)
  }
}
