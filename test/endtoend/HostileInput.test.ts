/** Two hundred thousand lines that no connector may send (`relay W3`): none stops the link; memory, log stay bounded. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Eventually.ts"
import { type Random, seeded } from "../support/Random.ts"
import * as Scene from "../support/Scene.ts"

const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`

const frames: ReadonlyArray<(random: Random, n: number) => string> = [
  () => "[]",
  () => `[1,2,{"type":"inbound"}]`,
  () => "null",
  () => "42",
  () => `"inbound"`,
  () => "{}",
  () => "",
  () => "   \t",
  () => `{"type":`,
  () => `{"type":"inbound",}`,
  () => `{'type':'inbound'}`,
  () => `{"type":null}`,
  () => `{"type":["inbound"]}`,
  (_, n) => `{"type":"type-of-the-future-${n % 7}","x":[${n}]}`,
  () => `{"type":"inbound"}`,
  () => `{"type":"inbound","event":null}`,
  () => `{"type":"inbound","event":[]}`,
  () => `{"type":"inbound","event":{"text":5,"source":{}}}`,
  () => `{"type":"inbound","event":{"text":"x","source":"relay"}}`,
  () => `{"type":"inbound","event":{"text":"x","source":{"platform":"relay","chat_id":{"a":1}}}}`,
  () => `{"type":"inbound","event":{"text":"x","source":{"chat_id":"c"},"media_urls":"no list"},"bufferId":7}`,
  () => `{"type":"descriptor"}`,
  () => `{"type":"descriptor","descriptor":{"platform":"relay"}}`,
  () => `{"type":"descriptor","descriptor":[]}`,
  (_, n) => `{"type":"outbound_result","requestId":"${n.toString(16).padStart(32, "0")}","result":{"success":true}}`,
  () => `{"type":"outbound_result","requestId":7,"result":{"success":true}}`,
  () => `{"type":"outbound_result","requestId":"x","result":[]}`,
  () => `{"type":"outbound_result"}`,
  () => `{"type":"interrupt_inbound","session_key":{},"chat_id":[]}`,
  (_, n) => `{"type":"interrupt_inbound","session_key":"agent:main:relay:dm:nobody-${n}","chat_id":"nobody"}`,
  () => `{"type":"passthrough_forward","forward":{"platform":"discord"}}`,
  () =>
    `{"type":"passthrough_forward","forward":{"platform":"x","botId":"","method":"POST","path":"/","headers":[],"bodyB64":"*"}}`,
  () => `{"type":"going_idle_ack","extra":1}`,
  () => `{"__proto__":{"type":"inbound"},"constructor":{"prototype":{}}}`,
  () => nested(200),
  (random) => `{"type":"inbound","event":{"text":"\\ud800${random.below(10)}"`
]

const badBytes = Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0xc0, 0xaf, 0xed, 0xa0, 0x80, 0x22, 0x7d])

/** About a hundred lines in one binary message. */
const packet = (random: Random, from: number): Buffer => {
  const parts: Array<Buffer> = []
  for (let n = from; n < from + 100; n++) {
    parts.push(random.next() < 0.05 ? badBytes : Buffer.from(random.pick(frames)(random, n)), Buffer.from("\n"))
  }
  return Buffer.concat(parts)
}

const MiB = 1024 * 1024

describe("hostile lines", () => {
  it.live(
    "two hundred thousand of them neither stop the link nor grow memory and log",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        const { connector } = scene
        const random = seeded(2024)
        scene.say("ada", "before")
        yield* scene.shows("ada", "before")
        const logBefore = scene.gateway().outputBytes() + Scene.bytesBelow(join(scene.home, "logs"))
        const flushed = eventually("the socket to take what was sent", () => connector.backlog < 2 * MiB, {
          seconds: 60
        })

        for (let sent = 0; sent < 200_000; sent += 100) {
          connector.raw(packet(random, sent))
          yield* flushed
          if (sent % 20_000 === 0) {
            connector.raw(`${"x".repeat(5 * MiB)}\n`)
            connector.raw(
              Buffer.concat([Buffer.from(`{"type":"inbound","event":{"text":"`), Buffer.alloc(5 * MiB, 0x61)])
            )
            connector.raw(`"}}\n${nested(100_000)}\n`)
            yield* flushed
          }
        }
        // What cannot be decoded but has a bufferId is kept as dead and acknowledged, or it would come for ever (I3a).
        for (let n = 0; n < 20; n++) connector.deliverEvent({ text: n, source: [] })
        scene.say("ada", "after all that")
        yield* scene.shows("ada", "after all that", 90)

        yield* eventually("every delivery to be acknowledged", () => connector.waiting === 0)
        assert.strictEqual(connector.counts.connections, 1)
        assert.deepStrictEqual(scene.answers("ada"), ["before", "after all that"])
        assert.deepStrictEqual(connector.violations, [])
        const grown = scene.gateway().outputBytes() + Scene.bytesBelow(join(scene.home, "logs")) - logBefore
        assert.isBelow(grown, 4 * MiB, "the log grows by a bounded number of lines")
        assert.isBelow(scene.gateway().rss(), 450 * MiB, "memory is bounded")
        const ready = yield* scene.gateway().get("/ready")
        assert.strictEqual(ready.status, 200, ready.body)
      }).pipe(Effect.scoped),
    { timeout: 240_000 }
  )
})
