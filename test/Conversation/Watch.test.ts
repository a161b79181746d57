import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Texts from "../../src/Conversation/Texts.ts"
import { pass } from "../support/Passing.ts"
import { keyed } from "../support/ScriptedOutlet.ts"
import { make } from "./Chat.ts"

const slow = { "agent.gateway_notify_interval": 180, "agent.gateway_timeout": 1800 }

describe("a turn that takes long", () => {
  it.effect("says so every three minutes, in one message that is edited (L1)", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: slow })
      yield* chat.say("!sleep 600000 done")
      yield* pass("200 seconds", "10 seconds")
      assert.deepStrictEqual(chat.texts(), [Texts.stillWorking(3, null)])
      yield* pass("200 seconds", "10 seconds")
      assert.deepStrictEqual(chat.texts(), [Texts.stillWorking(6, null)])
      yield* pass("300 seconds", "10 seconds")
      assert.deepStrictEqual(chat.texts(), [Texts.stillWorking(9, null), "done"])
      yield* pass("300 seconds", "10 seconds")
      assert.lengthOf(chat.texts(), 2)
    })
  )

  it.effect("says it anew where nothing can be edited", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: slow, capabilities: { ...keyed, streaming: false, edit: false } })
      yield* chat.say("!sleep 600000 done")
      yield* pass("400 seconds", "10 seconds")
      assert.deepStrictEqual(chat.texts(), [Texts.stillWorking(3, null), Texts.stillWorking(6, null)])
    })
  )

  it.effect("is announced as quiet after 15 minutes, once, and stopped after 30 (L3, L4)", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 3600000 never")
      yield* pass("920 seconds", "10 seconds")
      assert.deepStrictEqual(chat.texts(), [Texts.goneQuiet(15, 15)])
      yield* pass("920 seconds", "10 seconds")
      assert.deepStrictEqual(chat.texts().slice(1), [Texts.stuck(30, null)])
      yield* chat.say("hello")
      assert.strictEqual(chat.texts().at(-1), "hello")
    })
  )
})

describe("more turns than may run at once", () => {
  it.effect("wait in the order in which they came; who waits a minute is told so (U1)", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { "gateway.max_running_turns": 1 } })
      yield* chat.say("!sleep 90000 a", { chat: "1" })
      yield* chat.say("b", { chat: "2" })
      yield* chat.say("c", { chat: "3" })
      yield* pass("70 seconds", "5 seconds")
      assert.deepStrictEqual([...chat.texts("2"), ...chat.texts("3")], [Texts.atLimit(1), Texts.atLimit(1)])
      yield* pass("30 seconds", "5 seconds")
      assert.deepStrictEqual(
        chat.platform.screen.map(({ text }) => text),
        [Texts.atLimit(1), Texts.atLimit(1), "a", "b", "c"]
      )
    })
  )
})
