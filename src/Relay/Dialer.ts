/**
 * Opens the WebSocket to a connector and gives it as a wire: pull, write, ping, close. The only file of this room that
 * knows `ws` and real time; everything else runs the same on a simulated wire.
 */
import { Context, Effect, Layer, Redacted, Schema, type Scope } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import { WebSocket } from "ws"
import { direct, type Outgoing, type Way } from "../Config/Outgoing.ts"

/** No connection came about, so nothing was sent. `status`: the HTTP answer to the upgrade, where there was one. */
export class DialError extends Schema.TaggedError<DialError>()("DialError", {
  reason: Schema.Literals(["InvalidUrl", "Unauthorized", "Rejected", "Unreachable", "Timeout"]),
  status: Schema.NullOr(Schema.Number),
  message: Schema.String
}) {}

/** The connection is over. `code` is the close code; 1006 = lost without a close frame. */
export class WireClosed extends Schema.TaggedError<WireClosed>()("WireClosed", {
  code: Schema.Number,
  message: Schema.String
}) {}

/** Close codes that we act on or send. */
export const closeCode = { normal: 1000, lost: 1006, unauthorized: 4401 } as const

export interface Wire {
  /** Everything that has arrived since the last pull; waits for the first. What came before the end is given before the failure. */
  readonly pull: Effect.Effect<NonEmptyReadonlyArray<Uint8Array | string>, WireClosed>
  /** One text message. Waits only while too much is still to leave this process. */
  readonly write: (text: string) => Effect.Effect<void, WireClosed>
  /** Completes on the pong. It has no limit of its own. */
  readonly ping: Effect.Effect<void, WireClosed>
  /** Closes and waits, about 2 s at most. `closeCode.lost` cuts the connection without a word. */
  readonly close: (code: number) => Effect.Effect<void>
  /** Bytes handed to `write` that have not left this process. */
  readonly bufferedBytes: () => number
}

export interface DialOptions {
  readonly url: string
  readonly token: Redacted.Redacted<string> | null
}

/**
 * One WS message at most; above it the connection fails with 1009. Well above one line: a delivery that is too large is
 * refused as a line, so that it can be acknowledged; one that ended the connection would come again for ever.
 */
const maxPayload = 32 * 1024 * 1024
/** Bytes that wait for a pull before the socket is paused and TCP pushes back (`relay I4`). */
const highWaterMark = 256 * 1024
/** Bytes that may wait to leave before `write` waits with them. */
const writeHighWaterMark = 1024 * 1024
const openTimeout = "10 seconds"
const closeTimeoutMillis = 2000

export class Dialer extends Context.Service<
  Dialer,
  {
    /** Dials once; the connection ends with the scope. */
    readonly dial: (options: DialOptions) => Effect.Effect<Wire, DialError, Scope.Scope>
  }
>()("Relay/Dialer") {
  /** By the proxy and with the authorities of `outgoing` (`relay C6`). */
  static readonly layerBy = (outgoing: Outgoing): Layer.Layer<Dialer> =>
    Layer.succeed(Dialer, {
      dial: Effect.fnUntraced(function* (options: DialOptions) {
        const connection = yield* Effect.acquireRelease(
          Effect.try({
            try: () => connect(options, outgoing.to(options.url)),
            catch: (cause) => dialError("InvalidUrl", cause)
          }),
          ({ wire }) => wire.close(closeCode.normal)
        )
        yield* connection.opened.pipe(
          Effect.timeoutOrElse({
            duration: openTimeout,
            orElse: () =>
              Effect.fail(new DialError({ reason: "Timeout", status: null, message: "the upgrade took too long" }))
          })
        )
        return connection.wire
      })
    })

  static readonly layer = Dialer.layerBy(direct)
}

const dialError = (reason: DialError["reason"], cause: unknown, status: number | null = null) =>
  new DialError({ reason, status, message: cause instanceof Error ? cause.message : String(cause) })

/** `ws` tells the status of a refused upgrade in the message of its error alone. */
const refused = (error: Error, way: Way): DialError => {
  const byProxy = way.refusal()
  // A proxy that refuses must not be taken for a connector that has revoked our credentials.
  if (byProxy !== null) return dialError("Unreachable", new Error(`the proxy answered ${byProxy}`))
  const status = /^Unexpected server response: (\d{3})$/.exec(error.message)?.[1]
  if (status === undefined) return dialError("Unreachable", error)
  return dialError(status === "401" || status === "403" ? "Unauthorized" : "Rejected", error, Number(status))
}

type Resume<A, E> = (effect: Effect.Effect<A, E>) => void

