/**
 * `npm run bench:decode`: what one line costs, by type: `JSON.parse` alone, and the whole of `decodeLine` with the Schemas
 * as the gateway uses them. Medians of rounds; only the ratio means something on another machine.
 */
import "effect/schema/SchemaJITCompiler/enable"
import { FrameDecodeError } from "../src/Relay/FrameDecodeError.ts"
import { decodeGatewayLine, decodeLine } from "../src/Relay/Protocol.ts"
import { median, table } from "./Figures.ts"
import { descriptorLine, inboundLine } from "./Wire.ts"

const source =
  `{"platform":"discord","chat_id":"c","chat_type":"channel","user_id":"u","user_name":"Ada","guild_id":"g","scope_id":"g",` +
  `"thread_id":"t","is_bot":false,"message_is_edit":false}`
const text = "lorem ipsum dolor sit amet ".repeat(8)
const key = "a".repeat(32)

const lines: ReadonlyArray<readonly [name: string, line: string, decode: (line: string) => unknown]> = [
  ["descriptor", descriptorLine, decodeLine],
  ["inbound, plain", inboundLine("c", 1, "x"), decodeLine],
  [
    "inbound, full",
    `{"type":"inbound","bufferId":"b","event":{"text":"${text}","message_type":"photo","message_id":"m","source":${source},` +
      `"reply_to":{"text":"before","author":"Bob","is_own":false},"media_urls":["https://example.org/a"],` +
      `"media":[{"kind":"image","mime":"image/png","size":3,"filename":"a","caption":"c"}],` +
      `"context":[{"author":"Bob","text":"hello"},{"author":"Eve","text":"hello"}]}}`,
    decodeLine
  ],
  [
    "outbound_result",
    `{"type":"outbound_result","requestId":"${key}","result":{"success":true,"message_id":"m"}}`,
    decodeLine
  ],
  ["interrupt_inbound", `{"type":"interrupt_inbound","session_key":"agent:main:relay:dm:c","chat_id":"c"}`, decodeLine],
  [
    "passthrough_forward",
    `{"type":"passthrough_forward","bufferId":"b","forward":{"platform":"discord","botId":"b","method":"POST","path":"/i",` +
      `"headers":[["content-type","application/json"]],"bodyB64":"${Buffer.from(text).toString("base64")}"}}`,
    decodeLine
  ],
  ["going_idle_ack", `{"type":"going_idle_ack"}`, decodeLine],
  ["unknown type", `{"type":"type-of-the-future","x":[1,2,3]}`, decodeLine],
  ["no JSON", `{"type":"inbound","event":{"text":"${text}"`, decodeLine],
  ["bad fields", `{"type":"inbound","event":{"text":5,"source":{"chat_id":[]}},"bufferId":"b"}`, decodeLine],
  ["hello", `{"type":"hello","platform":"relay","botId":"b"}`, decodeGatewayLine],
  [
    "outbound",
    `{"type":"outbound","requestId":"${key}","action":{"op":"send","chat_id":"c","content":"${text}","metadata":{"idempotency_key":"${key}"}}}`,
    decodeGatewayLine
  ],
  ["inbound_ack", `{"type":"inbound_ack","bufferId":"b"}`, decodeGatewayLine]
]

const rounds = 7
const roundMillis = 120
/** Looked at, so that no work is left out as useless. */
let looked = 0

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

/** Microseconds of one call. */
const cost = (act: (line: string) => unknown, line: string): number => {
  const measured: Array<number> = []
  for (let round = 0; round <= rounds; round++) {
    const began = performance.now()
    let calls = 0
    let spent = 0
    while (spent < roundMillis) {
      for (let n = 0; n < 200; n++) if (act(line) instanceof FrameDecodeError) looked++
      calls += 200
      spent = performance.now() - began
    }
    // The first round warms up.
    if (round > 0) measured.push((spent * 1000) / calls)
  }
  return median(measured)
}

const rows = lines.map(([name, line, decode]) => {
  const parsed = cost(parse, line)
  const decoded = cost(decode, line)
  return [
    name,
    String(Buffer.byteLength(line)),
    `${parsed.toFixed(2)} µs`,
    `${decoded.toFixed(2)} µs`,
    (decoded / parsed).toFixed(2)
  ]
})

process.stdout.write(`${table([["frame", "bytes", "JSON.parse", "decoded", "ratio"], ...rows])}\n`)
process.stdout.write(`${looked} lines were refused\n`)
