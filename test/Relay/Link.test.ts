/** How the link comes about and comes back, on a test clock: handshake, backoff, heartbeat, revocation. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Random } from "effect"
import { TestClock } from "effect/testing"
import { verify } from "../../src/Relay/UpgradeToken.ts"
import { descriptorLine, type FakeConnector, inboundLine, refusal } from "./FakeConnector.ts"
import { always, elapse, open, send, settle } from "./SimulatedLink.ts"

describe("the handshake (H1, H2, H3, H4)", () => {
  it.effect("says hello and is ready with the first descriptor", () =>
    Effect.gen(function* () {
      const { connector, state, transport } = yield* open((connector) => (connector.greeting = []))
      assert.strictEqual(state(), "Handshaking")
      assert.deepStrictEqual(connector.wire.frames, [{ type: "hello", platform: "discord", botId: "bot" }])
      assert.isFalse(transport.isUp())
      const early = yield* Effect.flip(transport.request(send("early")))
      assert.strictEqual(early._tag, "NotConnected")
      connector.wire.send(descriptorLine(), descriptorLine({ platform: "slack", max_message_length: 39_000 }))
      yield* settle
      assert.strictEqual(state(), "Ready")
      yield* transport.awaitUp
      assert.strictEqual(transport.descriptor("slack")?.max_message_length, 39_000)
      assert.strictEqual(transport.descriptor("unheard-of")?.platform, "discord")
    })
  )

  it.effect("dials the derived URL with a new token each time", () =>
    Effect.gen(function* () {
      const { connector } = yield* open((connector) => (connector.refuse = () => refusal("Unreachable")), "s3cret")
      yield* elapse("90 seconds")
      assert.isAbove(connector.dials.length, 2)
      for (const { at, token, url } of connector.dials) {
        assert.strictEqual(url, "wss://connector.example/relay")
        assert.strictEqual(verify(token!, ["s3cret"], at / 1000), "gw-1")
        assert.isNull(verify(token!, ["s3cret"], at / 1000 + 301))
      }
      assert.isAbove(new Set(connector.dials.map(({ token }) => token)).size, 1)
    })
  )

  it.effect("sends no token without both id and secret", () =>
    Effect.gen(function* () {
      const { connector } = yield* open()
      assert.isNull(connector.dials[0]!.token)
    })
  )

  it.effect("fails when no descriptor comes within 30 s, and is tried again", () =>
    Effect.gen(function* () {
      const { connector, state } = yield* open((connector) => (connector.greeting = []))
      yield* elapse("29 seconds")
      assert.strictEqual(state(), "Handshaking")
      connector.greeting = [descriptorLine()]
      yield* elapse("2 seconds")
      assert.strictEqual(connector.dials.length, 2)
      assert.strictEqual(state(), "Ready")
    })
  )

  it.effect("fails on a descriptor that lacks a field, but a good one beside it is enough", () =>
    Effect.gen(function* () {
      const bad = descriptorLine({ len_unit: undefined })
      const { connector, state } = yield* open((connector) => (connector.greeting = [bad]))
      assert.strictEqual(state(), "Handshaking")
      yield* elapse("2 seconds")
      assert.isAbove(connector.dials.length, 1)
      connector.greeting = [bad, descriptorLine()]
      yield* elapse("30 seconds")
      assert.strictEqual(state(), "Ready")
      const dials = connector.dials.length
      connector.wire.send(bad, inboundLine("b", "after it"))
      yield* elapse("30 seconds")
      assert.strictEqual(connector.dials.length, dials)
      assert.deepStrictEqual(connector.wire.acks, ["b"])
    })
  )
})

describe("dialling again (C1)", () => {
  it.effect("waits twice as long each time, up to 30 s", () =>
    Effect.gen(function* () {
      const { connector } = yield* open((connector) => (connector.refuse = () => refusal("Unreachable")))
      for (let n = 0; n < 400; n++) yield* TestClock.adjust("500 millis")
      const waits = connector.dials.slice(1).map(({ at }, n) => at - connector.dials[n]!.at)
      assert.deepStrictEqual(waits.slice(0, 8), [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    }).pipe(always(1))
  )

  it.effect("jitters over the whole wait", () =>
    Effect.gen(function* () {
      const { connector } = yield* open((connector) => (connector.refuse = () => refusal("Unreachable")))
      for (let n = 0; n < 2000; n++) yield* TestClock.adjust("50 millis")
      const waits = connector.dials.slice(1).map(({ at }, n) => at - connector.dials[n]!.at)
      for (const [n, wait] of waits.entries()) assert.isAtMost(wait, Math.min(30_000, 500 * 2 ** n) + 50)
      assert.isTrue(waits.some((wait, n) => n > 2 && wait < 250 * 2 ** n))
    }).pipe(Random.withSeed("jitter"))
  )

  it.effect("forgets failures only after 60 s of being ready", () =>
    Effect.gen(function* () {
      let refusals = 4
      const { connector, state } = yield* open((connector) => {
        connector.refuse = () => (refusals-- > 0 ? refusal("Unreachable") : null)
      })
      yield* elapse("20 seconds")
      assert.strictEqual(state(), "Ready")
      assert.strictEqual(connector.dials.length, 5)
      // Lost at once: the wait goes on growing.
      connector.wire.end(1006)
      yield* settle
      assert.strictEqual(state(), "Disconnected")
      yield* elapse("7 seconds")
      assert.strictEqual(connector.dials.length, 5)
      yield* elapse("1 second")
      assert.strictEqual(connector.dials.length, 6)
      yield* elapse("61 seconds")
      connector.wire.end(1006)
      yield* elapse("500 millis")
      assert.strictEqual(connector.dials.length, 7)
      assert.strictEqual(state(), "Ready")
    }).pipe(always(1))
  )

  it.effect("happens at once on command", () =>
    Effect.gen(function* () {
      const { connector, transport } = yield* open((connector) => (connector.refuse = () => refusal("Unreachable")))
      yield* elapse("10 minutes")
      const before = connector.dials.length
      yield* transport.redial
      yield* settle
      assert.strictEqual(connector.dials.length, before + 1)
    })
  )
})

describe("the heartbeat (C3)", () => {
  it.effect("closes and redials when a ping has no answer for 20 s", () =>
    Effect.gen(function* () {
      const { connector, state, transport } = yield* open()
      yield* elapse("5 minutes")
      assert.strictEqual(connector.dials.length, 1)
      const first = connector.wire
      first.answersPings = false
      const waiting = yield* Effect.forkChild(Effect.flip(transport.request(send("x"))))
      yield* elapse("19 seconds")
      assert.strictEqual(connector.dials.length, 1)
      yield* elapse("21 seconds")
      assert.deepStrictEqual(first.closes[0], 1006)
      assert.include(["ConnectionLost", "OutboundTimeout"], (yield* Fiber.join(waiting))._tag)
      yield* elapse("1 second")
      assert.strictEqual(connector.dials.length, 2)
      assert.strictEqual(state(), "Ready")
      assert.strictEqual(transport.activity().reconnects, 1)
    })
  )

  it.effect("proves nothing while reading has stopped for want of room", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open()
      intake.gate.closeUnsafe()
      connector.wire.send(Array.from({ length: 6000 }, (_, n) => inboundLine(`b${n}`, `t${n}`)).join(""))
      connector.wire.answersPings = false
      yield* settle
      yield* elapse("5 minutes")
      assert.strictEqual(connector.dials.length, 1)
      intake.gate.openUnsafe()
      yield* settle
      yield* settle
      assert.strictEqual(intake.taken.length, 6000)
      yield* elapse("1 minute")
      assert.isAbove(connector.dials.length, 1)
    })
  )
})

describe("credentials that are refused (C2, L10)", () => {
  it.effect("are tried again before the first handshake", () =>
    Effect.gen(function* () {
      const { connector, state } = yield* open((connector) => (connector.refuse = () => refusal("Unauthorized", 401)))
      yield* elapse("2 minutes")
      assert.isAbove(connector.dials.length, 3)
      connector.refuse = () => null
      connector.greeting = []
      yield* elapse("30 seconds")
      connector.wire.end(4401)
      connector.greeting = [descriptorLine()]
      yield* elapse("40 seconds")
      assert.strictEqual(state(), "Ready")
    })
  )

  for (const [how, refuse] of [
    ["4401", (connector: FakeConnector) => connector.wire.end(4401)],
    [
      "a refused upgrade",
      (connector: FakeConnector) => {
        connector.refuse = () => refusal("Unauthorized", 403)
        connector.wire.end(1006)
      }
    ]
  ] as const) {
    it.effect(`end the link after a good handshake, until it is told to dial: ${how}`, () =>
      Effect.gen(function* () {
        const { connector, state, transport } = yield* open()
        refuse(connector)
        yield* elapse("1 second")
        assert.strictEqual(state(), "Closed(AuthRevoked)")
        const dials = connector.dials.length
        yield* elapse("1 day")
        assert.strictEqual(connector.dials.length, dials)
        connector.refuse = () => null
        yield* transport.redial
        yield* settle
        assert.strictEqual(state(), "Ready")
      })
    )
  }
})
