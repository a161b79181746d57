/**
 * A connector's end of the wire for tests on a test clock: what the gateway dials and writes is recorded, what it reads is
 * pushed by hand. It answers nothing of its own accord, except hello and ping when it is told to.
 */
import { Cause, Clock, Effect, Layer, Queue, Redacted } from "effect"
import { closeCode, DialError, Dialer, type DialOptions, type Wire, WireClosed } from "../../src/Relay/Dialer.ts"

export const descriptor = {
  contract_version: 1,
  platform: "discord",
  label: "Discord",
  max_message_length: 2000,
  supports_draft_streaming: false,
  supports_edit: true,
  supports_threads: true,
  markdown_dialect: "discord",
  len_unit: "utf16",
  supports_idempotency: true
}

export const descriptorLine = (more: Record<string, unknown> = {}): string =>
  `${JSON.stringify({ type: "descriptor", descriptor: { ...descriptor, ...more } })}\n`

export const inboundLine = (bufferId: string | null, text: string, source: Record<string, unknown> = {}): string =>
  `${JSON.stringify({
    type: "inbound",
    event: { text, message_id: `m-${text}`, source: { platform: "discord", chat_id: "chat", user_id: "u", ...source } },
    ...(bufferId === null ? {} : { bufferId })
  })}\n`

export const resultLine = (requestId: string, result: unknown): string =>
  `${JSON.stringify({ type: "outbound_result", requestId, result })}\n`

export interface Frame {
  readonly type: string
  readonly requestId?: string
  readonly bufferId?: string
  readonly action?: {
    readonly op: string
    readonly content?: string
    readonly metadata?: Record<string, unknown>
    readonly [key: string]: unknown
  }
  readonly [key: string]: unknown
}

export class FakeWire {
  /** One entry per WebSocket message. */
  readonly messages: Array<string> = []
  readonly closes: Array<number> = []
  pulls = 0
  answersPings = true
  private readonly arrived: Queue.Queue<Uint8Array | string, WireClosed>

  constructor(arrived: Queue.Queue<Uint8Array | string, WireClosed>) {
    this.arrived = arrived
  }

  get frames(): ReadonlyArray<Frame> {
    return this.messages
      .join("")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line))
  }

  ofType(type: string): ReadonlyArray<Frame> {
    return this.frames.filter((frame) => frame.type === type)
  }

  get acks(): ReadonlyArray<string | undefined> {
    return this.ofType("inbound_ack").map((frame) => frame.bufferId)
  }

  readonly send = (...chunks: ReadonlyArray<Uint8Array | string>): void => {
    for (const chunk of chunks) Queue.offerUnsafe(this.arrived, chunk)
  }

  /** Ends the connection as the other side, or the network, would. */
  readonly end = (code: number): void => {
    Queue.failCauseUnsafe(this.arrived, Cause.fail(new WireClosed({ code, message: "by the test" })))
  }

  get isOpen(): boolean {
    return this.arrived.state._tag === "Open"
  }

  readonly wire: Wire = {
    pull: Effect.suspend(() => {
      this.pulls++
      return Queue.takeAll(this.arrived)
    }),
    write: (text) =>
      Effect.suspend(() => {
        if (!this.isOpen) return Effect.fail(new WireClosed({ code: closeCode.lost, message: "gone" }))
        this.messages.push(text)
        return Effect.void
      }),
    ping: Effect.suspend(() => (this.answersPings ? Effect.void : Effect.never)),
    close: (code) =>
      Effect.sync(() => {
        this.closes.push(code)
        this.end(code)
      }),
    bufferedBytes: () => 0
  }
}

export class FakeConnector {
  readonly dials: Array<{ readonly at: number; readonly url: string; readonly token: string | null }> = []
  readonly wires: Array<FakeWire> = []
  /** Answers a dial with an error; `null` lets it through. */
  refuse: () => DialError | null = () => null
  /** What a new connection sends at once. */
  greeting: ReadonlyArray<string> = [descriptorLine()]

  get wire(): FakeWire {
    const wire = this.wires.at(-1)
    if (wire === undefined) throw new Error("nothing was dialled")
    return wire
  }

  readonly layer: Layer.Layer<Dialer> = Layer.succeed(Dialer, {
    dial: (options: DialOptions) => Effect.suspend(() => this.accept(options))
  })

  private readonly accept = Effect.fnUntraced({ self: this }, function* (options: DialOptions) {
    this.dials.push({
      at: yield* Clock.currentTimeMillis,
      url: options.url,
      token: options.token === null ? null : Redacted.value(options.token)
    })
    const refusal = this.refuse()
    if (refusal !== null) return yield* refusal
    const wire = new FakeWire(yield* Queue.unbounded<Uint8Array | string, WireClosed>())
    this.wires.push(wire)
    yield* Effect.addFinalizer(() => wire.wire.close(closeCode.normal))
    wire.send(...this.greeting)
    return wire.wire
  })
}

export const refusal = (reason: DialError["reason"], status: number | null = null) =>
  new DialError({ reason, status, message: "by the test" })
