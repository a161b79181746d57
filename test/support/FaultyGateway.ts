/**
 * A small gateway in this process that keeps the relay contract, and can be made to break one promise of it at a time:
 * the peer by which the conformance kit is shown to fail. Its clock runs faster than the contract's.
 */
import { randomBytes } from "node:crypto"
import { Effect } from "effect"
import { WebSocket } from "ws"
import { mint } from "../../src/Relay/UpgradeToken.ts"
import type { Running, Subject } from "../../src/Connector/conformance/Subject.ts"
import { isObject, type Json, type JsonObject } from "./RelayContract.ts"

interface Row {
  readonly platform: string
  readonly chatId: string
  readonly text: string
  readonly scope: Json
  /** Of an interaction: answered by `follow_up`. */
  readonly isInteraction: boolean
  key: string
  state: "waiting" | "running" | "owed" | "sending" | "done"
  /** What it answers with, in parts. */
  parts: Array<string>
  prompt: string | null
}

/** What survives a kill. */
interface Disk {
  readonly rows: Array<Row>
  readonly seen: Set<string>
}

const disks = new Map<string, Disk>()
/** What makes the kit's checks go wrong; `none` keeps the contract. */
export type Flaw = string

const newId = () => randomBytes(16).toString("hex")
const short = () => randomBytes(4).toString("hex")
const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "")
const fourMiB = 4 * 1024 * 1024

class FaultyGateway implements Running {
  private readonly disk: Disk
  private readonly env: Readonly<Record<string, string>>
  private readonly flaw: Flaw
  /** Share of the contract's times. */
  private readonly pace: number
  private readonly identities: ReadonlyArray<{ readonly platform: string; readonly botId: string }>
  private readonly timers = new Set<NodeJS.Timeout>()
  private readonly open = new Map<string, Row>()
  private readonly turns = new Map<string, NodeJS.Timeout>()
  private readonly nonce = short()
  private descriptor: JsonObject | null = null
  private socket: WebSocket | undefined
  private tail: Buffer = Buffer.alloc(0)
  private failures = 0
  private wasReady = false
  private isDead = false
  private isDraining = false
  private code: number | null | undefined

  constructor(disk: Disk, env: Readonly<Record<string, string>>, flaw: Flaw, pace: number) {
    this.disk = disk
    this.env = env
    this.flaw = flaw
    this.pace = pace
    const bots = JSON.parse(env["GATEWAY_RELAY_BOT_IDS"] ?? "{}") as Record<string, { botId: string }>
    this.identities =
      env["GATEWAY_RELAY_PLATFORMS"] === undefined
        ? [{ platform: env["GATEWAY_RELAY_PLATFORM"]!, botId: env["GATEWAY_RELAY_BOT_ID"]! }]
        : env["GATEWAY_RELAY_PLATFORMS"].split(",").map((platform) => ({ platform, botId: bots[platform]!.botId }))
    for (const row of disk.rows) if (row.state === "running" || row.state === "sending") row.state = "waiting"
    this.dial()
    for (const { chatId } of disk.rows) this.run(chatId)
  }

  readonly kill = Effect.sync(() => this.end(null))
  readonly stop = Effect.sync(() => this.drain())
  readonly exited = () => this.code
  readonly lastWords = () => ""

  private end(code: number | null): void {
    this.isDead = true
    for (const timer of this.timers) clearTimeout(timer)
    this.socket?.terminate()
    this.code ??= code
  }

