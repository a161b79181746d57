import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { dispatch } from "../../src/Conversation/Commands/CommandTexts.ts"
import * as Texts from "../../src/Conversation/Texts.ts"
import { pass } from "../support/Passing.ts"
import { make } from "./Chat.ts"

const queueing = { settings: { "display.busy_input_mode": "queue" } }

describe("commands", () => {
  it.effect("an unknown one is said to be unknown, and never reaches the agent", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/frobnicate now")
      assert.deepStrictEqual(chat.texts(), [dispatch.unknown("frobnicate", null)])
      assert.deepStrictEqual(yield* chat.transcript, [])
      assert.deepStrictEqual(yield* chat.inbox, ["/frobnicate now: done"])
    })
  )

  it.effect("a path is no command", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/etc/hosts is a file")
      assert.deepStrictEqual(chat.texts(), ["/etc/hosts is a file"])
    })
  )

  it.effect("/status tells of conversation, turn and queue, beside a turn, which it does not touch", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("/status")
      assert.include(chat.texts()[0], "Running: nothing")
      yield* chat.say("!sleep 60000 long")
      yield* chat.say("behind")
      yield* pass("10 seconds", "1 second")
      yield* chat.say("/status")
      assert.match(chat.texts()[1]!, /Running: yes, for 10 s\nWaiting: 1/)
      yield* pass("1 minute", "1 second")
      assert.deepStrictEqual(chat.texts().slice(2), ["long", "behind"])
    })
  )

  it.effect("a command is answered once, though its message comes twice or its process dies", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/help", { messageId: "same" })
      yield* chat.say("/help", { messageId: "same" })
      yield* chat.kill
      yield* chat.start
      yield* pass("10 seconds", "1 second")
      assert.lengthOf(chat.texts(), 1)
    })
  )

  it.effect("while the storage fails a command waits, and is then carried out once", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      chat.faults.writers.closeUnsafe()
      yield* Effect.forkChild(chat.say("/help"))
      yield* pass("1 minute", "1 second")
      assert.deepStrictEqual(chat.texts(), [])
      chat.faults.writers.openUnsafe()
      yield* pass("10 seconds", "1 second")
      assert.lengthOf(chat.texts(), 1)
    })
  )

  it.effect("/stop without a turn says that nothing runs", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/stop")
      assert.deepStrictEqual(chat.texts(), [Texts.nothingToStop])
    })
  )

  it.effect("/stop keeps the conversation, /new begins another", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      const sessions = chat.query("SELECT id, end_reason FROM sessions ORDER BY started_at, id")
      yield* chat.say("one")
      yield* pass("1 second")
      yield* chat.say("/stop")
      yield* chat.say("two")
      assert.lengthOf(yield* sessions, 1)
      yield* pass("1 second")
      yield* chat.say("/new")
      yield* chat.say("three")
      assert.deepStrictEqual(
        (yield* sessions).map(({ end_reason }) => end_reason),
        ["session_reset", null]
      )
      const [route] = yield* chat.query("SELECT session_id FROM session_routes")
      assert.strictEqual(route!["session_id"], (yield* sessions)[1]!["id"])
      const messages = yield* chat.query("SELECT session_id, content FROM messages WHERE role = 'user' ORDER BY id")
      assert.deepStrictEqual(
        messages.map(({ content, session_id }) => [content, session_id === route!["session_id"]]),
        [
          ["one", false],
          ["two", false],
          ["three", true]
        ]
      )
    })
  )

  for (const mode of ["interrupt", "queue"]) {
    it.effect(
      `/new during a turn (${mode} mode): the turn is gone, and the key points at the new conversation, also after a restart`,
      () =>
        Effect.gen(function* () {
          const chat = yield* make({ settings: { "display.busy_input_mode": mode } })
          yield* chat.say("!sleep 60000 first")
          yield* chat.hand("second")
          yield* chat.say("/new")
          yield* pass("10 seconds", "1 second")
          assert.deepStrictEqual(chat.texts(), [Texts.freshSession])
          const [route] = yield* chat.query("SELECT session_id FROM session_routes")
          const live = yield* chat.query("SELECT id FROM sessions WHERE ended_at IS NULL")
          assert.deepStrictEqual(
            live.map(({ id }) => id),
            [route!["session_id"]]
          )
          yield* chat.restart
          yield* chat.say("third")
          yield* pass("2 minutes", "1 second")
          assert.deepStrictEqual(chat.texts().slice(1), ["third"])
          const [message] = yield* chat.query("SELECT session_id FROM messages WHERE content = 'third'")
          assert.strictEqual(message!["session_id"], route!["session_id"])
        })
    )
  }

  it.effect("/new in the moment a first turn ends: the key still points at the new conversation", () =>
    Effect.gen(function* () {
      for (let steps = 0; steps < 12; steps++) {
        const chat = yield* make()
        yield* chat.hand("hello")
        for (let n = 0; n < steps; n++) yield* Effect.yieldNow
        yield* chat.say("/new")
        yield* pass("10 seconds", "1 second")
        const [route] = yield* chat.query("SELECT session_id FROM session_routes")
        const sessions = yield* chat.query("SELECT id, ended_at FROM sessions")
        const open = sessions.filter(({ ended_at }) => ended_at === null).map(({ id }) => id)
        assert.deepStrictEqual(open, [route!["session_id"]], `after ${steps} steps: ${JSON.stringify(sessions)}`)
      }
    })
  )
})
