/**
 * Keeps the link to a connector alive (`relay` Connection life): dials, backs off, gives up when the credentials are
 * revoked, drains. What was read from a connection is stored although the connection is gone.
 */
import { Clock, Effect, Latch, Queue, Random, Schedule, type Schema, type Scope, Stream, SubscriptionRef } from "effect"
import type { Handler } from "../Platforms/ForwardedRequests.ts"
import { Intake } from "../Session/Intake.ts"
import * as Connection from "./Connection.ts"
import { type Descriptor, supports } from "./Descriptor.ts"
import type { CredentialSource } from "./Credentials.ts"
import { closeCode, Dialer } from "./Dialer.ts"
import { dialUrl } from "./DialUrl.ts"
import { identityOf, scopeOf } from "./Identity.ts"
import * as InboundBuffer from "./InboundBuffer.ts"
import * as InboundCommitter from "./InboundCommitter.ts"
import { platformName } from "./InboundEvent.ts"
import * as LogLimit from "./LogLimit.ts"
import { chatInfo, decodeResult, type OutboundAction } from "./OutboundAction.ts"
import * as PendingRequests from "./PendingRequests.ts"
import { encode, encodeOutbound } from "./Protocol.ts"
import * as Metrics from "./RelayMetrics.ts"
import { MalformedResult, NotConnected, type RequestError, UnsupportedOp } from "./RequestError.ts"
import type { LinkState, Transport } from "./Transport.ts"

export interface TransportOptions extends Connection.ConnectionOptions {
  /** Name of the link in the Inbox (`Outlet.link`). */
  readonly link: string
  /** Credentials that may change while running; without it `id` and `secret` stand. */
  readonly credentials?: CredentialSource | undefined
  /** Where answers go may depend on settings (`relay L11`); absent = as the connector says. */
  readonly shape?: Connection.ConnectionEvents["shape"]
  /** Reads forwarded requests of a platform; absent = nobody does. */
  readonly handlerOf?: (platform: string) => Handler | null
}

const backoffBase = 500
const backoffCap = 30_000
/** Milliseconds of Ready after which earlier failures are forgotten (`relay C1`). */
const steadyAfter = 60_000
const idleAckTimeout = "10 seconds"
/** How long a stop waits for what was read to be stored, and for the acknowledgements to leave. */
const settleTimeout = "5 seconds"
const flushTimeout = "2 seconds"
/** How long a link that is given up on purpose waits for answers to what it has sent. */
const answersTimeout = "5 seconds"
const maxDescriptors = 64
const maxInterrupts = 1024

