/**
 * One connection from dial to end: hello, handshake, its fibers, the heartbeat (`relay H2`, `H3`, `C3`). It ends by
 * failing with the reason; whether and when there is a next one is not decided here.
 */
import { Cause, Clock, Deferred, Effect, Exit, Fiber, Latch, Redacted, Schema, type Scope } from "effect"
import type { Descriptor } from "./Descriptor.ts"
import { closeCode, type DialError, type Dialer, type Wire, type WireClosed } from "./Dialer.ts"
import type { FrameDecodeError } from "./FrameDecodeError.ts"
import * as FrameWriter from "./FrameWriter.ts"
import type { Identities } from "./Identity.ts"
import { platformName } from "./InboundEvent.ts"
import { encode, type ManifestEntry } from "./Protocol.ts"
import * as ReadLoop from "./ReadLoop.ts"
import { mint } from "./UpgradeToken.ts"

/** The socket opened, but no link came about. */
export class HandshakeError extends Schema.TaggedError<HandshakeError>()("HandshakeError", {
  /** `NoDescriptor`: none within 30 s. `InvalidDescriptor`: one that does not decode, and no valid one beside it. */
  reason: Schema.Literals(["NoDescriptor", "InvalidDescriptor"]),
  message: Schema.String
}) {}

/** A link that was up and is useless: the other side does not answer, or one of our fibers died. */
export class LinkBroken extends Schema.TaggedError<LinkBroken>()("LinkBroken", {
  reason: Schema.Literals(["HalfOpen", "Defect"]),
  message: Schema.String
}) {}

export type ConnectionEnd = DialError | HandshakeError | LinkBroken | WireClosed

export interface ConnectionOptions {
  readonly url: string
  readonly identities: Identities
  /** Commands that a `hello` for Discord names, so that the connector can register them. */
  readonly commands?: ReadonlyArray<ManifestEntry>
  /** Upgrade credentials; none is sent unless both are there (`relay H2`). */
  readonly id: string | null
  readonly secret: Redacted.Redacted<string> | null
}

/** What a connection tells its owner. Called from plain loops: nothing here may wait or throw. */
export interface ConnectionEvents extends Pick<
  ReadLoop.ReadLoopOptions,
  "buffer" | "handlerOf" | "link" | "scopeOf" | "shape" | "logLimit" | "onInterrupt" | "onResult"
> {
  readonly onOpen: (connection: Connection) => Effect.Effect<void>
  /** The first valid descriptor: the handshake is complete. */
  readonly onReady: (connection: Connection) => Effect.Effect<void>
  /** Before the socket is closed, which may take a while when the other side is gone. */
  readonly onEnd: Effect.Effect<void>
  readonly onDescriptor: (descriptor: Descriptor) => void
  readonly onRead: () => void
  readonly onWrite: () => void
}

export interface Connection {
  readonly writer: FrameWriter.FrameWriter
  /** Completes with `going_idle_ack`. */
  readonly idleAcknowledged: Latch.Latch
  /** Completes when the connection has ended. */
  readonly ended: Effect.Effect<void>
  /** Ends reading and leaves writing alone, so that what was read can still be acknowledged. */
  readonly stopReading: Effect.Effect<void>
}

const handshakeTimeout = "30 seconds"
/** A connector that fronts several platforms answers with several descriptors: a bad one may be followed by a good one. */
const badDescriptorGrace = "1 second"
export const pingInterval = "20 seconds"
const pongTimeout = "20 seconds"

/** Runs until the connection is over, which is a failure in any case. */
export const run = (
  dialer: Dialer["Service"],
  options: ConnectionOptions,
  events: ConnectionEvents
): Effect.Effect<never, ConnectionEnd> => Effect.scoped(connect(dialer, options, events))

