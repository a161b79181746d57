import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Settings } from "../../src/Config/Settings.ts"
import * as Retention from "../../src/Operations/Retention.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Inbox } from "../../src/Storage/Inbox.ts"
import { PromptStore } from "../../src/Storage/PromptStore.ts"
import { Outbox } from "../../src/Storage/Outbox.ts"
import { Faults, layer as faultyDatabase } from "../support/FaultyDatabase.ts"
import { pass } from "../support/Passing.ts"

const day = 24 * 60 * 60 * 1000
const now = 1_900_000_000_000

const inboxRow = (state: string, endedAt: number | null) =>
  "INSERT INTO inbox (message_key, link, platform, session_key, state, event, via_relay, role_authorized, taken_at, ended_at) " +
  `VALUES (hex(randomblob(8)), 'l', 'p', 's', '${state}', '{}', 0, 0, 0, ${endedAt})`
const outboxRow = (state: string, updatedAt: number) =>
  "INSERT INTO outbox (key, link, queue, ordinal, kind, payload, state, created_at, updated_at) " +
  `VALUES (hex(randomblob(8)), 'l', 'q', 0, 'final', '{}', '${state}', 0, ${updatedAt})`

const run = (sql: string) => Effect.flatMap(Database, (database) => database.execute(sql, []))
const states = (table: string) =>
  Effect.map(run(`SELECT state FROM ${table} ORDER BY 1`), (rows) => rows.map(({ state }) => String(state)))

const withTables = (test: Effect.Effect<void, unknown, Database | Scope.Scope>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(now)
    yield* test
  }).pipe(Effect.provide(faultyDatabase(new Faults())))

const retention = Layer.build(
  Retention.layer.pipe(
    Layer.provide(Layer.mergeAll(Inbox.layer, Outbox.layer, PromptStore.layer)),
    Layer.provide(Settings.layerFrom({})),
    Layer.orDie
  )
)

describe("Retention", () => {
  it.effect("deletes what ended more than seven days ago, never what is open or held", () =>
    withTables(
      Effect.gen(function* () {
        for (const state of ["done", "dropped", "dead"]) {
          yield* run(inboxRow(state, now - 8 * day))
          yield* run(inboxRow(state, now - 6 * day))
        }
        for (const state of ["waiting", "running", "refused"]) yield* run(inboxRow(state, null))
        for (const state of ["sent", "dead", "superseded", "held", "pending", "sending", "ambiguous", "preview"]) {
          yield* run(outboxRow(state, now - 8 * day))
        }
        yield* run(outboxRow("sent", now - 6 * day))
        yield* retention
        yield* pass("70 minutes", "1 minute")
        assert.deepStrictEqual(yield* states("inbox"), ["dead", "done", "dropped", "refused", "running", "waiting"])
        assert.deepStrictEqual(yield* states("outbox"), ["ambiguous", "held", "pending", "preview", "sending", "sent"])
        yield* pass("25 hours", "10 minutes")
        assert.deepStrictEqual(yield* states("inbox"), ["refused", "running", "waiting"])
        assert.deepStrictEqual(yield* states("outbox"), ["ambiguous", "held", "pending", "preview", "sending"])
      })
    )
  )

  it.effect("deletes all there is in one go, though rows that stay stand before them", () =>
    withTables(
      Effect.gen(function* () {
        const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3500) "
        yield* run(`${many}${inboxRow("waiting", null).replace(/VALUES \((.*)\)$/, "SELECT $1 FROM n")}`)
        yield* run(`${many}${outboxRow("held", 0).replace(/VALUES \((.*)\)$/, "SELECT $1 FROM n")}`)
        yield* run(`${many}${inboxRow("done", now - 8 * day).replace(/VALUES \((.*)\)$/, "SELECT $1 FROM n")}`)
        yield* run(`${many}${outboxRow("sent", now - 8 * day).replace(/VALUES \((.*)\)$/, "SELECT $1 FROM n")}`)
        assert.lengthOf(yield* states("inbox"), 7000)
        yield* retention
        yield* pass("65 minutes", "500 millis")
        assert.deepStrictEqual(new Set(yield* states("inbox")), new Set(["waiting"]))
        assert.deepStrictEqual(new Set(yield* states("outbox")), new Set(["held"]))
      })
    )
  )
})
