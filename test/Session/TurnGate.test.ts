import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TurnGate } from "../../src/Session/TurnGate.ts"

describe("turns of one conversation", () => {
  it.effect("come one after the other, in their order; those of others do not wait", () =>
    Effect.gen(function* () {
      const gate = yield* TurnGate
      const seen: Array<string> = []
      const turn = (id: string, name: string) =>
        Effect.gen(function* () {
          yield* gate.enter(id)
          seen.push(`${name} in`)
          yield* Effect.yieldNow
          yield* Effect.yieldNow
          seen.push(`${name} out`)
          yield* gate.leave(id)
        })
      yield* Effect.all([turn("a", "1"), turn("a", "2"), turn("b", "other"), turn("a", "3")], {
        concurrency: "unbounded"
      })
      const ofA = seen.filter((line) => !line.startsWith("other"))
      assert.deepStrictEqual(ofA, ["1 in", "1 out", "2 in", "2 out", "3 in", "3 out"])
      assert.isBelow(seen.indexOf("other in"), seen.indexOf("1 out"))
      yield* gate.enter("a")
    }).pipe(Effect.provide(TurnGate.layer))
  )

  it.effect("one that is stopped while it waits, or when it was just let in, keeps nobody out", () =>
    Effect.gen(function* () {
      const gate = yield* TurnGate
      yield* gate.enter("a")
      const waiting = yield* Effect.forkChild(gate.enter("a"), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      // As a turn does it: let in or stopped, never both.
      const inside = Effect.uninterruptibleMask((restore) =>
        Effect.matchCauseEffect(restore(gate.enter("a")), {
          onFailure: () => Effect.void,
          onSuccess: () => gate.leave("a")
        })
      )
      const letIn = yield* Effect.forkChild(inside, { startImmediately: true })
      yield* gate.leave("a")
      letIn.interruptUnsafe()
      yield* Fiber.await(letIn)
      const next = yield* Effect.forkChild(gate.enter("a"), { startImmediately: true })
      yield* Effect.yieldNow
      assert.isDefined(next.pollUnsafe())
    }).pipe(Effect.provide(TurnGate.layer))
  )
})
