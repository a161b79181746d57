/**
 * The connector that the kit plays towards a gateway: a WebSocket server on the loopback that does what the script of a
 * check says and keeps all it sees. What every frame must fulfil is looked at as it comes; a breach is kept as a complaint.
 */
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { Effect, Result, type Scope } from "effect"
import { type RawData, type WebSocket, WebSocketServer } from "ws"
import { FrameDecodeError } from "../../Relay/FrameDecodeError.ts"
import * as LineReader from "../../Relay/LineReader.ts"
import { decodeAction, type OutboundAction } from "../../Relay/OutboundAction.ts"
import { decodeGatewayLine, type GatewayFrame, UnknownFrame } from "../../Relay/Protocol.ts"

export interface Identity {
  readonly platform: string
  readonly botId: string
}

export interface Dial {
  readonly at: number
  readonly path: string
  readonly authorization: string | null
}

export interface Asked {
  readonly requestId: string
  readonly action: OutboundAction
  readonly key: string | null
  readonly named: Identity | null
  readonly link: Link
}

export interface Link {
  readonly socket: WebSocket
  readonly frames: Array<GatewayFrame>
  readonly hellos: Array<Identity>
  pings: number
  pongs: number
  isReady: boolean
  closed: number | null
}

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** What the connector does until a check says otherwise. */
export interface Script {
  /** Status that refuses an upgrade; `null` = it is let in. */
  status: number | null
  describes: boolean
  pongs: boolean
  descriptor: Readonly<Record<string, Json>>
  /** The result of an action; `undefined` = no answer. The default shows it. */
  answer: (asked: Asked) => Json | undefined
}

export const descriptor = {
  contract_version: 1,
  platform: "relay",
  label: "Conformance kit",
  max_message_length: 4096,
  supports_draft_streaming: false,
  supports_edit: true,
  supports_threads: false,
  markdown_dialect: "plain",
  len_unit: "chars",
  supports_idempotency: true,
  supported_ops: ["send", "edit", "typing", "follow_up", "prompt"]
} as const

/** Frames of one connection that are kept; the oldest go. */
const keptFrames = 20_000
const openRequests = 256
const keyed: ReadonlySet<string> = new Set(["send", "edit", "follow_up", "send_media", "prompt", "thread_create"])

export interface Shown {
  readonly id: string
  readonly key: string | null
  text: string
}

export class KitConnector {
  readonly dials: Array<Dial> = []
  readonly links: Array<Link> = []
  readonly asked: Array<Asked> = []
  readonly acks: Array<string> = []
  /** By statement. */
  readonly complaints = new Map<string, Array<string>>()
  readonly script: Script
  readonly identities: ReadonlyArray<Identity>
  mostOpen = 0
  goingIdle = 0
  port = 0
  private readonly chats = new Map<string, Array<Shown>>()
  private readonly requestIds = new Set<string>()
  private readonly given = new Set<string>()
  private open = 0
  private sequence = 0

