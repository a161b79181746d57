/**
 * A minimal relay client that keeps the contract, and variants that each break one promise: they prove that the harness
 * can fail. Its "disk" is an object that outlives a killed instance. It is no gateway: one link, echo turns, no limits.
 */
import { createHash, randomBytes } from "node:crypto"
import { WebSocket } from "ws"
import { isObject, type JsonObject } from "./RelayContract.ts"

export type Flaw =
  | "none"
  | "losesMessage"
  | "acknowledgesBeforeStoring"
  | "answersTwice"
  | "newKeyOnRetry"
  | "unmarkedRepeat"
  | "outOfOrder"
  | "keylessSend"

interface InboxRow {
  readonly id: number
  readonly chatId: string
  readonly text: string
  done: boolean
}

interface OutboxRow {
  readonly key: string
  readonly chatId: string
  readonly text: string
  state: "pending" | "sending" | "ambiguous" | "sent"
}

/** What survives a kill. */
export class Disk {
  readonly inbox: Array<InboxRow> = []
  readonly outbox: Array<OutboxRow> = []
  readonly seen = new Set<string>()
}

const heading = "(this may be a repeat)\n"
const every = 25

/** What the echo agent answers, and after how long; `null` = nothing is shown. */
const echo = (text: string): { readonly after: number; readonly answer: string | null } => {
  const [word = "", first = "", second = ""] = text.split(" ", 3)
  const rest = (words: number) => text.split(" ").slice(words).join(" ")
  switch (word) {
    case "!sleep":
      return { after: Number(first), answer: rest(2) }
    case "!stream":
      return { after: Number(first) * Number(second), answer: rest(3) }
    case "!tool":
      return { after: 0, answer: rest(2) }
    case "!silent":
      return { after: 0, answer: null }
    default:
      return { after: 0, answer: text }
  }
}

export class ReferenceGateway {
  private readonly url: string
  private readonly disk: Disk
  private readonly flaw: Flaw
  private readonly bearer: (() => string) | undefined
  private readonly timers = new Set<NodeJS.Timeout>()
  private readonly running = new Set<string>()
  private readonly sending = new Map<string, { readonly requestId: string; readonly row: OutboxRow }>()
  private readonly byRequest = new Map<string, string>()
  private socket: WebSocket | undefined
  private takesKeys = true
  private up = false
  private dead = false

  /** `bearer` mints the token of each dial (`relay H2`). */
  constructor(url: string, disk: Disk, flaw: Flaw = "none", bearer?: () => string) {
    this.bearer = bearer
    this.url = `${url.replace(/^http/, "ws")}/relay`
    this.disk = disk
    this.flaw = flaw
  }

  start(): void {
    for (const row of this.disk.outbox) if (row.state === "sending") row.state = "ambiguous"
    for (const row of this.disk.inbox) if (!row.done) this.ring(row.chatId)
    this.dial()
  }

  /** Everything in memory is gone at once, as with SIGKILL. */
  kill(): void {
    this.dead = true
    for (const timer of this.timers) clearTimeout(timer)
    this.socket?.terminate()
  }

  stop(): void {
    this.dead = true
    for (const timer of this.timers) clearTimeout(timer)
    this.socket?.close(1000)
  }

