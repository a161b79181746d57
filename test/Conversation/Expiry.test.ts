import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent } from "../../src/Agent/Agent.ts"
import { Database } from "../../src/Storage/Database.ts"
import { until } from "../support/Passing.ts"
import { make } from "./Chat.ts"

const forgetful = (broken = false) => {
  const forgotten: Array<string> = []
  const agent = Layer.succeed(Agent, {
    name: "forgetful",
    start: () =>
      Effect.succeed({
        events: Stream.succeed({ _tag: "Final" as const, text: "ok" }),
        answer: () => Effect.void,
        steer: () => Effect.succeed(false)
      }),
    forget: (_key, id) =>
      Effect.andThen(
        Effect.sync(() => forgotten.push(id)),
        broken ? Effect.die("broken") : Effect.void
      )
  })
  return { agent, forgotten }
}
const hour = { "session_reset.mode": "idle", "session_reset.idle_minutes": 60 }

describe("conversations that nobody goes on with", () => {
  it.effect("are put away by the agent once, stay where they are, and the next message begins anew", () =>
    Effect.gen(function* () {
      const { agent, forgotten } = forgetful()
      const chat = yield* make({ agent, settings: hour })
      for (const id of ["1", "2"]) yield* chat.say("hello", { chat: id })
      const ids = (yield* chat.query("SELECT session_id FROM session_routes ORDER BY chat_id")).map(
        (row) => row.session_id
      )
      yield* TestClock.adjust("55 minutes")
      yield* chat.say("still here", { chat: "2" })
      yield* until(() => forgotten.length > 0, "30 minutes")
      assert.deepStrictEqual(forgotten, [ids[0]])
      yield* TestClock.adjust("15 minutes")
      assert.lengthOf(forgotten, 1)
      assert.deepStrictEqual(yield* chat.query("SELECT session_id FROM session_routes WHERE expiry_finalized = 1"), [
        { session_id: ids[0] }
      ])
      yield* chat.say("back")
      assert.deepStrictEqual(yield* chat.query(`SELECT end_reason FROM sessions WHERE id = '${String(ids[0])}'`), [
        { end_reason: "idle" }
      ])
    })
  )

  it.effect("are let go after three passes in which the agent failed", () =>
    Effect.gen(function* () {
      const { agent, forgotten } = forgetful(true)
      const chat = yield* make({ agent, settings: hour })
      yield* chat.say("hello")
      yield* until(() => forgotten.length === 3, "2 hours")
      yield* TestClock.adjust("20 minutes")
      assert.lengthOf(forgotten, 3)
    })
  )

  it.effect("lose their route after 90 days, and are not brought back", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("hello")
      yield* chat.end
      yield* TestClock.adjust("91 days")
      yield* chat.start
      yield* until(() => false, "1 second")
      assert.deepStrictEqual(yield* chat.query("SELECT end_reason FROM sessions"), [{ end_reason: "pruned" }])
      yield* chat.say("again")
      assert.lengthOf(yield* chat.query("SELECT id FROM sessions"), 2)
    })
  )

  it.effect("a message costs the same plan whatever the number of routes", () =>
    Effect.gen(function* () {
      const database = yield* Database
      for (const sql of [
        "SELECT session_key FROM session_routes r WHERE r.expiry_finalized = 0 AND r.updated_at < 5 ORDER BY r.updated_at, r.session_key LIMIT 1",
        "SELECT 1 FROM session_routes r LEFT JOIN sessions s ON s.id = r.session_id WHERE r.session_key = 'k'",
        "SELECT id FROM sessions s WHERE s.session_key = 'k' ORDER BY s.last_activity_at DESC LIMIT 20"
      ]) {
        const plan = yield* database.execute(`EXPLAIN QUERY PLAN ${sql}`, [])
        for (const { detail } of plan) assert.match(String(detail), /SEARCH/, sql)
      }
    }).pipe(Effect.provide(Database.layer({ storage: "memory", filename: "" })))
  )
})
