/** The link over real sockets on the loopback: upgrade, framing, close codes, TCP backpressure, hostile input. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Redacted, Scope, SubscriptionRef } from "effect"
import { Dialer } from "../../src/Relay/Dialer.ts"
import { verify } from "../../src/Relay/UpgradeToken.ts"
import * as WebSocketTransport from "../../src/Relay/WebSocketTransport.ts"
import { eventually } from "../support/Eventually.ts"
import { descriptorLine, inboundLine, resultLine } from "./FakeConnector.ts"
import { IntakeDouble } from "./IntakeDouble.ts"
import { type Server, serve } from "./LoopbackConnector.ts"

const open = Effect.fnUntraced(function* (prepare: (server: Server) => void = () => {}) {
  const server: Server = yield* serve
  prepare(server)
  const intake = new IntakeDouble()
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => {
    intake.gate.openUnsafe()
    return Scope.close(scope, Exit.void)
  })
  const transport = yield* WebSocketTransport.make({
    url: server.url,
    identities: [{ platform: "discord", botId: "bot" }],
    id: "gw-1",
    secret: Redacted.make("s3cret"),
    link: "relay:bot"
  }).pipe(Effect.provide([Dialer.layer, intake.layer]), Effect.provideService(Scope.Scope, scope))
  const state = () => SubscriptionRef.getUnsafe(transport.state)._tag
  return { server, intake, transport, scope, state }
})

const ready = Effect.fnUntraced(function* () {
  const link = yield* open()
  yield* eventually("ready", () => link.state() === "Ready")
  return link
})

const send = {
  action: { op: "send", chat_id: "chat", content: "x" } as const,
  platform: "discord",
  rank: "final" as const
}
const range = (count: number) => Array.from({ length: count }, (_, n) => n)

describe("the link over a real socket (W1, W3, I3a, I4, O3, C2)", () => {
  it.live("upgrades with a bearer, says hello, stores, acknowledges, asks and gets its answer", () =>
    Effect.gen(function* () {
      const { intake, server, transport } = yield* ready()
      const [request] = server.requests
      assert.strictEqual(request!.url, "/relay")
      const token = request!.headers.authorization!.replace(/^Bearer /, "")
      assert.strictEqual(verify(token, ["s3cret"], Date.now() / 1000), "gw-1")
      assert.isUndefined(request!.headers["sec-websocket-extensions"])
      server.socket().send(inboundLine("b1", "grüße 😀"))
      yield* eventually("acknowledged", () => server.acks().length === 1)
      assert.deepStrictEqual(intake.texts, ["grüße 😀"])
      const asking = yield* Effect.forkChild(transport.request(send))
      yield* eventually("asked", () => server.frames.some(({ type }) => type === "outbound"))
      assert.deepStrictEqual(server.frames[0], { type: "hello", platform: "discord", botId: "bot" })
      server.socket().send(
        resultLine(server.frames.find(({ type }) => type === "outbound")!.requestId!, {
          success: true,
          message_id: "m"
        })
      )
      assert.deepStrictEqual(yield* Fiber.join(asking), { success: true, message_id: "m" })
    }).pipe(Effect.scoped)
  )

  it.live("puts lines together from text and binary messages cut in the middle of a character", () =>
    Effect.gen(function* () {
      const { intake, server } = yield* ready()
      const texts = range(200).map((n) => `${n} 你好 👩‍🚀 é`)
      const bytes = Buffer.from(texts.map((text, n) => inboundLine(`b${n}`, text)).join(""))
      for (let at = 0, n = 0; at < bytes.length; n++) {
        const size = 1 + ((n * 7) % 13)
        server.socket().send(bytes.subarray(at, at + size), { binary: n % 2 === 0 })
        at += size
      }
      yield* eventually("all acknowledged", () => server.acks().length === 200)
      assert.deepStrictEqual(intake.texts, texts)
    }).pipe(Effect.scoped)
  )

  it.live("fails what waits at once when the socket is cut, dials again, and takes the redelivery", () =>
    Effect.gen(function* () {
      const { intake, server, state, transport } = yield* ready()
      intake.gate.closeUnsafe()
      server.socket().send(inboundLine("b1", "first"))
      const asking = yield* Effect.forkChild(Effect.flip(transport.request(send)))
      yield* eventually("asked", () => server.frames.some(({ type }) => type === "outbound"))
      yield* eventually("taken", () => intake.batches.length === 1)
      const began = performance.now()
      server.socket().terminate()
      assert.strictEqual((yield* Fiber.join(asking))._tag, "ConnectionLost")
      assert.isBelow(performance.now() - began, 2000)
      intake.gate.openUnsafe()
      yield* eventually("ready again", () => server.sockets.length === 2 && state() === "Ready")
      assert.deepStrictEqual(server.acks(), [])
      server.socket().send(inboundLine("b1", "first"))
      yield* eventually("acknowledged", () => server.acks().length === 1)
    }).pipe(Effect.scoped)
  )

  it.live("tries again after 401 and 4401, and gives up on 4401 once it was let in", () =>
    Effect.gen(function* () {
      const { server, state } = yield* open((server) => {
        server.status = 401
      })
      yield* eventually("refused", () => state() === "Disconnected")
      server.greeting = null
      server.status = null
      yield* eventually("connected", () => server.sockets.length === 1)
      server.socket().close(4401)
      server.greeting = descriptorLine()
      yield* eventually("ready", () => state() === "Ready")
      server.socket().close(4401)
      yield* eventually("closed", () => state() === "Closed")
    }).pipe(Effect.scoped)
  )

  it.live("closes with 1000 when its scope ends", () =>
    Effect.gen(function* () {
      const { scope, server } = yield* ready()
      yield* Scope.close(scope, Exit.void)
      yield* eventually("closed", () => server.closes.length === 1)
      assert.deepStrictEqual(server.closes, [1000])
    }).pipe(Effect.scoped)
  )

  it.live(
    "stops reading while storage stalls, so that TCP pushes back, and loses nothing",
    () =>
      Effect.gen(function* () {
        const { intake, server } = yield* ready()
        intake.gate.closeUnsafe()
        const count = 40_000
        const padding = "x".repeat(1000)
        for (const n of range(count)) server.socket().send(inboundLine(`b${n}`, `${n} ${padding}`))
        let held = 0
        let stillSince = 0
        yield* eventually("the sender is held back", () => {
          stillSince = server.socket().bufferedAmount === held ? stillSince + 1 : 0
          held = server.socket().bufferedAmount
          return stillSince > 10
        })
        assert.isAbove(held, 10_000_000)
        intake.gate.openUnsafe()
        yield* eventually("all acknowledged", () => server.acks().length === count, { seconds: 30 })
        assert.deepStrictEqual(
          intake.texts.map((text) => Number(text.split(" ")[0])),
          range(count)
        )
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "answers the message after 200,000 hostile lines, with bounded log and memory",
    () =>
      Effect.gen(function* () {
        const { intake, server } = yield* ready()
        const hostile = [
          "{",
          "[]",
          "null",
          '"text"',
          '{"type":7}',
          '{"type":"inbound"}',
          '{"type":"inbound","event":[]}',
          '{"type":"outbound_result"}',
          '{"type":"outbound_result","requestId":"x","result":1}',
          '{"type":"descriptor","descriptor":{}}',
          '{"type":"mystery"}',
          '{"type":"interrupt_inbound"}',
          "[".repeat(200),
          "\u0000\u0001",
          '{"__proto__":{"type":"inbound"}}'
        ]
        const block = Buffer.concat([
          ...range(1000).map((n) => Buffer.from(`${hostile[n % hostile.length]}\n`)),
          Buffer.from([0xff, 0xfe, 0x0a])
        ])
        const before = process.memoryUsage().rss
        for (const _ of range(200)) server.socket().send(block, { binary: false })
        server.socket().send(inboundLine("after", "after"))
        yield* eventually("acknowledged", () => server.acks().includes("after"), { seconds: 60 })
        assert.deepStrictEqual(intake.texts, ["after"])
        assert.strictEqual(server.sockets.length, 1)
        assert.isBelow(process.memoryUsage().rss - before, 300 * 1024 * 1024)
        // Ten a second for each of five reasons and two remarks, and the summaries.
        assert.isBelow(logged, 10 * 7 * 60 + 7 * 60)
      }).pipe(
        Effect.scoped,
        Effect.provide(
          Logger.layer([
            Logger.make(() => {
              logged++
            })
          ])
        )
      ),
    { timeout: 90_000 }
  )

  it.live("buries and acknowledges a delivery in one message of 10 MiB (I3a)", () =>
    Effect.gen(function* () {
      const { intake, server } = yield* ready()
      server.socket().send(inboundLine("huge", "x".repeat(10 * 1024 * 1024)) + inboundLine("b", "fine"))
      yield* eventually("acknowledged", () => server.acks().length === 2)
      assert.deepStrictEqual(intake.texts, ["fine"])
      assert.deepStrictEqual(
        intake.buried.map(({ bufferId }) => bufferId),
        ["huge"]
      )
      assert.strictEqual(server.sockets.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("reports one line beyond 4 MiB and goes on", () =>
    Effect.gen(function* () {
      const { intake, server } = yield* ready()
      for (const _ of range(6)) server.socket().send("x".repeat(1024 * 1024))
      server.socket().send(`\n${inboundLine("b", "fine")}`)
      yield* eventually("acknowledged", () => server.acks().length === 1)
      assert.deepStrictEqual(intake.texts, ["fine"])
      assert.strictEqual(server.sockets.length, 1)
    }).pipe(Effect.scoped)
  )
})

let logged = 0
