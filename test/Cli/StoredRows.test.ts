/** `inbox` and `outbox` on a prepared database: what is listed, and which rows may be changed. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { assumedCapabilities } from "../../src/Delivery/Outlet.ts"
import * as Reply from "../../src/Delivery/Reply.ts"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { Database } from "../../src/Storage/Database.ts"
import { buried, ended, taken } from "../../src/Storage/Inbox.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { type OutboxState, progressed, stored } from "../../src/Storage/Outbox.ts"
import { makeHome } from "../support/GatewayProcess.ts"
import { command } from "./CommandProcess.ts"

const at = Date.UTC(2026, 0, 2, 3, 4, 5)
const secret = "sk-abcdefghijklmnopqrstuvwxyz0123456789"

const layer = (home: string) =>
  Journal.layer.pipe(Layer.provideMerge(Database.layer({ storage: "sqlite", filename: join(home, "switchboard.db") })))

/** Messages 1 (waiting), 2 (done), 3 (dead, never a message). */
const fillInbox = Effect.gen(function* () {
  const journal = yield* Journal
  const take = (id: string, text: string) =>
    taken({
      messageKey: id,
      bufferKey: null,
      link: "relay:",
      sessionKey: "agent:main:relay:dm:c1",
      event: MessageEvent.text(Source.make({ platform: "relay", chatId: "c1", userId: "u" }), text, id),
      provenance: Source.untrusted,
      takenAt: at
    })
  yield* journal.commit([take("a", `my key is ${secret}`)])
  yield* journal.commit([take("b", "second\nline")])
  yield* journal.commit([buried({ bufferKey: "x", link: "relay:", raw: "{broken", reason: "no JSON", at })])
  yield* journal.commit([ended(2, "done", at)])
})

const row = (cause: string, text: string) =>
  Reply.rows({
    installation: "test",
    cause,
    link: "relay:",
    target: { platform: "relay", chatId: "c1", chatType: "dm", threadId: null, scopeId: null },
    sessionKey: null,
    kind: "scheduled",
    text,
    replyTo: null,
    notify: true,
    capabilities: assumedCapabilities,
    at
  })[0]!

const fillOutbox = Effect.fnUntraced(function* (states: ReadonlyArray<OutboxState>) {
  const journal = yield* Journal
  const keys: Array<string> = []
  for (const state of states) {
    const made = row(state, `text that is ${state}`)
    yield* journal.commit([stored(made)])
    yield* journal.commit([
      progressed({ row: { ...made, state, attempts: 3 }, at, error: "because", errorKind: "forbidden" })
    ])
    keys.push(made.key)
  }
  return keys
})

const query = <A extends object>(home: string, sql: string) =>
  Effect.flatMap(SqlClient.SqlClient, (client) => client.unsafe<A>(sql)).pipe(Effect.provide(layer(home)))

const prepared = <A, E>(fill: Effect.Effect<A, E, Journal>): Effect.Effect<readonly [string, A], never, Scope.Scope> =>
  Effect.flatMap(makeHome, (home) =>
    Effect.map(Effect.orDie(Effect.provide(fill, layer(home))), (filled) => [home, filled] as const)
  )

