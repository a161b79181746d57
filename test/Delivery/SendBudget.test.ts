import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
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
      Effect.andThen(
        Effect.sync(() => began.push(name)),
        Deferred.await(gate)
      )
    ),
    { startImmediately: true }
  )
  return { fiber, finish: Effect.andThen(Deferred.succeed(gate, undefined), Effect.exit(Fiber.join(fiber))) }
})

const settle = Effect.repeat(Effect.yieldNow, { times: 5 })

describe("the send budget", () => {
  it.effect("lets no more sends begin than it has", () =>
    Effect.gen(function* () {
      const began: Array<string> = []
      const budget = SendBudget.make(2)
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
      const budget = SendBudget.make(1)
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
      const budget = SendBudget.make(1)
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
      const budget = SendBudget.make(1)
      const running = yield* gated(budget, "final", began, "running")
      const granted = yield* gated(budget, "final", began, "granted")
      yield* Effect.all([running.finish, Fiber.interrupt(granted.fiber)], { concurrency: "unbounded" })
      const next = yield* gated(budget, "final", began, "next")
      yield* settle
      assert.include(began, "next")
      yield* next.finish
    })
  )
})