/** The link lives as long as the scope; this returns at once, before anything is dialled. */
export const make = Effect.fnUntraced(function* (
  options: TransportOptions
): Effect.fn.Return<Transport["Service"], never, Scope.Scope | Intake | Dialer> {
  const dialer = yield* Dialer
  const intake = yield* Intake
  const clock = yield* Clock.Clock
  const metrics = yield* Effect.context<never>()
  const state = yield* SubscriptionRef.make<LinkState>({ _tag: "Disconnected" })
  const pending = yield* PendingRequests.make
  const buffer = InboundBuffer.make()
  const logLimit = LogLimit.make()
  const interrupts = yield* Queue.bounded<readonly [sessionKey: string, chatId: string]>(maxInterrupts)
  const up = Latch.makeUnsafe(false)
  const wake = Latch.makeUnsafe(false)
  /** Open: this connection is given up on purpose. */
  const parted = Latch.makeUnsafe(false)
  /** Closed while there is a connection. */
  const gone = Latch.makeUnsafe(true)
  let descriptors = new Map<string, Descriptor>()
  let isFresh = true
  let current: Connection.Connection | null = null
  let draining = false
  let isAsleep = false
  let isParting = false
  let isRevoked = false
  let renewals = 0
  let handshakes = 0
  let readySince: number | null = null
  let lastIn: number | null = null
  let lastOut: number | null = null
  const now = () => clock.currentTimeMillisUnsafe()
  const become = (next: LinkState) => SubscriptionRef.set(state, next)

  const goIdle = (connection: Connection.Connection) => {
    connection.writer.push(encode({ type: "going_idle" }))
    return become({ _tag: "Draining" })
  }

  const events: Connection.ConnectionEvents = {
    link: options.link,
    shape: options.shape ?? ((event) => event),
    handlerOf: options.handlerOf ?? (() => null),
    scopeOf: (platform) => scopeOf(options.identities, options.link, platform),
    buffer,
    logLimit,
    onOpen: (connection) => {
      current = connection
      gone.closeUnsafe()
      isFresh = true
      return become({ _tag: "Handshaking" })
    },
    onReady: (connection) => {
      Metrics.add(Metrics.connections, 1, metrics)
      if (handshakes++ > 0) Metrics.add(Metrics.reconnects, 1, metrics)
      readySince = now()
      pending.connect(connection.writer.push)
      up.openUnsafe()
      // The gateway began to drain during the handshake: replies that wait may still leave.
      return draining ? goIdle(connection) : become({ _tag: "Ready" })
    },
    onEnd: Effect.suspend(() => {
      current = null
      gone.openUnsafe()
      up.closeUnsafe()
      pending.disconnect()
      return draining ? Effect.void : become({ _tag: "Disconnected" })
    }),
    onDescriptor: (descriptor) => {
      // What an earlier connection said of other platforms holds until the new one speaks.
      if (isFresh) descriptors = new Map()
      isFresh = false
      const platform = platformName(descriptor.platform)
      if (descriptors.size < maxDescriptors || descriptors.has(platform)) descriptors.set(platform, descriptor)
    },
    onResult: pending.resolve,
    onInterrupt: (sessionKey, chatId) => Queue.offerUnsafe(interrupts, [sessionKey, chatId]),
    onRead: () => {
      lastIn = now()
    },
    onWrite: () => {
      lastOut = now()
    }
  }

  const revokes = (end: Connection.ConnectionEnd) =>
    handshakes > 0 &&
    ((end._tag === "DialError" && end.reason === "Unauthorized") ||
      (end._tag === "WireClosed" && end.code === closeCode.unauthorized))

  const rest = Effect.fnUntraced(function* (millis: number | null) {
    wake.closeUnsafe()
    if (draining) return false
    if (millis === null) {
      yield* wake.await
      return true
    }
    return (yield* Effect.timeoutOption(wake.await, millis))._tag === "Some"
  })

  /** Ends the connection so that nothing is lost and nothing is left in doubt. */
  const part = (connection: Connection.Connection) =>
    Effect.gen(function* () {
      // Rows wait for the next connection; what has left may still be answered.
      isParting = true
      up.closeUnsafe()
      yield* goIdle(connection)
      yield* Effect.timeoutOption(Effect.raceFirst(connection.idleAcknowledged.await, connection.ended), idleAckTimeout)
      yield* Effect.sync(pending.inFlight).pipe(
        Effect.repeat({ while: (count) => count > 0, schedule: Schedule.spaced("20 millis") }),
        Effect.timeoutOption(answersTimeout)
      )
      // The reader may be in the middle of what came together with the word.
      yield* Effect.yieldNow
      yield* connection.stopReading
      yield* Effect.timeoutOption(buffer.settled, settleTimeout)
      yield* Effect.timeoutOption(connection.writer.flushed, flushTimeout)
      parted.openUnsafe()
      yield* gone.await
    }).pipe(Effect.raceFirst(gone.await))

  const rouse = () => {
    isAsleep = false
    wake.openUnsafe()
  }

  /** New credentials: a link that is up parts first, whatever else it does it leaves at once. */
  const renew = Effect.suspend(() => {
    renewals++
    if (draining || isAsleep) return Effect.void
    if (current !== null && readySince !== null) return part(current)
    parted.openUnsafe()
    wake.openUnsafe()
    return Effect.void
  })

  const target = { ...options, url: dialUrl(options.url) }
  const { credentials } = options
  /** Those that the connector lets us front (`relay V1`). */
  let fronted = options.identities
  const live = Effect.gen(function* () {
    let failures = 0
    while (!draining) {
      readySince = null
      isParting = false
      parted.closeUnsafe()
      const round = renewals
      yield* become({ _tag: "Dialing" })
      const given = credentials === undefined ? null : yield* credentials.current
      const known = credentials === undefined ? options : given
      fronted = given?.admitted ?? options.identities
      const end = yield* Effect.raceFirst(
        Effect.flip(
          Connection.run(
            dialer,
            { ...target, identities: fronted, id: known?.id ?? null, secret: known?.secret ?? null },
            events
          )
        ),
        Effect.as(parted.await, null)
      )
      if (draining) break
      if (end === null) {
        failures = 0
        if (!isAsleep) continue
        yield* become({ _tag: "Disconnected", isAsleep: true })
        while (isAsleep && !draining) yield* rest(null)
        continue
      }
      isAsleep = false
      Metrics.add(Metrics.dialFailures, 1, metrics)
      if (revokes(end)) {
        isRevoked = true
        if (credentials !== undefined) yield* credentials.revoked
        yield* become({ _tag: "Closed", reason: "AuthRevoked" })
        yield* Effect.logError("relay: the connector refuses our credentials; not dialled again before they change")
        // Changed while they were being refused, they are other ones already.
        if (renewals === round) yield* rest(null)
        isRevoked = false
        failures = 0
        continue
      }
      if (readySince !== null && now() - readySince >= steadyAfter) failures = 0
      yield* become({ _tag: "Disconnected" })
      const delay = (yield* Random.next) * Math.min(backoffCap, backoffBase * 2 ** Math.min(failures, 16))
      yield* Effect.logWarning(`relay: ${describe(end)}; dialling again in ${Math.round(delay)} ms`)
      failures = (yield* rest(delay)) ? 0 : failures + 1
    }
    yield* become({ _tag: "Closed", reason: "Drained" })
  })

  const summarise = Effect.forever(
    Effect.andThen(
      Effect.andThen(logLimit.suppressed.await, Effect.sleep(LogLimit.windowMillis)),
      Effect.suspend(() =>
        Effect.forEach(
          logLimit.takeSuppressed(),
          ({ count, topic }) => Effect.logWarning(`relay: ${count} more of ${topic}, not logged one by one`),
          { discard: true }
        )
      )
    )
  )

  yield* Effect.addFinalizer(() => become({ _tag: "Closed", reason: "Drained" }))
  yield* Effect.forkScoped(InboundCommitter.run(options.link, intake, buffer))
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.flatMap(Queue.take(interrupts), ([sessionKey, chatId]) => {
        Metrics.add(Metrics.interrupts, 1, metrics)
        return InboundCommitter.carryOutInterrupt(intake, sessionKey, chatId)
      })
    )
  )
  yield* Effect.forkScoped(pending.expire)
  yield* Effect.forkScoped(summarise)
  yield* Effect.forkScoped(live)
  if (credentials !== undefined) yield* Effect.forkScoped(Stream.runForEach(credentials.changes, () => renew))
  // Runs before the fibers above are stopped: nothing more is read, what was read is stored and acknowledged.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      draining = true
      if (current !== null) yield* current.stopReading
      yield* Effect.timeoutOption(buffer.settled, settleTimeout)
      if (current !== null) yield* Effect.timeoutOption(current.writer.flushed, flushTimeout)
    })
  )

  const { identities } = options
  /** A platform that we front and that is not described yet has no limits of another one's. */
  const isAwaited = (platform: string) =>
    identities.length > 1 && identities.some((identity) => platformName(identity.platform) === platform)
  const descriptorOf = (platform: string): Descriptor | null =>
    descriptors.get(platform) ??
    (isAwaited(platform)
      ? null
      : (descriptors.get(platformName(identities[0].platform)) ?? descriptors.values().next().value ?? null))
  /** Named on the wire only where the connector could not know it otherwise. */
  const speaker = (platform: string) => (fronted.length > 1 ? identityOf(fronted, platform) : null)

  const ask = (
    action: OutboundAction,
    platform: string,
    rank: PendingRequests.Rank
  ): Effect.Effect<unknown, RequestError> =>
    Effect.suspend((): Effect.Effect<unknown, RequestError> => {
      const descriptor = descriptorOf(platform)
      if (descriptor !== null && !supports(descriptor, action.op)) {
        return Effect.fail(new UnsupportedOp({ op: action.op, platform }))
      }
      Metrics.add(Metrics.outbound, 1, metrics)
      return pending.request(rank, (requestId) => encodeOutbound(requestId, action, speaker(platform)))
    })

  return {
    state,
    activity: () => ({ lastIn, lastOut, reconnects: Math.max(0, handshakes - 1) }),
    descriptor: descriptorOf,
    isUp: () => current !== null && readySince !== null && !isParting,
    awaitUp: Effect.suspend(() => {
      if (isAsleep) rouse()
      return up.await
    }),
    request: ({ action, platform, rank }) => Effect.flatMap(ask(action, platform, rank), readResult),
    chatInfo: (platform, chatId) =>
      Effect.suspend(() => {
        const descriptor = descriptorOf(platform)
        return descriptor === null || !supports(descriptor, "get_chat_info")
          ? Effect.succeed(chatInfo(chatId, null))
          : Effect.map(ask({ op: "get_chat_info", chat_id: chatId }, platform, "notice"), (result) =>
              chatInfo(chatId, result)
            )
      }),
    interrupt: (sessionKey, reason) =>
      Effect.suspend(() => {
        if (current === null || readySince === null) return Effect.fail(new NotConnected())
        current.writer.push(encode({ type: "interrupt", session_key: sessionKey, reason }))
        return Effect.void
      }),
    drain: Effect.suspend(() => {
      const connection = current
      draining = true
      wake.openUnsafe()
      if (connection === null || readySince === null) return Effect.void
      return Effect.andThen(
        goIdle(connection),
        Effect.asVoid(
          Effect.timeoutOption(Effect.raceFirst(connection.idleAcknowledged.await, connection.ended), idleAckTimeout)
        )
      )
    }),
    sleep: Effect.suspend(() => {
      if (draining || current === null || readySince === null) return Effect.void
      isAsleep = true
      return part(current)
    }),
    poke: Effect.sync(() => {
      if (!isRevoked) rouse()
    }),
    redial: Effect.sync(rouse)
  }
})

const readResult = (result: unknown) => {
  const decoded = decodeResult(result)
  return decoded._tag === "Success"
    ? Effect.succeed(decoded.success)
    : Effect.fail(new MalformedResult({ detail: describeIssue(decoded.failure) }))
}

const describeIssue = (error: Schema.SchemaError): string => error.message.slice(0, 200)

const describe = (end: Connection.ConnectionEnd): string => {
  switch (end._tag) {
    case "DialError":
      return `cannot connect (${end.reason}${end.status === null ? "" : ` ${end.status}`})`
    case "WireClosed":
      return `connection closed (${end.code})`
    case "HandshakeError":
    case "LinkBroken":
      return `${end.reason}: ${end.message.slice(0, 200)}`
  }
}