const connect = (options: DialOptions, way: Way) => {
  const settings: ConstructorParameters<typeof WebSocket>[2] & { readonly closeTimeout: number } = {
    ...way.options,
    headers: options.token === null ? {} : { authorization: `Bearer ${Redacted.value(options.token)}` },
    maxPayload,
    perMessageDeflate: false,
    // Bad UTF-8 must cost one line, not the connection (`relay W3`).
    skipUTF8Validation: true,
    closeTimeout: closeTimeoutMillis
  }
  const ws = new WebSocket(options.url, settings)

  let received: Array<Uint8Array | string> = []
  let receivedBytes = 0
  let closed: WireClosed | null = null
  let failure: Error | null = null
  let puller: Resume<NonEmptyReadonlyArray<Uint8Array | string>, WireClosed> | null = null
  let isDeliveryDue = false
  let isClosing = false
  const onceClosed = new Set<(closed: WireClosed) => void>()

  const take = (): NonEmptyReadonlyArray<Uint8Array | string> => {
    const all = received
    received = []
    receivedBytes = 0
    if (ws.isPaused) ws.resume()
    return all as unknown as NonEmptyReadonlyArray<Uint8Array | string>
  }
  const deliver = () => {
    isDeliveryDue = false
    if (puller === null) return
    if (received.length === 0 && closed === null) return
    const resume = puller
    puller = null
    resume(received.length > 0 ? Effect.succeed(take()) : Effect.fail(closed!))
  }

  ws.on("message", (data: Buffer) => {
    if (isClosing) return
    received.push(data)
    receivedBytes += data.length
    if (receivedBytes >= highWaterMark && !ws.isPaused) ws.pause()
    if (puller !== null && !isDeliveryDue) {
      // The messages of one TCP chunk are emitted in a row: after them, one delivery for all.
      isDeliveryDue = true
      queueMicrotask(deliver)
    }
  })
  ws.on("error", (error) => {
    failure = error
  })
  ws.on("close", (code, reason) => {
    closed = new WireClosed({ code, message: reason.toString("utf8") || failure?.message || "" })
    for (const listener of onceClosed) listener(closed)
    onceClosed.clear()
    deliver()
  })

  const opened = Effect.callback<void, DialError>((resume) => {
    if (closed !== null) return resume(Effect.fail(refused(failure ?? new Error("closed"), way)))
    const onClosed = () => resume(Effect.fail(refused(failure ?? new Error("closed before it was open"), way)))
    onceClosed.add(onClosed)
    ws.once("open", () => {
      onceClosed.delete(onClosed)
      resume(Effect.void)
    })
  })

  /** The close code is known only with the close event, a little after the socket has ceased to take writes. */
  const ended = Effect.callback<never, WireClosed>((resume) => {
    if (closed !== null) return resume(Effect.fail(closed))
    const onClosed = (closed: WireClosed) => resume(Effect.fail(closed))
    onceClosed.add(onClosed)
    return Effect.sync(() => onceClosed.delete(onClosed))
  })

  const ponged = Effect.callback<void>((resume) => {
    const onPong = () => resume(Effect.void)
    ws.once("pong", onPong)
    return Effect.sync(() => ws.off("pong", onPong))
  })

  const wire: Wire = {
    pull: Effect.callback((resume) => {
      if (received.length > 0) return resume(Effect.succeed(take()))
      if (closed !== null) return resume(Effect.fail(closed))
      puller = resume
      return Effect.sync(() => {
        if (puller === resume) puller = null
      })
    }),
    write: (text) =>
      Effect.suspend(() => {
        if (ws.readyState !== WebSocket.OPEN) return ended
        if (ws.bufferedAmount <= writeHighWaterMark) {
          ws.send(text)
          return Effect.void
        }
        return Effect.callback<void, WireClosed>((resume) =>
          ws.send(text, (error) => resume(error == null ? Effect.void : ended))
        )
      }),
    ping: Effect.suspend(() => {
      if (ws.readyState !== WebSocket.OPEN) return ended
      ws.ping()
      return Effect.raceFirst(ponged, ended)
    }),
    close: (code) =>
      Effect.callback((resume) => {
        if (ws.readyState === WebSocket.CLOSED) return resume(Effect.void)
        onceClosed.add(() => resume(Effect.void))
        // What still arrives is not acknowledged and will come again: only the other side's close frame is awaited.
        isClosing = true
        if (ws.isPaused) ws.resume()
        if (code === closeCode.lost) ws.terminate()
        else ws.close(code)
      }),
    bufferedBytes: () => ws.bufferedAmount
  }
  return { wire, opened }
}
