import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { FrameDecodeError, preview } from "../../src/Relay/FrameDecodeError.ts"
import * as LineReader from "../../src/Relay/LineReader.ts"
import { chatInfo } from "../../src/Relay/OutboundAction.ts"
import * as Protocol from "../../src/Relay/Protocol.ts"

const fails = (line: string) => {
  const frame = Protocol.decodeLine(line)
  if (!(frame instanceof FrameDecodeError)) throw new Error(`decoded: ${line.slice(0, 80)}`)
  return frame
}

/** JSON knows no -0, no NaN and no undefined. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const ConnectorFrames = Schema.Union([
  Protocol.DescriptorFrame,
  Protocol.InboundFrame,
  Protocol.InterruptInboundFrame,
  Protocol.GoingIdleAckFrame
])
const GatewayFrames = Schema.Union([
  Protocol.HelloFrame,
  Protocol.InterruptFrame,
  Protocol.InboundAckFrame,
  Protocol.GoingIdleFrame
])

describe("the frames of the relay (W2)", () => {
  it.prop("come back as they were sent, from a connector", { frame: ConnectorFrames }, ({ frame }) => {
    const line = Protocol.encode(frame)
    assert.isTrue(line.endsWith("\n") && line.indexOf("\n") === line.length - 1)
    const decoded = Protocol.decodeLine(line)
    assert.deepStrictEqual(asJson(decoded), asJson(frame))
  })

  it.prop("come back as they were sent, from a gateway", { frame: GatewayFrames }, ({ frame }) => {
    assert.deepStrictEqual(asJson(Protocol.decodeGatewayLine(Protocol.encode(frame))), asJson(frame))
  })

  it.prop("are encoded alike by the short ways", { id: Schema.String, text: Schema.String }, ({ id, text }) => {
    assert.strictEqual(Protocol.encodeAck(id), Protocol.encode({ type: "inbound_ack", bufferId: id }))
    const action = { op: "send", chat_id: id, content: text } as const
    assert.strictEqual(
      Protocol.encodeOutbound("0123", action, null),
      Protocol.encode({ type: "outbound", requestId: "0123", action })
    )
    assert.strictEqual(
      Protocol.encodeOutbound("0123", action, { platform: text, botId: id }),
      Protocol.encode({ type: "outbound", requestId: "0123", action, platform: text, botId: id })
    )
  })

  it.prop(
    "are a frame or a typed error whatever byte is changed",
    { frame: ConnectorFrames, changes: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int])) },
    ({ changes, frame }) => {
      const bytes = Buffer.from(Protocol.encode(frame))
      for (const [at, value] of changes) bytes[Math.abs(at) % bytes.length] = Math.abs(value) % 256
      const out: Array<string | LineReader.BadLine> = []
      LineReader.make().push(bytes, out)
      for (const line of out) {
        const decoded = typeof line === "string" ? Protocol.decodeLine(line) : Protocol.rejectLine(line)
        if (decoded instanceof FrameDecodeError) assert.isAtMost(decoded.preview.length, 200)
      }
    }
  )
})

describe("a line that is no frame (W2, W3)", () => {
  it("has a reason", () => {
    assert.strictEqual(fails("{").reason, "InvalidJson")
    assert.strictEqual(fails("\ufeff{}").reason, "InvalidJson")
    for (const value of ["[]", "null", "3", '"x"', "true", '[{"type":"inbound"}]']) {
      assert.strictEqual(fails(value).reason, "NotAnObject", value)
    }
    for (const value of ["{}", '{"type":1}', '{"type":null}']) {
      const error = fails(value)
      assert.deepStrictEqual([error.reason, error.frameType], ["InvalidFields", null], value)
    }
    const known = fails('{"type":"interrupt_inbound","session_key":"k"}')
    assert.deepStrictEqual([known.reason, known.frameType], ["InvalidFields", "interrupt_inbound"])
    assert.strictEqual(fails(`{"type":"descriptor","descriptor":{"platform":"x"}}`).frameType, "descriptor")
  })

  it("does not become a frame by names that every object has", () => {
    for (const type of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      assert.instanceOf(Protocol.decodeLine(JSON.stringify({ type })), Protocol.UnknownFrame)
    }
    assert.strictEqual(fails('{"__proto__":{"type":"going_idle_ack"}}').reason, "InvalidFields")
  })

  it("survives nesting as deep as a line allows", () => {
    const deep = "[".repeat(1_000_000)
    assert.strictEqual(fails(deep).reason, "InvalidJson")
    const closed = `${"[".repeat(200_000)}${"]".repeat(200_000)}`
    const frame = Protocol.decodeLine(`{"type":"outbound_result","requestId":"x","result":${closed}}`)
    assert.isFalse(frame instanceof Protocol.UnknownFrame)
  })

  it("of an unknown type is no error, and unknown fields are ignored", () => {
    const unknown = Protocol.decodeLine('{"type":"from_the_future","x":1}')
    assert.isTrue(unknown instanceof Protocol.UnknownFrame && unknown.name === "from_the_future")
    assert.deepStrictEqual(Protocol.decodeLine('{"type":"going_idle_ack","x":1}'), { type: "going_idle_ack" })
  })

  it("still tells the delivery that has to be acknowledged, when that can be read", () => {
    assert.strictEqual(fails(`{"type":"inbound","event":3,"bufferId":"b1"}`).bufferId, "b1")
    assert.strictEqual(fails(`{"type":"passthrough_forward","forward":{"bodyB64":"!"},"bufferId":"b2"}`).bufferId, "b2")
    assert.isNull(fails(`{"type":"inbound","event":3,"bufferId":7}`).bufferId)
    assert.isNull(fails(`{"type":"descriptor","descriptor":3,"bufferId":"b"}`).bufferId)
    const bad = Buffer.from(`{"type":"inbound","event":{"text":"?"},"bufferId":"b3"}\n`)
    bad[bad.indexOf("?")] = 0xff
    const out: Array<string | LineReader.BadLine> = []
    LineReader.make().push(bad, out)
    assert.isTrue(typeof out[0] === "object")
    const error = Protocol.rejectLine(out[0] as LineReader.BadLine)
    assert.deepStrictEqual([error.reason, error.bufferId, error.frameType], ["InvalidUtf8", "b3", "inbound"])
  })

  it("is shown without what may be a secret, in at most 200 characters", () => {
    const secret = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMN"
    assert.notInclude(preview(`{"x":"${secret}"}`), "ghijkl")
    assert.notInclude(preview('{"token":"short-one"}'), "short-one")
    assert.notInclude(preview("Authorization: Bearer tiny"), "tiny")
    assert.strictEqual(preview("a\n\u001b[31m\u0000b"), "a  [31m b")
    const cut = fails(`{"x":"${"😀".repeat(4000)}`)
    assert.isTrue(cut.preview.length <= 200 && cut.detail.length <= 200 && cut.preview.isWellFormed())
  })
})

describe("get_chat_info (H5)", () => {
  it("is read bare or under chat_info, with defaults for what is missing", () => {
    assert.deepStrictEqual(chatInfo("c", { name: "N", type: "group" }), { name: "N", type: "group" })
    assert.deepStrictEqual(chatInfo("c", { chat_info: { name: "N" } }), { name: "N", type: "dm" })
    for (const odd of [null, 3, [], {}, { name: 5 }])
      assert.deepStrictEqual(chatInfo("c", odd), { name: "c", type: "dm" })
  })
})

describe("a line above the limit", () => {
  const large = (line: string) => {
    const out: Array<string | LineReader.BadLine> = []
    const reader = LineReader.make(4000)
    for (let at = 0; at < line.length; at += 700) reader.push(line.slice(at, at + 700), out)
    reader.push("\n", out)
    const [bad] = out
    if (typeof bad !== "object") throw new Error("it was not too large")
    return Protocol.rejectLine(bad)
  }
  const filler = "x".repeat(5000)

  it("tells which delivery it was, wherever that stands (I3a)", () => {
    const event = { text: filler }
    const forward = { bodyB64: filler }
    for (const frame of [
      { type: "inbound", event, bufferId: 'b"1' },
      { type: "inbound", bufferId: 'b"1', event },
      { bufferId: 'b"1', type: "inbound", event },
      { event, type: "inbound", bufferId: 'b"1' },
      { bufferId: 'b"1', event, type: "inbound" },
      { event, bufferId: 'b"1', type: "inbound" },
      { type: "passthrough_forward", forward, bufferId: 'b"1' }
    ]) {
      for (const line of [JSON.stringify(frame), JSON.stringify(frame, null, 1).replaceAll("\n", " ")]) {
        const error = large(line)
        assert.deepStrictEqual([error.reason, error.bufferId], ["TooLarge", 'b"1'], line.slice(0, 60))
      }
    }
  })

  it("is not fooled by what a text says", () => {
    for (const text of ['","bufferId":"evil"}', '"bufferId":"evil"}', '\\","bufferId":"evil"}']) {
      for (const frame of [
        { type: "inbound", event: { text: filler + text } },
        { type: "inbound", event: { text: filler, more: [text] } },
        { type: "outbound_result", result: filler, bufferId: "b" }
      ]) {
        assert.isNull(large(JSON.stringify(frame)).bufferId)
      }
    }
  })
})
