/**
 * A session as the decider sees it, without fibers: an Inbox, a mailbox, at most one turn, and a seeded world that takes,
 * loses doorbells, stops and asks. It carries decisions out as a lane does and writes down every broken promise.
 */
import {
  decide,
  initial,
  maxQueued,
  type Decision,
  type Message,
  type Rules,
  type State
} from "../../src/Session/Decider.ts"
import type { BusyMode, Classified } from "../../src/Session/Turns.ts"
import type { InboxRow } from "../../src/Storage/Inbox.ts"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { type Random, seeded } from "../support/Random.ts"

export const rowOf = (id: number, text = `m${id}`, state: InboxRow["state"] = "waiting"): InboxRow => ({
  id,
  link: "test:",
  sessionKey: "agent:main:test:dm:1",
  state,
  event: MessageEvent.text(Source.make({ platform: "test", chatId: "1" }), text, `p${id}`),
  provenance: Source.untrusted,
  starts: 0,
  takenAt: id
})

export const classify = (row: InboxRow): Classified => {
  if (!row.event.text.startsWith("/")) return { _tag: "Message" }
  const name = row.event.text.slice(1)
  return { _tag: "Command", name, policy: name === "stop" || name === "new" ? "stop" : "now" }
}

/** Every follow-up is treated in the same way; joining is for the tests that are about it. */
export const rulesOf = (mode: BusyMode, merge = { quiet: 0, cap: 0 }): Rules => ({
  busy: () => ({ mode, because: null }),
  merge
})

interface Stored {
  readonly row: InboxRow
  state: InboxRow["state"]
}

interface Running {
  readonly row: InboxRow
  readonly generation: number
  /** Rows that its agent has taken. */
  readonly steered: Array<InboxRow>
  asks: boolean
}

export interface Options {
  readonly mode: BusyMode
  readonly steps: number
  /** Chance that a doorbell is lost. */
  readonly loss: number
  /** Chance that the ringer has forgotten which row came before. */
  readonly forget: number
  readonly commands: boolean
  readonly asks: boolean
  readonly interrupts: boolean
}

export class Model {
  readonly violations: Array<string> = []
  readonly started: Array<number> = []
  readonly inbox: Array<Stored> = []
  readonly trace: Array<string> = []
  state: State = initial
  running: Running | null = null
  private readonly mailbox: Array<Message> = []
  private rung: number | null = null
  private readonly random: Random
  private readonly options: Options

  constructor(seed: number, options: Options) {
    this.random = seeded(seed)
    this.options = options
  }

  private undone(): ReadonlyArray<Stored> {
    return this.inbox.filter(({ state }) => state === "waiting" || state === "running" || state === "refused")
  }

  /** Takes a row and rings, as the intake does: the row is in the Inbox first, and the doorbell may get lost. */
  take(text: string): void {
    const row = rowOf(this.inbox.length + 1, text === "" ? `m${this.inbox.length + 1}` : text)
    this.inbox.push({ row, state: "waiting" })
    const previous = this.random.next() < this.options.forget ? null : this.rung
    this.rung = row.id
    const as = classify(row)
    const lost = as._tag === "Message" && this.random.next() < this.options.loss
    this.trace.push(`take ${row.id} ${row.event.text} previous ${previous}${lost ? " (doorbell lost)" : ""}`)
    if (!lost) this.mailbox.push({ _tag: "Receive", row, previous, as })
  }

  private takeSome(): void {
    for (let n = this.random.below(3); n > 0; n--) this.take("")
  }

  apply(message: Message): void {
    this.trace.push(`  decide ${message._tag}${"row" in message ? ` ${message.row.id}` : ""}`)
    const [state, decisions] = decide(this.state, message, rulesOf(this.options.mode))
    this.state = state
    if (state.queue.length > maxQueued) this.violations.push(`${state.queue.length} rows in the queue`)
    for (const decision of decisions) this.carryOut(decision)
  }

  private end(row: InboxRow, state: InboxRow["state"]): void {
    const stored = this.inbox.find((other) => other.row.id === row.id)!
    if (stored.state === "done" || stored.state === "dropped")
      this.violations.push(`row ${row.id} ends twice (${state})`)
    stored.state = state
  }

