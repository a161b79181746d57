/** Many requests at once, on a test clock: coalescing, the limit in flight, the loss of all. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { resultLine } from "./FakeConnector.ts"
import { open, say, target } from "./SimulatedAdapter.ts"
import { settle } from "./SimulatedLink.ts"

describe("many requests (O1, O3, O6)", () => {
  it.effect("that are made in one turn leave in few messages", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* open()
      const before = connector.wire.messages.length
      for (let n = 0; n < 100; n++) yield* Effect.forkChild(outlet.send(say(`t${n}`)), { startImmediately: true })
      yield* settle
      assert.strictEqual(connector.wire.ofType("outbound").length, 100)
      assert.isAtMost(connector.wire.messages.length - before, 2)
    })
  )

  it.effect("are at most 256 in flight; the rest waits, finals first", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* open()
      const texts = () => connector.wire.ofType("outbound").map(({ action }) => action?.content ?? action?.op)
      for (let n = 0; n < 256; n++) yield* Effect.forkChild(outlet.send(say(`t${n}`)))
      yield* settle
      yield* Effect.forkChild(outlet.typing(target))
      const given = yield* Effect.forkChild(
        outlet.edit({ key: "k", target, messageId: "m", text: "given up", final: false })
      )
      yield* Effect.forkChild(outlet.edit({ key: "k", target, messageId: "m", text: "edit", final: false }))
      yield* Effect.forkChild(outlet.send(say("interim", { notify: false })))
      yield* Effect.forkChild(outlet.send(say("final one")))
      yield* Effect.forkChild(outlet.send(say("final two")))
      yield* settle
      assert.strictEqual(texts().length, 256)
      yield* Fiber.interrupt(given)
      const ids = connector.wire.ofType("outbound").map(({ requestId }) => requestId!)
      assert.strictEqual(new Set(ids).size, 256)
      for (let n = 0; n < 5; n++) {
        connector.wire.send(resultLine(ids[n]!, { success: true }))
        yield* settle
      }
      assert.deepStrictEqual(texts().slice(256), ["final one", "final two", "interim", "edit", "typing"])
    })
  )

  it.effect("all fail at once when the connection ends, also those that wait", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* open()
      const fibers = []
      for (let n = 0; n < 300; n++) fibers.push(yield* Effect.forkChild(Effect.flip(outlet.send(say(`t${n}`)))))
      yield* settle
      connector.wire.end(1006)
      yield* settle
      const kinds = []
      for (const fiber of fibers) {
        assert.isDefined(fiber.pollUnsafe())
        kinds.push((yield* Fiber.join(fiber)).kind)
      }
      assert.strictEqual(kinds.filter((kind) => kind === "ambiguous").length, 256)
      assert.strictEqual(kinds.filter((kind) => kind === "transient").length, 44)
    })
  )
})
