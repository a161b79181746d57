/** How the database names itself, whom it lets in on PostgreSQL, and that no password gets out. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { PgConnection } from "@effect/sql-pg"
import { Database, type DatabaseConfig, StorageError } from "../../src/Storage/Database.ts"
import { eventuallyAsync } from "../support/Eventually.ts"
import * as Postgres from "../support/Postgres.ts"

const refusal = (config: DatabaseConfig) => Effect.scoped(Effect.flip(Layer.build(Database.layer(config))))
const opened = <A, E>(config: DatabaseConfig, use: Effect.Effect<A, E, Database>) =>
  Effect.provide(use, Database.layer(config))

const secret = "s3cr3t/pass"
const withPassword = (url: Redacted.Redacted, change: (url: URL) => void) => {
  const changed = new URL(Redacted.value(url))
  changed.password = encodeURIComponent(secret)
  change(changed)
  return Redacted.make(changed.href)
}
const tellsNothing = (value: unknown) => {
  const told = inspect(value, { depth: 10 }) + JSON.stringify(value)
  assert.notInclude(told, secret)
  assert.notInclude(told, encodeURIComponent(secret))
}

describe("Database", () => {
  it.live("names itself without its password and says whether commits last", () =>
    Effect.gen(function* () {
      const { url } = yield* Postgres.makeDatabase
      const config = { storage: { url: withPassword(url, () => {}) }, filename: "" }
      yield* opened(
        config,
        Effect.map(Database, (database) => {
          assert.match(database.describe, /^PostgreSQL test@127\.0\.0\.1:\d+\/test_/)
          assert.isFalse(database.durable) // this server runs with fsync=off
        })
      )
      yield* opened(
        { storage: "memory", filename: "" },
        Effect.map(Database, (database) => {
          assert.strictEqual(database.describe, "SQLite in memory")
          assert.isFalse(database.durable)
        })
      )
    })
  )

  it.live("a server that does not answer is Unreachable", () =>
    Effect.gen(function* () {
      const { url } = yield* Postgres.makeDatabase
      const error = yield* refusal({ storage: { url: withPassword(url, (url) => (url.port = "1")) }, filename: "" })
      assert.strictEqual(error.reason, "Unreachable")
      assert.include(error.message, "check that it runs")
      tellsNothing(error)
    })
  )

  it.live("a database that does not exist, a user that is unknown, and a URL that is none, are Refused", () =>
    Effect.gen(function* () {
      const { url } = yield* Postgres.makeDatabase
      const wrong: ReadonlyArray<(url: URL) => void> = [
        (url) => (url.pathname = "/absent"),
        (url) => (url.username = "stranger")
      ]
      for (const change of wrong) {
        const error = yield* refusal({ storage: { url: withPassword(url, change) }, filename: "" })
        assert.strictEqual(error.reason, "Refused")
        tellsNothing(error)
      }
      for (const text of [`postgres://user:${secret}@`, `nonsense ${secret}`, "postgres://u:%zz@localhost/x"]) {
        const error = yield* refusal({ storage: { url: Redacted.make(text) }, filename: "" })
        assert.instanceOf(error, StorageError)
        tellsNothing(error)
      }
    })
  )

  it.live(
    "runners of one cluster share a database; a gateway that wants it alone is kept out, and the other way round",
    () =>
      Effect.gen(function* () {
        const { url } = yield* Postgres.makeDatabase
        const alone = { storage: { url }, filename: "" }
        const shared: DatabaseConfig = { ...alone, claim: "shared" }
        yield* opened(
          shared,
          Effect.gen(function* () {
            yield* opened(shared, Effect.void)
            assert.strictEqual((yield* refusal(alone)).reason, "InUse")
          })
        )
        yield* opened(
          alone,
          Effect.gen(function* () {
            assert.strictEqual((yield* refusal(shared)).reason, "InUse")
          })
        )
      }),
    30_000
  )

  it.live(
    "a command without a claim reads and writes beside the gateway that has the database",
    () =>
      Effect.gen(function* () {
        const { url } = yield* Postgres.makeDatabase
        const folder = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-claim-"))),
          (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
        )
        for (const config of [
          { storage: { url }, filename: "" },
          { storage: "sqlite" as const, filename: join(folder, "switchboard.db") }
        ]) {
          const beside: DatabaseConfig = { ...config, claim: "none" }
          const early = yield* refusal(beside)
          assert.strictEqual(early.reason, "OlderSchema")
          assert.include(early.message, "start the gateway of this version once")
          yield* opened(
            config,
            Effect.gen(function* () {
              const mark = "INSERT INTO meta (key, value) VALUES ('beside', 'yes') RETURNING value"
              yield* opened(
                beside,
                Effect.flatMap(Database, ({ execute }) => execute(mark, []))
              )
              const database = yield* Database
              assert.lengthOf(yield* database.execute("SELECT value FROM meta WHERE key = 'beside'", []), 1)
              yield* database.execute("INSERT INTO switchboard_migrations VALUES (999, 'later', 0)", [])
              assert.strictEqual((yield* refusal(beside)).reason, "NewerSchema")
            })
          )
        }
      }),
    30_000
  )

  it.live(
    "nothing is written while the claim is lost, and writing goes on when it is back",
    () =>
      Effect.gen(function* () {
        const { url } = yield* Postgres.makeDatabase
        yield* opened(
          { storage: { url }, filename: "" },
          Effect.gen(function* () {
            const database = yield* Database
            const thief = yield* PgConnection.make({ url })
            const write = database.transaction(database.execute("UPDATE meta SET value = value", []))
            const outcome = () => Effect.runPromise(Effect.result(write))
            yield* write
            // the owner's connection dies, and somebody else is quicker to take the lock
            yield* thief.query(
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'switchboard owner' " +
                "AND datname = current_database()"
            )
            yield* thief.query(`SELECT pg_advisory_lock(1398227524, 1)`)
            yield* eventuallyAsync("writes fail", async () => (await outcome())._tag === "Failure")
            const error = yield* Effect.flip(write)
            assert.strictEqual(error.reason._tag, "ConnectionError")
            yield* thief.query("SELECT pg_advisory_unlock_all()")
            yield* eventuallyAsync("writes succeed", async () => (await outcome())._tag === "Success")
          }).pipe(Effect.scoped)
        )
      }),
    30_000
  )

  it.live(
    "PostgreSQL's pool outlives the loss of its connections",
    () =>
      Effect.gen(function* () {
        const { url } = yield* Postgres.makeDatabase
        yield* opened(
          { storage: { url }, filename: "" },
          Effect.gen(function* () {
            const database = yield* Database
            const read = database.execute("SELECT count(*) AS n FROM inbox", [])
            yield* read
            const outside = yield* PgConnection.make({ url })
            yield* outside.query(
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            yield* eventuallyAsync(
              "reads succeed",
              async () => (await Effect.runPromise(Effect.result(read)))._tag === "Success"
            )
          }).pipe(Effect.scoped)
        )
      }),
    30_000
  )
})
