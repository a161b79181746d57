/**
 * Takes what has gathered in the InboundBuffer, hands it to the Intake, and acknowledges what is stored (law 2, `relay
 * I3`, `I3a`). It never drops and never gives up: while storage refuses, it holds the batch and tries again.
 */
import { type Cause, Duration, Effect, Exit, Option, Random } from "effect"
import type { Inbound, Intake } from "../Session/Intake.ts"
import type { FrameWriter } from "./FrameWriter.ts"
import type { InboundBuffer, Waiting } from "./InboundBuffer.ts"
import { encodeAck } from "./Protocol.ts"
import * as Metrics from "./RelayMetrics.ts"

const maxBatch = 512
/** Refusals after which the members of a batch are stored one by one, so that one that can never be stored holds nobody up. */
const refusalsBeforeApart = 8
/** Refusals of one message alone after which it is buried: only if storage says that it is the message's fault. */
const refusalsBeforeBurial = 3
const retryBase = 100
const retryCap = 5000
const burialsAtOnce = 64
/** How long an adapter may read a forwarded request. */
const readPatience = Duration.seconds(10)

type Item<Kind extends Waiting["kind"]> = Extract<Waiting, { readonly kind: Kind }>
type Stored = Item<"inbound"> | Item<"dead"> | Item<"nothing">