  private carryOut(decision: Decision): void {
    this.trace.push(`    ${decision._tag}${"row" in decision ? ` ${decision.row.id}` : ""}`)
    switch (decision._tag) {
      case "Start": {
        const { generation, row } = decision
        if (this.running !== null) this.violations.push(`row ${row.id} starts while ${this.running.row.id} runs`)
        if (this.started.includes(row.id)) this.violations.push(`row ${row.id} starts twice`)
        const stored = this.inbox.find((other) => other.row.id === row.id)!
        if (stored.state !== "waiting") this.violations.push(`row ${row.id} starts though it is ${stored.state}`)
        const last = this.started.at(-1) ?? 0
        if (row.id < last) this.violations.push(`row ${row.id} starts after ${last}`)
        this.started.push(row.id)
        stored.state = "running"
        this.running = { row, generation, asks: false, steered: [] }
        return
      }
      case "Load": {
        if (this.random.next() < 0.3) this.takeSome()
        const limit = maxQueued + 2
        const rows = this.undone()
          .slice(0, limit)
          .map(({ row, state }) => ({ row: { ...row, state }, as: classify(row) }))
        if (this.random.next() < 0.3) this.takeSome()
        return this.apply({ _tag: "Loaded", rows, complete: rows.length < limit })
      }
      case "Execute": {
        if (decision.row.event.text === "/stop" || decision.row.event.text === "/new") {
          this.stopCommand(decision.row, decision.dropped)
        }
        return this.end(decision.row, "done")
      }
      case "Answer":
      case "Steer": {
        const takes =
          this.running !== null && (decision._tag === "Steer" ? this.random.next() < 0.5 : this.running.asks)
        if (!takes) return this.apply({ _tag: "Declined", row: decision.row })
        if (decision._tag === "Steer") {
          this.running!.steered.push(decision.row)
          return this.apply({ _tag: "Steered", row: decision.row })
        }
        if (decision._tag === "Answer") {
          this.running!.asks = false
          this.mailbox.push({ _tag: "Awaiting", generation: this.running!.generation, waits: false })
        }
        return this.end(decision.row, "done")
      }
      case "Refuse":
      case "Readmit":
        this.inbox.find(({ row }) => row.id === decision.row.id)!.state =
          decision._tag === "Refuse" ? "refused" : "waiting"
        return
      case "Stop":
      case "Tell":
      case "Overflow":
      case "Press":
        return
    }
  }

  /** `conversation Q8`: what waited goes, refused rows included; what came later stays. */
  private stopCommand(row: InboxRow, dropped: ReadonlyArray<InboxRow>): void {
    for (const victim of dropped) {
      if (victim.id > row.id)
        this.violations.push(`row ${victim.id} came after ${row.event.text} ${row.id} and is dropped`)
      this.end(victim, "dropped")
    }
    // The command's transaction takes with it whatever waits outside the queue.
    for (const stored of this.undone()) {
      if (stored.row.id < row.id && stored.state !== "running" && classify(stored.row)._tag === "Message") {
        stored.state = "dropped"
      }
    }
  }

  private endTurn(): void {
    if (this.running === null) return
    this.trace.push(`turn of ${this.running.row.id} ends`)
    this.end(this.running.row, "done")
    for (const row of this.running.steered) {
      // A /stop may have dropped what waited, the rows of its turn among it; the turn's end comes after it.
      this.inbox.find((other) => other.row.id === row.id)!.state = "done"
    }
    this.mailbox.push({ _tag: "TurnEnded", generation: this.running.generation })
    this.running = null
  }

  private sweep(): void {
    if (this.undone().length > 0) this.mailbox.push({ _tag: "Sweep" })
  }

  private step(): void {
    const { options, random } = this
    const at = random.next()
    if (at < 0.35) this.take("")
    else if (at < 0.65) {
      const message = this.mailbox.shift()
      if (message !== undefined) this.apply(message)
    } else if (at < 0.8) this.endTurn()
    else if (at < 0.85) this.sweep()
    else if (at < 0.9 && options.commands) this.take(random.pick(["/stop", "/new", "/status"]))
    else if (at < 0.93 && options.asks && this.running !== null && !this.running.asks) {
      this.running.asks = true
      this.mailbox.push({ _tag: "Awaiting", generation: this.running.generation, waits: true })
    } else if (at < 0.95 && options.interrupts) this.mailbox.push({ _tag: "Interrupt", reason: "connector" })
  }

  /** Plays the script, then lets everything come to rest. */
  run(): this {
    for (let n = 0; n < this.options.steps && this.violations.length === 0; n++) this.step()
    for (let n = 0; n < 50_000 && this.violations.length === 0; n++) {
      const message = this.mailbox.shift()
      if (message !== undefined) this.apply(message)
      else if (this.running !== null) this.endTurn()
      else if (this.undone().length > 0) this.sweep()
      else break
    }
    const left = this.undone().map(({ row }) => row.id)
    if (left.length > 0) this.violations.push(`rows ${left} were never run`)
    if (this.state.running !== null || this.state.queue.length > 0)
      this.violations.push("the actor has not come to rest")
    return this
  }
}
