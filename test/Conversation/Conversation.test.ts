import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Texts from "../../src/Conversation/Texts.ts"
import { pass, quiet } from "../support/Passing.ts"
import { keyed } from "../support/ScriptedOutlet.ts"
import { make } from "./Chat.ts"

const queueing = { settings: { "display.busy_input_mode": "queue" } }

describe("a conversation with the echo agent", () => {
  it.effect("!sleep answers after its time, not before", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 1500 good morning")
      yield* pass("1400 millis", "100 millis")
      assert.deepStrictEqual(chat.texts(), [])
      yield* pass("100 millis", "100 millis")
      assert.deepStrictEqual(chat.texts(), ["good morning"])
    })
  )

  it.effect("!silent shows nothing, and is in the transcript", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!silent please")
      yield* pass("5 seconds")
      assert.deepStrictEqual(chat.platform.sent, [])
      assert.deepStrictEqual(yield* chat.transcript, ["user: !silent please", "assistant: [SILENT]"])
      assert.deepStrictEqual(yield* chat.inbox, ["!silent please: done"])
    })
  )

  it.effect("!tool shows the tool, then the answer", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!tool search for cats")
      assert.deepStrictEqual(chat.texts(), [Texts.toolLine("search", "for cats"), "for cats"])
      assert.deepStrictEqual(yield* chat.transcript, ["user: !tool search for cats", "assistant: for cats"])
    })
  )

  it.effect("!media shows an address, or a file's name, never a path of this machine", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!media https://example.org/cat.png")
      yield* chat.say("!media /root/.ssh/holiday.png")
      yield* chat.say("!media C:\\Users\\me\\cat.png")
      yield* chat.say("!media ../../etc/passwd")
      assert.strictEqual(chat.texts()[0], "https://example.org/cat.png")
      assert.lengthOf(chat.texts(), 4)
      for (const text of chat.texts().slice(1)) assert.notMatch(text, /root|ssh|Users|etc|[\\/]/)
      assert.include(chat.texts()[1], "holiday.png")
    })
  )

  for (const [kind, category] of [
    ["rate_limit", "rate_limit"],
    ["auth", "auth"],
    ["context", "context"],
    ["overloaded", "overloaded"],
    ["toString", "provider"]
  ] as const) {
    it.effect(`!fail ${kind} says what the user can do, and nothing of the cause`, () =>
      Effect.gen(function* () {
        const chat = yield* make()
        yield* chat.say(`!fail ${kind}`)
        assert.deepStrictEqual(chat.texts(), [Texts.failures[category]])
        assert.deepStrictEqual(yield* chat.inbox, [`!fail ${kind}: done`])
        // Of what was too large nothing is kept; else the question is, and never the error text.
        assert.deepStrictEqual(yield* chat.transcript, kind === "context" ? [] : [`user: !fail ${kind}`])
        yield* chat.say("still there?")
        assert.strictEqual(chat.texts().at(-1), "still there?")
      })
    )
  }

  it.effect("!fail crash is one failed turn with an error id, without class names or traces", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!fail crash")
      assert.lengthOf(chat.texts(), 1)
      assert.match(chat.texts()[0]!, /error [0-9a-f]{8}/)
      assert.notMatch(chat.texts()[0]!, /Error:|at |echo agent/)
      assert.deepStrictEqual(yield* chat.inbox, ["!fail crash: done"])
      yield* chat.say("still there?")
      assert.strictEqual(chat.texts().at(-1), "still there?")
    })
  )

  it.effect("a text of several chunks is anchored once and complete", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities: { ...keyed, streaming: false, maxLength: 200 } })
      const text = Array.from({ length: 120 }, (_, i) => `word${i}`).join(" ")
      yield* chat.say(text, { messageId: "m1" })
      assert.isAbove(chat.texts().length, 3)
      assert.deepStrictEqual(
        chat.platform.screen.map(({ replyTo }) => replyTo),
        [
          "m1",
          ...chat
            .texts()
            .slice(1)
            .map(() => null)
        ]
      )
      assert.strictEqual(
        chat
          .texts()
          .map((chunk) => chunk.replace(/\s*\(\d+\/\d+\)$/, ""))
          .join(" "),
        text
      )
      assert.deepStrictEqual((yield* chat.transcript).at(-1), `assistant: ${text}`)
    })
  )
})