  constructor(identities: ReadonlyArray<Identity>) {
    this.identities = identities
    this.script = { status: null, describes: true, pongs: true, descriptor, answer: (asked) => this.show(asked) }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** The link that is open now. */
  get link(): Link | undefined {
    return this.links.findLast((link) => link.closed === null)
  }

  get isReady(): boolean {
    return this.link?.isReady === true
  }

  texts(chatId: string): ReadonlyArray<string> {
    return (this.chats.get(chatId) ?? []).map(({ text }) => text)
  }

  /** How many messages of a chat hold this text. */
  count(chatId: string, text: string): number {
    return this.texts(chatId).filter((shown) => shown.includes(text)).length
  }

  acknowledgements(bufferId: string): number {
    return this.acks.filter((id) => id === bufferId).length
  }

  complain(statement: string, text: string): void {
    const known = this.complaints.get(statement) ?? []
    if (known.length < 20) this.complaints.set(statement, [...known, text])
  }

  /** Bytes to the gateway as they are. */
  raw(data: string | Buffer): void {
    this.link?.socket.send(data, { binary: typeof data !== "string" })
  }

  say(frame: { readonly [key: string]: Json }): void {
    this.raw(`${JSON.stringify(frame)}\n`)
  }

  /** An `inbound` line; `bufferId` is new unless given. */
  line(
    chatId: string,
    text: string,
    more: {
      readonly bufferId?: string
      readonly messageId?: string
      readonly event?: Record<string, Json>
      readonly source?: Record<string, Json>
    } = {}
  ): { readonly bufferId: string; readonly line: string } {
    const n = ++this.sequence
    const bufferId = more.bufferId ?? `kit-${n}`
    this.given.add(bufferId)
    const event = {
      text,
      message_type: "text",
      message_id: more.messageId ?? `kit-message-${n}`,
      source: {
        platform: this.identities[0]!.platform,
        chat_id: chatId,
        chat_type: "dm",
        user_id: `user-${chatId}`,
        user_name: "Ada",
        is_bot: false,
        message_is_edit: false,
        ...more.source
      },
      ...more.event
    }
    return { bufferId, line: `${JSON.stringify({ type: "inbound", event, bufferId })}\n` }
  }

  /** Delivers a message; gives its `bufferId`. */
  deliver(...given: Parameters<KitConnector["line"]>): string {
    const { bufferId, line } = this.line(...given)
    this.raw(line)
    return bufferId
  }

  /** A `bufferId` that a line of a check's own carries. */
  expectAck(bufferId: string): void {
    this.given.add(bufferId)
  }

  show({ action, key }: Asked): Json {
    const chatId = "chat_id" in action ? action.chat_id : action.session_key
    const shown = this.chats.get(chatId) ?? []
    this.chats.set(chatId, shown)
    switch (action.op) {
      case "send":
      case "follow_up":
      case "prompt":
      case "send_media": {
        const earlier = key === null ? undefined : shown.find((one) => one.key === key)
        if (earlier !== undefined) return { success: true, message_id: earlier.id }
        const id = `shown-${++this.sequence}`
        shown.push({ id, key, text: action.content ?? "" })
        return { success: true, message_id: id }
      }
      case "edit": {
        const message = shown.find(({ id }) => id === action.message_id)
        if (message === undefined) return { success: false, error: "message to edit not found" }
        message.text = action.content
        return { success: true }
      }
      default:
        return { success: true }
    }
  }

  /** Answers a request that the script left open. */
  reply({ link, requestId }: Asked, result: Json): void {
    this.open--
    if (link.closed === null) link.socket.send(`${JSON.stringify({ type: "outbound_result", requestId, result })}\n`)
  }

  accept(socket: WebSocket): void {
    this.link?.socket.terminate()
    this.open = 0
    const link: Link = { socket, frames: [], hellos: [], pings: 0, pongs: 0, isReady: false, closed: null }
    this.links.push(link)
    const reader = LineReader.make()
    socket.on("error", () => socket.terminate())
    socket.on("close", (code) => {
      link.closed = code
    })
    socket.on("ping", (data) => {
      link.pings++
      if (this.script.pongs) socket.pong(data)
    })
    socket.on("pong", () => {
      link.pongs++
    })
    socket.on("message", (data: RawData) => {
      const lines: Array<string | LineReader.BadLine> = []
      reader.push(Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data), lines)
      for (const line of lines) this.receive(link, line)
    })
  }

  private receive(link: Link, line: string | LineReader.BadLine): void {
    if (typeof line !== "string") return this.complain("W1", `a line is ${line.reason}`)
    const frame = decodeGatewayLine(line)
    if (frame instanceof UnknownFrame) return
    if (frame instanceof FrameDecodeError) return this.complain("W2", `${frame.reason}: ${frame.detail.slice(0, 200)}`)
    if (link.frames.push(frame) > keptFrames) link.frames.shift()
    if (frame.type !== "hello" && !link.isReady) this.complain("H3", `${frame.type} before the handshake`)
    switch (frame.type) {
      case "hello":
        return this.hello(link, { platform: frame.platform, botId: frame.botId })
      case "inbound_ack":
        if (!this.given.has(frame.bufferId)) this.complain("I3", `${frame.bufferId} was never delivered`)
        this.acks.push(frame.bufferId)
        return
      case "going_idle":
        this.goingIdle++
        link.socket.send(`{"type":"going_idle_ack"}\n`)
        return
      case "interrupt":
        return
      case "outbound":
        return this.outbound(link, frame)
    }
  }

