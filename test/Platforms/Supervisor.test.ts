import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Settings } from "../../src/Config/Settings.ts"
import { SendQueues } from "../../src/Delivery/SendQueues.ts"
import { Registry } from "../../src/Platforms/Registry.ts"
import { Supervisor } from "../../src/Platforms/Supervisor.ts"
import { Intake } from "../../src/Session/Intake.ts"
import { KnownScopes } from "../../src/Session/KnownScopes.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { Outbox } from "../../src/Storage/Outbox.ts"
import { Access } from "../../src/Access/Access.ts"
import { Pairing } from "../../src/Access/Pairing.ts"
import { FakeAdapter, refusal } from "../support/FakeAdapter.ts"
import { Faults, layer as faultyDatabase } from "../support/FaultyDatabase.ts"
import { pass, quiet } from "../support/Passing.ts"

const intake = Layer.succeed(Intake, {
  take: () => Effect.succeed([]),
  bury: () => Effect.void,
  interrupt: () => Effect.succeed(false)
})

const supervise = Effect.fnUntraced(function* (...fakes: ReadonlyArray<FakeAdapter>) {
  const scope = yield* Scope.make()
  const context = yield* Layer.build(
    Supervisor.layer.pipe(
      Layer.provideMerge(Layer.mergeAll(SendQueues.layer, Access.layer)),
      Layer.provideMerge(Pairing.layer),
      Layer.provideMerge(Layer.mergeAll(Journal.layer, Outbox.layer, intake, KnownScopes.layer)),
      Layer.provide(faultyDatabase(new Faults())),
      Layer.provide(Registry.layer(fakes.map((fake) => fake.registration))),
      Layer.provide(Settings.layerFrom({})),
      Layer.orDie
    )
  ).pipe(Effect.provideService(Scope.Scope, scope))
  const end = Scope.close(scope, Exit.void)
  yield* Effect.addFinalizer(() => end)
  yield* quiet
  const supervisor = Context.get(context, Supervisor)
  return {
    supervisor,
    queues: Context.get(context, SendQueues),
    end,
    of: (name: string) => supervisor.view().find((view) => view.name === name)!
  }
})

