/**
 * A small connector in this process that keeps the relay contract, and can be made to break one promise of it at a time:
 * the peer by which the conformance kit is shown to fail.
 */
import { Effect, type Scope } from "effect"
import type { WebSocket } from "ws"
import * as ConnectorServer from "./ConnectorServer.ts"
import * as RelayBearer from "./RelayBearer.ts"
import { isObject, type JsonObject } from "./RelayContract.ts"

interface Waiting {
  readonly text: string
  readonly bufferId: string
}

const known = new Set(["send", "edit", "typing", "follow_up", "prompt"])
const longest = 100

export class FaultyConnector {
  private readonly flaw: string
  private readonly secret: string
  private readonly waiting: Array<Waiting> = []
  private readonly keys = new Map<string, string>()
  private readonly shown = new Set<string>()
  private socket: WebSocket | undefined
  private isLive = false
  private sequence = 0

  constructor(flaw: string, secret: string) {
    this.flaw = flaw
    this.secret = secret
  }

  private has(flaw: string): boolean {
    return this.flaw === flaw
  }

  admit(request: { readonly headers: { readonly authorization?: string | undefined } }): string | null {
    const bearer = RelayBearer.verify(request.headers.authorization, [this.secret], Date.now() / 1000)
    return "refused" in bearer && !this.has("no-bearer") ? "401 Unauthorized" : null
  }

  accept(socket: WebSocket): void {
    this.socket?.terminate()
    this.socket = socket
    this.isLive = false
    let tail: Buffer = Buffer.alloc(0)
    if (this.has("silence")) this.write({ type: "going_idle_ack" })
    if (this.has("pong")) Object.assign(socket, { _autoPong: false })
    socket.on("error", () => undefined)
    socket.on("message", (data) => {
      let rest = this.has("reassembly") ? Buffer.from(data as Buffer) : Buffer.concat([tail, data as Buffer])
      for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
        const line = rest.subarray(0, at).toString()
        rest = rest.subarray(at + 1)
        if (line !== "") this.line(socket, line)
      }
      tail = rest
    })
  }

  close(): void {
    this.socket?.terminate()
  }

  /** A person writes. */
  readonly say = (text: string): Effect.Effect<void> =>
    Effect.sync(() => {
      const message = { text, bufferId: `b${++this.sequence}` }
      this.waiting.push(message)
      if (this.isLive || this.has("idle")) this.deliver(message)
    })

  private deliver({ bufferId, text }: Waiting): void {
    const unsaid = this.has("event") ? {} : { is_bot: false, message_is_edit: false }
    const source = { platform: "relay", chat_id: "chat", user_id: "u", ...unsaid }
    const id = this.has("redelivery") ? `${bufferId}-${++this.sequence}` : bufferId
    this.write({ type: "inbound", bufferId: id, event: { text, message_id: bufferId, source } })
  }

  private write(frame: JsonObject): void {
    if (this.socket?.readyState === this.socket?.OPEN) this.socket?.send(`${JSON.stringify(frame)}\n`)
  }

  private line(socket: WebSocket, line: string): void {
    let frame: unknown
    try {
      frame = JSON.parse(line)
    } catch {
      return this.has("bad-lines") ? socket.terminate() : undefined
    }
    if (!isObject(frame)) return
    switch (frame.type) {
      case "hello":
        return typeof frame.platform === "string" ? this.hello(frame.platform) : undefined
      case "inbound_ack": {
        const at = this.waiting.findIndex(({ bufferId }) => String(frame.bufferId).startsWith(bufferId))
        if (at >= 0 && !this.has("acknowledged")) this.waiting.splice(at, 1)
        return
      }
      case "going_idle":
        this.isLive = this.has("idle")
        return this.write({ type: "going_idle_ack" })
      case "outbound": {
        if (typeof frame.requestId !== "string") return
        const result = isObject(frame.action) ? this.act(frame.action) : { success: false, error: "invalid" }
        const requestId =
          this.has("parallel") && isObject(frame.action) && frame.action.op === "typing" ? "1" : frame.requestId
        return this.write({ type: "outbound_result", requestId, result })
      }
      default:
        if (this.has("unknown-types")) socket.terminate()
    }
  }

  private hello(platform: string): void {
    if (this.has("descriptor") && this.isLive) return
    this.write({
      type: "descriptor",
      descriptor: {
        contract_version: this.has("descriptor-fields") ? 2 : 1,
        platform,
        label: "Faulty connector",
        max_message_length: longest,
        supports_draft_streaming: false,
        supports_edit: true,
        supports_threads: false,
        markdown_dialect: "plain",
        len_unit: "utf16",
        supports_idempotency: true,
        supported_ops: [...known]
      }
    })
    if (this.isLive) return
    this.isLive = true
    const replayed = this.has("replay") ? this.waiting.toReversed() : this.waiting
    for (const message of replayed) this.deliver(message)
  }

  private act(action: JsonObject): JsonObject {
    const op = String(action.op)
    const refusal = { success: false, error: "invalid" }
    if (!known.has(op)) return this.has("bad-actions") ? { success: true } : refusal
    if (op === "follow_up") return this.has("follow-up") ? { done: true } : this.show(action)
    if (typeof action.chat_id !== "string") return refusal
    if (action.chat_id !== "chat") return this.has("unknown-chat") ? { success: true } : refusal
    if (op === "typing") return this.has("typing") ? refusal : { success: true }
    if (op === "prompt" && this.has("prompt")) return refusal
    if (op === "edit") return { success: this.has("edit") || this.shown.has(String(action.message_id)) }
    if (this.has("limit") && String(action.content).length >= longest) return refusal
    return this.show(action)
  }

  private show(action: JsonObject): JsonObject {
    const given = isObject(action.metadata) ? action.metadata.idempotency_key : null
    const key = this.has("idempotency") ? null : String(given)
    const earlier = key === null ? undefined : this.keys.get(key)
    const id = earlier ?? `m${++this.sequence}`
    if (key !== null) this.keys.set(key, id)
    this.shown.add(id)
    return this.has("send") ? { success: true } : { success: true, message_id: id }
  }
}

/** On a free port of the loopback, for as long as the scope. */
export const make = (
  flaw: string,
  secret: string
): Effect.Effect<{ readonly connector: FaultyConnector; readonly url: string }, never, Scope.Scope> => {
  const connector = new FaultyConnector(flaw, secret)
  return Effect.map(
    ConnectorServer.listen({
      admit: (request) => connector.admit(request),
      accept: (socket) => connector.accept(socket),
      close: () => connector.close()
    }),
    (port) => ({ connector, url: `http://127.0.0.1:${port}` })
  )
}
