import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { FakeAdapter, refusal } from "../support/FakeAdapter.ts"
import { unreachable } from "../support/FaultyDatabase.ts"
import { pass, quiet } from "../support/Passing.ts"
import { make } from "./Whole.ts"

const proven = Effect.fnUntraced(function* (
  fake: FakeAdapter,
  more: { readonly lastIn?: number | null; readonly lastOut?: number | null } = {}
) {
  const now = yield* Effect.clockWith((clock) => Effect.succeed(clock.currentTimeMillisUnsafe()))
  yield* fake.set({ lastIn: now, lastOut: now, ...more })
  yield* quiet
})

describe("Health", () => {
  it.effect("a gateway without links whose storage and actors work is ready", () =>
    Effect.gen(function* () {
      const { health } = yield* make([])
      assert.deepStrictEqual(yield* health.reasons, [])
      assert.isTrue((yield* health.status).ready)
    })
  )

  it.effect("a link is ready when it was proven in both directions not long ago", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const { health } = yield* make([fake])
      assert.deepStrictEqual(yield* health.reasons, ["test: nothing comes in"])
      yield* proven(fake)
      assert.deepStrictEqual(yield* health.reasons, [])
      yield* pass("149 seconds", "10 seconds")
      assert.deepStrictEqual(yield* health.reasons, [])
      yield* pass("2 seconds")
      assert.deepStrictEqual(yield* health.reasons, ["test: nothing comes in"])
      yield* proven(fake, { lastOut: null })
      assert.deepStrictEqual(yield* health.reasons, ["test: nothing goes out"])
    })
  )

  it.effect("a link on which nobody speaks is proven by its probe, for as long as that succeeds", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      let isAlive = true
      fake.probe = Effect.suspend(() => (isAlive ? Effect.void : Effect.fail(refusal(true))))
      const { health } = yield* make([fake])
      yield* pass("10 minutes", "10 seconds")
      assert.deepStrictEqual(yield* health.reasons, [])
      isAlive = false
      yield* pass("80 seconds", "10 seconds")
      assert.deepStrictEqual(yield* health.reasons, [])
      yield* pass("90 seconds", "10 seconds")
      assert.deepStrictEqual(yield* health.reasons, ["test: nothing comes in"])
      isAlive = true
      yield* pass("1 minute", "10 seconds")
      assert.deepStrictEqual(yield* health.reasons, [])
    })
  )

  it.effect("a link may say for how long a proof of it holds", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      fake.proofPeriod = 600_000
      const { health } = yield* make([fake])
      yield* proven(fake)
      yield* pass("9 minutes", "10 seconds")
      assert.deepStrictEqual(yield* health.reasons, [])
      yield* pass("2 minutes", "10 seconds")
      assert.deepStrictEqual(yield* health.reasons, ["test: nothing comes in"])
    })
  )

  it.effect("a link that does not run is named with its reason; one that sleeps on purpose is well", () =>
    Effect.gen(function* () {
      const [failing, fatal, asleep] = [new FakeAdapter("failing"), new FakeAdapter("fatal"), new FakeAdapter("asleep")]
      failing.script = () => Effect.fail(refusal(true))
      fatal.script = () => Effect.fail(refusal(false, "auth_error"))
      const { health } = yield* make([failing, fatal, asleep])
      yield* asleep.set({ status: "disconnected", detail: "asleep" })
      yield* quiet
      assert.deepStrictEqual(yield* health.reasons, ["failing: retrying (connect_error)", "fatal: fatal (auth_error)"])
    })
  )

  it.effect("storage that takes no commits is named while it does not, and no longer", () =>
    Effect.gen(function* () {
      const { faults, health, say } = yield* make([])
      faults.refuse = unreachable()
      const saying = yield* Effect.forkChild(say("hello"))
      yield* pass("2 seconds")
      const [reason, ...more] = yield* health.reasons
      assert.match(reason ?? "", /^storage: refuses commits \(ConnectionError/)
      assert.deepStrictEqual(more, [])
      faults.refuse = null
      yield* pass("3 seconds")
      yield* Fiber.join(saying)
      assert.deepStrictEqual(yield* health.reasons, [])
    })
  )

  it.effect("actors that do not come to their messages are named; long turns are not", () =>
    Effect.gen(function* () {
      const { faults, health, say } = yield* make([], { "display.busy_input_mode": "queue" })
      yield* say("!sleep 600000 long")
      yield* say("behind it")
      yield* pass("2 minutes", "1 second")
      assert.deepStrictEqual(yield* health.reasons, [])
      // A new actor reads the Inbox first, and gets no answer; a second message waits for it.
      faults.readers.closeUnsafe()
      yield* say("hello", "2")
      yield* say("hello?", "2")
      yield* pass("29 seconds", "1 second")
      assert.deepStrictEqual(yield* health.reasons, [])
      yield* pass("3 seconds", "1 second")
      assert.deepStrictEqual(yield* health.reasons, ["sessions: messages wait for their actor"])
      faults.readers.openUnsafe()
      yield* quiet
      assert.deepStrictEqual(yield* health.reasons, [])
    })
  )

  it.effect("a gateway that drains is not ready", () =>
    Effect.gen(function* () {
      const { health, lifecycle, say } = yield* make([])
      yield* say("!sleep 60000 long")
      const stopping = yield* Effect.forkChild(lifecycle.stop)
      yield* quiet
      assert.deepStrictEqual(yield* health.reasons, ["draining"])
      yield* lifecycle.hurry
      yield* pass("30 seconds", "1 second")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(yield* health.reasons, ["stopped"])
    })
  )

  it.effect("status says what is there, and how each link settles what it does not know", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const { health, say } = yield* make([fake], { "display.busy_input_mode": "queue" })
      yield* proven(fake)
      yield* say("!sleep 60000 long")
      yield* say("behind it")
      yield* say("hello", "2")
      const status = yield* health.status
      assert.deepStrictEqual(status.sessions, { resident: 2, running: 1, waiting: 0, queued: 1 })
      assert.strictEqual(status.inbox["running"], 1)
      assert.strictEqual(status.inbox["waiting"], 1)
      assert.deepStrictEqual(
        status.platforms.map(({ name, settle, state }) => [name, state, settle]),
        [["test", "connected", "key"]]
      )
      assert.isTrue(status.ready)
      assert.doesNotThrow(() => JSON.stringify(status))
    })
  )
})
