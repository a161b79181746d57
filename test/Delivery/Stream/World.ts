/**
 * A chat and a disk for the pure machine: answers of the platform, crashes and the Outbox that carries out what a turn's end
 * left behind, all from one seed. What a person sees is in `screen`.
 */
import { head } from "../../../src/Delivery/Splitter.ts"
import * as Machine from "../../../src/Delivery/Stream/Machine.ts"
import type { SendErrorKind } from "../../../src/Message/SendError.ts"
import type { Preview } from "../../../src/Storage/Outbox.ts"

export const limit = 60

export const rulesOf = (isKeyed: boolean): Machine.Rules => ({
  interval: 800,
  threshold: 24,
  cursor: " ▉",
  isKeyed,
  head: (text) => head(text, { limit, unit: "utf16" })
})

export class World {
  readonly screen = new Map<string, string>()
  readonly edits: Array<number> = []
  readonly sends: Array<number> = []
  now = 0
  state: Machine.State
  private readonly disk = new Map<number, Preview>()
  private readonly byKey = new Map<number, string>()
  private inFlight: { readonly act: Machine.Act; readonly lands: boolean; readonly event: Machine.Event } | null = null
  private ids = 0
  readonly rules: Machine.Rules
  private readonly random: () => number
  /** Chance that a call fails. */
  readonly trouble: number

  constructor(rules: Machine.Rules, random: () => number, trouble: number) {
    this.rules = rules
    this.random = random
    this.trouble = trouble
    this.state = Machine.initial(rules)
  }

  on(event: Machine.Event): void {
    this.state = Machine.on(this.state, event, this.now, this.rules)
  }

  /** Lets the machine act, and the platform answer some of what was asked. */
  step(): void {
    if (this.inFlight !== null) {
      if (this.random() < 0.6) this.answer()
      return
    }
    const action = Machine.decide(this.state, this.now, this.rules)
    if (action === null || action._tag === "Wait") return
    this.state = Machine.began(this.state, action, this.now)
    if (action._tag === "Send" && !action.isRepeat)
      this.disk.set(action.ordinal, { text: action.text, messageId: null })
    this.inFlight = { act: action, ...this.outcome(action) }
  }

  private outcome(act: Machine.Act): { readonly lands: boolean; readonly event: Machine.Event } {
    if (this.random() >= this.trouble) return { lands: true, event: { _tag: "Sent", id: null } }
    const kinds: ReadonlyArray<SendErrorKind> =
      act._tag === "Edit"
        ? ["rate_limited", "transient", "ambiguous", "unknown", "not_found"]
        : ["rate_limited", "transient", "ambiguous", "unknown", "forbidden"]
    const kind = kinds[Math.floor(this.random() * kinds.length)]!
    const retryAfter = kind === "rate_limited" ? Math.floor(this.random() * 5) : null
    return { lands: kind === "ambiguous" && this.random() < 0.5, event: { _tag: "Failed", kind, retryAfter } }
  }

  private carryOut(act: Machine.Act): string | null {
    if (act._tag === "Edit") {
      const id = this.state.messages[act.ordinal]?.id ?? ""
      if (this.screen.has(id)) this.screen.set(id, act.text)
      this.edits.push(this.now)
      return id
    }
    this.sends.push(this.now)
    const known = this.rules.isKeyed ? this.byKey.get(act.ordinal) : undefined
    if (known !== undefined) return known
    const id = `m${++this.ids}`
    this.byKey.set(act.ordinal, id)
    this.screen.set(id, act.text)
    return id
  }

  answer(): void {
    const { inFlight } = this
    if (inFlight === null) return
    this.inFlight = null
    const { act, event, lands } = inFlight
    const id = lands ? this.carryOut(act) : null
    this.on(event._tag === "Sent" ? { _tag: "Sent", id } : event)
    const message = this.state.messages[act.ordinal]
    if (message === undefined) this.disk.delete(act.ordinal)
    else if (message.id !== null) this.disk.set(act.ordinal, { text: message.shown, messageId: message.id })
  }

  /** kill -9: what was on its way arrived or not; what is on disk begins the next run. */
  crash(): void {
    if (this.inFlight !== null && this.random() < 0.5) this.carryOut(this.inFlight.act)
    this.inFlight = null
    const earlier: Array<Preview> = []
    for (let at = 0; this.disk.has(at); at++) earlier.push(this.disk.get(at)!)
    this.state = Machine.initial(this.rules, earlier)
  }

  /** The end of the turn, and what the Outbox makes of it; gives the messages as a person sees them. */
  finish(answer: string | null): ReadonlyArray<string> {
    const late = this.inFlight
    this.on({ _tag: "Finished" })
    const { previews, texts } = Machine.ending(this.state, answer, this.rules.cursor)
    // A row waits for what is under way for its preview.
    if (late !== null) this.answer()
    const known = Machine.ending(this.state, null, this.rules.cursor).previews
    for (let at = 0; at < Math.max(previews.length, texts.length); at++) {
      const preview = late?.act.ordinal === at ? (known[at] ?? null) : (previews[at] ?? null)
      this.carryOutRow(at, texts[at] ?? null, preview)
    }
    return [...this.screen.values()]
  }

  private carryOutRow(ordinal: number, text: string | null, preview: Preview | null): void {
    let id = preview?.messageId ?? null
    if (id === null && preview !== null && this.rules.isKeyed) {
      id = this.byKey.get(ordinal) ?? null
      if (id === null) this.screen.set((id = `m${++this.ids}`), preview.text)
    }
    if (id !== null && this.screen.has(id)) {
      if (text === null) this.screen.delete(id)
      else this.screen.set(id, text)
    } else if (text !== null) this.screen.set(`m${++this.ids}`, text)
  }
}
