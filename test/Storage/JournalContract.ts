/** What the Journal's receipts and groups must be on every storage. Tests share one database: each has keys of its own. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as BatchStatement from "../../src/Storage/BatchStatement.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import type { Storage } from "./Tables.ts"

const columns = [
  ["key", "text"],
  ["value", "text"]
] as const
const insert = BatchStatement.insert({
  name: "test.insert",
  rank: 10,
  columns,
  identity: "key",
  returning: "key",
  into: "meta",
  values: BatchStatement.asGiven("key", "value"),
  onConflict: "ON CONFLICT DO NOTHING RETURNING key, value"
})
const upsert = BatchStatement.insert({
  name: "test.upsert",
  rank: 15,
  columns,
  identity: "key",
  returning: "key",
  into: "meta",
  values: BatchStatement.asGiven("key", "value"),
  onConflict: "ON CONFLICT (key) DO UPDATE SET value = meta.value || excluded.value RETURNING key, value"
})
const update = BatchStatement.update({
  name: "test.update",
  rank: 20,
  columns,
  identity: "key",
  table: "meta",
  set: "value = r.value",
  where: "meta.key = r.key"
})
const write =
  (statement: BatchStatement.BatchStatement) =>
  (key: string, value: string | null = key) => ({ statement, row: [key, value] })
const [put, add, set] = [write(insert), write(upsert), write(update)] as const

const values = (prefix: string) =>
  Effect.flatMap(Database, (database) =>
    Effect.map(database.execute(`SELECT key, value FROM meta WHERE key LIKE '${prefix}%' ORDER BY key`, []), (rows) =>
      Object.fromEntries(rows.map(({ key, value }) => [String(key), String(value)]))
    )
  )

export const journalContract = (it: Vitest.MethodsNonLive<Storage>): void => {
  it.effect("receipts match their writes, over many callers, with duplicates among them", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const keys = Array.from({ length: 300 }, (_, i) => `r${i % 200}`)
      const receipts = yield* Effect.forEach(keys, (key, i) => journal.commit([put(key, `${i}`)]), {
        concurrency: "unbounded"
      })
      receipts.forEach(([row], i) =>
        assert.deepStrictEqual(row && { ...row }, i < 200 ? { key: keys[i], value: `${i}` } : undefined)
      )
    })
  )

  it.effect(
    "a statement that returns something and changes what it finds runs once for each write of an identity",
    () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const [first, second] = yield* Effect.all(
          [journal.commit([add("u1", "a"), add("u2", "x"), add("u1", "b")]), journal.commit([add("u1", "c")])],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          [...first, ...second].map((row) => row?.["value"]),
          ["a", "x", "ab", "abc"]
        )
        assert.deepStrictEqual(yield* values("u"), { u1: "abc", u2: "x" })
      })
  )

  it.effect("lower ranks run first, of equal identities the last counts", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      yield* journal.commit([set("s1", "first"), set("s1", "second"), put("s1", "put"), set("s1", "third")])
      assert.deepStrictEqual(yield* values("s"), { s1: "third" })
    })
  )

  it.effect("a rejected write fails alone and whole", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const exits = yield* Effect.forEach(
        [[put("x1")], [put("x2"), put("x3", null)], [put("x4")]],
        (writes) => Effect.exit(journal.commit(writes)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, true])
      assert.deepStrictEqual(yield* values("x"), { x1: "x1", x4: "x4" })
      assert.isNull(journal.health().failingSince)
    })
  )

  it.effect("text of every kind passes through a batch", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const odd = ["'", '"', "\\", "\\u0000", "\n\t\r", "\u2028", "😀", "null", "[1]", "", " "]
      yield* journal.commit(odd.map((value, i) => put(`t${String(i).padStart(2, "0")}`, value)))
      assert.deepStrictEqual(Object.values(yield* values("t")), odd)
    })
  )
}