  private later(millis: number, act: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      if (!this.isDead) act()
    }, millis)
    this.timers.add(timer)
    return timer
  }

  private has(flaw: Flaw): boolean {
    return this.flaw === flaw
  }

  private dial(): void {
    const now = Math.floor(Date.now() / 1000)
    const secret = this.has("bearer") ? "another secret" : this.env["GATEWAY_RELAY_SECRET"]!
    const path = this.has("dial-path") ? "/elsewhere" : "/relay"
    const socket = new WebSocket(`${this.env["GATEWAY_RELAY_URL"]!.replace(/^http/, "ws")}${path}`, {
      headers: { authorization: `Bearer ${mint(this.env["GATEWAY_RELAY_ID"]!, secret, now)}` },
      skipUTF8Validation: true,
      perMessageDeflate: false,
      maxPayload: 64 * 1024 * 1024,
      autoPong: !this.has("pong")
    })
    this.socket = socket
    this.tail = Buffer.alloc(0)
    this.descriptor = null
    let status = 0
    socket.on("unexpected-response", (request, response) => {
      status = response.statusCode ?? 0
      request.destroy()
      socket.terminate()
    })
    socket.on("open", () => this.greet(socket))
    socket.on("message", (data) => {
      if (!this.isDead && this.socket === socket) this.read(Buffer.from(data as Buffer))
    })
    socket.on("error", () => undefined)
    socket.on("close", (code) => this.lost(code, status))
  }

  private greet(socket: WebSocket): void {
    const hellos = this.has("identities") ? this.identities.slice(0, 1) : this.identities
    for (const identity of hellos) {
      this.write({ type: "hello", ...identity, ...(this.has("hello") ? { platform: "nobody" } : {}) })
      if (this.has("hello-first")) this.write({ type: "hello", ...identity })
    }
    if (this.has("own-lines")) socket.send(Buffer.from([0x22, 0xff, 0x22, 0x0a]))
    if (this.has("own-frames")) this.write({ type: "outbound" })
    if (this.has("known-acks")) this.later(50, () => this.write({ type: "inbound_ack", bufferId: "never-delivered" }))
    if (!this.has("no-descriptor")) {
      this.later(30_000 * this.pace, () => {
        if (this.socket === socket && this.descriptor === null) socket.terminate()
      })
    }
    if (this.has("ping")) return
    const beat = () =>
      this.later(20_000 * this.pace, () => {
        if (this.socket !== socket || socket.readyState !== WebSocket.OPEN) return
        const patience = this.later(20_000 * this.pace, () => {
          if (!this.has("half-open")) socket.terminate()
        })
        socket.once("pong", () => clearTimeout(patience))
        socket.ping()
        beat()
      })
    beat()
  }

  private lost(code: number, status: number): void {
    this.descriptor = null
    this.open.clear()
    for (const row of this.disk.rows) {
      if (row.state !== "sending") continue
      row.state = "owed"
      if (this.has("lost-connection")) row.key = newId()
    }
    if (this.isDead || this.isDraining) return
    if (code === 4401 && this.wasReady && !this.has("revoked")) return
    if (status === 401 && this.has("refused-first")) return
    const pause = this.has("redial") ? 10 : Math.random() * Math.min(2000, 300 * 2 ** this.failures++)
    this.later(pause, () => this.dial())
  }

  private write(frame: JsonObject): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(`${JSON.stringify(frame)}\n`)
  }

  private read(data: Buffer): void {
    let rest: Buffer = this.has("reassembly") ? data : Buffer.concat([this.tail, data])
    const lines: Array<Buffer> = []
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      lines.push(rest.subarray(0, at))
      rest = rest.subarray(at + 1)
    }
    this.tail = rest
    if (this.has("long-line") && rest.length > fourMiB) this.socket?.terminate()
    const frames = lines.flatMap((line) => this.parse(line))
    if (this.has("replay") && frames.length > 5) frames.reverse()
    for (const frame of frames) this.frame(frame)
  }

  private parse(line: Buffer): Array<JsonObject> {
    if (line.length === 0 || line.length > fourMiB) return []
    try {
      const frame: unknown = JSON.parse(line.toString("utf8"))
      return isObject(frame) ? [frame] : []
    } catch {
      if (this.has("bad-lines")) this.socket?.terminate()
      return []
    }
  }

  private frame(frame: JsonObject): void {
    const bufferId = textOf(frame.bufferId)
    switch (frame.type) {
      case "descriptor":
        if (!isObject(frame.descriptor) || !Array.isArray(frame.descriptor.supported_ops)) return
        this.descriptor = frame.descriptor
        this.wasReady = true
        return this.sendOwed()
      case "inbound":
        return this.inbound(frame.event, bufferId)
      case "interrupt_inbound": {
        const chat = textOf(frame.chat_id)
        const turn = this.turns.get(chat)
        if (turn === undefined || this.has("interrupt")) return
        clearTimeout(turn)
        this.turns.delete(chat)
        const row = this.disk.rows.find((one) => one.chatId === chat && one.state === "running")
        if (row !== undefined) row.state = "done"
        return this.run(chat)
      }
      case "passthrough_forward":
        return this.forward(frame.forward, bufferId)
      case "outbound_result":
        return this.result(textOf(frame.requestId), isObject(frame.result) ? frame.result : {})
      case "going_idle_ack":
        return
      default:
        if (this.has("unknown-types")) this.socket?.terminate()
    }
  }

  private acknowledge(bufferId: string): void {
    if (bufferId !== "") this.write({ type: "inbound_ack", bufferId })
  }

  private inbound(event: Json | undefined, bufferId: string): void {
    if (!isObject(event) || typeof event.text !== "string" || !isObject(event.source)) {
      if (!this.has("burial")) this.acknowledge(bufferId)
      return
    }
    const { source, text } = event
    if (this.has("sparse-event") && event.message_type === "hologram") return
    const chatId = textOf(source.chat_id)
    const scope = source.scope_id ?? null
    const names = [bufferId, event.message_id === undefined ? "" : `${chatId}/${textOf(event.message_id)}`]
    const isKnown = names.some((name) => name !== "" && this.disk.seen.has(name)) && !this.has("redelivery")
    if (this.has("unsaid") && source.is_bot === undefined) return this.acknowledge(bufferId)
    const store = () => {
      for (const name of names) if (name !== "") this.disk.seen.add(name)
      if (isKnown) return
      if (isObject(event.prompt_response)) return this.press(event.prompt_response, text, chatId)
      this.add({ platform: textOf(source.platform), chatId, text, scope, isInteraction: false })
    }
    if (this.has("reading-goes-on") && this.open.size > 0) {
      this.later(20, () => this.inbound(event, bufferId))
      return
    }
    if (this.has("kill")) {
      this.acknowledge(bufferId)
      this.later(100, store)
    } else {
      store()
      this.acknowledge(bufferId)
    }
  }

  private press(press: JsonObject, text: string, chatId: string): void {
    const row = this.disk.rows.find(({ prompt }) => prompt === press.prompt_id)
    if (row === undefined) {
      if (this.has("sibling")) {
        this.add({ platform: "relay", chatId, text, scope: null, isInteraction: false })
      }
      return
    }
    if (this.has("prompt")) return
    this.add({ platform: row.platform, chatId, text: textOf(press.label), scope: null, isInteraction: false })
  }

  private forward(forward: Json | undefined, bufferId: string): void {
    if (!isObject(forward)) return
    const bytes = Buffer.from(textOf(forward.bodyB64), "base64")
    if (bytes.length === 0) {
      if (this.has("bad-forward")) this.socket?.terminate()
      return this.acknowledge(bufferId)
    }
    const body = JSON.parse(bytes.toString()) as { channel_id: string }
    const text = /"value":"([^"]*)"/.exec(bytes.toString())?.[1] ?? ""
    this.add({ platform: "discord", chatId: body.channel_id, text, scope: null, isInteraction: true })
    this.acknowledge(bufferId)
  }

  private add(row: Pick<Row, "platform" | "chatId" | "text" | "scope" | "isInteraction">): void {
    this.disk.rows.push({ ...row, key: newId(), state: "waiting", parts: [], prompt: null })
    this.run(row.chatId)
  }

  private run(chatId: string): void {
    const row = this.disk.rows.find((row) => row.chatId === chatId && row.state !== "done")
    if (row === undefined || row.state !== "waiting" || this.isDead) return
    row.state = "running"
    const [word = "", millis = ""] = row.text.split(" ")
    const slept = word === "!sleep"
    const text = slept ? row.text.split(" ").slice(2).join(" ") : row.text
    if (slept) this.action("typing", row, this.has("typing-clear") ? { content: "" } : {})
    const turn = this.later(slept ? Number(millis) : 1, () => {
      this.turns.delete(chatId)
      row.state = "owed"
      row.parts = this.split(text)
      if (this.descriptor === null && this.has("while-down")) row.state = "done"
      this.sendOwed()
    })
    this.turns.set(chatId, turn)
  }

  private split(text: string): Array<string> {
    const size = Number(this.descriptor?.max_message_length ?? 4096)
    if (text.length <= size || this.has("limits")) return [text]
    const words = text.split(" ")
    const parts: Array<string> = [""]
    for (const word of words) {
      if (parts.at(-1)!.length + word.length + 1 > size) parts.push("")
      parts.push(`${parts.pop()!} ${word}`.trim())
    }
    return parts
  }

  private sendOwed(): void {
    if (this.descriptor === null) return
    for (const row of this.disk.rows) {
      if (row.state !== "owed") continue
      if (this.open.size >= 250 && !this.has("in-flight") && !this.has("limit")) return
      row.state = "sending"
      this.send(row)
    }
  }

  private send(row: Row): void {
    const [content = ""] = row.parts
    const [, question = "", ...options] =
      /^!ask (.*)$/.exec(content)?.[1]?.split(" | ").reverse().concat("").reverse() ?? []
    if (options.length > 0) {
      row.prompt = `${this.nonce}.${short()}`
      this.action("prompt", row, {
        prompt_kind: "clarify",
        prompt_id: row.prompt,
        content: question,
        options: options.map((label) => ({ id: label.toLowerCase(), label }))
      })
    } else if (row.isInteraction && !this.has("interaction")) {
      this.action("follow_up", row, {
        session_key: `agent:main:discord:channel:${row.chatId}`,
        kind: "discord.interaction_token",
        content
      })
    } else this.action("send", row, { content })
  }

  private action(op: string, row: Row, fields: JsonObject): void {
    const ops = this.descriptor?.supported_ops
    if (this.descriptor === null || (Array.isArray(ops) && !ops.includes(op) && !this.has("operations"))) return
    const requestId = this.has("request-ids") ? short() : newId()
    const metadata = {
      ...(op === "typing" || this.has("keys") ? {} : { idempotency_key: `${row.key}:${row.parts.length}` }),
      ...(row.scope === null || this.has("scope") ? {} : { scope_id: row.scope }),
      ...(this.has("format-hints") ? { format_hints: { markdown: true } } : {})
    }
    const identity = this.identities.find(({ platform }) => platform === row.platform) ?? this.identities[0]!
    const chat = op === "follow_up" ? {} : { chat_id: row.chatId }
    const named = this.identities.length > 1 && !this.has("identity") ? identity : {}
    this.write({ type: "outbound", requestId, action: { op, ...chat, ...fields, metadata }, ...named })
    if (op === "typing") return
    this.open.set(requestId, row)
    this.later(30_000 * this.pace, () => {
      if (!this.open.delete(requestId) || this.has("no-answer")) return
      row.state = "owed"
      this.sendOwed()
    })
  }

  private result(requestId: string, result: JsonObject): void {
    const row = this.open.get(requestId)
    if (row === undefined) {
      if (this.has("odd-results")) this.socket?.terminate()
      return
    }
    this.open.delete(requestId)
    if (result.success !== true) return
    row.parts.shift()
    row.state = row.parts.length > 0 ? "owed" : "done"
    this.sendOwed()
    this.run(row.chatId)
    if (this.isDraining) this.closeWhenDone()
  }

  private drain(): void {
    this.isDraining = true
    if (this.has("drain")) {
      this.socket?.close(1001)
      this.code = 0
      return
    }
    this.write({ type: "going_idle" })
    this.later(500, () => this.closeWhenDone())
  }

  private closeWhenDone(): void {
    if (this.turns.size > 0 || this.open.size > 0) return
    this.socket?.close(1000)
    this.code = 0
  }
}

/** The gateway as something that the kit can start and kill. `pace`: share of the contract's times that it takes. */
export const subject = (flaw: Flaw, pace: number): Subject => ({
  home: Effect.sync(newId),
  start: (home, env) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const disk = disks.get(home) ?? { rows: [], seen: new Set() }
        disks.set(home, disk)
        return new FaultyGateway(disk, env, flaw, pace)
      }),
      (gateway) => gateway.kill
    )
})
