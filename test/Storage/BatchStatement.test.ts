import { assert, describe, it } from "@effect/vitest"
import * as BatchStatement from "../../src/Storage/BatchStatement.ts"

const columns = [
  ["key", "text"],
  ["at", "bigint"],
  ["n", "integer"]
] as const
const insert = BatchStatement.insert({
  name: "things.put",
  rank: 1,
  columns,
  identity: "at",
  returning: "at",
  into: "things",
  values: [...BatchStatement.asGiven("key", "at"), ["twice", "r.n + r.n"]],
  onConflict: "ON CONFLICT (key) DO UPDATE SET at = excluded.at, twice = r.n RETURNING at"
})
const update = BatchStatement.update({
  name: "things.set",
  rank: 2,
  columns,
  table: "things",
  set: "at = r.at",
  where: "things.key = r.key"
})

describe("BatchStatement", () => {
  it("has the cells of one row as numbered parameters on SQLite, wherever they are named", () => {
    assert.strictEqual(
      insert.text.sqlite,
      "INSERT INTO things (key, at, twice) VALUES (?1, ?2, ?3 + ?3) ON CONFLICT (key) DO UPDATE SET at = excluded.at, twice = ?3 RETURNING at"
    )
    assert.strictEqual(update.text.sqlite, "UPDATE things SET at = ?2 WHERE things.key = ?1")
  })

  it("has one parameter on PostgreSQL: all rows, typed, in their order", () => {
    for (const { text } of [insert, update]) {
      assert.deepStrictEqual(text.pg.match(/\$\d+/g), ["$1"])
      assert.include(text.pg, "(value ->> 0)::text AS key, (value ->> 1)::bigint AS at, (value ->> 2)::integer AS n")
      assert.include(text.pg, "ORDER BY n) AS r")
    }
  })

  it("knows where its identity is, and that it has none", () => {
    assert.strictEqual(insert.identity, 1)
    assert.strictEqual(insert.returning, "at")
    assert.isNull(update.identity)
    assert.isNull(update.returning)
  })

  it("a cell that does not exist is a defect at once, not at the first commit", () => {
    assert.throws(() =>
      BatchStatement.update({
        name: "x",
        rank: 1,
        columns,
        table: "things",
        set: "at = r.when",
        where: "things.key = r.key"
      })
    )
  })
})
