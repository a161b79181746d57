/** Whatever bytes come, a line becomes a frame, an unknown frame, or a typed error (`relay W3`); nothing is thrown. */
import { assert, describe, it } from "@effect/vitest"
import * as LineReader from "../../src/Relay/LineReader.ts"
import { FrameDecodeError } from "../../src/Relay/FrameDecodeError.ts"
import { decodeAction } from "../../src/Relay/OutboundAction.ts"
import { decodeGatewayLine, decodeLine, encode, rejectLine, UnknownFrame } from "../../src/Relay/Protocol.ts"
import { toMessageEvent } from "../../src/Relay/InboundEvent.ts"
import * as LineFuzzer from "../support/LineFuzzer.ts"
import { seeded } from "../support/Random.ts"

const decoders = [decodeLine, decodeGatewayLine]

/** Reads a line as both sides do, and does with a frame what they do with it. */
const read = (line: string | LineReader.BadLine): ReadonlyArray<string> =>
  decoders.map((decode) => {
    const frame = typeof line === "string" ? decode(line) : rejectLine(line)
    if (frame instanceof FrameDecodeError) {
      assert.isAtMost(frame.preview.length, 201)
      return frame.reason
    }
    if (frame instanceof UnknownFrame) return "Unknown"
    if (frame.type === "inbound") toMessageEvent(frame.event)
    if (frame.type === "outbound") decodeAction(frame.action)
    const again = decode(encode(frame))
    assert.isFalse(again instanceof FrameDecodeError, "what decodes can be encoded and decoded again")
    return frame.type
  })

describe("the read path under fuzz", () => {
  it("gives the corpus a frame of every type and an error of every reason but size", () => {
    const outcomes = new Set(
      [...LineFuzzer.corpus, Buffer.from([0x7b, 0xff])].flatMap((line) => {
        const out: Array<string | LineReader.BadLine> = []
        LineReader.make().push(Buffer.concat([line, Buffer.from("\n")]), out)
        return out.flatMap(read)
      })
    )
    for (const expected of [
      "descriptor",
      "inbound",
      "outbound_result",
      "interrupt_inbound",
      "passthrough_forward",
      "going_idle_ack",
      "hello",
      "outbound",
      "interrupt",
      "inbound_ack",
      "going_idle",
      "Unknown",
      "InvalidUtf8",
      "InvalidJson",
      "NotAnObject",
      "InvalidFields"
    ])
      assert.include([...outcomes], expected)
  })

  it("survives twenty thousand mutants in pieces of any size, and reads the line after them", () => {
    const next = LineFuzzer.make(7)
    const random = seeded(8)
    const reader = LineReader.make()
    const out: Array<string | LineReader.BadLine> = []
    let lines = 0
    for (let n = 0; n < 20_000; n++) {
      const bytes = Buffer.concat([next(), Buffer.from("\n")])
      const cut = random.below(bytes.length)
      reader.push(bytes.subarray(0, cut), out)
      reader.push(bytes.subarray(cut), out)
      for (const line of out.splice(0)) {
        lines++
        read(line)
      }
    }
    assert.isAbove(lines, 18_000)
    reader.push('{"type":"going_idle_ack"}\n', out)
    assert.deepStrictEqual(out.flatMap(read), ["going_idle_ack", "Unknown"])
    assert.strictEqual(reader.heldBytes(), 0)
  })
})
