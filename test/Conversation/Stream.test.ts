import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch } from "effect"
import { repeatMark } from "../../src/Delivery/Attempt.ts"
import { SendError } from "../../src/Message/SendError.ts"
import { pass, quiet } from "../support/Passing.ts"
import { keyed, marking, ScriptedOutlet } from "../support/ScriptedOutlet.ts"
import { type Chat, make } from "./Chat.ts"

const text = "one two three four five six seven eight nine ten"
const finals = (chat: Chat) => chat.query("SELECT state, preview FROM outbox WHERE kind = 'final'")
const edits = (chat: Chat) => chat.platform.sent.filter(({ op }) => op === "edit")

describe("a growing reply", () => {
  it.effect("is one message that grows in place and ends as the final text", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities: keyed })
      yield* chat.say(`!stream 10 500 ${text}`, { messageId: "m1" })
      yield* pass("3 seconds", "100 millis")
      assert.lengthOf(chat.texts(), 1)
      assert.match(chat.texts()[0]!, /^one.* ▉$/)
      yield* pass("5 seconds", "100 millis")
      assert.deepStrictEqual(
        chat.platform.screen.map(({ replyTo, text }) => [text, replyTo]),
        [[text, "m1"]]
      )
      assert.deepStrictEqual(
        (yield* finals(chat)).map(({ state }) => state),
        ["sent"]
      )
    })
  )

  it.effect("is edited no more often than the interval allows, however fast the deltas come", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities: keyed })
      yield* chat.say(`!stream 2000 5 ${"word ".repeat(400)}end`)
      yield* pass("12 seconds", "50 millis")
      assert.isAtMost(edits(chat).length, 13)
      assert.isAbove(edits(chat).length, 5)
      const at = edits(chat).map((edit) => edit.at)
      for (let i = 1; i < at.length - 1; i++) assert.isAtLeast(at[i]! - at[i - 1]!, 800)
    })
  )

  it.effect("is not begun with less than four characters to see", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities: keyed })
      yield* chat.say("!stream 2 5000 abcd")
      yield* pass("9 seconds", "100 millis")
      assert.deepStrictEqual(chat.texts(), [])
      yield* pass("2 seconds", "100 millis")
      assert.deepStrictEqual(chat.texts(), ["abcd"])
      assert.lengthOf(chat.platform.sent, 1)
    })
  )

  for (const [name, capabilities] of [
    ["streaming off", { ...keyed, streaming: false }],
    ["no edits", { ...keyed, edit: false }]
  ] as const) {
    it.effect(`${name}: the reply comes whole`, () =>
      Effect.gen(function* () {
        const chat = yield* make({ capabilities })
        yield* chat.say(`!stream 10 500 ${text}`)
        yield* pass("10 seconds", "250 millis")
        assert.deepStrictEqual(
          chat.platform.sent.map(({ op, text }) => [op, text]),
          [["send", text]]
        )
      })
    )
  }

  // The end of the turn meets the preview's first send at every possible moment.
  for (const capabilities of [keyed, marking]) {
    it.effect(
      `that ends in the moment its preview begins is stored, shown once, and complete (${capabilities.settle})`,
      () =>
        Effect.gen(function* () {
          const chat = yield* make({ capabilities })
          for (let ms = 100; ms <= 400; ms += 20) {
            yield* chat.say(`!stream 5 ${ms} ${ms} ${text}`)
            yield* pass("5 seconds", "10 millis")
            assert.strictEqual(chat.texts().at(-1), `${ms} ${text}`)
          }
          assert.strictEqual(chat.texts().length, 16)
          assert.deepStrictEqual([...new Set((yield* finals(chat)).map(({ state }) => state))], ["sent"])
        })
    )
  }

  /** The preview's intention and the turn's end gather behind a slow disk, and are stored in one transaction. */
  const endedWithItsPreview = Effect.fnUntraced(function* (chat: Chat) {
    yield* chat.say(`!stream 5 400 ${text}`)
    yield* pass("1100 millis", "50 millis")
    chat.faults.writers.closeUnsafe()
    yield* Effect.forkChild(chat.hand("somebody else", { chat: "2" }))
    yield* pass("3 seconds", "50 millis")
    chat.faults.writers.openUnsafe()
  })

  for (const capabilities of [keyed, marking]) {
    it.effect(`in one transaction with its preview the final is all that is sent (${capabilities.settle})`, () =>
      Effect.gen(function* () {
        const chat = yield* make({ capabilities })
        yield* endedWithItsPreview(chat)
        yield* pass("10 seconds", "100 millis")
        assert.deepStrictEqual(
          chat.platform.sent.filter((call) => call.chat === "1").map(({ op, text }) => [op, text]),
          [["send", text]]
        )
        assert.deepStrictEqual(
          (yield* finals(chat)).map(({ state }) => state),
          ["sent", "sent"]
        )
      })
    )
  }

  it.effect("in one transaction with its preview the final is shown whole, also if the process dies then", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities: keyed })
      chat.platform.script = ({ chat }) => (chat === "1" ? "shown, then silence" : "ok")
      yield* endedWithItsPreview(chat)
      yield* pass("1 second", "100 millis")
      yield* chat.kill
      chat.platform.script = () => "ok"
      yield* chat.start
      yield* pass("10 seconds", "100 millis")
      assert.deepStrictEqual(chat.texts(), [text])
    })
  )

  it.effect("that no longer waits for its preview is shown whole, also if that is refused and the process dies", () =>
    Effect.gen(function* () {
      const platform = new ScriptedOutlet(keyed)
      const outlet = platform.outlet()
      let sends = 0
      const chat = yield* make({
        outlet: {
          ...outlet,
          send: (request) =>
            Effect.suspend(() =>
              sends++ > 0
                ? outlet.send(request)
                : Effect.andThen(
                    Effect.sleep("10 seconds"),
                    Effect.fail(new SendError({ kind: "rate_limited", message: "later" }))
                  )
            )
        }
      })
      platform.script = () => "shown, then silence"
      yield* chat.say(`!stream 5 400 ${text}`)
      yield* pass("15 seconds", "100 millis")
      assert.strictEqual(sends, 2)
      yield* chat.kill
      platform.script = () => "ok"
      yield* chat.start
      yield* pass("10 seconds", "100 millis")
      assert.deepStrictEqual(platform.texts(), [text])
    })
  )

  it.effect("whose process dies while it grows ends in the same message after the restart", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities: keyed })
      yield* chat.say(`!stream 10 500 ${text}`)
      yield* pass("3 seconds", "100 millis")
      yield* chat.kill
      assert.match(chat.texts()[0]!, / ▉$/)
      yield* chat.start
      yield* pass("20 seconds", "100 millis")
      assert.deepStrictEqual(chat.texts(), [text])
    })
  )

  for (const capabilities of [keyed, marking]) {
    it.effect(`whose first send got no answer before the process died (${capabilities.settle})`, () =>
      Effect.gen(function* () {
        const chat = yield* make({ capabilities })
        chat.platform.script = (_, n) => (n === 0 ? "shown, then silence" : "ok")
        yield* chat.say(`!stream 10 500 ${text}`)
        yield* pass("3 seconds", "100 millis")
        assert.lengthOf(chat.texts(), 1)
        yield* chat.kill
        yield* chat.start
        yield* pass("20 seconds", "100 millis")
        // With a key there is one message; without, the second one says what it is, and there is no third.
        const last = capabilities.settle === "key" ? [text] : [chat.texts()[0]!, `${repeatMark}${text}`]
        assert.deepStrictEqual(chat.texts(), last)
      })
    )
  }

  it.effect("whose preview the platform refuses is sent whole, without any mark", () =>
    Effect.gen(function* () {
      for (const capabilities of [keyed, marking]) {
        for (const error of ["transient", "forbidden", "unknown"] as const) {
          const chat = yield* make({ capabilities })
          chat.platform.script = (_, n) => (n === 0 ? { error } : "ok")
          yield* chat.say(`!stream 10 500 ${text}`)
          yield* pass("20 seconds", "100 millis")
          assert.deepStrictEqual(chat.texts(), [text], `${capabilities.settle} ${error}`)
        }
      }
    })
  )

  it.effect("that meets a slow platform at its end waits for the answer instead of marking (mark)", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities: marking })
      const answer = Latch.makeUnsafe(false)
      chat.platform.script = (_, n) => (n === 0 ? answer : "ok")
      yield* chat.say(`!stream 4 400 ${text}`)
      yield* pass("3 seconds", "100 millis")
      answer.openUnsafe()
      yield* pass("3 seconds", "100 millis")
      assert.deepStrictEqual(chat.texts(), [text])
    })
  )

  it.effect("that is stopped keeps what was shown, without the cursor", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities: keyed })
      yield* chat.say(`!stream 10 500 ${text}`)
      yield* pass("3 seconds", "100 millis")
      yield* chat.say("/stop")
      yield* quiet
      assert.isTrue(text.startsWith(chat.texts()[0]!.trimEnd()), chat.texts()[0])
      assert.notInclude(chat.texts()[0], "▉")
      assert.isAbove(chat.texts()[0]!.length, 3)
    })
  )

  it.effect("begins only when everything said before in its chat has left", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities: keyed })
      chat.platform.script = (_, n) => (n === 0 ? { error: "rate_limited", retryAfter: 5 } : "ok")
      yield* chat.say("first")
      yield* chat.say(`!stream 6 500 ${text}`)
      yield* pass("20 seconds", "100 millis")
      assert.deepStrictEqual(chat.texts(), ["first", text])
    })
  )

  it.effect("longer than one message: the first chunk takes the preview's place, the others follow", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities: { ...keyed, maxLength: 200 } })
      const long = Array.from({ length: 100 }, (_, i) => `word${i}`).join(" ")
      yield* chat.say(`!stream 20 300 ${long}`)
      yield* pass("30 seconds", "100 millis")
      assert.strictEqual(
        chat
          .texts()
          .map((chunk) => chunk.replace(/\s*\(\d+\/\d+\)$/, ""))
          .join(" "),
        long
      )
      for (const chunk of chat.texts()) assert.isAtMost(chunk.length, 200)
    })
  )

  it.effect("over several messages, killed at any moment: it ends whole and once, with nothing beside it", () =>
    Effect.gen(function* () {
      const words = Array.from({ length: 120 }, (_, n) => `word${n}`).join(" ")
      for (let moment = 500; moment < 6500; moment += 700) {
        const chat = yield* make({ capabilities: { ...keyed, maxLength: 300 } })
        yield* chat.say(`!stream 60 100 ${words}`)
        yield* pass(`${moment} millis`, "50 millis")
        yield* chat.kill
        yield* chat.start
        yield* pass("30 seconds", "100 millis")
        const shown = chat.texts().map((text) => text.replace(/\s*\(\d+\/\d+\)$/, ""))
        assert.strictEqual(shown.join(" "), words, `killed after ${moment} ms`)
      }
    })
  )
})
