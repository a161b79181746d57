import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import * as Texts from "../../src/Conversation/Texts.ts"
import { laneCount, laneOf, Lanes } from "../../src/Session/Lanes.ts"
import { make } from "../Conversation/Chat.ts"
import { pass, quiet } from "../support/Passing.ts"

const queueing = { settings: { "display.busy_input_mode": "queue" } }

describe("Lanes", () => {
  it("a key names the same lane everywhere, and lanes share keys evenly", () => {
    assert.strictEqual(laneOf("agent:main:telegram:dm:1"), laneOf("agent:main:telegram:dm:1"))
    const load = new Map<number, number>()
    for (let i = 0; i < 25_600; i++) {
      const lane = laneOf(`agent:main:telegram:dm:${i}`)
      assert.isTrue(lane >= 0 && lane < laneCount)
      load.set(lane, (load.get(lane) ?? 0) + 1)
    }
    assert.strictEqual(load.size, laneCount)
    assert.isAtMost(Math.max(...load.values()), 200)
  })

  it.effect("a message that interrupts a turn in the very moment it starts leaves no session stuck", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("hello")
      yield* Effect.all(
        [chat.hand("!sleep 60000 first"), chat.hand("second"), chat.hand("/stop"), chat.hand("third")],
        {
          concurrency: "unbounded"
        }
      )
      yield* pass("1 minute", "1 second")
      assert.deepStrictEqual(chat.get(Lanes).view(), { resident: 1, running: 0, queued: 0 })
      assert.include(chat.texts(), "third")
      assert.notInclude(chat.texts(), "first")
      assert.deepStrictEqual(
        (yield* chat.inbox).filter((row) => !/: (done|dropped)$/.test(row)),
        []
      )
    })
  )

  it.effect("/stop, and a message in the same breath, a hundred times: each is answered", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      for (let n = 0; n < 100; n++) {
        yield* chat.hand(`!sleep 60000 never ${n}`)
        if (n % 2 === 0) yield* quiet
        yield* chat.hand("/stop")
        yield* chat.hand(`answer ${n}`)
      }
      yield* pass("10 seconds", "1 second")
      const answers = chat.texts().filter((text) => text.startsWith("answer"))
      assert.deepStrictEqual(
        answers,
        Array.from({ length: 100 }, (_, n) => `answer ${n}`)
      )
      assert.deepStrictEqual(
        chat.texts().filter((text) => text.startsWith("never")),
        []
      )
    })
  )

  it.effect("follow-ups of a turn that runs for long still interrupt it, whatever the sweep sees", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 600000 never")
      yield* pass("30 seconds", "1 second")
      yield* chat.say("now")
      assert.deepStrictEqual(chat.texts(), ["now"])
    })
  )

  it.effect("one session waits for nothing that another one does", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* Effect.forEach(
        Array.from({ length: 200 }, (_, i) => `${i}`),
        (id) => chat.hand(`!sleep 1000 done ${id}`, { chat: id })
      )
      yield* pass("1500 millis", "100 millis")
      assert.strictEqual(chat.platform.screen.length, 200)
    })
  )

  it.effect("in queue mode 60 messages behind a turn all run, in order, 32 of them in memory", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!sleep 2000 first")
      for (let n = 0; n < 60; n++) yield* chat.hand(`m${n}`)
      yield* quiet
      assert.deepStrictEqual(chat.get(Lanes).view(), { resident: 1, running: 1, queued: 32 })
      yield* pass("10 seconds")
      assert.deepStrictEqual(chat.texts(), ["first", ...Array.from({ length: 60 }, (_, n) => `m${n}`)])
    })
  )

  it.effect("doorbells that a full mailbox did not take are made good", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      chat.faults.writers.closeUnsafe()
      const handing = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 300 }, (_, n) => n),
          (n) => chat.hand(`m${n}`),
          { concurrency: "unbounded" }
        )
      )
      yield* quiet
      chat.faults.writers.openUnsafe()
      yield* Fiber.join(handing)
      yield* pass("1 minute", "1 second")
      assert.deepStrictEqual(
        chat.texts(),
        Array.from({ length: 300 }, (_, n) => `m${n}`)
      )
    })
  )

  it.effect("undone messages of an earlier process run first, in order; a dead one's turn runs again", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!sleep 5000 cut off")
      for (const text of ["a", "b", "c"]) yield* chat.say(text)
      yield* chat.kill
      assert.deepStrictEqual(chat.texts(), [])
      yield* chat.start
      yield* chat.say("new")
      yield* pass("20 seconds", "500 millis")
      assert.deepStrictEqual(chat.texts(), ["cut off", "a", "b", "c", "new"])
    })
  )

  it.effect("draining starts nothing, lets running turns end, and keeps what comes", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 5000 running")
      const draining = yield* Effect.forkChild(chat.get(Lanes).drain(Duration.seconds(60)))
      yield* quiet
      yield* chat.say("later")
      yield* chat.say("elsewhere", { chat: "2" })
      yield* pass("6 seconds")
      assert.strictEqual(yield* Fiber.join(draining), 0)
      assert.deepStrictEqual(chat.texts(), [Texts.notices.draining, "running"])
      assert.deepStrictEqual(yield* chat.inbox, ["!sleep 5000 running: done", "later: waiting", "elsewhere: waiting"])
      yield* chat.restart
      yield* pass("10 seconds")
      assert.deepStrictEqual(chat.texts(), [Texts.notices.draining, "running", "later"])
      assert.deepStrictEqual(chat.texts("2"), [Texts.notices.draining, "elsewhere"])
    })
  )

  it.effect("a drain whose time is up says how many turns were left", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 60000 a")
      yield* chat.say("!sleep 60000 b", { chat: "2" })
      const draining = yield* Effect.forkChild(chat.get(Lanes).drain(Duration.seconds(3)))
      yield* pass("4 seconds")
      assert.strictEqual(yield* Fiber.join(draining), 2)
    })
  )

  it.effect("an idle session is forgotten after half an hour, and revived with its conversation", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("one")
      yield* pass("29 minutes", "1 minute")
      assert.strictEqual(chat.get(Lanes).view().resident, 1)
      yield* pass("3 minutes", "1 minute")
      assert.strictEqual(chat.get(Lanes).view().resident, 0)
      yield* chat.say("two")
      assert.deepStrictEqual(chat.texts(), ["one", "two"])
      assert.lengthOf(yield* chat.query("SELECT id FROM sessions"), 1)
    })
  )

  it.effect("a session with a turn is never forgotten", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { "agent.gateway_timeout": 0, "agent.gateway_timeout_warning": 0 } })
      yield* chat.say("!sleep 3000000 patience")
      yield* pass("45 minutes", "1 minute")
      assert.strictEqual(chat.get(Lanes).view().resident, 1)
      yield* pass("10 minutes", "1 minute")
      assert.deepStrictEqual(chat.texts(), ["patience"])
    })
  )

  it.effect("interrupt stops the running turn, keeps the queue, and says whether there was one", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      assert.isFalse(yield* chat.get(Lanes).interrupt("agent:main:test:dm:1", "connector"))
      yield* chat.say("!sleep 60000 never")
      yield* chat.say("next")
      assert.isTrue(yield* chat.get(Lanes).interrupt("agent:main:test:dm:1", "connector"))
      yield* quiet
      assert.deepStrictEqual(chat.texts(), ["next"])
      assert.deepStrictEqual(yield* chat.inbox, ["!sleep 60000 never: done", "next: done"])
    })
  )
})
