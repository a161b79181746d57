/**
 * The reading half of one connection: socket chunks become frames in one plain loop. Answers, descriptors and
 * acknowledgements of idling are handled at once, here, so that they never wait for storage; what has to be stored goes to
 * the InboundBuffer, and when that is full this loop stops reading (`relay I4`). No frame ends it, whatever it holds.
 */
import { Clock, Effect } from "effect"
import type { Descriptor } from "./Descriptor.ts"
import type { Wire, WireClosed } from "./Dialer.ts"
import { FrameDecodeError } from "./FrameDecodeError.ts"
import type { FrameWriter } from "./FrameWriter.ts"
import type { MessageEvent } from "../Message/MessageEvent.ts"
import type { Inbound } from "../Session/Intake.ts"
import type { Handler } from "../Platforms/ForwardedRequests.ts"
import * as DiscordInteraction from "./DiscordInteraction.ts"
import { body } from "./Passthrough.ts"
import { platformName, provenanceOf, toMessageEvent } from "./InboundEvent.ts"
import type { InboundBuffer } from "./InboundBuffer.ts"
import * as LineReader from "./LineReader.ts"
import type { LogLimit } from "./LogLimit.ts"
import { type ConnectorFrame, decodeLine, type Decoded, rejectLine } from "./Protocol.ts"
import * as Metrics from "./RelayMetrics.ts"

export interface ReadLoopOptions {
  readonly link: string
  /** The bot within which deliveries and messages are unique (`relay I3a`). */
  readonly scopeOf: (platform: string) => string
  /** The event as this gateway treats it; `prospective`: the thread that an answer would open. */
  readonly shape: (event: MessageEvent, prospective: string | null) => MessageEvent
  /** The adapter that reads forwarded requests of a platform (`relay P4`). */
  readonly handlerOf: (platform: string) => Handler | null
  readonly wire: Wire
  readonly writer: FrameWriter
  readonly buffer: InboundBuffer
  readonly logLimit: LogLimit
  /** `false`: nobody waits for that answer. */
  readonly onResult: (requestId: string, result: unknown) => boolean
  readonly onDescriptor: (descriptor: Descriptor) => void
  /** A `descriptor` frame that did not decode (`relay H4`). */
  readonly onBadDescriptor: (error: FrameDecodeError) => void
  readonly onIdleAck: () => void
  /** An interrupt that no waiting message must precede; `false`: not taken, it goes the ordered way. */
  readonly onInterrupt: (sessionKey: string, chatId: string) => boolean
  /** Something has arrived; once per batch. */
  readonly onActivity: () => void
}

/** Lines after which other fibers get their turn. */
const linesPerTurn = 512

interface Tally {
  unknown: number
  unmatched: number
  passthrough: number
}

