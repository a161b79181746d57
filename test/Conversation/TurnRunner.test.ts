import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { Agent, type AgentEvent } from "../../src/Agent/Agent.ts"
import * as Texts from "../../src/Conversation/Texts.ts"
import { builtIn } from "../../src/Session/ResetPolicy.ts"
import { Lanes } from "../../src/Session/Lanes.ts"
import { SqlError } from "effect/sql"
import { pass, quiet, until } from "../support/Passing.ts"
import { keyed } from "../support/ScriptedOutlet.ts"
import { make } from "./Chat.ts"

const rejected = new SqlError.SqlError({
  reason: new SqlError.ConstraintError({ cause: new Error("no"), message: "no", operation: "execute" })
})
const queueing = { settings: { "display.busy_input_mode": "queue" } }

describe("a turn", () => {
  it.effect("answers, once, anchored to its message, and stores exchange, reply and end", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("hello", { messageId: "m1" })
      assert.deepStrictEqual(
        chat.platform.screen.map(({ replyTo, text }) => [text, replyTo]),
        [["hello", "m1"]]
      )
      assert.deepStrictEqual(yield* chat.inbox, ["hello: done"])
      assert.deepStrictEqual(yield* chat.transcript, ["user: hello", "assistant: hello"])
      assert.deepStrictEqual(
        (yield* chat.query("SELECT state FROM outbox")).map(({ state }) => state),
        ["sent"]
      )
    })
  )

  it.effect(
    "transcript, reply and the end of its message are one transaction: whichever statement fails, none is there",
    () =>
      Effect.gen(function* () {
        const chat = yield* make()
        yield* chat.say("before")
        // The transaction of a turn's end: inbox, routes, messages, outbox; a constraint that fails is not tried again.
        for (let at = 0; at < 4; at++) {
          Object.assign(chat.faults, { failAt: null })
          yield* chat.hand(`!sleep 100 turn ${at}`)
          yield* quiet
          Object.assign(chat.faults, { failAt: at, failWith: rejected, failures: 1 })
          const before = yield* chat.transcript
          yield* pass("100 millis", "100 millis")
          assert.strictEqual(chat.faults.failures, 0, `the end of a turn has more than ${at} statements`)
          assert.deepStrictEqual(yield* chat.transcript, before)
          assert.strictEqual((yield* chat.inbox).at(-1), `!sleep 100 turn ${at}: running`)
          assert.strictEqual((yield* chat.query("SELECT state FROM outbox")).length, 1 + at)
          // Undone, so it runs again: once everything is well it is there, once.
          yield* pass("12 seconds", "500 millis")
          assert.strictEqual((yield* chat.inbox).at(-1), `!sleep 100 turn ${at}: done`)
        }
        assert.deepStrictEqual(chat.texts(), ["before", "turn 0", "turn 1", "turn 2", "turn 3"])
        assert.deepStrictEqual((yield* chat.transcript).length, 10)
      })
  )

  it.effect("an answer that was stored leaves although the process dies before it is sent, under the same key", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      chat.platform.script = (_, n) => (n === 0 ? "shown, then silence" : "ok")
      yield* chat.say("hello")
      yield* chat.kill
      yield* chat.start
      yield* pass("10 seconds", "1 second")
      assert.deepStrictEqual(chat.texts(), ["hello"])
      assert.strictEqual(new Set(chat.platform.sent.map(({ key }) => key)).size, 1)
      assert.deepStrictEqual(yield* chat.transcript, ["user: hello", "assistant: hello"])
    })
  )

  it.effect("cut off by a shutdown it stores nothing, and runs again under the same keys", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!tool search !sleep")
      const toolKey = chat.platform.sent[0]!.key
      yield* chat.say("!sleep 60000 finally")
      yield* chat.restart
      assert.deepStrictEqual((yield* chat.inbox).at(-1), "!sleep 60000 finally: running")
      assert.lengthOf(yield* chat.transcript, 2)
      yield* pass("2 minutes", "1 second")
      assert.strictEqual(chat.texts().filter((text) => text === "finally").length, 1)
      assert.notStrictEqual(toolKey, "")
      assert.deepStrictEqual(
        (yield* chat.query("SELECT starts FROM inbox ORDER BY id")).map(({ starts }) => starts),
        [1, 2]
      )
    })
  )

  it.effect("what it had already shown of its tools is not shown again by its second run", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!tool search things")
      const shown = chat.texts()
      yield* Effect.orDie(chat.database.execute("UPDATE inbox SET state = 'waiting'", []))
      yield* Effect.orDie(chat.database.execute("DELETE FROM outbox WHERE kind = 'final'", []))
      yield* chat.restart
      yield* pass("10 seconds", "1 second")
      assert.deepStrictEqual(chat.texts(), shown)
    })
  )

  it.effect("of an agent without a sign of life is stopped, the sender is told, and the next one runs", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { "agent.gateway_timeout": 60, "display.busy_input_mode": "queue" } })
      yield* chat.say("!sleep 3000000 stuck")
      yield* chat.say("hello")
      yield* pass("2 minutes", "5 seconds")
      assert.deepStrictEqual(chat.texts().slice(-2), [Texts.stuck(1, null), "hello"])
      assert.deepStrictEqual(yield* chat.inbox, ["!sleep 3000000 stuck: done", "hello: done"])
    })
  )

  it.effect("of an agent that says something now and then may take as long as it likes", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { "agent.gateway_timeout": 60 } })
      yield* chat.say("!stream 6 40000 slow but alive")
      yield* pass("5 minutes", "5 seconds")
      assert.deepStrictEqual(chat.texts(), ["slow but alive"])
    })
  )

  it.effect("the process dies with it three times: it is set aside as dead, and the sender is told", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!sleep 60000 deadly")
      yield* chat.say("harmless")
      for (let death = 0; death < 3; death++) {
        yield* pass("2 seconds", "500 millis")
        yield* chat.kill
        yield* chat.start
      }
      yield* pass("10 seconds", "500 millis")
      assert.deepStrictEqual(chat.texts(), [Texts.diedTooOften, Texts.sessionReset("suspended", builtIn), "harmless"])
      assert.deepStrictEqual(yield* chat.inbox, ["!sleep 60000 deadly: dead", "harmless: done"])
    })
  )

  it.effect("stopped before its agent starts, its message is done and does not come back", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { "gateway.max_running_turns": 1 } })
      yield* chat.say("!sleep 20000 busy")
      yield* chat.say("waits for its turn", { chat: "2" })
      yield* chat.say("/stop", { chat: "2" })
      yield* pass("1 minute", "1 second")
      assert.deepStrictEqual(chat.texts(), ["busy"])
      assert.deepStrictEqual(chat.texts("2"), [Texts.stopped])
      assert.deepStrictEqual(yield* chat.inbox, ["!sleep 20000 busy: done", "waits for its turn: done", "/stop: done"])
    })
  )

  it.effect("a link that is not there yet is waited for, and its reply leaves when it comes", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      chat.serves = false
      yield* chat.restart
      yield* chat.say("early")
      yield* pass("3 seconds")
      assert.deepStrictEqual(yield* chat.inbox, ["early: waiting"])
      yield* chat.serve
      // How many steps of the scheduler lie between the link and the reply is nobody's promise.
      yield* until(() => chat.texts().length === 1)
      assert.deepStrictEqual(chat.texts(), ["early"])
      yield* chat.restart
      yield* chat.say("without any link")
      yield* pass("12 seconds")
      assert.strictEqual((yield* chat.inbox).at(-1), "without any link: done")
      yield* chat.serve
      yield* until(() => chat.texts().length === 2)
      assert.deepStrictEqual(chat.texts(), ["early", "without any link"])
    })
  )

  it.effect("while the storage takes no commits the answer waits, and is not lost", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.hand("!sleep 100 patience")
      yield* pass("50 millis", "10 millis")
      chat.faults.refuse = new SqlError.SqlError({
        reason: new SqlError.ConnectionError({ cause: new Error("full"), message: "full", operation: "execute" })
      })
      yield* pass("1 minute", "1 second")
      assert.deepStrictEqual(chat.texts(), [])
      chat.faults.refuse = null
      yield* pass("2 seconds")
      assert.deepStrictEqual(chat.texts(), ["patience"])
    })
  )

  it.effect("whose answer is only white space, whole or growing, is said to have come to nothing", () =>
    Effect.gen(function* () {
      for (const blank of ["", "  ", "\n\t\n", " \n".repeat(5000)]) {
        const agent = Layer.succeed(Agent, {
          name: "blank",
          start: () =>
            Effect.succeed({
              events: Stream.fromIterable<AgentEvent>([
                { _tag: "Commentary", text: blank },
                { _tag: "TextDelta", text: blank },
                { _tag: "Final", text: blank }
              ]),
              answer: () => Effect.void,
              steer: () => Effect.succeed(false)
            })
        })
        const chat = yield* make({ agent, capabilities: keyed })
        yield* chat.say("hello")
        yield* pass("5 seconds", "500 millis")
        assert.deepStrictEqual(chat.texts(), [Texts.nothingSaid])
        assert.deepStrictEqual(yield* chat.inbox, ["hello: done"])
      }
    })
  )

  it.effect("no two of one session overlap while 200 messages come at random moments", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      const saying = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 200 }, (_, n) => n),
          (n) => Effect.andThen(Effect.sleep((n * 37) % 90), chat.hand(`!sleep ${(n * 53) % 120} m${n}`)),
          { discard: true }
        )
      )
      yield* pass("60 seconds", "50 millis")
      yield* Fiber.join(saying)
      assert.deepStrictEqual(
        chat.texts(),
        Array.from({ length: 200 }, (_, n) => `m${n}`)
      )
      assert.deepStrictEqual(chat.get(Lanes).view(), { resident: 1, running: 0, queued: 0 })
    })
  )
})
