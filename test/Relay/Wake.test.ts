/** Links that sleep and what wakes them (`relay L5`), on a test clock. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Wake } from "../../src/Relay/Wake.ts"
import { inboundLine, refusal } from "./FakeConnector.ts"
import { always, elapse, open, send, settle } from "./SimulatedLink.ts"

const ackLine = `${JSON.stringify({ type: "going_idle_ack" })}\n`

const asleep = Effect.fnUntraced(function* () {
  const link = yield* open()
  const sleeping = yield* Effect.forkChild(link.transport.sleep)
  yield* settle
  link.connector.wire.send(ackLine)
  yield* elapse("1 second")
  yield* Fiber.join(sleeping)
  return link
})

describe("a link that goes to sleep", () => {
  it.effect("says so, stores what still comes, closes with 1000, and does not dial", () =>
    Effect.gen(function* () {
      const { connector, intake, state, transport } = yield* open()
      const sleeping = yield* Effect.forkChild(transport.sleep)
      yield* settle
      const wire = connector.wire
      assert.lengthOf(wire.ofType("going_idle"), 1)
      wire.send(inboundLine("b1", "late"), ackLine)
      yield* elapse("1 second")
      yield* Fiber.join(sleeping)
      assert.deepStrictEqual(intake.texts, ["late"])
      assert.deepStrictEqual(wire.acks, ["b1"])
      assert.deepStrictEqual(wire.closes, [1000])
      assert.strictEqual(state(), "Disconnected")
      yield* elapse("3 hours")
      assert.lengthOf(connector.dials, 1)
      assert.isFalse(transport.isUp())
    })
  )

  it.effect("is woken by a poke, by who has something to send, and by command", () =>
    Effect.gen(function* () {
      for (const rouse of ["poke", "awaitUp", "redial"] as const) {
        const { connector, state, transport } = yield* asleep()
        yield* elapse("1 hour")
        yield* Effect.forkChild(transport[rouse])
        yield* settle
        assert.strictEqual(state(), "Ready", rouse)
        assert.lengthOf(connector.dials, 2, rouse)
      }
    })
  )

  it.effect("comes back at once when it is poked before it has closed", () =>
    Effect.gen(function* () {
      const { connector, state, transport } = yield* open()
      const sleeping = yield* Effect.forkChild(transport.sleep)
      yield* settle
      yield* transport.poke
      connector.wire.send(ackLine)
      yield* elapse("1 second")
      yield* Fiber.join(sleeping)
      assert.strictEqual(state(), "Ready")
      assert.lengthOf(connector.dials, 2)
    })
  )

  it.effect("waits for the answers to what it has sent, and takes nothing new meanwhile", () =>
    Effect.gen(function* () {
      const { connector, transport } = yield* open()
      const asking = yield* Effect.forkChild(transport.request(send("x")))
      yield* settle
      const sleeping = yield* Effect.forkChild(transport.sleep)
      yield* settle
      const wire = connector.wire
      wire.send(ackLine)
      yield* elapse("1 second")
      assert.isFalse(transport.isUp())
      assert.deepStrictEqual(wire.closes, [])
      const { requestId } = wire.ofType("outbound")[0]!
      wire.send(`${JSON.stringify({ type: "outbound_result", requestId, result: { success: true } })}\n`)
      yield* elapse("1 second")
      yield* Fiber.join(sleeping)
      assert.isTrue((yield* Fiber.join(asking)).success)
      assert.deepStrictEqual(wire.closes, [1000])
    })
  )

  it.effect("does not need the connector's word, nor its life", () =>
    Effect.gen(function* () {
      const silent = yield* open()
      const sleeping = yield* Effect.forkChild(silent.transport.sleep)
      yield* elapse("11 seconds")
      yield* Fiber.join(sleeping)
      assert.strictEqual(silent.state(), "Disconnected")
      const dying = yield* open()
      const waiting = yield* Effect.forkChild(dying.transport.sleep)
      yield* settle
      dying.connector.wire.end(1006)
      yield* elapse("2 seconds")
      yield* Fiber.join(waiting)
      // It was lost, not put to sleep: the connector may hold something for us.
      assert.strictEqual(dying.state(), "Ready")
    }).pipe(always(0.1))
  )
})

describe("a poke", () => {
  const register = Effect.fnUntraced(function* () {
    const context = yield* Layer.build(Wake.layer)
    const wake = Context.get(context, Wake)
    let pokes = 0
    yield* wake.register({
      link: "relay:",
      lastInbound: () => null,
      isReady: () => true,
      sleep: Effect.void,
      poke: Effect.sync(() => void pokes++)
    })
    return { wake, pokes: () => pokes }
  })

  it.effect("counts at most once in 5 s", () =>
    Effect.gen(function* () {
      const { pokes, wake } = yield* register()
      for (let n = 0; n < 10; n++) yield* wake.poke
      assert.strictEqual(pokes(), 1)
      yield* TestClock.adjust("4999 millis")
      yield* wake.poke
      assert.strictEqual(pokes(), 1)
      yield* TestClock.adjust("1 millis")
      yield* wake.poke
      assert.strictEqual(pokes(), 2)
    })
  )

  it.effect("ends a wait between dials and forgets earlier failures", () =>
    Effect.gen(function* () {
      const { connector, transport } = yield* open((connector) => (connector.refuse = () => refusal("Unreachable")))
      yield* elapse("10 minutes")
      const before = connector.dials.length
      yield* transport.poke
      yield* settle
      assert.lengthOf(connector.dials, before + 1)
      yield* elapse("500 millis")
      assert.lengthOf(connector.dials, before + 2)
    }).pipe(always(1))
  )
})
