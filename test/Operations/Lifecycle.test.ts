import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, SubscriptionRef } from "effect"
import * as Texts from "../../src/Conversation/Texts.ts"
import { FakeAdapter } from "../support/FakeAdapter.ts"
import { unreachable } from "../support/FaultyDatabase.ts"
import { pass, quiet, until } from "../support/Passing.ts"
import { make } from "./Whole.ts"

const settled = (fiber: Fiber.Fiber<unknown, unknown>) => () => fiber.pollUnsafe() !== undefined

describe("Lifecycle", () => {
  it.effect("stopping lets running turns end, sends what is owed, and then closes the links, in this order", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const { inbox, lifecycle, say } = yield* make([fake])
      yield* say("!sleep 20000 farewell")
      const stopping = yield* Effect.forkChild(lifecycle.stop)
      yield* quiet
      assert.strictEqual(yield* SubscriptionRef.get(lifecycle.phase), "draining")
      assert.strictEqual(fake.drained, 1)
      yield* say("later")
      yield* pass("19 seconds", "1 second")
      assert.deepStrictEqual([fake.ended, fake.platform.texts()], [0, [Texts.notices.draining]])
      yield* pass("3 seconds")
      assert.isTrue(settled(stopping)())
      assert.deepStrictEqual([fake.ended, fake.platform.texts()], [1, [Texts.notices.draining, "farewell"]])
      assert.strictEqual(yield* SubscriptionRef.get(lifecycle.phase), "stopped")
      assert.deepStrictEqual(yield* inbox, ["done", "waiting"])
    })
  )

  it.effect("turns that do not end in their time are cut off and run again at the next start", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const first = yield* make([fake], { "agent.restart_drain_timeout": 5 })
      yield* first.say("!sleep 60000 in the end")
      const stopping = yield* Effect.forkChild(first.lifecycle.stop)
      yield* pass("6 seconds")
      assert.isTrue(settled(stopping)())
      assert.deepStrictEqual(yield* first.inbox, ["running"])
      yield* first.end
      const second = yield* make([fake], {}, first.database)
      yield* pass("61 seconds", "1 second")
      assert.deepStrictEqual(fake.platform.texts(), ["in the end"])
      assert.deepStrictEqual(yield* second.inbox, ["done"])
    })
  )

  it.effect("chats whose tasks go on for longer are told, once each; it can be switched off (D2)", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const { lifecycle, say } = yield* make([fake], { "platforms.test.gateway_restart_notification": true })
      yield* say("!sleep 60000 a", "1")
      yield* say("!sleep 1000 b", "2")
      yield* Effect.forkChild(lifecycle.stop)
      yield* pass("10 seconds", "500 millis")
      assert.deepStrictEqual([fake.platform.texts("1"), fake.platform.texts("2")], [[Texts.goingDown], ["b"]])

      const silent = new FakeAdapter()
      const other = yield* make([silent], { "platforms.test.gateway_restart_notification": false })
      yield* other.say("!sleep 60000 a")
      yield* Effect.forkChild(other.lifecycle.stop)
      yield* pass("10 seconds", "500 millis")
      assert.deepStrictEqual(silent.platform.texts(), [])
    })
  )

  it.effect("rest lets running turns end and keeps what comes; then it runs", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const { health, lifecycle, say } = yield* make([fake])
      yield* say("!sleep 5000 running")
      yield* lifecycle.rest(true)
      yield* quiet
      yield* say("later")
      yield* say("elsewhere", "2")
      yield* pass("10 seconds")
      assert.deepStrictEqual(fake.platform.texts(), [Texts.notices.draining, "running"])
      assert.include(yield* health.reasons, "draining")
      yield* lifecycle.rest(false)
      yield* pass("1 second")
      assert.deepStrictEqual(fake.platform.texts().slice(2), ["later"])
      assert.deepStrictEqual(fake.platform.texts("2").slice(1), ["elsewhere"])
    })
  )

  it.effect("hurry ends the waiting", () =>
    Effect.gen(function* () {
      const { lifecycle, say } = yield* make([new FakeAdapter()])
      yield* say("!sleep 60000 long")
      const stopping = yield* Effect.forkChild(lifecycle.stop)
      yield* pass("2 seconds")
      assert.isFalse(settled(stopping)())
      yield* lifecycle.hurry
      yield* pass("1 second")
      assert.isTrue(settled(stopping)())
    })
  )

  it.effect("asked twice it stops once, and both are told", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const { end, lifecycle } = yield* make([fake])
      const both = yield* Effect.forkChild(Effect.all([lifecycle.stop, lifecycle.stop], { concurrency: "unbounded" }))
      yield* pass("1 second")
      yield* Fiber.join(both)
      yield* lifecycle.stop
      yield* end
      assert.deepStrictEqual([fake.drained, fake.ended], [1, 1])
    })
  )

  it.effect("closing the layer stops in order too", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const { end, inbox, say } = yield* make([fake])
      yield* say("!sleep 3000 farewell")
      yield* end
      assert.deepStrictEqual(fake.platform.texts(), ["farewell"])
      assert.deepStrictEqual(yield* inbox, ["done"])
    })
  )

  it.effect("what cannot leave in ten seconds waits for the next start", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const first = yield* make([fake])
      fake.platform.down()
      yield* first.say("hello")
      const stopping = yield* Effect.forkChild(first.lifecycle.stop)
      yield* pass("11 seconds")
      assert.isTrue(settled(stopping)())
      yield* first.end
      fake.platform.again()
      yield* make([fake], {}, first.database)
      yield* pass("1 second")
      assert.deepStrictEqual(fake.platform.texts(), ["hello"])
    })
  )

  it.effect("an adapter that cannot drain does not hold up the end", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      fake.drain = Effect.never
      const { lifecycle } = yield* make([fake])
      const stopping = yield* Effect.forkChild(lifecycle.stop)
      yield* until(settled(stopping), "1 minute", "1 second")
      assert.isTrue(settled(stopping)())
    })
  )

  it.effect("nor one that cannot close", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      fake.closing = Effect.sleep("3 minutes")
      const { lifecycle } = yield* make([fake])
      const stopping = yield* Effect.forkChild(lifecycle.stop)
      yield* until(settled(stopping), "1 minute", "1 second")
      assert.isTrue(settled(stopping)())
      assert.strictEqual(yield* SubscriptionRef.get(lifecycle.phase), "stopped")
    })
  )

  it.effect("nor a storage that takes no commits: the message is there at the next start", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const first = yield* make([fake], { "agent.restart_drain_timeout": 5 })
      yield* first.say("!sleep 2000 in the end")
      first.faults.refuse = unreachable()
      yield* pass("5 seconds")
      const stopping = yield* Effect.forkChild(first.lifecycle.stop)
      yield* until(settled(stopping), "1 minute", "1 second")
      assert.isTrue(settled(stopping)())
      yield* first.end
      first.faults.refuse = null
      yield* make([fake], {}, first.database)
      yield* pass("10 seconds")
      assert.deepStrictEqual(fake.platform.texts(), ["in the end"])
    })
  )
})