export const run = Effect.fnUntraced(function* (options: ReadLoopOptions): Effect.fn.Return<never, WireClosed> {
  const { buffer, link, logLimit, wire, writer } = options
  const clock = yield* Clock.Clock
  const metrics = yield* Effect.context<never>()
  const reader = LineReader.make()
  const lines: Array<string | LineReader.BadLine> = []
  const tally: Tally = { unknown: 0, unmatched: 0, passthrough: 0 }
  /** What has to be logged; bounded by the LogLimit. */
  const remarks: Array<Effect.Effect<void>> = []

  const admits = (topic: string) => logLimit.admits(topic, clock.currentTimeMillisUnsafe())

  const onLine = (line: string | LineReader.BadLine) => {
    const frame: Decoded<ConnectorFrame> = typeof line === "string" ? decodeLine(line) : rejectLine(line)
    if (frame instanceof FrameDecodeError) return onInvalid(frame, line)
    switch (frame.type) {
      case "inbound": {
        const event = options.shape(toMessageEvent(frame.event), frame.event.source?.prospective_thread_id ?? null)
        const provenance = provenanceOf(frame.event)
        const scope = options.scopeOf(event.source.platform)
        return onMessage({ event, provenance, link, scope, bufferId: frame.bufferId || null }, (line as string).length)
      }
      case "outbound_result":
        if (!options.onResult(frame.requestId, frame.result)) tally.unmatched++
        return
      case "descriptor":
        return options.onDescriptor(frame.descriptor)
      case "interrupt_inbound":
        return onInterrupt(frame.session_key, frame.chat_id)
      case "going_idle_ack":
        return options.onIdleAck()
      case "passthrough_forward":
        return onPassthrough(frame, line as string)
      case null:
        tally.unknown++
        if (admits("UnknownFrame"))
          remarks.push(Effect.logDebug("relay: unknown frame", { type: frame.name.slice(0, 64) }))
        return
    }
  }

  const onMessage = (inbound: Inbound, size: number) => buffer.push({ kind: "inbound", inbound, writer, size })

  const bury = (bufferId: string, line: string | LineReader.BadLine, reason: string) => {
    const raw = typeof line === "string" ? line : line.text
    buffer.push({ kind: "dead", bufferId, raw, reason, writer, size: raw.length })
  }

  const onInvalid = (error: FrameDecodeError, line: string | LineReader.BadLine) => {
    Metrics.add(Metrics.invalidFrame(error.reason), 1, metrics)
    if (admits(error.reason)) {
      remarks.push(Effect.logWarning(`relay: ${error.message}`, { reason: error.reason, preview: error.preview }))
    }
    if (error.frameType === "descriptor") options.onBadDescriptor(error)
    if (error.bufferId !== null) bury(error.bufferId, line, error.message)
  }

  const onInterrupt = (sessionKey: string, chatId: string) => {
    if (buffer.holds(chatId) || !options.onInterrupt(sessionKey, chatId)) {
      buffer.push({ kind: "interrupt", sessionKey, chatId, size: sessionKey.length + chatId.length })
    }
  }

  /** (`relay P2`–`P4`) */
  const onPassthrough = (frame: Extract<ConnectorFrame, { readonly type: "passthrough_forward" }>, line: string) => {
    tally.passthrough++
    const platform = platformName(frame.forward.platform)
    if (platform === "discord") return onInteraction(frame, line)
    const handler = options.handlerOf(platform)
    if (handler === null) return onUnclaimed(frame, line)
    const { botId, headers, method, path } = frame.forward
    const request = { platform, botId, method, path, headers: headers ?? [], body: body(frame.forward) }
    buffer.push({
      kind: "forward",
      read: Effect.suspend(() => handler(request)),
      raw: line,
      bufferId: frame.bufferId || null,
      writer,
      size: line.length
    })
  }

  const onInteraction = (frame: Extract<ConnectorFrame, { readonly type: "passthrough_forward" }>, line: string) => {
    const bufferId = frame.bufferId || null
    const interaction = DiscordInteraction.decode(body(frame.forward), "discord", frame.forward.profile ?? null)
    if (interaction === null) {
      if (admits("Interaction")) remarks.push(Effect.logWarning("relay: a forwarded interaction cannot be read"))
      if (bufferId !== null) bury(bufferId, line, "not a Discord interaction")
    } else if (interaction.isNothing) nothing(bufferId)
    else {
      const { event } = interaction
      // Whoever acts in Discord's own client is a person, and what he does there edits nothing.
      const provenance = { viaRelay: true, isBot: interaction.isBot, roleAuthorized: false }
      onMessage({ event, provenance, link, scope: options.scopeOf(event.source.platform), bufferId }, line.length)
    }
  }

  const nothing = (bufferId: string | null) => {
    if (bufferId !== null) buffer.push({ kind: "nothing", bufferId, writer, size: bufferId.length })
  }

  /** Nobody here takes requests of that platform: they are kept where an operator finds them. */
  const onUnclaimed = (frame: Extract<ConnectorFrame, { readonly type: "passthrough_forward" }>, line: string) => {
    const { method, platform } = frame.forward
    if (admits("Passthrough")) {
      remarks.push(
        Effect.logInfo("relay: a forwarded request has no taker", {
          platform: platform.slice(0, 64),
          method: method.slice(0, 16)
        })
      )
    }
    if (frame.bufferId) bury(frame.bufferId, line, "no adapter takes forwarded requests of this platform")
  }

  const settleBatch = Effect.fnUntraced(function* (count: number) {
    buffer.announce()
    Metrics.add(Metrics.framesIn, count, metrics)
    Metrics.add(Metrics.unknownFrames, tally.unknown, metrics)
    Metrics.add(Metrics.unmatchedResults, tally.unmatched, metrics)
    Metrics.add(Metrics.passthrough, tally.passthrough, metrics)
    tally.unknown = tally.unmatched = tally.passthrough = 0
    if (remarks.length > 0) yield* Effect.all(remarks.splice(0), { discard: true })
    if (buffer.isFull()) yield* buffer.room
  })

  while (true) {
    const parts = yield* wire.pull
    options.onActivity()
    for (let index = 0; index < parts.length; index++) {
      reader.push(parts[index]!, lines)
      if (lines.length < linesPerTurn && index < parts.length - 1) continue
      for (let at = 0; at < lines.length;) {
        const end = Math.min(lines.length, at + linesPerTurn)
        const count = end - at
        while (at < end) onLine(lines[at++]!)
        yield* settleBatch(count)
        if (at < lines.length) yield* Effect.yieldNow
      }
      lines.length = 0
    }
  }
})