/** Runs as long as the link lives. */
export const run = Effect.fnUntraced(function* (
  link: string,
  intake: Intake["Service"],
  buffer: InboundBuffer
): Effect.fn.Return<never> {
  const metrics = yield* Effect.context<never>()

  /** Until it succeeds, or `limit` refusals; an interruption goes through. */
  const persist = Effect.fnUntraced(function* <A, E>(attempt: Effect.Effect<A, E>, limit: number) {
    for (let refusals = 0; ; refusals++) {
      const exit = yield* Effect.exit(attempt)
      if (Exit.isSuccess(exit)) {
        if (refusals > 0) yield* Effect.logInfo("relay: storage takes messages again")
        return exit
      }
      if (refusals + 1 >= limit) return exit
      if (refusals === 0) yield* Effect.logError("relay: storage takes no messages; holding them back", exit.cause)
      Metrics.add(Metrics.takeRetries, 1, metrics)
      const step = Math.min(retryCap, retryBase * 2 ** Math.min(refusals, 10))
      yield* Effect.sleep(Duration.millis(step * (0.5 + (yield* Random.next) / 2)))
    }
  })

  const bury = (item: Omit<Item<"dead">, "kind" | "writer" | "size">) =>
    intake.bury({ link, bufferId: item.bufferId, raw: item.raw, reason: item.reason })

  /** A message that storage will never take is kept as a dead row; without a delivery id it gets a name of its own. */
  const buryInbound = Effect.fnUntraced(function* (inbound: Inbound, cause: Cause.Cause<unknown>) {
    yield* Effect.logError("relay: a message can never be stored as such; kept as a dead row", cause)
    Metrics.add(Metrics.buried, 1, metrics)
    const bufferId = inbound.bufferId ?? `refused-${yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)}`
    yield* persist(bury({ bufferId, raw: JSON.stringify(inbound.event), reason: "refused by storage" }), Infinity)
  })

  const takeApart = Effect.fnUntraced(function* (batch: ReadonlyArray<Inbound>) {
    for (const inbound of batch) {
      for (;;) {
        const exit = yield* persist(intake.take([inbound]), refusalsBeforeBurial)
        if (Exit.isSuccess(exit)) break
        if (isRefusalForGood(exit.cause)) {
          yield* buryInbound(inbound, exit.cause)
          break
        }
      }
    }
  })

  const store = Effect.fnUntraced(function* (items: ReadonlyArray<Stored>) {
    const batch: Array<Inbound> = []
    const dead: Array<Item<"dead">> = []
    for (const item of items) {
      if (item.kind === "inbound") batch.push(item.inbound)
      else if (item.kind === "dead") dead.push(item)
    }
    if (dead.length > 0) {
      yield* Effect.forEach(dead, (item) => persist(bury(item), Infinity), {
        concurrency: burialsAtOnce,
        discard: true
      })
      Metrics.add(Metrics.buried, dead.length, metrics)
    }
    if (batch.length > 0) {
      const exit = yield* persist(intake.take(batch), refusalsBeforeApart)
      if (Exit.isFailure(exit)) yield* takeApart(batch)
    }
    yield* acknowledge(items)
  })

  const acknowledge = Effect.fnUntraced(function* (items: ReadonlyArray<Stored>) {
    let acks = ""
    let count = 0
    let writer: FrameWriter | null = null
    for (const item of items) {
      const bufferId = item.kind === "inbound" ? item.inbound.bufferId : item.bufferId
      if (bufferId === null || item.writer.hasEnded()) continue
      if (writer !== null && writer !== item.writer) {
        writer.push(acks)
        acks = ""
      }
      writer = item.writer
      acks += encodeAck(bufferId)
      count++
    }
    if (writer === null) return
    writer.push(acks)
    Metrics.add(Metrics.acknowledged, count, metrics)
    yield* writer.room
  })

  /** What the adapter makes of it is stored like any other message; what it cannot read is kept (law 2). */
  const forward = Effect.fnUntraced(function* (item: Item<"forward">) {
    const exit = yield* Effect.exit(Effect.timeoutOption(item.read, readPatience))
    const messages = Exit.isSuccess(exit) ? Option.getOrNull(exit.value) : null
    const { bufferId, raw, writer } = item
    if (messages === null) {
      yield* Effect.logError(
        "relay: an adapter could not read a forwarded request",
        Exit.isFailure(exit) ? exit.cause : "it took too long"
      )
      if (bufferId === null) return
      const reason = "its adapter could not read this request"
      return yield* store([{ kind: "dead", bufferId, raw, reason, writer, size: 0 }])
    }
    if (messages.length > 0) {
      const taken = yield* persist(intake.take(messages), refusalsBeforeApart)
      if (Exit.isFailure(taken)) yield* takeApart(messages)
    }
    if (bufferId !== null) yield* acknowledge([{ kind: "nothing", bufferId, writer, size: 0 }])
  })

  const interrupt = Effect.fnUntraced(function* (item: Item<"interrupt">) {
    Metrics.add(Metrics.interrupts, 1, metrics)
    yield* carryOutInterrupt(intake, item.sessionKey, item.chatId)
  })

  /** An interrupt comes after everything that arrived before it, and before everything that came later (`relay I6`). */
  const settle = Effect.fnUntraced(function* (batch: ReadonlyArray<Waiting>) {
    let from = 0
    for (let at = 0; at < batch.length; at++) {
      const item = batch[at]!
      if (item.kind !== "interrupt" && item.kind !== "forward") continue
      if (from < at) yield* store(batch.slice(from, at) as ReadonlyArray<Stored>)
      yield* item.kind === "forward" ? forward(item) : interrupt(item)
      from = at + 1
    }
    if (from < batch.length) yield* store((from === 0 ? batch : batch.slice(from)) as ReadonlyArray<Stored>)
  })

  while (true) {
    yield* buffer.some
    yield* settle(buffer.take(maxBatch))
    buffer.settle()
  }
})

/** Never fails: a session that cannot be stopped must not hold up the messages of all others. */
export const carryOutInterrupt = (intake: Intake["Service"], sessionKey: string, chatId: string): Effect.Effect<void> =>
  intake.interrupt(sessionKey, chatId).pipe(
    Effect.flatMap((stopped) =>
      stopped ? Effect.void : Effect.logDebug("relay: no turn to interrupt", { sessionKey })
    ),
    Effect.catchDefect((defect) => Effect.logError("relay: interrupting a turn failed", defect))
  )

/** Defects count as the message's fault: trying again gives the same. */
const isRefusalForGood = (cause: Cause.Cause<{ readonly reason?: string }>): boolean =>
  cause.reasons.every(
    (reason) => reason._tag === "Die" || (reason._tag === "Fail" && reason.error.reason === "Rejected")
  )
