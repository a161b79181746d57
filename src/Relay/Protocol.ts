/**
 * The frames of the relay, both directions (`relay` Wire). A line becomes a typed frame, an unknown frame, or a typed
 * error; it never throws. Decoders are built once, by type.
 */
import { Result, Schema } from "effect"
import { Descriptor } from "./Descriptor.ts"
import { type FrameDecodeError, make as makeError } from "./FrameDecodeError.ts"
import type { Identity } from "./Identity.ts"
import { WireEvent } from "./InboundEvent.ts"
import type { BadLine } from "./LineReader.ts"
import type { OutboundAction } from "./OutboundAction.ts"
import { Forward } from "./Passthrough.ts"

const bufferId = Schema.optionalKey(Schema.NullOr(Schema.String))

export const DescriptorFrame = Schema.Struct({ type: Schema.Literal("descriptor"), descriptor: Descriptor })
export const InboundFrame = Schema.Struct({ type: Schema.Literal("inbound"), event: WireEvent, bufferId })
/** `result` is read by the request that waits for it (`relay O2`). */
export const OutboundResultFrame = Schema.Struct({
  type: Schema.Literal("outbound_result"),
  requestId: Schema.String,
  result: Schema.Unknown
})
export const InterruptInboundFrame = Schema.Struct({
  type: Schema.Literal("interrupt_inbound"),
  session_key: Schema.String,
  chat_id: Schema.String
})
export const PassthroughForwardFrame = Schema.Struct({
  type: Schema.Literal("passthrough_forward"),
  forward: Forward,
  bufferId
})
export const GoingIdleAckFrame = Schema.Struct({ type: Schema.Literal("going_idle_ack") })

/** What a connector sends. */
export type ConnectorFrame =
  | typeof DescriptorFrame.Type
  | typeof InboundFrame.Type
  | typeof OutboundResultFrame.Type
  | typeof InterruptInboundFrame.Type
  | typeof PassthroughForwardFrame.Type
  | typeof GoingIdleAckFrame.Type

/** A command as Discord registers it (`relay` Wire). */
const ManifestEntry = Schema.Struct({
  name: Schema.String,
  description: Schema.String,
  options: Schema.optionalKey(Schema.Array(Schema.Record(Schema.String, Schema.Unknown)))
})
export type ManifestEntry = typeof ManifestEntry.Type

export const HelloFrame = Schema.Struct({
  type: Schema.Literal("hello"),
  platform: Schema.String,
  botId: Schema.String,
  command_manifest: Schema.optionalKey(Schema.Array(ManifestEntry))
})
/** `action` is decoded apart (`OutboundAction.decodeAction`), so that a bad one can still be answered by its id. */
export const OutboundFrame = Schema.Struct({
  type: Schema.Literal("outbound"),
  requestId: Schema.String,
  action: Schema.Unknown,
  platform: Schema.optionalKey(Schema.String),
  botId: Schema.optionalKey(Schema.String)
})
export const InterruptFrame = Schema.Struct({
  type: Schema.Literal("interrupt"),
  session_key: Schema.String,
  reason: Schema.NullOr(Schema.String)
})
export const InboundAckFrame = Schema.Struct({ type: Schema.Literal("inbound_ack"), bufferId: Schema.String })
export const GoingIdleFrame = Schema.Struct({ type: Schema.Literal("going_idle") })

/** What a gateway sends. */
export type GatewayFrame =
  | typeof HelloFrame.Type
  | typeof OutboundFrame.Type
  | typeof InterruptFrame.Type
  | typeof InboundAckFrame.Type
  | typeof GoingIdleFrame.Type

