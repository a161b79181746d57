import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Said from "../../src/Conversation/Commands/CommandTexts.ts"
import * as Texts from "../../src/Conversation/Texts.ts"
import { pass, quiet } from "../support/Passing.ts"
import { keyed } from "../support/ScriptedOutlet.ts"
import { make } from "./Chat.ts"

const asking = { settings: { "approvals.destructive_slash_confirm": true, "display.busy_input_mode": "queue" } }
const buttons = { ...asking, capabilities: { ...keyed, streaming: false, prompt: true } }
const inGroup = (user: string) => ({ user, chatType: "group" })

describe("a command that asks first", () => {
  for (const word of ["approve", "once", "/yes", "/approve", "!approve"]) {
    it.effect(`runs when ${word} says so`, () =>
      Effect.gen(function* () {
        const chat = yield* make(asking)
        yield* chat.say("hello")
        yield* chat.say("/new")
        yield* chat.say(word)
        assert.deepStrictEqual(chat.texts(), ["hello", Texts.confirmation(Said.session.confirmNew), Texts.freshSession])
        assert.deepStrictEqual(yield* chat.inbox, ["hello: done", "/new: done", `${word}: done`, "/new: done"])
      })
    )
  }

  for (const word of ["no", "/cancel", "nevermind"]) {
    it.effect(`does nothing when ${word} says so`, () =>
      Effect.gen(function* () {
        const chat = yield* make(asking)
        yield* chat.say("/new")
        yield* chat.say(word)
        yield* chat.say("once")
        assert.deepStrictEqual(chat.texts().slice(1), [Texts.cancelled, "once"])
      })
    )
  }

  it.effect("anything else is an ordinary message, and the question stays for five minutes", () =>
    Effect.gen(function* () {
      const chat = yield* make(asking)
      yield* chat.say("/new")
      yield* chat.say("yes please")
      yield* pass("4 minutes", "10 seconds")
      yield* chat.say("once")
      assert.deepStrictEqual(chat.texts().slice(1), ["yes please", Texts.freshSession])
      yield* chat.say("/new")
      yield* pass("301 seconds", "10 seconds")
      yield* chat.say("once")
      assert.strictEqual(chat.texts().at(-1), "once")
    })
  )

  it.effect("is pressed once, however often it is pressed", () =>
    Effect.gen(function* () {
      const chat = yield* make(buttons)
      yield* chat.say("/new")
      const [prompt] = chat.platform.prompts
      assert.match(prompt!.promptId, /^[0-9a-f]{8}\.[0-9a-f]{8}$/)
      assert.deepStrictEqual(
        prompt!.options.map(({ id }) => id),
        ["once", "always", "cancel"]
      )
      yield* chat.press("once")
      yield* chat.press("once")
      yield* chat.press("cancel")
      assert.deepStrictEqual(chat.texts().slice(1), [Texts.freshSession])
    })
  )

  it.effect("still waits after a restart, and after a kill", () =>
    Effect.gen(function* () {
      const chat = yield* make(buttons)
      yield* chat.say("/new")
      yield* chat.restart
      yield* chat.press("once")
      assert.deepStrictEqual(chat.texts().slice(1), [Texts.freshSession])
      yield* chat.say("/new")
      yield* chat.kill
      yield* chat.start
      yield* quiet
      yield* chat.say("once")
      assert.deepStrictEqual(chat.texts().slice(3), [Texts.freshSession])
      yield* chat.restart
      yield* chat.press("once")
      // The process that knew that it was answered is gone.
      assert.deepStrictEqual(chat.texts().slice(4), [Texts.promptOver])
    })
  )

  it.effect("'always' is remembered", () =>
    Effect.gen(function* () {
      const chat = yield* make(asking)
      yield* chat.say("/new")
      yield* chat.say("always")
      yield* chat.say("/new")
      yield* chat.restart
      yield* chat.say("/new")
      assert.deepStrictEqual(chat.texts().slice(1), [Texts.freshSession, Texts.freshSession, Texts.freshSession])
    })
  )

  it.effect("is confirmed by nobody but who gave it", () =>
    Effect.gen(function* () {
      const chat = yield* make({ ...buttons, settings: { ...asking.settings, group_sessions_per_user: false } })
      yield* chat.say("/new", inGroup("owner"))
      yield* chat.press("once", inGroup("stranger"))
      yield* chat.say("once", inGroup("stranger"))
      assert.deepStrictEqual(chat.texts().slice(1), ["once"])
      yield* chat.press("once", inGroup("owner"))
      assert.deepStrictEqual(chat.texts().slice(2), [Texts.freshSession])
    })
  )

  it.effect("a newer question takes the place of the older one", () =>
    Effect.gen(function* () {
      const chat = yield* make(buttons)
      yield* chat.say("/new")
      const older = chat.platform.prompts[0]!.promptId
      yield* chat.say("/new")
      yield* chat.say("/once", { press: [older, "once"] })
      assert.strictEqual(chat.texts().at(-1), Texts.promptOver)
      yield* chat.press("once")
      assert.strictEqual(chat.texts().at(-1), Texts.freshSession)
    })
  )

  it.effect("does not ask while a turn runs: it stops the turn and begins anew", () =>
    Effect.gen(function* () {
      const chat = yield* make(asking)
      yield* chat.say("!sleep 60000 long")
      yield* chat.say("/new")
      assert.deepStrictEqual(chat.texts(), [Texts.freshSession])
    })
  )

  it.effect("a press of another gateway's button is consumed without a word", () =>
    Effect.gen(function* () {
      const chat = yield* make(buttons)
      yield* chat.say("/once", { press: ["ffffffff.00000000", "once"] })
      assert.deepStrictEqual(chat.texts(), [])
      assert.deepStrictEqual(yield* chat.inbox, [])
    })
  )
})
