/** What kill -9 leaves behind (law 2): every acknowledged commit, whole, and a database open to the next process. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Database, type DatabaseConfig } from "../../src/Storage/Database.ts"
import { eventually } from "../support/Eventually.ts"
import * as Postgres from "../support/Postgres.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-crash-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const environment = (config: DatabaseConfig): Record<string, string> =>
  typeof config.storage === "object"
    ? { TEST_STORAGE_URL: Redacted.value(config.storage.url) }
    : { TEST_STORAGE_FILE: config.filename }

class ChildFailed extends Schema.TaggedError<ChildFailed>()("ChildFailed", { message: Schema.String }) {}

/** A committing process; `lines` are the whole lines it has told so far. Killed for good with the scope. */
const committing = Effect.fnUntraced(function* (config: DatabaseConfig) {
  let out = ""
  let errors = ""
  let closed = false
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [fileURLToPath(new URL("CommittingChild.ts", import.meta.url))], {
        env: { PATH: process.env["PATH"] ?? "", ...environment(config) },
        stdio: ["ignore", "pipe", "pipe"]
      })
      child.stdout.on("data", (data) => (out += String(data)))
      child.stderr.on("data", (data) => (errors += String(data)))
      child.on("close", () => (closed = true))
      return child
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  // the last piece has no line end yet: that number was not told
  const lines = () =>
    out
      .split("\n")
      .slice(0, -1)
      .filter((line) => line === "opened" || /^\d+$/.test(line))
  const told = (count: number) =>
    eventually(`${count} lines`, () => lines().length >= count || closed, { seconds: 20, seen: () => errors }).pipe(
      Effect.andThen(
        Effect.suspend(() =>
          lines().length >= count ? Effect.void : Effect.fail(new ChildFailed({ message: errors }))
        )
      )
    )
  const kill = Effect.suspend(() => {
    child.kill("SIGKILL")
    return eventually("the child's end", () => closed)
  })
  return { lines, told, kill }
})

const lastTold = (lines: ReadonlyArray<string>): number => Number(lines.at(-1) === "opened" ? 0 : lines.at(-1))

const stored = Effect.gen(function* () {
  const database = yield* Database
  const [count] = yield* database.execute("SELECT value FROM meta WHERE key = 'count'", [])
  const [rows] = yield* database.execute("SELECT COUNT(*) AS n FROM meta WHERE key LIKE 'row-%'", [])
  return { count: Number(count?.["value"]), rows: Number(rows?.["n"]) }
})

/** Kills a committing process `rounds` times and looks at what is left after each. */
const survives = Effect.fnUntraced(function* (config: DatabaseConfig, rounds: number) {
  for (let round = 1; round <= rounds; round++) {
    const child = yield* committing(config)
    yield* child.told(10 * round)
    yield* child.kill
    const acknowledged = lastTold(child.lines())
    const { count, rows } = yield* Effect.provide(stored, Database.layer(config))
    assert.isAtLeast(count, acknowledged)
    // at most the one commit whose number was not told yet, and both of its statements or none
    assert.isAtMost(count, acknowledged + 1)
    assert.strictEqual(rows, count)
  }
})

describe("Storage after kill -9", () => {
  it.live(
    "a SQLite file holds every acknowledged commit, whole, and is sound",
    () =>
      Effect.gen(function* () {
        const config: DatabaseConfig = { storage: "sqlite", filename: join(yield* folder, "switchboard.db") }
        yield* survives(config, 4)
        const verdict = yield* Effect.flatMap(SqlClient.SqlClient, (sql) => sql`PRAGMA integrity_check`).pipe(
          Effect.provide(Database.layer(config))
        )
        assert.deepEqual(
          verdict.map((row) => ({ ...row })),
          [{ integrity_check: "ok" }]
        )
      }),
    60_000
  )

  it.live(
    "PostgreSQL holds every acknowledged commit, whole, and lets the next process in",
    () =>
      Effect.gen(function* () {
        yield* survives({ storage: yield* Postgres.makeDatabase, filename: "" }, 2)
      }),
    60_000
  )

  it.live(
    "a second gateway is refused by name while the first one lives, and admitted after its kill -9",
    () =>
      Effect.gen(function* () {
        const config: DatabaseConfig = { storage: yield* Postgres.makeDatabase, filename: "" }
        const first = yield* committing(config)
        yield* first.told(1)
        const error = yield* Effect.flip(Effect.provide(stored, Database.layer(config)))
        assert.strictEqual(error._tag === "StorageError" && error.reason, "InUse")
        assert.include(error.message, "another gateway")
        yield* first.kill
        const { count, rows } = yield* Effect.provide(stored, Database.layer(config))
        assert.strictEqual(rows, count)
      }),
    60_000
  )
})