/** A frame of a type we do not know: no error (`relay W2`). */
export class UnknownFrame {
  readonly type = null
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

export type Decoded<Frame> = Frame | UnknownFrame | FrameDecodeError

interface FrameDecoder<Frame> {
  /** Whether the parsed JSON is such a frame as it stands; `null` where decoding changes it. */
  readonly accepts: ((input: unknown) => input is Frame) | null
  readonly decode: (input: unknown) => Result.Result<Frame, Schema.SchemaError>
}

const decoding = <S extends Schema.Decoder<unknown>>(schema: S): FrameDecoder<S["Type"]> => ({
  accepts: null,
  decode: Schema.decodeUnknownResult(schema)
})

/** For schemas without defaults and transformations, where a check spares the copy: that is what most frames go through. */
const checking = <S extends Schema.Decoder<unknown>>(schema: S): FrameDecoder<S["Type"]> => ({
  ...decoding(schema),
  accepts: Schema.is(schema)
})

const carriesBufferId: ReadonlySet<unknown> = new Set(["inbound", "passthrough_forward"])

/** The delivery id of a frame that did not decode. */
const readableBufferId = (frame: object, type: unknown): string | null =>
  carriesBufferId.has(type) && "bufferId" in frame && typeof frame.bufferId === "string" && frame.bufferId !== ""
    ? frame.bufferId
    : null

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const lineDecoder =
  <Frame>(decoders: ReadonlyMap<string, FrameDecoder<Frame>>) =>
  (line: string): Decoded<Frame> => {
    let json: unknown
    try {
      json = JSON.parse(line)
    } catch (cause) {
      return makeError({ reason: "InvalidJson", line, detail: cause instanceof Error ? cause.message : "not JSON" })
    }
    if (!isObject(json)) return makeError({ reason: "NotAnObject", line, detail: describeValue(json) })
    const type = "type" in json ? json.type : undefined
    if (typeof type !== "string") return makeError({ reason: "InvalidFields", line, detail: "type is no string" })
    const decoder = decoders.get(type)
    if (decoder === undefined) return new UnknownFrame(type)
    if (decoder.accepts?.(json) === true) return json
    const result = decoder.decode(json)
    return Result.isSuccess(result)
      ? result.success
      : makeError({
          reason: "InvalidFields",
          line,
          frameType: type,
          bufferId: readableBufferId(json, type),
          detail: result.failure.message
        })
  }

const describeValue = (value: unknown): string =>
  Array.isArray(value) ? "an array" : value === null ? "null" : `a ${typeof value}`

/** One line of a connector. */
export const decodeLine = lineDecoder<ConnectorFrame>(
  new Map<string, FrameDecoder<ConnectorFrame>>([
    ["descriptor", decoding(DescriptorFrame)],
    ["inbound", checking(InboundFrame)],
    ["outbound_result", checking(OutboundResultFrame)],
    ["interrupt_inbound", decoding(InterruptInboundFrame)],
    ["passthrough_forward", decoding(PassthroughForwardFrame)],
    ["going_idle_ack", decoding(GoingIdleAckFrame)]
  ])
)

/** One line of a gateway, for a connector. */
export const decodeGatewayLine = lineDecoder<GatewayFrame>(
  new Map<string, FrameDecoder<GatewayFrame>>([
    ["hello", decoding(HelloFrame)],
    ["outbound", decoding(OutboundFrame)],
    ["interrupt", decoding(InterruptFrame)],
    ["inbound_ack", decoding(InboundAckFrame)],
    ["going_idle", decoding(GoingIdleFrame)]
  ])
)

/** Where a connector writes type and delivery id: at the beginning of its line, or behind everything else. */
const leading =
  /^\s*\{\s*(?:"type"\s*:\s*"(\w+)"\s*,\s*)?(?:"bufferId"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*)?(?:"type"\s*:\s*"(\w+)")?/
const trailing =
  /(?:,\s*"type"\s*:\s*"(\w+)"\s*)?(?:,\s*"bufferId"\s*:\s*("(?:[^"\\]|\\.)*")\s*)?(?:,\s*"type"\s*:\s*"(\w+)"\s*)?\}\s*$/

/**
 * A line above the limit is not read, yet its sender repeats it until it is acknowledged (`relay I3a`). What stands inside
 * a text cannot pass for it: there every quote is escaped.
 */
const rejectLarge = ({ end = "", text }: BadLine): FrameDecodeError => {
  const first = leading.exec(text)
  const last = trailing.exec(end)
  const type = first?.[1] ?? first?.[3] ?? last?.[1] ?? last?.[3] ?? null
  const quoted = first?.[2] ?? last?.[2]
  const id = quoted === undefined ? null : parseText(quoted)
  return makeError({
    reason: "TooLarge",
    line: text,
    frameType: type,
    bufferId: carriesBufferId.has(type) && id !== "" ? id : null,
    detail: "longer than 4 MiB"
  })
}

const parseText = (json: string): string | null => {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === "string" ? value : null
  } catch {
    return null
  }
}

/** A line that the reader could not give as text. It may still tell the delivery id. */
export const rejectLine = (bad: BadLine): FrameDecodeError => {
  if (bad.reason === "TooLarge") return rejectLarge(bad)
  const frame = parseObject(bad.text)
  const type = frame !== null && "type" in frame && typeof frame.type === "string" ? frame.type : null
  return makeError({
    reason: bad.reason,
    line: bad.text,
    frameType: type,
    bufferId: frame === null ? null : readableBufferId(frame, type),
    detail: "not UTF-8"
  })
}

const parseObject = (text: string): object | null => {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

/** A frame as its line, newline included. */
export const encode = (frame: ConnectorFrame | GatewayFrame): string => `${JSON.stringify(frame)}\n`

/** `encode` of an `outbound`, where the action is known to be ours; `identity` only where several are fronted. */
export const encodeOutbound = (requestId: string, action: OutboundAction, identity: Identity | null): string => {
  const who =
    identity === null
      ? ""
      : `,"platform":${JSON.stringify(identity.platform)},"botId":${JSON.stringify(identity.botId)}`
  return `{"type":"outbound","requestId":"${requestId}","action":${JSON.stringify(action)}${who}}\n`
}

/** `encode` of an `inbound_ack`. */
export const encodeAck = (bufferId: string): string => `{"type":"inbound_ack","bufferId":${JSON.stringify(bufferId)}}\n`