describe("Supervisor", () => {
  it.effect("an adapter that runs is served and seen", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const { of, queues } = yield* supervise(fake)
      assert.deepStrictEqual([of("test").state.status, of("test").link, of("test").error], ["connected", "test:", null])
      assert.strictEqual(queues.outlet("test:")?.link, "test:")
      yield* fake.set({ status: "retrying", detail: "auth_revoked", reconnects: 3 })
      yield* quiet
      assert.deepStrictEqual(
        [of("test").state.status, of("test").state.detail, of("test").state.reconnects],
        ["retrying", "auth_revoked", 3]
      )
    })
  )

  it.effect("one that fails is tried again after 30 s, doubling to 300 s, by a fifth more or less", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const at: Array<number> = []
      fake.script = () =>
        Effect.andThen(
          Effect.clockWith((clock) => Effect.sync(() => at.push(clock.currentTimeMillisUnsafe()))),
          Effect.fail(refusal(true))
        )
      const { of } = yield* supervise(fake)
      assert.deepStrictEqual(
        [of("test").state.status, of("test").state.detail, of("test").link],
        ["retrying", "connect_error", null]
      )
      yield* pass("40 minutes", "1 second")
      const waits = at.slice(1).map((time, i) => (time - at[i]!) / 1000)
      assert.isAtLeast(waits.length, 7)
      waits.forEach((wait, i) => {
        const middle = Math.min(30 * 2 ** i, 300)
        assert.isAtLeast(wait, middle * 0.8 - 1)
        assert.isAtMost(wait, middle * 1.2 + 1)
      })
    })
  )

  it.effect("one that comes back after failures is well, and its next failure waits 30 s again", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      fake.script = (n) => (n < 3 ? Effect.fail(refusal(true)) : Effect.void)
      const { of } = yield* supervise(fake)
      yield* pass("6 minutes", "1 second")
      assert.deepStrictEqual(
        [fake.made, of("test").state.status, of("test").error, of("test").link],
        [4, "connected", null, "test:"]
      )
    })
  )

  it.effect("one that fails for good rests and says why; the others run", () =>
    Effect.gen(function* () {
      const [bad, good] = [new FakeAdapter("bad"), new FakeAdapter("good")]
      bad.script = () => Effect.fail(refusal(false, "missing_configuration"))
      const { of } = yield* supervise(bad, good)
      yield* pass("1 hour", "1 minute")
      assert.deepStrictEqual(
        [bad.made, of("bad").state.status, of("bad").error?.code],
        [1, "fatal", "missing_configuration"]
      )
      assert.strictEqual(of("good").state.status, "connected")
    })
  )

  it.effect("one that dies, or ends itself, is built anew", () =>
    Effect.gen(function* () {
      for (const end of [Effect.die(new Error("bug")), Effect.interrupt]) {
        const fake = new FakeAdapter()
        fake.script = (n) => (n === 0 ? end : Effect.void)
        const { of } = yield* supervise(fake)
        assert.deepStrictEqual([of("test").state.status, of("test").error?.code], ["retrying", "gateway_task_exited"])
        yield* pass("40 seconds", "1 second")
        assert.deepStrictEqual([fake.made, of("test").state.status], [2, "connected"])
      }
    })
  )

  it.effect("one that never connects is given up after 30 s, and tried again", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      fake.script = (n) => (n === 0 ? Effect.never : Effect.void)
      const { of } = yield* supervise(fake)
      assert.strictEqual(of("test").state.status, "connecting")
      yield* pass("31 seconds", "1 second")
      assert.deepStrictEqual([of("test").state.status, of("test").error?.code], ["retrying", "connect_timeout"])
      yield* pass("40 seconds", "1 second")
      assert.strictEqual(of("test").state.status, "connected")
    })
  )

  it.effect("closing ends every adapter and its link, and none comes back", () =>
    Effect.gen(function* () {
      const [running, failing] = [new FakeAdapter("running"), new FakeAdapter("failing")]
      failing.script = () => Effect.fail(refusal(true))
      const { of, queues, supervisor } = yield* supervise(running, failing)
      yield* supervisor.close
      yield* quiet
      assert.deepStrictEqual([running.made, running.ended, of("running").link, of("running").error], [1, 1, null, null])
      assert.isNull(queues.outlet("running:"))
      const made = failing.made
      yield* pass("10 minutes", "10 seconds")
      assert.deepStrictEqual([running.made, failing.made], [1, made])
      yield* supervisor.close
    })
  )

  it.effect("draining asks every adapter that runs", () =>
    Effect.gen(function* () {
      const [running, failing] = [new FakeAdapter("running"), new FakeAdapter("failing")]
      failing.script = () => Effect.fail(refusal(true))
      const { supervisor } = yield* supervise(running, failing)
      yield* supervisor.drain
      assert.deepStrictEqual([running.drained, failing.drained], [1, 0])
    })
  )

  it.effect("one that cannot drain or die holds up nobody for longer than it may", () =>
    Effect.gen(function* () {
      const [stuck, other] = [new FakeAdapter("stuck"), new FakeAdapter("other")]
      stuck.drain = Effect.never
      const { supervisor } = yield* supervise(stuck, other)
      const draining = yield* Effect.forkChild(supervisor.drain)
      yield* pass("12 seconds")
      assert.isDefined(draining.pollUnsafe())
      assert.strictEqual(other.drained, 1)
      yield* Fiber.interrupt(draining)
    })
  )

  it.effect("a paused platform takes nothing in and keeps its connection; resumed, it takes what waited", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const { of, supervisor } = yield* supervise(fake)
      assert.isFalse(yield* supervisor.pause("other", ""))
      assert.isTrue(yield* supervisor.pause("test", "at night"))
      assert.deepStrictEqual([of("test").paused, of("test").state.status, fake.ended], ["at night", "connected", 0])
      const taking = yield* Effect.forkChild(fake.take([]))
      yield* quiet
      assert.isUndefined(taking.pollUnsafe())
      assert.isTrue(yield* supervisor.resume("test"))
      yield* quiet
      assert.isDefined(taking.pollUnsafe())
      assert.isNull(of("test").paused)
    })
  )

  it.effect("pausing one that failed ends its tries; resuming tries at once, also what had failed for good", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      fake.script = () => Effect.fail(refusal(true))
      const { of, supervisor } = yield* supervise(fake)
      yield* supervisor.pause("test", "")
      yield* pass("10 minutes", "10 seconds")
      assert.strictEqual(fake.made, 1)
      fake.script = () => Effect.fail(refusal(false))
      yield* supervisor.resume("test")
      yield* quiet
      assert.deepStrictEqual([fake.made, of("test").state.status, of("test").tries], [2, "fatal", 1])
      yield* pass("10 minutes", "10 seconds")
      assert.strictEqual(fake.made, 2)
      fake.script = () => Effect.void
      yield* supervisor.resume("test")
      yield* quiet
      assert.deepStrictEqual([fake.made, of("test").state.status], [3, "connected"])
    })
  )
})
