/** The gateway that the kit plays towards a connector: a bare WebSocket client that says what a check tells it to. */
import { randomBytes } from "node:crypto"
import { Effect, type Scope } from "effect"
import { WebSocket } from "ws"
import { dialUrl } from "../../Relay/DialUrl.ts"
import { FrameDecodeError } from "../../Relay/FrameDecodeError.ts"
import * as LineReader from "../../Relay/LineReader.ts"
import { type ConnectorFrame, decodeLine, UnknownFrame } from "../../Relay/Protocol.ts"
import { mint } from "../../Relay/UpgradeToken.ts"
import { type CheckFailed, until } from "./Check.ts"

export interface ConnectorOptions {
  /** As a gateway has it in `GATEWAY_RELAY_URL`. */
  readonly url: string
  readonly platform: string
  readonly botId: string
  /** A bearer as it stands, or what one is minted from; `null` = none is sent. */
  readonly token: string | { readonly id: string; readonly secret: string } | null
  /** A chat that messages may be shown in. */
  readonly chat: string | null
  /** Makes a person say something; `null` = nobody can. */
  readonly say: ((text: string) => Effect.Effect<void, CheckFailed>) | null
}

/** A text that no person writes by chance. */
export const unique = (word: string) => `${word} conformance-${randomBytes(4).toString("hex")}`
/** What others wrote before is none of the checks' business: it is acknowledged, so that a replay comes to its end. */
const isOurs = (text: string): boolean => / conformance-[0-9a-f]{8}$/.test(text)

type Frame<Type extends ConnectorFrame["type"]> = Extract<ConnectorFrame, { readonly type: Type }>

/** Frames kept; a connector that sends more is not judged by the older ones. */
const keptFrames = 20_000

export class KitGateway {
  readonly frames: Array<ConnectorFrame> = []
  readonly unreadable: Array<string> = []
  /** Status of a refused upgrade. */
  refused: number | null = null
  closed: number | null = null
  pongs = 0
  private readonly socket: WebSocket

  constructor(options: ConnectorOptions, token = options.token) {
    const bearer =
      token === null || typeof token === "string" ? token : mint(token.id, token.secret, Math.floor(Date.now() / 1000))
    this.socket = new WebSocket(dialUrl(options.url), {
      headers: bearer === null ? {} : { authorization: `Bearer ${bearer}` },
      perMessageDeflate: false,
      skipUTF8Validation: true
    })
    const reader = LineReader.make()
    this.socket.on("unexpected-response", (request, response) => {
      this.refused = response.statusCode ?? 0
      request.destroy()
      this.socket.terminate()
    })
    this.socket.on("error", () => this.socket.terminate())
    this.socket.on("close", (code) => {
      this.closed = code
    })
    this.socket.on("pong", () => {
      this.pongs++
    })
    this.socket.on("message", (data) => {
      const lines: Array<string | LineReader.BadLine> = []
      reader.push(Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data), lines)
      for (const line of lines) this.receive(line)
    })
  }

  private receive(line: string | LineReader.BadLine): void {
    const frame = typeof line === "string" ? decodeLine(line) : null
    if (frame === null) this.unreadable.push("a line that is no text")
    else if (frame instanceof FrameDecodeError) this.unreadable.push(`${frame.reason}: ${frame.detail.slice(0, 200)}`)
    else if (!(frame instanceof UnknownFrame)) {
      if (this.frames.push(frame) > keptFrames) this.frames.shift()
      if (frame.type === "inbound" && frame.bufferId != null && !isOurs(frame.event.text ?? "")) {
        this.say({ type: "inbound_ack", bufferId: frame.bufferId })
      }
    }
  }

  of<Type extends ConnectorFrame["type"]>(type: Type): ReadonlyArray<Frame<Type>> {
    return this.frames.filter((frame): frame is Frame<Type> => frame.type === type)
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  raw(data: string | Buffer): void {
    this.socket.send(data, { binary: typeof data !== "string" })
  }

  say(frame: object): void {
    this.raw(`${JSON.stringify(frame)}\n`)
  }

  ping(): void {
    this.socket.ping()
  }

  /** Without a close frame. */
  cut(): void {
    this.socket.terminate()
  }

  readonly opened = Effect.suspend(() =>
    until("the socket opens", () => this.isOpen || this.closed !== null, {
      seen: () => (this.refused === null ? "" : `refused with ${this.refused}`)
    })
  )

  /** `hello`, and its descriptor. */
  readonly greet = (options: ConnectorOptions) =>
    Effect.gen({ self: this }, function* () {
      yield* this.opened
      const before = this.of("descriptor").length
      this.say({ type: "hello", platform: options.platform, botId: options.botId })
      yield* until("a descriptor", () => this.of("descriptor").length > before, {
        seen: () => `closed ${this.closed}, refused ${this.refused}, unreadable: ${this.unreadable.join("; ")}`
      })
    })

  /** An action and its result. */
  readonly request = (action: object, requestId = randomBytes(16).toString("hex")) =>
    Effect.gen({ self: this }, function* () {
      this.say({ type: "outbound", requestId, action })
      const answers = () => this.of("outbound_result").filter((frame) => frame.requestId === requestId)
      yield* until("the result", () => answers().length > 0, { seen: () => JSON.stringify(action).slice(0, 200) })
      return answers()[0]!.result
    })

  readonly inbound = (text: string) =>
    Effect.gen({ self: this }, function* () {
      const found = () => this.of("inbound").find(({ event }) => event.text === text)
      yield* until(`"${text}" as inbound`, () => found() !== undefined, {
        seen: () =>
          this.of("inbound")
            .map(({ event }) => event.text)
            .join(", ")
      })
      return found()!
    })
}

export const dial = (options: ConnectorOptions, token = options.token): Effect.Effect<KitGateway, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new KitGateway(options, token)),
    (gateway) => Effect.sync(() => gateway.cut())
  )
