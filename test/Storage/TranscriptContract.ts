/** What sessions, routes and messages must do on every storage. Tests share one database: each has keys of its own. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import * as Source from "../../src/Message/Source.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { touched } from "../../src/Storage/Routes.ts"
import { closed, opened as openedAt, SessionStore } from "../../src/Storage/SessionStore.ts"
import { type Said, said, Transcript } from "../../src/Storage/Transcript.ts"
import type { Storage } from "./Tables.ts"

const source = Source.make({ platform: "test", chatId: "1", userId: "u" })
const odd = "\u0000 \ud800 ' \" \\ 😀"
const write = (...writes: Parameters<Journal["Service"]["commit"]>[0]) =>
  Effect.flatMap(Journal, (journal) => journal.commit(writes))
interface Opening {
  readonly sessionKey: string
  readonly sessionId: string
  readonly createdAt: number
}
const opened = (route: Opening, from: Source.Source) => openedAt({ ...route, source: from })
const route = (key: string) =>
  Effect.flatMap(SessionStore, (store) =>
    Effect.map(store.known(key, source), ({ route }): Opening | null =>
      route === null ? null : { sessionKey: route.sessionKey, sessionId: route.sessionId, createdAt: route.createdAt }
    )
  )
const history = (id: string, limit = 100) => Effect.flatMap(Transcript, (transcript) => transcript.rows(id, limit))
const query = (sql: string) =>
  Effect.flatMap(Database, (database) =>
    Effect.map(database.execute(sql, []), (rows) => rows.map((row) => ({ ...row })))
  )
const message = (sessionId: string, turn: string, ordinal: number, content: string, more: Partial<Said> = {}) =>
  said({
    sessionId,
    turn,
    ordinal,
    role: ordinal === 0 ? "user" : "assistant",
    content,
    timestamp: 1_900_000_000_000 + ordinal,
    now: 0,
    platformMessageId: null,
    unanswered: false,
    ...more
  })

export const transcriptContract = (it: Vitest.MethodsNonLive<Storage>): void => {
  it.effect("a key without a conversation has no route", () =>
    Effect.gen(function* () {
      assert.isNull(yield* route("nobody"))
      assert.deepStrictEqual(yield* history("nothing"), [])
    })
  )

  it.effect("session and route are opened together, and found by key", () =>
    Effect.gen(function* () {
      const first = { sessionKey: "k1", sessionId: "i1", createdAt: 1_900_000_000_000 }
      yield* write(...opened(first, source))
      assert.deepStrictEqual(yield* route("k1"), first)
      assert.lengthOf(yield* query("SELECT id FROM sessions WHERE id = 'i1'"), 1)
    })
  )

  it.effect("a boundary moves the key on, and the old session is over", () =>
    Effect.gen(function* () {
      yield* write(...opened({ sessionKey: "k2", sessionId: "i2a", createdAt: 1 }, source))
      const second = { sessionKey: "k2", sessionId: "i2b", createdAt: 2 }
      yield* write(closed("i2a", "session_reset", 2, 1), ...opened(second, source))
      assert.deepStrictEqual(yield* route("k2"), second)
      const rows = yield* query("SELECT id, ended_at, end_reason FROM sessions WHERE session_key = 'k2' ORDER BY id")
      assert.deepStrictEqual(rows, [
        { id: "i2a", ended_at: 2, end_reason: "session_reset" },
        { id: "i2b", ended_at: null, end_reason: null }
      ])
      yield* write(closed("i2a", "idle", 9, 9))
      assert.deepStrictEqual(yield* query("SELECT end_reason FROM sessions WHERE id = 'i2a'"), [
        { end_reason: "session_reset" }
      ])
    })
  )

  it.effect("touching moves the activity of the route, and only that", () =>
    Effect.gen(function* () {
      yield* write(...opened({ sessionKey: "k3", sessionId: "i3", createdAt: 1 }, source))
      yield* write(touched("k3", 50))
      assert.deepStrictEqual(
        yield* query("SELECT session_id, created_at, updated_at FROM session_routes WHERE session_key = 'k3'"),
        [{ session_id: "i3", created_at: 1, updated_at: 50 }]
      )
    })
  )

  it.effect("the same conversation opened again keeps its beginning", () =>
    Effect.gen(function* () {
      yield* write(...opened({ sessionKey: "k4", sessionId: "i4", createdAt: 1 }, source))
      yield* write(...opened({ sessionKey: "k4", sessionId: "i4", createdAt: 9 }, source))
      assert.strictEqual((yield* route("k4"))!.createdAt, 1)
    })
  )

  it.effect("history is the newest messages, oldest first, of that conversation alone", () =>
    Effect.gen(function* () {
      for (let n = 0; n < 5; n++)
        yield* write(message("h1", `h1-${n}`, 0, `q${n}`), message("h1", `h1-${n}`, 1, `a${n}`))
      yield* write(message("h2", "h2-0", 0, "elsewhere"))
      assert.deepStrictEqual(
        (yield* history("h1")).map(({ content }) => content),
        [0, 1, 2, 3, 4].flatMap((n) => [`q${n}`, `a${n}`])
      )
      assert.deepStrictEqual(
        (yield* history("h1", 3)).map(({ content, role }) => `${role} ${content}`),
        ["assistant a3", "user q4", "assistant a4"]
      )
      assert.strictEqual((yield* history("h1"))[0]!.timestamp, 1_900_000_000_000)
    })
  )

  it.effect("messages of many turns in one transaction keep their order", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      yield* Effect.forEach(
        Array.from({ length: 50 }, (_, n) => n),
        (n) => journal.commit([message("many", `many-${n}`, 0, `q${n}`), message("many", `many-${n}`, 1, `a${n}`)]),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        (yield* history("many")).map(({ content }) => content),
        Array.from({ length: 50 }, (_, n) => [`q${n}`, `a${n}`]).flat()
      )
    })
  )

  it.effect("a turn that is stored twice, and a platform message that comes twice, are there once", () =>
    Effect.gen(function* () {
      yield* write(message("once", "once-1", 0, "q", { platformMessageId: "p1" }), message("once", "once-1", 1, "a"))
      yield* write(message("once", "once-1", 0, "q again"), message("once", "once-1", 1, "a again"))
      yield* write(message("once", "once-2", 0, "q", { platformMessageId: "p1" }))
      assert.deepStrictEqual(
        (yield* history("once")).map(({ content }) => content),
        ["q", "a"]
      )
    })
  )

  it.effect("text of any content is stored, what no database holds replaced", () =>
    Effect.gen(function* () {
      yield* write(message("odd", "odd-1", 0, odd))
      assert.deepStrictEqual(
        (yield* history("odd")).map(({ content }) => content),
        ["\ufffd \ufffd ' \" \\ 😀"]
      )
    })
  )

  it.effect("names and ids of any content open a conversation", () =>
    Effect.gen(function* () {
      const named = { ...source, chatName: odd, userId: odd, chatId: odd, threadId: odd, platform: odd, chatType: odd }
      yield* write(...opened({ sessionKey: "k5", sessionId: "i5", createdAt: 1 }, named))
      yield* write(message("i5", "i5-1", 0, "q", { platformMessageId: odd }))
      assert.strictEqual((yield* route("k5"))!.sessionId, "i5")
      assert.lengthOf(yield* history("i5"), 1)
    })
  )
}
