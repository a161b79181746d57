/** How the link ends on purpose, on a test clock: draining and stopping. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { inboundLine, refusal, resultLine } from "./FakeConnector.ts"
import { elapse, open, send, settle } from "./SimulatedLink.ts"

describe("draining (C4)", () => {
  it.effect("asks for idleness, waits for the word, goes on storing and sending, and closes with 1000", () =>
    Effect.gen(function* () {
      const { close, connector, state, transport } = yield* open()
      const { wire } = connector
      const drain = yield* Effect.forkChild(transport.drain)
      yield* settle
      assert.strictEqual(state(), "Draining")
      assert.strictEqual(wire.ofType("going_idle").length, 1)
      wire.send(inboundLine("late", "late"))
      yield* settle
      assert.deepStrictEqual(wire.acks, ["late"])
      assert.isUndefined(drain.pollUnsafe())
      wire.send('{"type":"going_idle_ack"}\n')
      yield* settle
      assert.isDefined(drain.pollUnsafe())
      wire.send(inboundLine("later", "later"))
      const last = yield* Effect.forkChild(transport.request(send("last words")))
      yield* settle
      wire.send(resultLine(wire.ofType("outbound")[0]!.requestId!, { success: true, message_id: "m" }))
      assert.strictEqual((yield* Fiber.join(last)).message_id, "m")
      assert.deepStrictEqual(wire.closes, [])
      yield* close
      assert.deepStrictEqual(wire.acks, ["late", "later"])
      assert.strictEqual(wire.closes[0], 1000)
      assert.strictEqual(state(), "Closed(Drained)")
    })
  )

  it.effect("waits 10 s at most, and does not dial again", () =>
    Effect.gen(function* () {
      const { connector, state, transport } = yield* open()
      const drain = yield* Effect.forkChild(transport.drain)
      yield* elapse("9 seconds")
      assert.isUndefined(drain.pollUnsafe())
      yield* elapse("1 second")
      assert.isDefined(drain.pollUnsafe())
      connector.wire.end(1006)
      yield* elapse("1 hour")
      assert.strictEqual(connector.dials.length, 1)
      assert.strictEqual(state(), "Closed(Drained)")
    })
  )

  it.effect("ends at once when nothing is connected", () =>
    Effect.gen(function* () {
      const { connector, state, transport } = yield* open(
        (connector) => (connector.refuse = () => refusal("Unreachable"))
      )
      yield* elapse("1 minute")
      const dials = connector.dials.length
      yield* transport.drain
      yield* elapse("1 hour")
      assert.strictEqual(connector.dials.length, dials)
      assert.strictEqual(state(), "Closed(Drained)")
    })
  )
})

describe("stopping (C4, I3)", () => {
  it.effect("stores and acknowledges what was read before the socket is closed", () =>
    Effect.gen(function* () {
      const { close, connector, intake } = yield* open()
      intake.gate.closeUnsafe()
      connector.wire.send(inboundLine("one", "one"))
      yield* settle
      connector.wire.send(inboundLine("two", "two"))
      yield* settle
      const closing = yield* Effect.forkChild(close)
      yield* settle
      assert.deepStrictEqual(connector.wire.closes, [])
      connector.wire.send(inboundLine("three", "three"))
      yield* settle
      intake.gate.openUnsafe()
      yield* Fiber.join(closing)
      assert.deepStrictEqual(intake.texts, ["one", "two"])
      assert.deepStrictEqual(connector.wire.acks, ["one", "two"])
      assert.strictEqual(connector.wire.closes[0], 1000)
    })
  )

  it.effect("waits 5 s at most for storage that refuses", () =>
    Effect.gen(function* () {
      const { close, connector, intake } = yield* open()
      intake.gate.closeUnsafe()
      connector.wire.send(inboundLine("one", "one"))
      yield* settle
      const closing = yield* Effect.forkChild(close)
      yield* elapse("5 seconds")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(connector.wire.acks, [])
    })
  )
})