describe("a message while a turn runs", () => {
  it.effect("interrupt mode: the newer one is answered, the older one never", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { "display.busy_ack_enabled": true } })
      yield* chat.say("!sleep 60000 old")
      yield* chat.say("new")
      yield* pass("2 minutes", "1 second")
      assert.deepStrictEqual(chat.texts(), [Texts.notices.interrupting, "new"])
      assert.deepStrictEqual(yield* chat.inbox, ["!sleep 60000 old: done", "new: done"])
      assert.deepStrictEqual(yield* chat.transcript, ["user: !sleep 60000 old", "user: new", "assistant: new"])
    })
  )

  it.effect("queue mode: each runs after the other, and the first of them is told so", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { ...queueing.settings, "display.busy_ack_enabled": true } })
      yield* chat.say("!sleep 5000 first")
      yield* chat.say("second")
      yield* chat.say("third")
      yield* pass("6 seconds")
      assert.deepStrictEqual(chat.texts(), [Texts.notices.queued, "first", "second", "third"])
    })
  )

  it.effect("the acknowledgement comes at most every 30 s", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { ...queueing.settings, "display.busy_ack_enabled": true } })
      yield* chat.say("!sleep 60000 first")
      for (const text of ["a", "b"]) yield* chat.say(text)
      yield* pass("29 seconds", "1 second")
      yield* chat.say("c")
      yield* pass("2 seconds", "1 second")
      yield* chat.say("d")
      assert.deepStrictEqual(chat.texts(), [Texts.notices.queued, Texts.notices.queued])
    })
  )

  it.effect("the 33rd is refused, told so, and runs after the others all the same", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { ...queueing.settings, "display.busy_ack_enabled": true } })
      yield* chat.say("!sleep 40000 first")
      for (let n = 0; n < 32; n++) yield* chat.say(`m${n}`)
      yield* pass("31 seconds", "1 second")
      yield* chat.say("one too many")
      assert.deepStrictEqual(chat.texts(), [Texts.notices.queued, Texts.notices["many-waiting"]])
      assert.strictEqual((yield* chat.inbox).at(-1), "one too many: refused")
      yield* pass("30 seconds", "500 millis")
      assert.deepStrictEqual(chat.texts().slice(2), [
        "first",
        ...Array.from({ length: 32 }, (_, n) => `m${n}`),
        "one too many"
      ])
    })
  )

  it.effect("/stop in the middle drops what waited, refused ones too, and the next message is answered", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!sleep 60000 first")
      for (let n = 0; n < 40; n++) yield* chat.say(`m${n}`)
      yield* pass("7 seconds", "1 second")
      yield* chat.say("/stop")
      yield* chat.say("and now?")
      yield* pass("2 minutes", "1 second")
      assert.deepStrictEqual(chat.texts(), [Texts.stopped, "and now?"])
      const rows = yield* chat.inbox
      assert.strictEqual(rows.filter((row) => row.endsWith(": dropped")).length, 40)
      assert.deepStrictEqual(rows.slice(-2), ["/stop: done", "and now?: done"])
      // Nor after a restart.
      yield* chat.restart
      yield* pass("20 seconds", "1 second")
      assert.lengthOf(chat.texts(), 2)
    })
  )

  it.effect("what a command could not store is tried again and touches nothing newer", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!sleep 20000 first")
      const saying = yield* Effect.forkChild(chat.say("/status"))
      yield* quiet
      yield* Fiber.join(saying)
      assert.lengthOf(chat.texts(), 1)
      yield* pass("30 seconds", "1 second")
      assert.strictEqual(chat.texts().at(-1), "first")
    })
  )
})