  private later(millis: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      if (!this.dead) act()
    }, millis)
    this.timers.add(timer)
  }

  private dial(): void {
    const headers = this.bearer === undefined ? {} : { authorization: `Bearer ${this.bearer()}` }
    const socket = (this.socket = new WebSocket(this.url, { perMessageDeflate: false, headers }))
    let tail = ""
    socket.on("open", () => this.write({ type: "hello", platform: "relay", botId: "" }))
    socket.on("message", (data) => {
      if (this.dead) return
      const lines = `${tail}${String(data)}`.split("\n")
      tail = lines.pop() ?? ""
      for (const line of lines) if (line !== "") this.frame(JSON.parse(line))
    })
    socket.on("error", () => socket.terminate())
    socket.on("close", () => {
      this.up = false
      for (const { row } of this.sending.values()) row.state = "ambiguous"
      this.sending.clear()
      this.byRequest.clear()
      if (!this.dead) this.later(10, () => this.dial())
    })
  }

  private write(frame: JsonObject): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(`${JSON.stringify(frame)}\n`)
  }

  private frame(frame: unknown): void {
    if (!isObject(frame)) return
    if (frame.type === "descriptor" && isObject(frame.descriptor)) {
      this.takesKeys = frame.descriptor.supports_idempotency === true
      this.up = true
      for (const chatId of new Set(this.disk.outbox.map((row) => row.chatId))) this.sendNext(chatId)
    }
    if (frame.type === "inbound" && isObject(frame.event) && isObject(frame.event.source)) {
      this.take(String(frame.bufferId), frame.event, String(frame.event.source.chat_id))
    }
    if (frame.type === "outbound_result" && isObject(frame.result)) {
      this.answered(String(frame.requestId), frame.result.success === true)
    }
  }

  private take(bufferId: string, event: JsonObject, chatId: string): void {
    const acknowledge = () => this.write({ type: "inbound_ack", bufferId })
    const messageKey = `${chatId}/${String(event.message_id)}`
    if (this.disk.seen.has(messageKey)) return acknowledge()
    const store = () => {
      if (this.disk.seen.has(messageKey)) return
      this.disk.seen.add(messageKey)
      const id = this.disk.inbox.length + 1
      if (this.flaw === "losesMessage" && id % every === 0) {
        this.disk.inbox.push({ id, chatId, text: "", done: true })
        return
      }
      this.disk.inbox.push({ id, chatId, text: String(event.text), done: false })
      this.ring(chatId)
    }
    if (this.flaw !== "acknowledgesBeforeStoring") {
      store()
      return acknowledge()
    }
    acknowledge()
    this.later(30, store)
  }

  private ring(chatId: string): void {
    if (this.running.has(chatId)) return
    const waiting = this.disk.inbox.filter((row) => row.chatId === chatId && !row.done)
    const row = this.flaw === "outOfOrder" ? waiting.at(-1) : waiting[0]
    if (row === undefined) return
    this.running.add(chatId)
    const { after, answer } = echo(row.text)
    this.later(after + 1, () => {
      this.running.delete(chatId)
      this.finish(row, answer)
      this.ring(chatId)
    })
  }

  private finish(row: InboxRow, answer: string | null): void {
    if (answer !== null) {
      const key = (n: number) => createHash("sha256").update(`${row.id}/${n}`).digest("hex")
      const rows = this.flaw === "answersTwice" && row.id % every === 0 ? 2 : 1
      for (let n = 0; n < rows; n++) {
        this.disk.outbox.push({ key: key(n), chatId: row.chatId, text: answer, state: "pending" })
      }
    }
    row.done = true
    this.sendNext(row.chatId)
  }

  private sendNext(chatId: string): void {
    if (!this.up || this.sending.has(chatId)) return
    const row = this.disk.outbox.find((one) => one.chatId === chatId && one.state !== "sent")
    if (row === undefined) return
    const again = row.state === "ambiguous"
    const requestId = randomBytes(16).toString("hex")
    const key = again && this.flaw === "newKeyOnRetry" ? `${row.key}-${requestId}` : row.key
    const mark = again && !this.takesKeys && this.flaw !== "unmarkedRepeat"
    row.state = "sending"
    this.sending.set(chatId, { requestId, row })
    this.byRequest.set(requestId, chatId)
    this.write({
      type: "outbound",
      requestId,
      action: {
        op: "send",
        chat_id: chatId,
        content: `${mark ? heading : ""}${row.text}`,
        ...(this.flaw === "keylessSend" ? {} : { metadata: { idempotency_key: key } })
      }
    })
  }

  private answered(requestId: string, success: boolean): void {
    const chatId = this.byRequest.get(requestId)
    const sending = chatId === undefined ? undefined : this.sending.get(chatId)
    if (chatId === undefined || sending === undefined || sending.requestId !== requestId) return
    this.byRequest.delete(requestId)
    this.sending.delete(chatId)
    sending.row.state = success ? "sent" : "pending"
    this.later(success ? 0 : 50, () => this.sendNext(chatId))
  }
}
