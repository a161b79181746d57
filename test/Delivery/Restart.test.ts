import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch } from "effect"
import { repeatMark } from "../../src/Delivery/Attempt.ts"
import { pass, quiet, until } from "../support/Passing.ts"
import { keyed, marking } from "../support/ScriptedOutlet.ts"
import { make, reply } from "./Bench.ts"

describe("SendQueues over a restart", () => {
  it.effect("a row that was on its way goes out again under the same key, and is shown once", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: keyed })
      bench.platform.script = (_, n) => (n === 0 ? "shown, then silence" : "ok")
      yield* bench.owe([...reply("answer"), ...reply("next")])
      yield* bench.restart
      yield* quiet
      assert.deepStrictEqual(bench.platform.texts(), ["answer", "next"])
      assert.strictEqual(bench.platform.sent[0]!.key, bench.platform.sent[1]!.key)
      assert.deepStrictEqual(Object.values(yield* bench.states), ["sent", "sent"])
    })
  )

  it.effect("where no key is taken it is marked, before anything newer leaves, and only once", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: marking })
      bench.platform.script = (_, n) => (n <= 1 ? "shown, then silence" : "ok")
      yield* bench.owe([...reply("answer"), ...reply("next")])
      yield* bench.restart
      yield* quiet
      assert.deepStrictEqual(bench.platform.texts(), ["answer", `${repeatMark}answer`])
      yield* bench.restart
      yield* quiet
      assert.deepStrictEqual(bench.platform.texts(), ["answer", `${repeatMark}answer`, "next"])
      assert.deepStrictEqual(Object.values(yield* bench.states), ["dead", "sent"])
    })
  )

  it.effect("with delivery.ambiguous: hold it is held, and the next one leaves", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: marking, settings: { "delivery.ambiguous": "hold" } })
      bench.platform.script = (_, n) => (n === 0 ? "shown, then silence" : "ok")
      yield* bench.owe([...reply("answer"), ...reply("next")])
      yield* bench.restart
      yield* pass("1 minute", "5 seconds")
      assert.deepStrictEqual(bench.platform.texts(), ["answer", "next"])
      assert.deepStrictEqual(Object.values(yield* bench.states), ["held", "sent"])
    })
  )

  for (const capabilities of [keyed, marking]) {
    it.effect(`a row that never left goes out plainly (${capabilities.settle})`, () =>
      Effect.gen(function* () {
        const bench = yield* make({ capabilities })
        bench.platform.down()
        yield* bench.owe(reply("answer"))
        yield* bench.restart
        bench.platform.again()
        yield* quiet
        assert.deepStrictEqual(bench.platform.texts(), ["answer"])
      })
    )

    it.effect(`a confirmed row is never sent again, whatever restarts (${capabilities.settle})`, () =>
      Effect.gen(function* () {
        const bench = yield* make({ capabilities })
        yield* bench.owe([...reply("answer"), ...reply("more")])
        yield* bench.restart
        yield* bench.reconnect
        yield* pass("1 minute", "1 second")
        assert.lengthOf(bench.platform.sent, 2)
      })
    )

    it.effect(`a confirmation that is not on disk yet protects its row from the sweep (${capabilities.settle})`, () =>
      Effect.gen(function* () {
        const bench = yield* make({ capabilities })
        const answer = Latch.makeUnsafe(false)
        bench.platform.script = () => answer
        yield* bench.owe(reply("answer"))
        assert.lengthOf(bench.platform.sent, 1)
        // The sweep has read the table, but its answer is slow; meanwhile the platform confirms.
        bench.faults.readers.closeUnsafe()
        yield* pass("6 seconds", "1 second")
        answer.openUnsafe()
        yield* quiet
        bench.faults.readers.openUnsafe()
        yield* pass("1 minute", "1 second")
        assert.lengthOf(bench.platform.sent, 1)
        assert.deepStrictEqual(Object.values(yield* bench.states), ["sent"])
      })
    )

    it.effect(`and from an adapter that connects anew (${capabilities.settle})`, () =>
      Effect.gen(function* () {
        const bench = yield* make({ capabilities })
        const answer = Latch.makeUnsafe(false)
        bench.platform.script = () => answer
        yield* bench.owe(reply("answer"))
        bench.faults.writers.closeUnsafe()
        answer.openUnsafe()
        yield* quiet
        const reconnecting = yield* Effect.forkChild(bench.reconnect)
        yield* quiet
        bench.faults.writers.openUnsafe()
        yield* pass("1 minute", "1 second")
        yield* Fiber.join(reconnecting)
        assert.lengthOf(bench.platform.sent, 1)
      })
    )
  }

  it.effect("a confirmation that was lost with the process is settled by the key", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: keyed })
      yield* bench.owe(reply("answer"))
      yield* bench.states
      yield* Effect.orDie(bench.database.execute("UPDATE outbox SET state = 'pending'", []))
      yield* bench.restart
      yield* quiet
      assert.deepStrictEqual(bench.platform.texts(), ["answer"])
      assert.deepStrictEqual(Object.values(yield* bench.states), ["sent"])
    })
  )

  it.effect("what is committed and offered while older rows are still being read does not overtake them", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.down()
      yield* bench.owe([...reply("one"), ...reply("two")])
      yield* bench.end
      bench.platform.again()
      bench.faults.readers.closeUnsafe()
      yield* bench.restart
      yield* bench.owe(reply("three"))
      assert.lengthOf(bench.platform.sent, 0)
      bench.faults.readers.openUnsafe()
      yield* quiet
      assert.deepStrictEqual(bench.platform.texts(), ["one", "two", "three"])
    })
  )

  it.effect("rows taken off the table by hand while they wait are not sent", () =>
    Effect.gen(function* () {
      for (const state of ["dead", "superseded", "held"]) {
        const bench = yield* make()
        bench.platform.script = () => ({ error: "rate_limited", retryAfter: 600 })
        yield* bench.owe(reply("answer"))
        yield* bench.states
        yield* Effect.orDie(bench.database.execute("UPDATE outbox SET state = ?", [state]))
        yield* pass("11 minutes", "10 seconds")
        assert.lengthOf(bench.platform.sent, 1)
        assert.deepStrictEqual(Object.values(yield* bench.states), [state])
      }
    })
  )

  it.effect("a reply to a chat whose older rows a start could not read does not overtake them", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.down()
      yield* bench.owe(Array.from({ length: 10_000 }, (_, i) => reply(`flood ${i}`, { chat: "flood" })).flat())
      yield* bench.owe(reply("older", { chat: "quiet" }))
      yield* bench.restart
      yield* until(() => bench.queues().view()[0]!.queues > 0, "4 seconds", "10 millis")
      assert.isAbove(bench.queues().view()[0]!.queues, 0)
      yield* bench.owe(reply("newer", { chat: "quiet" }))
      bench.platform.again()
      yield* pass("20 seconds", "1 second")
      assert.deepStrictEqual(bench.platform.texts("quiet"), ["older", "newer"])
    })
  )

  it.effect("more rows than fit in memory keep their order when some are offered during a slow look at the table", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.down()
      const texts = Array.from({ length: 100 }, (_, i) => `row ${i}`)
      yield* bench.owe(texts.slice(0, 70).flatMap((text) => reply(text)))
      bench.platform.again()
      bench.faults.readers.closeUnsafe()
      yield* quiet
      assert.lengthOf(bench.platform.sent, 64)
      // The table was read; these come after it.
      yield* bench.owe(texts.slice(70, 80).flatMap((text) => reply(text)))
      bench.faults.readers.openUnsafe()
      yield* quiet
      yield* bench.owe(texts.slice(80).flatMap((text) => reply(text)))
      yield* pass("20 seconds", "1 second")
      assert.deepStrictEqual(bench.platform.texts(), texts)
    })
  )
})