describe("inbox", () => {
  it.live("lists what is not done, redacted and one line each, and nothing else", () =>
    Effect.gen(function* () {
      const [home] = yield* prepared(fillInbox)
      const { code, stdout } = yield* command(home, ["inbox", "list"])
      assert.strictEqual(code, 0)
      assert.match(stdout, /^1 +waiting +2026-01-02 03:04:05Z +agent:main:relay:dm:c1 +my key is sk-abc/m)
      assert.notInclude(stdout, secret)
      assert.lengthOf(stdout.trim().split("\n"), 2)
      const done = yield* command(home, ["inbox", "list", "--state", "done", "--json"])
      const rows = JSON.parse(done.stdout)
      assert.lengthOf(rows, 1)
      assert.deepInclude(rows[0], { id: 2, state: "done" })
      assert.strictEqual(rows[0].event.text, "second\nline")
    })
  )

  it.live("shows one row whole, redacted; an unknown one is exit 1", () =>
    Effect.gen(function* () {
      const [home] = yield* prepared(fillInbox)
      const { code, stdout } = yield* command(home, ["inbox", "show", "1"])
      assert.strictEqual(code, 0)
      assert.notInclude(stdout, secret)
      assert.strictEqual(JSON.parse(stdout).event.source.chatId, "c1")
      const unknown = yield* command(home, ["inbox", "show", "99"])
      assert.strictEqual(unknown.code, 1)
      assert.include(unknown.stderr, "no message 99")
    })
  )

  it.live("replays a message that has ended as a row of its own, and refuses the others", () =>
    Effect.gen(function* () {
      const [home] = yield* prepared(fillInbox)
      const again = yield* command(home, ["inbox", "replay", "2"])
      assert.strictEqual(again.code, 0, again.stderr)
      assert.strictEqual(again.stdout, "message 2 runs again as 4\n")
      const rows = yield* query<{ id: number; state: string; session_key: string; event: string }>(
        home,
        "SELECT id, state, session_key, event FROM inbox WHERE id IN (2, 4) ORDER BY id"
      )
      assert.deepStrictEqual(
        rows.map(({ state }) => state),
        ["done", "waiting"]
      )
      assert.strictEqual(rows[0]!.event, rows[1]!.event)
      assert.strictEqual(rows[0]!.session_key, rows[1]!.session_key)
      assert.strictEqual((yield* command(home, ["inbox", "replay", "1"])).code, 1)
      const dead = yield* command(home, ["inbox", "replay", "3"])
      assert.strictEqual(dead.code, 1)
      assert.include(dead.stderr, "never became a message (no JSON)")
    })
  )

  it.live("drops a waiting message, once", () =>
    Effect.gen(function* () {
      const [home] = yield* prepared(fillInbox)
      assert.strictEqual((yield* command(home, ["inbox", "drop", "1"])).code, 0)
      const [row] = yield* query<{ state: string; ended_at: number }>(
        home,
        "SELECT state, ended_at FROM inbox WHERE id = 1"
      )
      assert.strictEqual(row!.state, "dropped")
      assert.isAbove(row!.ended_at, at)
      const twice = yield* command(home, ["inbox", "drop", "1"])
      assert.strictEqual(twice.code, 1)
      assert.include(twice.stderr, "dropped already")
    })
  )

  it.live("has nothing to show in a home without a database, and makes none", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      const { code, stdout } = yield* command(home, ["inbox", "list", "--json"])
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(JSON.parse(stdout), [])
      assert.strictEqual((yield* command(home, ["inbox", "drop", "1"])).code, 1)
    })
  )

  it.live("says so, exit 1, when storage is memory", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      for (const args of [
        ["inbox", "list"],
        ["outbox", "list"]
      ]) {
        const { code, stderr } = yield* command(home, args, { env: { SWITCHBOARD_STORAGE: "memory" } })
        assert.strictEqual(code, 1)
        assert.include(stderr, "memory")
      }
    })
  )
})

describe("outbox", () => {
  it.live("lists what has not been sent", () =>
    Effect.gen(function* () {
      const [home, keys] = yield* prepared(fillOutbox(["pending", "dead", "sent", "held"]))
      const { code, stdout } = yield* command(home, ["outbox", "list"])
      assert.strictEqual(code, 0)
      const lines = stdout.trim().split("\n")
      assert.lengthOf(lines, 4)
      assert.match(
        lines[1]!,
        new RegExp(
          `^${keys[3]!.slice(0, 12)} +held +2026-01-02 03:04:05Z +relay: relay:c1 +3 +because +text that is held$`
        )
      )
      assert.notInclude(stdout, keys[2]!.slice(0, 12))
    })
  )

  it.live("finds a row by the beginning of its key", () =>
    Effect.gen(function* () {
      const [home, keys] = yield* prepared(fillOutbox(["dead"]))
      const { code, stdout } = yield* command(home, ["outbox", "show", keys[0]!.slice(0, 8)])
      assert.strictEqual(code, 0)
      assert.deepInclude(JSON.parse(stdout), { key: keys[0], state: "dead", error: "because" })
      assert.strictEqual((yield* command(home, ["outbox", "show", keys[0]!.slice(0, 3)])).code, 1)
    })
  )

  it.live("retries held and dead rows under the same key with their age begun anew, and no other", () =>
    Effect.gen(function* () {
      const [home, keys] = yield* prepared(fillOutbox(["dead", "held", "sent"]))
      for (const key of keys.slice(0, 2)) assert.strictEqual((yield* command(home, ["outbox", "retry", key])).code, 0)
      const sent = yield* command(home, ["outbox", "retry", keys[2]!])
      assert.strictEqual(sent.code, 1)
      const rows = yield* query<{ key: string; state: string; attempts: number; created_at: number }>(
        home,
        "SELECT key, state, attempts, created_at FROM outbox ORDER BY seq"
      )
      assert.deepStrictEqual(
        rows.map(({ key, state }) => [key, state]),
        [
          [keys[0], "pending"],
          [keys[1], "pending"],
          [keys[2], "sent"]
        ]
      )
      assert.deepStrictEqual(
        rows.map(({ attempts }) => attempts),
        [0, 0, 3]
      )
      assert.isAbove(rows[0]!.created_at, at)
    })
  )

  it.live("drops an open row for good, and never a sent one", () =>
    Effect.gen(function* () {
      const [home, keys] = yield* prepared(fillOutbox(["pending", "sent"]))
      assert.strictEqual((yield* command(home, ["outbox", "drop", keys[0]!])).code, 0)
      assert.strictEqual((yield* command(home, ["outbox", "drop", keys[1]!])).code, 1)
      const rows = yield* query<{ state: string }>(home, "SELECT state FROM outbox ORDER BY seq")
      assert.deepStrictEqual(
        rows.map(({ state }) => state),
        ["superseded", "sent"]
      )
    })
  )
})