  private hello(link: Link, identity: Identity): void {
    if (link.hellos.some(({ platform }) => platform === identity.platform)) {
      this.complain("H3", `hello twice for ${identity.platform}`)
    }
    link.hellos.push(identity)
    if (!this.script.describes) return
    const described = { ...this.script.descriptor, platform: identity.platform }
    link.socket.send(`${JSON.stringify({ type: "descriptor", descriptor: described })}\n`)
    link.isReady = true
  }

  private outbound(link: Link, frame: Extract<GatewayFrame, { readonly type: "outbound" }>): void {
    const { requestId } = frame
    if (!/^[0-9a-f]{32}$/.test(requestId)) this.complain("O1", `requestId ${requestId} is not 32 hex characters`)
    if (this.requestIds.has(requestId)) this.complain("O1", `requestId ${requestId} is used twice`)
    this.requestIds.add(requestId)
    const decoded = decodeAction(frame.action)
    if (Result.isFailure(decoded)) {
      this.complain("W2", `an action does not decode: ${decoded.failure.message.slice(0, 200)}`)
      return link.socket.send(
        `${JSON.stringify({ type: "outbound_result", requestId, result: { success: false, error: "bad request" } })}\n`
      )
    }
    const action = decoded.success
    const given = action.metadata?.["idempotency_key"]
    const named =
      frame.platform === undefined && frame.botId === undefined
        ? null
        : { platform: frame.platform ?? "", botId: frame.botId ?? "" }
    const asked: Asked = { requestId, action, key: typeof given === "string" ? given : null, named, link }
    this.inspect(asked)
    this.asked.push(asked)
    this.open++
    this.mostOpen = Math.max(this.mostOpen, this.open)
    const result = this.script.answer(asked)
    if (result !== undefined) this.reply(asked, result)
  }

  /** What every action must fulfil. */
  private inspect({ action, key, named }: Asked): void {
    const described = this.script.descriptor
    const ops = described["supported_ops"]
    if (Array.isArray(ops) && !ops.includes(action.op)) this.complain("H5", `${action.op} is not in supported_ops`)
    if (keyed.has(action.op) && (key === null || key === "")) this.complain("O5", `${action.op} without a key`)
    if (action.op === "typing" && action.content != null)
      this.complain("L4", "typing with content, and it is not Slack")
    if (action.metadata?.["format_hints"] !== undefined) this.complain("L7", "format_hints without the capability")
    if ((named === null) !== (this.identities.length === 1)) {
      this.complain("O1", named === null ? "no identity among several" : "an identity although there is one")
    }
    if (this.open >= openRequests) this.complain("O6", `${this.open + 1} requests are open`)
    const content = "content" in action ? (action.content ?? "") : ""
    const length = described["len_unit"] === "utf16" ? content.length : [...content].length
    if (length > Number(described["max_message_length"])) this.complain("H4", `${action.op} of ${length} characters`)
  }
}

const listening = (connector: KitConnector) =>
  Effect.callback<() => Promise<void>>((resume) => {
    const sockets = new Set<Duplex>()
    const server = createServer((_, response) => response.writeHead(404).end())
    const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false })
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
    })
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const { headers, url } = request
      connector.dials.push({ at: Date.now(), path: url ?? "", authorization: headers.authorization ?? null })
      const { status } = connector.script
      if (status === null)
        return upgrades.handleUpgrade(request, socket, head, (accepted) => connector.accept(accepted))
      socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    })
    server.listen(0, "127.0.0.1", () => {
      connector.port = (server.address() as AddressInfo).port
      resume(
        Effect.succeed(
          () =>
            new Promise<void>((done) => {
              for (const socket of sockets) socket.destroy()
              server.close(() => done())
            })
        )
      )
    })
  })

/** On a free port of the loopback, for as long as the scope. */
export const make = (identities: ReadonlyArray<Identity>): Effect.Effect<KitConnector, never, Scope.Scope> =>
  Effect.suspend(() => {
    const connector = new KitConnector(identities)
    return Effect.as(
      Effect.acquireRelease(listening(connector), (close) => Effect.promise(close)),
      connector
    )
  })
