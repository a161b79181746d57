/** What is particular to the SQLite file: modes, journals, locks, streams and how it fails. */
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Logger, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Reactivity } from "effect/reactivity"
import { SqlClient, SqlError } from "effect/sql"
import { Database } from "../../src/Storage/Database.ts"
import { beat } from "../../src/Storage/Heartbeat.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import * as SqliteClient from "../../src/Storage/SqliteClient.ts"
import { eventually } from "../support/Eventually.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-sqlite-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const collectingLogs = () => {
  const lines: Array<string> = []
  const layer = Logger.layer([
    Logger.make(({ message }) => {
      lines.push(String(message))
    })
  ])
  return { lines, layer }
}

const modeOf = (file: string): number => statSync(file).mode & 0o777
const pragma = (name: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.map(sql.unsafe(`PRAGMA ${name}`), ([row]) => Object.values(row ?? {})[0])
  )

describe("SqliteClient", () => {
  it.effect("makes the folder 0700 and the database with its sidecars 0600, also when they were laxer", () =>
    Effect.gen(function* () {
      const home = join(yield* folder, "home")
      const filename = join(home, "switchboard.db")
      const use = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE IF NOT EXISTS t (x integer)`)
      yield* Effect.gen(function* () {
        yield* use
        assert.strictEqual(modeOf(home), 0o700)
        for (const suffix of ["", "-wal", "-shm"]) assert.strictEqual(modeOf(filename + suffix), 0o600)
      }).pipe(Effect.provide(SqliteClient.layer({ filename })))
      chmodSync(filename, 0o644)
      yield* Effect.provide(use, SqliteClient.layer({ filename }))
      assert.strictEqual(modeOf(filename), 0o600)
    })
  )

  it.effect("journals ahead, syncs every commit, checks foreign keys and never stands still for a lock", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "switchboard.db")
      const found = yield* Effect.all([
        pragma("journal_mode"),
        pragma("synchronous"),
        pragma("foreign_keys"),
        pragma("busy_timeout")
      ]).pipe(Effect.provide(SqliteClient.layer({ filename })))
      assert.deepEqual(found, ["wal", 2, 1, 10])
    })
  )

  it.effect("closes with its scope, which folds the write-ahead log into the file", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "switchboard.db")
      yield* Effect.provide(
        Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE t (x integer)`),
        SqliteClient.layer({ filename })
      )
      assert.isFalse(existsSync(`${filename}-wal`))
    })
  )

  it.effect("uses the DELETE journal, with one warning, where shared memory beside the file is impossible", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "switchboard.db")
      // SQLite refuses to follow it, as it fails to map shared memory on some network file systems
      symlinkSync(join(filename, "nowhere"), `${filename}-shm`)
      const use = Effect.gen(function* () {
        const database = yield* Database
        yield* database.execute("INSERT INTO meta (key, value) SELECT 'row-' || count(*), '' FROM meta", [])
        // another process, such as the command line, can write to it as well
        const other = new DatabaseSync(filename)
        other.exec("INSERT INTO meta (key, value) SELECT 'row-' || count(*), '' FROM meta")
        other.close()
        const [row] = yield* database.execute("SELECT count(*) AS n FROM meta WHERE key LIKE 'row-%'", [])
        return [yield* pragma("journal_mode"), row?.["n"]]
      })
      for (const rows of [2, 4]) {
        const logs = collectingLogs()
        const found = yield* use.pipe(
          Effect.provide(Database.layer({ storage: "sqlite", filename })),
          Effect.provide(logs.layer)
        )
        assert.deepEqual(found, ["delete", rows])
        assert.lengthOf(
          logs.lines.filter((line) => line.includes("refuses WAL")),
          1
        )
      }
    })
  )

  it.effect("says what to do about a file that is no database", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "switchboard.db")
      writeFileSync(filename, "This is not a database. ".repeat(100))
      const error = yield* Effect.flip(Layer.build(Database.layer({ storage: "sqlite", filename })))
      assert.strictEqual(error.reason, "Refused")
      assert.include(error.message, filename)
      assert.include(error.message, "check that it is a database")
    }).pipe(Effect.scoped)
  )

  it.effect("says what to do about a folder that cannot be made", () =>
    Effect.gen(function* () {
      const blocker = join(yield* folder, "file")
      writeFileSync(blocker, "")
      const filename = join(blocker, "switchboard.db")
      const error = yield* Effect.flip(Layer.build(Database.layer({ storage: "sqlite", filename })))
      assert.strictEqual(error.reason, "Refused")
      assert.include(error.message, "its folder")
    }).pipe(Effect.scoped)
  )

  it.effect("streams rows and binds booleans, dates, nulls and bytes", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (a, b, c, d)`
      const date = new Date(0)
      yield* sql.unsafe("INSERT INTO t VALUES (?, ?, ?, ?)", [true, date, undefined, new Uint8Array([1, 2])])
      const rows = yield* Stream.runCollect(sql`SELECT * FROM t`.stream)
      assert.deepEqual(
        rows.map((row) => ({ ...row })),
        [{ a: 1, b: date.toISOString(), c: null, d: new Uint8Array([1, 2]) }]
      )
      const refused = yield* Effect.flip(sql.unsafe("INSERT INTO t (a) VALUES (?)", [{}]))
      assert.include(refused.message, "no type")
    }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" })))
  )

  it.effect("keeps working when more statements were prepared than it remembers", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 300; i++) {
          assert.deepEqual(
            (yield* sql.unsafe(`SELECT ${i} AS n`)).map((row) => ({ ...row })),
            [{ n: i }]
          )
        }
      }
    }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" })))
  )

  it.effect("every database in memory is one of its own, with its own installation", () =>
    Effect.gen(function* () {
      const installation = Effect.flatMap(Database, (database) =>
        database.execute("SELECT value FROM meta WHERE key = 'installation'", [])
      ).pipe(
        Effect.map(([row]) => row?.["value"]),
        Effect.provide(Database.layer({ storage: "memory", filename: "" }))
      )
      assert.notStrictEqual(yield* installation, yield* installation)
    })
  )
})

describe("a locked file", () => {
  /** A client and another process's lock on the same file; SQLite waits in real time, so it waits briefly here. */
  const contended = Effect.gen(function* () {
    const filename = join(yield* folder, "switchboard.db")
    const sql = yield* SqliteClient.make({ filename, busyTimeoutMillis: 20 })
    yield* sql`CREATE TABLE t (x integer)`
    const other = yield* Effect.acquireRelease(
      Effect.sync(() => new DatabaseSync(filename)),
      (other) => Effect.sync(() => other.close())
    )
    other.exec("BEGIN IMMEDIATE")
    return { sql, other }
  }).pipe(Effect.provide(Reactivity.layer))

  it.effect("is waited for: the transaction runs once, when the other process lets go", () =>
    Effect.gen(function* () {
      const { sql, other } = yield* contended
      let runs = 0
      const transaction = SqliteClient.transaction(
        sql,
        Effect.sync(() => ++runs)
      )
      const fiber = yield* Effect.forkChild(transaction, { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(runs, 0)
      other.exec("COMMIT")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
    })
  )

  it.live("stops neither the event loop nor readiness from telling, and the commit succeeds when it is gone", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "switchboard.db")
      const services = yield* Layer.build(
        Journal.layer.pipe(Layer.provideMerge(Database.layer({ storage: "sqlite", filename })))
      )
      const journal = Context.get(services, Journal)
      const database = Context.get(services, Database)
      const other = yield* Effect.acquireRelease(
        Effect.sync(() => new DatabaseSync(filename)),
        (other) => Effect.sync(() => other.close())
      )
      other.exec("BEGIN IMMEDIATE")
      const commit = yield* Effect.forkChild(journal.commit([beat(1)]), { startImmediately: true })
      const write = yield* Effect.forkChild(database.execute("DELETE FROM meta WHERE key = 'none'", []), {
        startImmediately: true
      })
      let ticks = 0
      yield* Effect.forkScoped(
        Effect.forever(
          Effect.andThen(
            Effect.sleep("20 millis"),
            Effect.sync(() => ticks++)
          )
        )
      )
      yield* eventually(
        "the journal says that storage does not take commits",
        () => journal.health().failingSince !== null
      )
      assert.isAbove(ticks, 20)
      assert.isUndefined(commit.pollUnsafe())
      assert.isUndefined(write.pollUnsafe())
      other.exec("COMMIT")
      yield* Fiber.join(commit)
      yield* Fiber.join(write)
      assert.isNull(journal.health().failingSince)
    })
  )

  it.effect("fails the transaction after a minute, with a reason that says to try again", () =>
    Effect.gen(function* () {
      const { sql } = yield* contended
      const fiber = yield* Effect.forkChild(Effect.flip(SqliteClient.transaction(sql, Effect.void)), {
        startImmediately: true
      })
      yield* TestClock.adjust("58 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason._tag, "LockTimeoutError")
      assert.isTrue(error.isRetryable)
    })
  )

  it.effect("a lock met within the transaction's own work is not retried", () =>
    Effect.gen(function* () {
      const sql = yield* Effect.provide(SqliteClient.make({ filename: ":memory:" }), Reactivity.layer)
      let runs = 0
      const locked = new SqlError.SqlError({ reason: new SqlError.LockTimeoutError({ cause: new Error("locked") }) })
      const error = yield* Effect.flip(
        SqliteClient.transaction(
          sql,
          Effect.suspend(() => {
            runs++
            return Effect.fail(locked)
          })
        )
      )
      assert.strictEqual(error, locked)
      assert.strictEqual(runs, 1)
    })
  )
})
