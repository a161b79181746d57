/**
 * A strict, faithful connector of relay contract 1: delivers, keeps what is not acknowledged, redelivers it in order,
 * checks every frame of the gateway, and shows each chat as its user sees it. It never forgives: whatever the contract
 * does not allow is in `violations` and fails the run. Faults are verbs of `faults`, see `ConnectorFaults`.
 */
import type { IncomingMessage } from "node:http"
import { Effect, type Scope } from "effect"
import type { RawData, WebSocket } from "ws"
import { ChatPlatform } from "./ChatPlatform.ts"
import type { ChatView } from "./ChatView.ts"
import { ConnectorFaults } from "./ConnectorFaults.ts"
import * as ConnectorServer from "./ConnectorServer.ts"
import { eventually, type WaitedTooLong } from "./Eventually.ts"
import * as RelayBearer from "./RelayBearer.ts"
import { checkAction, checkFrame, type Descriptor, isObject, type Json, type JsonObject } from "./RelayContract.ts"

export interface Identity {
  readonly platform: string
  readonly botId: string
}

export interface ConnectorOptions {
  /** Verified on every upgrade when given (`relay H2`); a list stands for rotation. */
  readonly secrets?: ReadonlyArray<string>
  readonly gatewayId?: string
  readonly identities?: ReadonlyArray<Identity>
  readonly descriptor?: Partial<Descriptor>
  /** Seeds the faults' own choices. */
  readonly seed?: number
}

export interface Inbound {
  readonly chatId: string
  readonly text: string
  readonly messageId?: string
  readonly platform?: string
  readonly chatType?: string
  readonly userId?: string
  readonly scopeId?: string
  /** Further fields of the event and of its source. */
  readonly event?: Record<string, Json>
  readonly source?: Record<string, Json>
}

interface Buffered {
  readonly bufferId: string
  readonly line: string
  deliveries: number
}

interface Peer {
  readonly socket: WebSocket
  readonly fronted: Array<Identity>
  tail: Buffer
  ready: boolean
  idle: boolean
  inFlight: number
}

export interface Closed {
  readonly code: number
  /** It had completed the handshake. */
  readonly ready: boolean
}

/** Bytes without a newline that a gateway may send before it is called a violation. */
const longestLine = 4 * 1024 * 1024

export class StrictConnector {
  readonly violations: Array<string> = []
  /** What users see. */
  readonly platform: ChatPlatform
  readonly closes: Array<Closed> = []
  readonly faults: ConnectorFaults
  /** Counts of what happened, for reports and for tests to wait on. */
  readonly counts = {
    connections: 0,
    handshakes: 0,
    refusedUpgrades: 0,
    delivered: 0,
    redelivered: 0,
    acknowledged: 0,
    actions: 0,
    interrupts: 0,
    goingIdle: 0,
    violations: 0
  }
  readonly identities: ReadonlyArray<Identity>
  readonly descriptor: Descriptor
  port = 0
  private readonly options: ConnectorOptions
  private readonly unacknowledged = new Map<string, Buffered>()
  private readonly everDelivered = new Set<string>()
  private readonly requestIds = new Set<string>()
  private peer: Peer | undefined
  private sequence = 0

