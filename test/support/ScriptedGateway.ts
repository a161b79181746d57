/**
 * The gateway's end of the relay, spoken by a bare `ws` client under a script: it says exactly what a test tells it to, and
 * keeps every frame it gets.
 */
import { Effect } from "effect"
import { WebSocket } from "ws"
import { eventually } from "./Eventually.ts"
import * as RelayBearer from "./RelayBearer.ts"
import { secret } from "./WebChatServer.ts"

export interface Frame {
  readonly type: string
  readonly bufferId?: string
  readonly requestId?: string
  readonly descriptor?: Record<string, unknown>
  readonly result?: {
    readonly success: boolean
    readonly message_id?: string
    readonly error?: string
    readonly [key: string]: unknown
  }
  readonly event?: {
    readonly text: string
    readonly message_type: string
    readonly message_id: string
    readonly source: Record<string, unknown>
  }
}

export class ScriptedGateway {
  readonly frames: Array<Frame> = []
  /** Status of a refused upgrade, or the close code of an ended connection. */
  refused: number | null = null
  closed: number | null = null
  private readonly socket: WebSocket
  private requests = 0
  private tail = ""

  constructor(port: number, options: { readonly token?: string | null } = {}) {
    const token =
      options.token === undefined
        ? RelayBearer.mint("gw-test", secret, Math.floor(Date.now() / 1000) + 300)
        : options.token
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/relay`, {
      headers: token === null ? {} : { authorization: `Bearer ${token}` }
    })
    this.socket.on("unexpected-response", (_request, response) => {
      this.refused = response.statusCode ?? 0
      response.resume()
      this.socket.terminate()
    })
    this.socket.on("error", () => undefined)
    this.socket.on("close", (code) => {
      this.closed = code
    })
    this.socket.on("message", (data) => {
      const lines = (this.tail + String(data)).split("\n")
      this.tail = lines.pop() ?? ""
      for (const line of lines) this.receive(JSON.parse(line) as Frame)
    })
  }

  /** Answers by itself when set. */
  onInbound: (frame: Frame) => void = () => undefined

  private receive(frame: Frame) {
    this.frames.push(frame)
    if (frame.type === "inbound") this.onInbound(frame)
  }

  say(frame: object): void {
    this.socket.send(`${JSON.stringify(frame)}\n`)
  }

  raw(text: string): void {
    this.socket.send(text)
  }

  ack(frame: Frame): void {
    this.say({ type: "inbound_ack", bufferId: frame.bufferId })
  }

  /** Cuts the connection without a close frame. */
  cut(): void {
    this.socket.terminate()
  }

  of(type: string): ReadonlyArray<Frame> {
    return this.frames.filter((frame) => frame.type === type)
  }

  get texts(): ReadonlyArray<string> {
    return this.of("inbound").map((frame) => frame.event!.text)
  }

  readonly opened = eventually("the gateway's socket opens", () => this.socket.readyState === WebSocket.OPEN)
  readonly ended = eventually("the gateway's socket ends", () => this.socket.readyState === WebSocket.CLOSED)

  /** `hello`, and its descriptor. */
  readonly greet = Effect.gen({ self: this }, function* () {
    yield* this.opened
    const before = this.of("descriptor").length
    this.say({ type: "hello", platform: "relay", botId: "" })
    yield* eventually("a descriptor comes", () => this.of("descriptor").length > before)
  })

  readonly inbound = (text: string) =>
    Effect.gen({ self: this }, function* () {
      yield* eventually(`"${text}" is delivered`, () => this.texts.includes(text), {
        seen: () => this.texts.join(", ")
      })
      return this.of("inbound").find((frame) => frame.event!.text === text)!
    })

  /** An action and its result. */
  readonly request = (action: object) =>
    Effect.gen({ self: this }, function* () {
      const requestId = (++this.requests).toString(16).padStart(32, "0")
      this.say({ type: "outbound", requestId, action })
      const answer = () => this.of("outbound_result").find((frame) => frame.requestId === requestId)
      yield* eventually("the action is answered", () => answer() !== undefined)
      return answer()!.result!
    })
}
