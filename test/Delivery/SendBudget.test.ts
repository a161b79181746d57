import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber, FiberSet } from "effect"
import { TestClock } from "effect/testing"
import type { Pace } from "../../src/Delivery/Outlet.ts"
import * as SendBudget from "../../src/Delivery/SendBudget.ts"
import type { OutboxKind } from "../../src/Storage/Outbox.ts"

/** A send that waits for its gate, and notes when it began. */
const gated = Effect.fnUntraced(function* (
  budget: SendBudget.SendBudget,
  kind: OutboxKind,
  began: Array<string>,
  name: string
) {
  const gate = yield* Deferred.make<void>()
  const fiber = yield* Effect.forkChild(
    budget.within(
      kind,
      target(name),
      Effect.andThen(
        Effect.sync(() => began.push(name)),
        Deferred.await(gate)
      )
    ),
    { startImmediately: true }
  )
  return { fiber, finish: Effect.andThen(Deferred.succeed(gate, undefined), Effect.exit(Fiber.join(fiber))) }
})

const target = (chatId: string) => ({ platform: "test", chatId, chatType: "dm", threadId: null, scopeId: null })

const make = Effect.fnUntraced(function* (sendsInFlight: number, pace?: Pace) {
  const run = yield* FiberSet.makeRuntime<never>()
  return SendBudget.make({ sendsInFlight, pace, clock: yield* Clock.Clock, fork: (effect) => void run(effect) })
})

const settle = Effect.repeat(Effect.yieldNow, { times: 5 })

describe("the send budget", () => {
  it.effect("lets no more sends begin than it has", () =>
    Effect.gen(function* () {
      const began: Array<string> = []
      const budget = yield* make(2)
      const sends = yield* Effect.forEach(["a", "b", "c"], (name) => gated(budget, "final", began, name))
      assert.deepStrictEqual(began, ["a", "b"])
      yield* sends[0]!.finish
      yield* settle
      assert.deepStrictEqual(began, ["a", "b", "c"])
      yield* sends[1]!.finish
      yield* sends[2]!.finish
    })
  )

  it.effect("serves finals before everything that waits longer, and otherwise in order of arrival", () =>
    Effect.gen(function* () {
      const began: Array<string> = []
      const budget = yield* make(1)
      const first = yield* gated(budget, "notice", began, "first")
      const waiting = [
        yield* gated(budget, "tool", began, "tool"),
        yield* gated(budget, "notice", began, "notice"),
        yield* gated(budget, "final", began, "final 1"),
        yield* gated(budget, "final", began, "final 2"),
        yield* gated(budget, "prompt", began, "prompt")
      ]
      yield* Effect.forEach([first, ...waiting], (send) => Effect.forkChild(send.finish))
      yield* Effect.repeat(settle, { times: 20 })
      assert.deepStrictEqual(began, ["first", "final 1", "final 2", "prompt", "notice", "tool"])
    })
  )

  it.effect("loses nothing when a waiting or a running send is interrupted", () =>
    Effect.gen(function* () {
      const began: Array<string> = []
      const budget = yield* make(1)
      const running = yield* gated(budget, "final", began, "running")
      const waiting = yield* gated(budget, "final", began, "waiting")
      const last = yield* gated(budget, "final", began, "last")
      yield* Fiber.interrupt(waiting.fiber)
      yield* Fiber.interrupt(running.fiber)
      yield* settle
      assert.deepStrictEqual(began, ["running", "last"])
      yield* last.finish
      const next = yield* gated(budget, "final", began, "next")
      assert.deepStrictEqual(began, ["running", "last", "next"])
      yield* next.finish
    })
  )

  it.effect("gives the send back when it is interrupted just as its turn comes", () =>
    Effect.gen(function* () {
      const began: Array<string> = []
      const budget = yield* make(1)
      const running = yield* gated(budget, "final", began, "running")
      const granted = yield* gated(budget, "final", began, "granted")
      yield* Effect.all([running.finish, Fiber.interrupt(granted.fiber)], { concurrency: "unbounded" })
      const next = yield* gated(budget, "final", began, "next")
      yield* settle
      assert.include(began, "next")
      yield* next.finish
    })
  )

  it.effect("keeps the bot's rate and each chat's, whatever their ranks, and wastes no time", () =>
    Effect.gen(function* () {
      const began: Array<readonly [string, number]> = []
      const budget = yield* make(64, {
        bot: { perSecond: 10, burst: 2 },
        chat: () => ({ perSecond: 1, burst: 1 }),
        flood: "bot"
      })
      const send = (kind: OutboxKind, chat: string) =>
        Effect.forkChild(
          budget.within(
            kind,
            target(chat),
            Effect.flatMap(Clock.currentTimeMillis, (at) => Effect.sync(() => began.push([`${kind} ${chat}`, at])))
          ),
          { startImmediately: true }
        )
      for (const chat of ["a", "b", "c", "d"]) yield* send("tool", chat)
      yield* send("final", "e")
      yield* send("final", "a")
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(began, [
        ["tool a", 0],
        ["tool b", 0],
        ["final e", 100],
        ["tool c", 200],
        ["tool d", 300],
        ["final a", 1000]
      ])
    })
  )

  for (const flood of ["chat", "bot"] as const) {
    it.effect(`a pause that the platform asks for is the ${flood}'s; chrome does not wait for its end`, () =>
      Effect.gen(function* () {
        const budget = yield* make(64, { bot: null, chat: () => null, flood })
        const at: Array<number> = []
        const note = Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sync(() => at.push(now)))
        budget.slowed(target("a"), 30)
        assert.isTrue(budget.isAsleep(target("a")))
        assert.strictEqual(budget.isAsleep(target("b")), flood === "bot")
        const refused = yield* Effect.flip(budget.spare(target("a"), note))
        assert.strictEqual(refused.kind, "rate_limited")
        assert.strictEqual(refused.retryAfter, 31)
        const other = yield* Effect.exit(budget.spare(target("b"), Effect.void))
        assert.strictEqual(other._tag, flood === "bot" ? "Failure" : "Success")
        const waiting = yield* Effect.forkChild(budget.within("final", target("a"), note))
        yield* TestClock.adjust("30999 millis")
        assert.deepStrictEqual(at, [])
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(waiting)
        assert.deepStrictEqual(at, [31_000])
      })
    )
  }

  it.effect("chrome leaves a chat alone for which a row waits", () =>
    Effect.gen(function* () {
      const budget = yield* make(64, { bot: null, chat: () => ({ perSecond: 1, burst: 1 }), flood: "chat" })
      yield* budget.within("final", target("a"), Effect.void)
      const waiting = yield* Effect.forkChild(budget.within("final", target("a"), Effect.void), {
        startImmediately: true
      })
      assert.strictEqual((yield* Effect.flip(budget.spare(target("a"), Effect.void))).kind, "rate_limited")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting)
      yield* TestClock.adjust("1 second")
      yield* budget.spare(target("a"), Effect.void)
    })
  )
})