  constructor(options: ConnectorOptions) {
    this.options = options
    this.identities = options.identities ?? [{ platform: "relay", botId: "" }]
    this.descriptor = {
      contract_version: 1,
      platform: "relay",
      label: "Strict connector",
      max_message_length: 4096,
      supports_draft_streaming: false,
      supports_edit: true,
      supports_threads: false,
      markdown_dialect: "plain",
      len_unit: "chars",
      supports_idempotency: true,
      ...options.descriptor
    }
    this.platform = new ChatPlatform(this.descriptor.supports_idempotency, (text) => this.violation(text))
    this.faults = new ConnectorFaults(options.seed ?? 1, () => this.peer?.socket)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** A gateway is connected, has said hello for every identity and has its descriptors. */
  get ready(): boolean {
    return this.peer?.ready === true
  }

  /** Deliveries that the gateway has not acknowledged yet. */
  get waiting(): number {
    return this.unacknowledged.size
  }

  chat(id: string): ChatView {
    return this.platform.chat(id)
  }

  awaitReady(seconds = 20): Effect.Effect<void, WaitedTooLong> {
    return eventually("the gateway's handshake", () => this.ready, {
      seconds,
      seen: () =>
        `connections ${this.counts.connections}, refused ${this.counts.refusedUpgrades}, ${this.violations[0] ?? ""}`
    })
  }

  /** Buffers a message and delivers it when a gateway is there; returns its `bufferId`. */
  deliver(inbound: Inbound): string {
    const { chatId, scopeId } = inbound
    if (scopeId !== undefined) this.chat(chatId).scopeId = scopeId
    return this.deliverEvent({
      text: inbound.text,
      message_type: inbound.text.startsWith("/") ? "command" : "text",
      message_id: inbound.messageId ?? `m${++this.sequence}`,
      source: {
        platform: inbound.platform ?? this.identities[0]!.platform,
        chat_id: chatId,
        chat_type: inbound.chatType ?? "dm",
        user_id: inbound.userId ?? `user-${chatId}`,
        user_name: "Ada",
        is_bot: false,
        message_is_edit: false,
        ...(scopeId === undefined ? {} : { scope_id: scopeId }),
        ...inbound.source
      },
      ...inbound.event
    })
  }

  deliverEvent(event: JsonObject): string {
    const bufferId = `b${++this.sequence}`
    const line = `${JSON.stringify({ type: "inbound", event, bufferId })}\n`
    const buffered = { bufferId, line, deliveries: 0 }
    this.unacknowledged.set(bufferId, buffered)
    if (this.peer?.ready === true && !this.peer.idle) this.transmit(this.peer, buffered)
    return bufferId
  }

  interruptInbound(sessionKey: string, chatId: string): void {
    this.raw(`${JSON.stringify({ type: "interrupt_inbound", session_key: sessionKey, chat_id: chatId })}\n`)
  }

  /** Writes bytes to the gateway as they are; hostile input goes this way. */
  raw(data: string | Buffer): void {
    if (this.peer !== undefined) this.faults.write(this.peer.socket, data)
  }

  /** Bytes that have not left this process yet. */
  get backlog(): number {
    return this.peer?.socket.bufferedAmount ?? 0
  }

  /** `null`, or the status that an upgrade is refused with. */
  admit(request: IncomingMessage): string | null {
    if (this.options.secrets === undefined) return null
    const bearer = RelayBearer.verify(request.headers.authorization, this.options.secrets, Date.now() / 1000)
    if ("refused" in bearer) {
      this.counts.refusedUpgrades++
      this.violation(`the bearer is refused: ${bearer.refused} (H2)`)
      return "401 Unauthorized"
    }
    if (this.options.gatewayId === undefined || bearer.payload === this.options.gatewayId) return null
    this.counts.refusedUpgrades++
    this.violation(`the bearer names ${bearer.payload} (H2)`)
    return "401 Unauthorized"
  }

  accept(socket: WebSocket): void {
    this.counts.connections++
    // A newer connection of the same gateway replaces the one before, which may be half-open.
    this.peer?.socket.terminate()
    const peer: Peer = { socket, fronted: [], tail: Buffer.alloc(0), ready: false, idle: false, inFlight: 0 }
    this.peer = peer
    socket.on("message", (data, isBinary) => this.receive(peer, data, isBinary))
    socket.on("error", () => socket.terminate())
    socket.on("close", (code) => {
      this.closes.push({ code, ready: peer.ready })
      if (code === 1000 && peer.tail.length > 0) this.violation("the last line of a connection has no newline (W1)")
      if (this.peer === peer) this.peer = undefined
    })
  }

  close(): void {
    this.peer?.socket.terminate()
  }

  private violation(text: string): void {
    this.counts.violations++
    if (this.violations.length < 100) this.violations.push(text)
  }

  private transmit(peer: Peer, buffered: Buffered): void {
    buffered.deliveries++
    this.counts.delivered++
    if (buffered.deliveries > 1) this.counts.redelivered++
    this.everDelivered.add(buffered.bufferId)
    this.faults.write(peer.socket, buffered.line)
    if (this.faults.duplicateNow()) this.faults.write(peer.socket, buffered.line)
  }

  private receive(peer: Peer, data: RawData, isBinary: boolean): void {
    if (isBinary) this.violation("a binary frame (W1)")
    const bytes = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
    let rest = peer.tail.length === 0 ? bytes : Buffer.concat([peer.tail, bytes])
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end).toString("utf8")
      rest = rest.subarray(end + 1)
      if (line.trim() !== "") this.line(peer, line)
    }
    peer.tail = Buffer.from(rest)
    if (peer.tail.length > longestLine) this.violation("a line above 4 MiB (W3)")
  }

  private line(peer: Peer, line: string): void {
    let frame: unknown
    try {
      frame = JSON.parse(line)
    } catch {
      return this.violation(`a line is not JSON: ${line.slice(0, 80)}`)
    }
    const complaints = checkFrame(frame, this.identities.length)
    for (const complaint of complaints) this.violation(complaint)
    if (complaints.length > 0 || !isObject(frame)) return
    if (frame.type !== "hello" && !peer.ready) return this.violation(`${frame.type} before the handshake (H3)`)
    switch (frame.type) {
      case "hello":
        return this.hello(peer, { platform: String(frame.platform), botId: String(frame.botId) })
      case "inbound_ack":
        return this.acknowledged(String(frame.bufferId))
      case "outbound":
        return this.outbound(peer, String(frame.requestId), frame.action as JsonObject)
      case "interrupt":
        this.counts.interrupts++
        return
      case "going_idle":
        this.counts.goingIdle++
        peer.idle = true
        return this.answer(peer, { type: "going_idle_ack" })
    }
  }

  private hello(peer: Peer, identity: Identity): void {
    const known = this.identities.some((one) => one.platform === identity.platform && one.botId === identity.botId)
    if (!known) this.violation(`hello for ${identity.platform}:${identity.botId}, which is not fronted`)
    if (peer.fronted.some((one) => one.platform === identity.platform)) this.violation("hello twice for one identity")
    peer.fronted.push(identity)
    if (this.faults.withholdDescriptor) return
    this.answer(peer, { type: "descriptor", descriptor: { ...this.descriptor, platform: identity.platform } })
    if (peer.fronted.length < this.identities.length) return
    peer.ready = true
    this.counts.handshakes++
    for (const buffered of this.unacknowledged.values()) this.transmit(peer, buffered)
  }

  private acknowledged(bufferId: string): void {
    if (!this.everDelivered.has(bufferId))
      return this.violation(`${bufferId} is acknowledged but was never delivered (I3)`)
    if (this.unacknowledged.delete(bufferId)) this.counts.acknowledged++
  }

  private outbound(peer: Peer, requestId: string, action: JsonObject): void {
    this.counts.actions++
    if (this.requestIds.has(requestId)) this.violation(`requestId ${requestId} is used twice (O1)`)
    this.requestIds.add(requestId)
    for (const complaint of checkAction(action, this.descriptor)) this.violation(complaint)
    if (++peer.inFlight > 256) this.violation(`${peer.inFlight} requests in flight (O6)`)
    const refusal = action.op === "typing" ? undefined : this.faults.refusal()
    const result = refusal === undefined ? this.platform.carryOut(action) : { success: false, error: refusal }
    this.faults.answering(String(action.op), (answered) => {
      peer.inFlight--
      if (answered && this.peer === peer) this.answer(peer, { type: "outbound_result", requestId, result })
    })
  }

  private answer(peer: Peer, frame: JsonObject): void {
    this.faults.write(peer.socket, `${JSON.stringify(frame)}\n`)
  }
}

/** A connector on a free port of the loopback; it and every socket end with the scope. */
export const make = (options: ConnectorOptions = {}): Effect.Effect<StrictConnector, never, Scope.Scope> =>
  Effect.suspend(() => {
    const connector = new StrictConnector(options)
    return Effect.map(ConnectorServer.listen(connector), (port) => {
      connector.port = port
      return connector
    })
  })
