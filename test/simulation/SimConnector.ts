/**
 * A connector and the screens behind it, as plain state: it keeps what is not acknowledged, repeats it after a reconnect,
 * knows idempotency keys (or not), and shows each chat as its user sees it. Faults are drawn from the world's chance.
 */
import type { Random } from "../support/Random.ts"

export interface Shown {
  readonly id: string
  readonly key: string | null
  text: string
  readonly at: number
}

export interface FaultRates {
  /** Chance that an answer to an action never leaves, though the action was carried out. */
  readonly dropResult: number
  /** Chance that a delivery is made twice. */
  readonly duplicate: number
  /** Chance that an action is refused as rate limited. */
  readonly refuse: number
  /** Chance that a chunk from the gateway tears the connection down before it is read. */
  readonly cutOnText: number
}

interface Link {
  readonly send: (text: string) => void
  readonly cut: (code: number) => void
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

export class SimConnector {
  readonly screens = new Map<string, Array<Shown>>()
  readonly violations: Array<string> = []
  /** Called when a screen changed. */
  onChange: (chat: string) => void = () => {}
  private link: Link | null = null
  private ready = false
  private paused = false
  private readonly buffer: Array<{ readonly bufferId: string; readonly event: unknown }> = []
  private readonly keys = new Map<string, string>()
  private counter = 0
  private readonly random: Random
  private readonly now: () => number
  private readonly idempotent: boolean
  rates: FaultRates

  constructor(options: { random: Random; now: () => number; idempotent: boolean; rates: FaultRates }) {
    this.random = options.random
    this.now = options.now
    this.idempotent = options.idempotent
    this.rates = options.rates
  }

  get unacknowledged(): number {
    return this.buffer.length
  }

  connect(link: Link): void {
    this.link?.cut(1001)
    this.link = link
    this.ready = false
    this.paused = false
  }

  disconnect(link: Link): void {
    if (this.link === link) this.link = null
  }

  cut(): void {
    this.link?.cut(1006)
  }

  /** A user has said something; ids are the platform's. */
  say(chat: string, messageId: string, text: string): void {
    const bufferId = `b${this.counter++}`
    const event = {
      text,
      message_type: "text",
      message_id: messageId,
      source: { platform: "relay", chat_id: chat, chat_type: "dm", user_id: `u-${chat}`, user_name: chat }
    }
    this.buffer.push({ bufferId, event })
    if (this.ready && !this.paused) this.deliver(bufferId, event)
  }

  private deliver(bufferId: string, event: unknown): void {
    const line = `${JSON.stringify({ type: "inbound", event, bufferId })}\n`
    this.link?.send(line)
    if (this.random.next() < this.rates.duplicate) this.link?.send(line)
  }

  onText(text: string): void {
    if (this.random.next() < this.rates.cutOnText) {
      this.cut()
      return
    }
    for (const line of text.split("\n")) if (line !== "") this.onFrame(record(JSON.parse(line)))
  }

  private onFrame(frame: Readonly<Record<string, unknown>>): void {
    switch (frame.type) {
      case "hello": {
        this.link?.send(`${JSON.stringify({ type: "descriptor", descriptor: this.descriptor() })}\n`)
        this.ready = true
        for (const { bufferId, event } of this.buffer) this.deliver(bufferId, event)
        return
      }
      case "inbound_ack": {
        const at = this.buffer.findIndex(({ bufferId }) => bufferId === frame.bufferId)
        if (at >= 0) this.buffer.splice(at, 1)
        return
      }
      case "going_idle": {
        this.paused = true
        this.link?.send(`${JSON.stringify({ type: "going_idle_ack" })}\n`)
        return
      }
      case "outbound": {
        const result = this.carryOut(record(frame.action))
        if (this.random.next() < this.rates.dropResult) return
        this.link?.send(`${JSON.stringify({ type: "outbound_result", requestId: frame.requestId, result })}\n`)
        return
      }
      default:
        this.violations.push(`unexpected frame ${String(frame.type)}`)
    }
  }

  private carryOut(action: Readonly<Record<string, unknown>>): unknown {
    const chat = String(action.chat_id)
    const screen = this.screens.get(chat) ?? []
    this.screens.set(chat, screen)
    if (action.op === "typing") return { success: true }
    if (this.random.next() < this.rates.refuse) return { success: false, error: "too many requests: retry after 1" }
    const text = String(action.content)
    if (action.op === "edit") {
      const shown = screen.find(({ id }) => id === action.message_id)
      if (shown === undefined) return { success: false, error: "message to edit not found" }
      shown.text = text
      this.onChange(chat)
      return { success: true }
    }
    if (action.op !== "send") return { success: false, error: "unknown op" }
    const key = record(action.metadata).idempotency_key
    if (typeof key !== "string") this.violations.push("a send without idempotency key")
    const known = this.idempotent && typeof key === "string" ? this.keys.get(key) : undefined
    if (known !== undefined) return { success: true, message_id: known }
    const id = `s${this.counter++}`
    screen.push({ id, key: typeof key === "string" ? key : null, text, at: this.now() })
    if (typeof key === "string") this.keys.set(key, id)
    this.onChange(chat)
    return { success: true, message_id: id }
  }

  private descriptor(): unknown {
    return {
      contract_version: 1,
      platform: "relay",
      label: "Simulated",
      max_message_length: 4096,
      supports_draft_streaming: false,
      supports_edit: this.idempotent,
      supports_threads: false,
      markdown_dialect: "plain",
      len_unit: "utf16",
      supports_idempotency: this.idempotent,
      supported_ops: ["send", "edit", "typing"]
    }
  }
}
