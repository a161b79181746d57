import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, type AgentTurn } from "../../src/Agent/Agent.ts"
import * as Texts from "../../src/Conversation/Texts.ts"
import { builtIn } from "../../src/Session/ResetPolicy.ts"
import { pass } from "../support/Passing.ts"
import { make } from "./Chat.ts"

/** Says "ok", and keeps what it was given. */
const listening = () => {
  const turns: Array<AgentTurn> = []
  const agent = Layer.succeed(Agent, {
    name: "listening",
    start: (turn) =>
      Effect.sync(() => {
        turns.push(turn)
        return {
          events: Stream.succeed({ _tag: "Final" as const, text: "ok" }),
          answer: () => Effect.void,
          steer: () => Effect.succeed(false)
        }
      })
  })
  return { agent, turns }
}

const at = (iso: string) => TestClock.setTime(Date.parse(iso))

describe("how a conversation begins", () => {
  it.effect("its id exists before its first turn runs, and the first turn ever asks for an introduction", () =>
    Effect.gen(function* () {
      const { agent, turns } = listening()
      const chat = yield* make({ agent })
      yield* chat.say("hello")
      yield* chat.say("again")
      yield* chat.say("another chat", { chat: "2" })
      const stored = yield* chat.query("SELECT session_id FROM session_routes ORDER BY chat_id")
      assert.deepStrictEqual(
        turns.map(({ sessionId }) => sessionId),
        [stored[0]!.session_id, stored[0]!.session_id, stored[1]!.session_id] as Array<string>
      )
      assert.match(turns[0]!.text, /^\[System note: This is the first message ever[^]*\n\nhello$/)
      assert.strictEqual(turns[1]!.text, "again")
      assert.strictEqual(turns[2]!.text, "another chat")
      assert.strictEqual(turns[0]!.context, turns[1]!.context)
      assert.include(turns[0]!.context, "## Current Session Context")
    })
  )

  it.effect("at four in the morning of the night that the clocks go forward, once, and both sides are told", () =>
    Effect.gen(function* () {
      const { agent, turns } = listening()
      yield* at("2026-03-29T01:58:00Z")
      const chat = yield* make({
        agent,
        settings: { "session_reset.mode": "daily", timezone: "Europe/Berlin" }
      })
      yield* chat.say("late")
      // 03:59 on the wall: an hour was left out, the day has not turned.
      yield* at("2026-03-29T01:59:59Z")
      yield* chat.say("later")
      yield* at("2026-03-29T02:00:00Z")
      yield* chat.say("good morning")
      yield* chat.say("coffee")
      const ids = turns.map(({ sessionId }) => sessionId)
      assert.strictEqual(ids[0], ids[1])
      assert.notStrictEqual(ids[1], ids[2])
      assert.strictEqual(ids[2], ids[3])
      assert.match(turns[2]!.text, /reset by the daily schedule[^]*fresh conversation[^]*\n\ngood morning$/)
      assert.include(turns[2]!.text, ids[1]!)
      assert.strictEqual(turns[3]!.text, "coffee")
      assert.deepStrictEqual(chat.texts(), ["ok", "ok", Texts.sessionReset("daily", builtIn), "ok", "ok"])
      assert.deepStrictEqual(yield* Effect.orDie(turns[2]!.history), [
        { role: "user", content: "good morning", timestamp: Date.parse("2026-03-29T02:00:00Z") },
        { role: "assistant", content: "ok", timestamp: Date.parse("2026-03-29T02:00:00Z") },
        { role: "user", content: "coffee", timestamp: Date.parse("2026-03-29T02:00:00Z") },
        { role: "assistant", content: "ok", timestamp: Date.parse("2026-03-29T02:00:00Z") }
      ])
      assert.deepStrictEqual(yield* chat.query("SELECT id, end_reason FROM sessions ORDER BY started_at"), [
        { id: ids[0], end_reason: "daily" },
        { id: ids[2], end_reason: null }
      ])
    })
  )

  it.effect("a reset is not undone by a restart, nor told twice when its first turn is killed", () =>
    Effect.gen(function* () {
      const { agent, turns } = listening()
      yield* at("2026-05-05T10:00:00Z")
      const chat = yield* make({ agent, settings: { "session_reset.mode": "idle", "session_reset.idle_minutes": 60 } })
      yield* chat.say("one")
      yield* at("2026-05-05T12:00:00Z")
      yield* chat.restart
      yield* chat.say("two")
      yield* chat.restart
      yield* chat.say("three")
      const ids = turns.map(({ sessionId }) => sessionId)
      assert.notStrictEqual(ids[0], ids[1])
      assert.strictEqual(ids[1], ids[2])
      assert.lengthOf(
        chat.texts().filter((text) => text.startsWith("◐")),
        1
      )
      assert.lengthOf(yield* chat.query("SELECT id FROM sessions WHERE ended_at IS NULL"), 1)
    })
  )

  it.effect("/new, then the process dies: the next message is in the new conversation", () =>
    Effect.gen(function* () {
      const { agent, turns } = listening()
      const chat = yield* make({ agent })
      yield* chat.say("old")
      yield* chat.say("/new")
      yield* chat.kill
      yield* chat.start
      yield* chat.say("new")
      assert.notStrictEqual(turns[0]!.sessionId, turns[1]!.sessionId)
      assert.deepStrictEqual(yield* chat.query("SELECT id FROM sessions WHERE ended_at IS NULL"), [
        { id: turns[1]!.sessionId }
      ])
    })
  )

  it.effect("as the first act after a restart, /new ends what was there before", () =>
    Effect.gen(function* () {
      const { agent } = listening()
      const chat = yield* make({ agent })
      yield* chat.say("old")
      yield* chat.restart
      yield* chat.say("/new")
      assert.lengthOf(yield* chat.query("SELECT id FROM sessions WHERE ended_at IS NULL"), 1)
      assert.lengthOf(yield* chat.query("SELECT id FROM sessions"), 2)
    })
  )

  it.effect("two users in one chat: apart when sessions are per user, together when they are shared", () =>
    Effect.gen(function* () {
      for (const [perUser, expected] of [
        [true, 2],
        [false, 1]
      ] as const) {
        const { agent, turns } = listening()
        const chat = yield* make({ agent, settings: { group_sessions_per_user: perUser } })
        for (const user of ["a", "b"]) yield* chat.say("hi", { chat: "g", chatType: "group", user })
        assert.strictEqual(new Set(turns.map(({ sessionId }) => sessionId)).size, expected)
        assert.strictEqual(turns[1]!.context.includes("multi-user session"), !perUser)
      }
    })
  )

  it.effect("two chats at one conversation: their turns come one after the other, and both are in the transcript", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      for (const id of ["1", "2"]) yield* chat.say("hello", { chat: id })
      const [first] = yield* chat.query("SELECT session_id FROM session_routes WHERE chat_id = '1'")
      yield* chat.query(`UPDATE session_routes SET session_id = '${String(first!.session_id)}' WHERE chat_id = '2'`)
      yield* chat.restart
      yield* chat.say("!sleep 2000 one", { chat: "1" })
      yield* chat.say("!sleep 1000 two", { chat: "2" })
      yield* pass("1500 millis")
      assert.deepStrictEqual(chat.texts("2"), ["hello"])
      yield* pass("2 seconds")
      assert.deepStrictEqual(
        [chat.texts("1"), chat.texts("2")],
        [
          ["hello", "one"],
          ["hello", "two"]
        ]
      )
      const rows = yield* chat.query(
        `SELECT content FROM messages WHERE session_id = '${String(first!.session_id)}' ORDER BY id`
      )
      assert.deepStrictEqual(
        rows.map(({ content }) => content),
        ["hello", "hello", "!sleep 2000 one", "one", "!sleep 1000 two", "two"]
      )
    })
  )
})
