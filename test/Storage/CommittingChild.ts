/**
 * A process to be killed: opens the storage named in its environment and commits one row after another for ever,
 * telling each number on standard output once its commit has returned. `opened` comes first.
 */
import { writeSync } from "node:fs"
import { Effect, Redacted } from "effect"
import { Database } from "../../src/Storage/Database.ts"

const { TEST_STORAGE_FILE, TEST_STORAGE_URL } = process.env

const layer =
  TEST_STORAGE_URL === undefined
    ? Database.layer({ storage: "sqlite", filename: TEST_STORAGE_FILE ?? "" })
    : Database.layer({ storage: { url: Redacted.make(TEST_STORAGE_URL) }, filename: "" })

const tell = (word: string | number) => Effect.sync(() => writeSync(1, `${word}\n`))

const commitForEver = Effect.gen(function* () {
  const database = yield* Database
  const [p1, p2] = database.dialect === "pg" ? ["$1", "$2"] : ["?", "?"]
  const insertText = `INSERT INTO meta (key, value) VALUES (${p1}, ${p2})`
  const countText = `UPDATE meta SET value = ${p1} WHERE key = 'count'`
  const [last] = yield* database.execute("SELECT value FROM meta WHERE key = 'count'", [])
  if (last === undefined) yield* database.execute(insertText, ["count", "0"])
  let n = Number(last?.["value"] ?? 0)
  yield* tell("opened")
  while (true) {
    n++
    yield* database.transaction(
      Effect.andThen(
        database.execute(insertText, [`row-${n}`, "x".repeat(500)]),
        database.execute(countText, [String(n)])
      )
    )
    yield* tell(n)
  }
})

await Effect.runPromise(Effect.provide(commitForEver, layer))
