import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { pass, quiet, until } from "../support/Passing.ts"
import { make, reply } from "./Bench.ts"

const statesOf = (bench: { readonly states: Effect.Effect<Readonly<Record<string, string>>> }) =>
  Effect.map(bench.states, (states) => Object.values(states))

describe("SendQueues", () => {
  it.effect("rows of one chat leave in order, one after the other", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      let under = 0
      bench.platform.script = () => (assert.strictEqual(++under, 1), under--, "ok")
      for (const text of ["one", "two", "three"]) yield* bench.owe(reply(text))
      assert.deepStrictEqual(bench.platform.texts(), ["one", "two", "three"])
      assert.deepStrictEqual(yield* statesOf(bench), ["sent", "sent", "sent"])
    })
  )

  it.effect("a chat that does not answer holds up no other chat", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.script = ({ chat }) => (chat === "slow" ? "hang" : "ok")
      yield* bench.owe([
        ...reply("stuck", { chat: "slow" }),
        ...reply("behind", { chat: "slow" }),
        ...reply("other", { chat: "quick" })
      ])
      assert.deepStrictEqual(bench.platform.texts("quick"), ["other"])
      assert.deepStrictEqual(
        bench.platform.sent.filter(({ chat }) => chat === "slow").map(({ text }) => text),
        ["stuck"]
      )
      assert.deepStrictEqual(
        bench
          .queues()
          .view()
          .map(({ queues, rows }) => [queues, rows]),
        [[1, 2]]
      )
    })
  )

  it.effect("rate_limited: the chat sleeps for retry_after and a second, and for no moment longer or shorter", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.script = ({ chat }, n) =>
        chat === "1" && n === 0 ? { error: "rate_limited", retryAfter: 5820 } : "ok"
      yield* bench.owe([...reply("first"), ...reply("second")])
      yield* bench.owe(reply("elsewhere", { chat: "2" }))
      assert.deepStrictEqual(bench.platform.texts("2"), ["elsewhere"])
      yield* pass(Duration.seconds(5820.9), "60 seconds")
      assert.lengthOf(bench.platform.sent, 2)
      yield* pass("100 millis")
      assert.deepStrictEqual(bench.platform.texts(), ["first", "second"])
      assert.deepStrictEqual(
        bench.platform.sent.map(({ at }) => at),
        [0, 0, 5_821_000, 5_821_000]
      )
    })
  )

  it.effect(
    "rate_limited: interim texts are dropped and counted, and the final leaves at the moment the pause is over",
    () =>
      Effect.gen(function* () {
        const bench = yield* make()
        bench.platform.script = (_, n) => (n === 0 ? { error: "rate_limited", retryAfter: 60 } : "ok")
        yield* bench.owe(reply("tool line", { kind: "tool" }))
        yield* bench.owe(reply("commentary", { kind: "commentary" }))
        yield* bench.owe(reply("answer"))
        yield* pass("60 seconds", "1 second")
        assert.lengthOf(bench.platform.sent, 1)
        yield* pass("1 second")
        assert.deepStrictEqual(bench.platform.texts(), ["answer"])
        assert.deepStrictEqual(Object.values(yield* bench.states), ["superseded", "superseded", "sent"])
      })
  )

  it.effect(
    "a chat that cannot be reached is left alone for an hour, over a restart too, and is good again with the first success",
    () =>
      Effect.gen(function* () {
        const bench = yield* make()
        bench.platform.script = (_, n) => (n === 0 ? { error: "forbidden" } : "ok")
        yield* bench.owe(reply("blocked"))
        yield* quiet
        yield* bench.restart
        yield* bench.owe(reply("skipped"))
        yield* bench.owe(reply("elsewhere", { chat: "2" }))
        yield* pass("59 minutes", "1 minute")
        assert.lengthOf(bench.platform.sent, 2)
        assert.deepStrictEqual(bench.platform.texts("2"), ["elsewhere"])
        yield* pass("1 minute")
        yield* bench.owe(reply("tried"))
        yield* bench.owe(reply("and the next"))
        yield* pass("1 second")
        assert.deepStrictEqual(bench.platform.texts(), ["tried", "and the next"])
        assert.deepStrictEqual(Object.values(yield* bench.states), ["dead", "dead", "sent", "sent", "sent"])
      })
  )

  it.effect("window_closed: the row leaves when its chat writes, also after a restart", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.script = (_, n) => (n === 0 ? { error: "window_closed" } : "ok")
      yield* bench.owe(reply("answer"))
      yield* pass("1 minute", "10 seconds")
      yield* bench.restart
      bench.queues().opened("test:", "test", "another")
      yield* pass("1 minute", "10 seconds")
      assert.lengthOf(bench.platform.sent, 1)
      bench.queues().opened("test:", "test", "1")
      yield* pass("1 second")
      assert.deepStrictEqual(bench.platform.texts(), ["answer"])
    })
  )

  it.effect("rate_limited without a number sleeps 61 s, also through a restart", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.script = (_, n) => (n === 0 ? { error: "rate_limited" } : "ok")
      yield* bench.owe(reply("first"))
      yield* pass("30 seconds", "5 seconds")
      yield* bench.restart
      yield* pass("30 seconds", "5 seconds")
      assert.lengthOf(bench.platform.sent, 1)
      yield* pass("1 second")
      assert.deepStrictEqual(
        bench.platform.sent.map(({ at, key }) => [at, key]),
        [0, 61_000].map((at) => [at, bench.platform.sent[0]!.key])
      )
    })
  )

  it.effect("transient: tried again with growing waits of at most a minute, until it gets through", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.script = (_, n) => (n < 12 ? { error: "transient" } : "ok")
      yield* bench.owe([...reply("stubborn"), ...reply("next")])
      yield* until(() => bench.platform.texts().length === 2, "20 minutes", "1 second")
      assert.deepStrictEqual(bench.platform.texts(), ["stubborn", "next"])
      const at = bench.platform.sent.map((call) => call.at)
      const waits = at.slice(1, 13).map((time, i) => time - at[i]!)
      waits.forEach((wait, i) => assert.isAtMost(wait, Math.min(60_000, 2000 * 2 ** i) + 1000))
      assert.strictEqual(new Set(bench.platform.sent.slice(0, 13).map(({ key }) => key)).size, 1)
    })
  )

  it.effect("forbidden: dead at once, with the later texts of the same reply; the next reply is not tried", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      const [first, second] = [reply("a ".repeat(5000)), reply("next")]
      assert.isAbove(first.length, 2)
      bench.platform.script = (_, n) => (n === 1 ? { error: "forbidden" } : "ok")
      yield* bench.owe([...first, ...second])
      assert.deepStrictEqual(yield* statesOf(bench), ["sent", ...first.slice(1).map(() => "dead"), "dead"])
      assert.strictEqual(bench.platform.sent.length, 2)
      yield* pass("1 minute", "5 seconds")
      yield* bench.restart
      assert.strictEqual(bench.platform.sent.length, 2)
    })
  )

  it.effect("nothing is tried for longer than 24 hours", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.script = () => ({ error: "transient" })
      yield* bench.owe(reply("hopeless"))
      yield* pass("23 hours", "10 minutes")
      assert.deepStrictEqual(yield* statesOf(bench), ["pending"])
      yield* pass("2 hours", "10 minutes")
      assert.deepStrictEqual(yield* statesOf(bench), ["dead"])
      const calls = bench.platform.sent.length
      yield* pass("10 minutes", "1 minute")
      assert.strictEqual(bench.platform.sent.length, calls)
      assert.isAtMost(Math.max(...bench.platform.sent.map(({ at }) => at)), Duration.toMillis("24 hours"))
    })
  )

  it.effect("while the link is down rows wait; when it is up they leave in order", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.down()
      yield* bench.owe([...reply("one"), ...reply("two")])
      yield* pass("1 hour", "1 minute")
      assert.lengthOf(bench.platform.sent, 0)
      bench.platform.again()
      yield* quiet
      assert.deepStrictEqual(bench.platform.texts(), ["one", "two"])
    })
  )

  it.effect("more rows than fit in memory leave in order, and none is forgotten", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.down()
      const texts = Array.from({ length: 300 }, (_, i) => `row ${i}`)
      yield* bench.owe(texts.slice(0, 250).flatMap((text) => reply(text)))
      bench.platform.again()
      yield* quiet
      yield* bench.owe(texts.slice(250).flatMap((text) => reply(text)))
      yield* until(() => bench.platform.texts().length >= 300)
      assert.deepStrictEqual(bench.platform.texts(), texts)
      assert.strictEqual(bench.platform.sent.length, 300)
      assert.deepStrictEqual([...new Set(yield* statesOf(bench))], ["sent"])
    })
  )

  it.effect("rows that were never offered are found by the sweep", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      const queues = bench.queues()
      const offer = queues.offer
      Object.assign(queues, { offer: () => {} })
      yield* bench.owe(reply("lost offer"))
      Object.assign(queues, { offer })
      yield* pass("6 seconds", "1 second")
      assert.deepStrictEqual(bench.platform.texts(), ["lost offer"])
      yield* pass("1 minute", "1 second")
      assert.lengthOf(bench.platform.sent, 1)
    })
  )

  it.effect("awaitRoom lets a chat go on that owes less than 500 rows, and holds one that owes more", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.down()
      yield* bench.owe(Array.from({ length: 499 }, (_, i) => reply(`row ${i}`)).flat())
      yield* bench.queues().awaitRoom("test:", "test:1")
      yield* bench.owe(reply("one more"))
      const waiting = yield* Effect.forkChild(bench.queues().awaitRoom("test:", "test:1"))
      yield* pass("10 seconds", "1 second")
      assert.isUndefined(waiting.pollUnsafe())
      yield* bench.queues().awaitRoom("test:", "test:2")
      bench.platform.again()
      yield* pass("10 seconds", "1 second")
      yield* Fiber.join(waiting)
    })
  )

  it.effect("flush waits for what is owed, and gives up at its time", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.down()
      yield* bench.owe([...reply("one"), ...reply("two", { chat: "2" })])
      const impatient = yield* Effect.forkChild(bench.queues().flush(Duration.seconds(2)))
      yield* pass("3 seconds")
      assert.strictEqual(yield* Fiber.join(impatient), 2)
      const patient = yield* Effect.forkChild(bench.queues().flush(Duration.seconds(60)))
      bench.platform.again()
      yield* pass("1 second")
      assert.strictEqual(yield* Fiber.join(patient), 0)
    })
  )

  it.effect("a link is known while it is served, and whoever waits for it is told", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      assert.strictEqual(bench.queues().outlet("test:")?.link, "test:")
      assert.isNull(bench.queues().outlet("other:"))
      const waiting = yield* Effect.forkChild(bench.queues().awaitOutlet("other:"))
      yield* quiet
      assert.isUndefined(waiting.pollUnsafe())
      assert.strictEqual((yield* bench.queues().awaitOutlet("test:")).link, "test:")
      yield* Fiber.interrupt(waiting)
    })
  )
})