const connect = Effect.fnUntraced(function* (
  dialer: Dialer["Service"],
  options: ConnectionOptions,
  events: ConnectionEvents
): Effect.fn.Return<never, ConnectionEnd, Scope.Scope> {
  const wire = yield* dialer.dial({ url: options.url, token: yield* upgradeToken(options) })
  const end = Deferred.makeUnsafe<never, ConnectionEnd>()
  const described = Latch.makeUnsafe(false)
  const badDescriptor = Deferred.makeUnsafe<FrameDecodeError>()
  const idleAcknowledged = Latch.makeUnsafe(false)
  const writer = FrameWriter.make(wire, events.onWrite)
  yield* Effect.addFinalizer(() => Effect.sync(writer.end))

  const supervise = (fiber: Effect.Effect<never, ConnectionEnd>) =>
    Effect.forkScoped(Effect.onExit(fiber, (exit) => Effect.suspend(() => endWith(end, exit))))

  const reader = yield* supervise(
    ReadLoop.run({
      ...events,
      wire,
      writer,
      onDescriptor: (descriptor) => {
        events.onDescriptor(descriptor)
        described.openUnsafe()
      },
      onBadDescriptor: (error) => {
        Deferred.doneUnsafe(badDescriptor, Effect.succeed(error))
      },
      onIdleAck: () => {
        idleAcknowledged.openUnsafe()
      },
      onActivity: events.onRead
    })
  )
  yield* supervise(writer.run)
  const connection: Connection = {
    writer,
    idleAcknowledged,
    ended: Effect.asVoid(Effect.exit(Deferred.await(end))),
    stopReading: Fiber.interrupt(reader)
  }
  yield* Effect.addFinalizer(() => events.onEnd)
  yield* events.onOpen(connection)
  for (const { botId, platform } of options.identities) {
    writer.push(
      encode({
        type: "hello",
        platform,
        botId,
        ...(options.commands !== undefined && platformName(platform) === "discord"
          ? { command_manifest: options.commands }
          : {})
      })
    )
  }
  yield* Effect.raceAllFirst([
    Deferred.await(end),
    described.await,
    handshakeMissing,
    Effect.flatMap(Deferred.await(badDescriptor), handshakeInvalid)
  ])
  yield* events.onReady(connection)
  yield* supervise(heartbeat(wire, events))
  // A close frame would wait in vain for its answer where nobody is left to answer.
  return yield* Effect.tapError(Deferred.await(end), (reason) =>
    reason._tag === "LinkBroken" && reason.reason === "HalfOpen" ? wire.close(closeCode.lost) : Effect.void
  )
})

/** A new one for every dial (`relay H2`). */
export const upgradeToken = (options: Pick<ConnectionOptions, "id" | "secret">) =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    options.id && options.secret !== null
      ? Redacted.make(mint(options.id, Redacted.value(options.secret), Math.floor(now / 1000)))
      : null
  )

const handshakeMissing = Effect.andThen(
  Effect.sleep(handshakeTimeout),
  Effect.fail(new HandshakeError({ reason: "NoDescriptor", message: "the connector sent no descriptor" }))
)

const handshakeInvalid = (error: FrameDecodeError) =>
  Effect.andThen(
    Effect.sleep(badDescriptorGrace),
    Effect.fail(new HandshakeError({ reason: "InvalidDescriptor", message: error.detail }))
  )

/** `relay C3`. While reading is stopped for want of room a pong cannot be seen, and proves nothing by its absence. */
const heartbeat = Effect.fnUntraced(function* (
  wire: Wire,
  events: ConnectionEvents
): Effect.fn.Return<never, WireClosed | LinkBroken> {
  while (true) {
    yield* Effect.sleep(pingInterval)
    const pong = yield* Effect.timeoutOption(wire.ping, pongTimeout)
    if (pong._tag === "Some") {
      events.onWrite()
      events.onRead()
    } else if (!events.buffer.isFull()) {
      return yield* new LinkBroken({ reason: "HalfOpen", message: "no pong within 20 s" })
    }
  }
})

/** The first end counts. An interrupted fiber is one that its owner has stopped. */
const endWith = (end: Deferred.Deferred<never, ConnectionEnd>, exit: Exit.Exit<never, ConnectionEnd>) => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return Effect.void
  const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  if (failure !== undefined) return Deferred.fail(end, failure.error)
  return Effect.andThen(
    Effect.logError("relay: a fiber of the connection died", exit.cause),
    Deferred.fail(end, new LinkBroken({ reason: "Defect", message: String(Cause.squash(exit.cause)) }))
  )
}
