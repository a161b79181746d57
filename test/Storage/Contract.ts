/**
 * What every storage must do, in sentences: SQLite in a file, SQLite in memory and PostgreSQL pass the same suite.
 * `storageContract` shares one database per storage, so each test writes under keys of its own.
 */
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import type { Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { Database, type StorageError } from "../../src/Storage/Database.ts"
import * as Migrations from "../../src/Storage/Migrations.ts"
import { sanitizeText } from "../../src/Storage/StoredText.ts"

type Row = Readonly<Record<string, unknown>>

interface NewInboxRow {
  readonly key: string
  readonly event?: string
}

const insertText = {
  sqlite: `INSERT INTO inbox
    (message_key, link, platform, session_key, state, event, via_relay, role_authorized, taken_at)
    SELECT value ->> 'key', 'l', 'p', 's', 'waiting', value ->> 'event', 0, 0, value ->> 'at'
    FROM json_each(?) WHERE true ON CONFLICT DO NOTHING RETURNING id, message_key`,
  pg: `INSERT INTO inbox
    (message_key, link, platform, session_key, state, event, via_relay, role_authorized, taken_at)
    SELECT key, 'l', 'p', 's', 'waiting', event, 0, 0, at
    FROM json_to_recordset($1::json) AS r(key text, event text, at bigint)
    ON CONFLICT DO NOTHING RETURNING id, message_key`
}

/** One statement, any number of rows; gives the new ones. */
const insert = Effect.fnUntraced(function* (rows: ReadonlyArray<NewInboxRow>) {
  const database = yield* Database
  const batch = rows.map(({ key, event = "{}" }) => ({ key, event, at: 1_900_000_000_000 }))
  return yield* database.execute(insertText[database.dialect], [JSON.stringify(batch)])
})

const find = Effect.fnUntraced(function* (key: string) {
  const database = yield* Database
  const text = "SELECT id, event, taken_at FROM inbox WHERE message_key = "
  return yield* database.execute(`${text}${database.dialect === "pg" ? "$1" : "?"}`, [key])
})

const keysOf = (rows: ReadonlyArray<Row>): ReadonlyArray<unknown> => rows.map((row) => row["message_key"])
const schemaVersions = Effect.flatMap(Database, (database) =>
  database.execute("SELECT id, name FROM switchboard_migrations ORDER BY id", [])
)

export const storageContract = <E>(
  name: string,
  storage: Layer.Layer<Database | SqlClient.SqlClient, StorageError | E>
): void => {
  // a server and its timeouts live in real time
  layer(storage, { excludeTestServices: true, timeout: "90 seconds" })(name, (it) => {
    it.effect("running the migrations again changes nothing", () =>
      Effect.gen(function* () {
        const before = yield* schemaVersions
        assert.deepEqual(yield* Migrations.run(), [])
        assert.deepEqual(yield* schemaVersions, before)
        assert.deepEqual(
          before.map((row) => row["id"]),
          Migrations.all.map((migration) => migration.id)
        )
      })
    )

    it.effect("a database from a newer version is refused and left as it is", () =>
      Effect.gen(function* () {
        const database = yield* Database
        yield* database.execute(
          "INSERT INTO switchboard_migrations (id, name, applied_at) VALUES (9999, 'later', 0)",
          []
        )
        const error = yield* Effect.flip(Migrations.run()).pipe(
          Effect.ensuring(Effect.orDie(database.execute("DELETE FROM switchboard_migrations WHERE id = 9999", [])))
        )
        assert.strictEqual(error._tag, "MigrationError")
        assert.strictEqual(error._tag === "MigrationError" && error.reason, "NewerSchema")
      })
    )

    it.effect("a database that has a later migration and lacks an earlier one gets the earlier one", () =>
      Effect.gen(function* () {
        const table = (id: number) => ({
          id,
          name: `gap ${id}`,
          statements: () => [`CREATE TABLE gap_${id} (x integer)`]
        })
        const database = yield* Database
        assert.deepEqual(yield* Migrations.run([...Migrations.all, table(9001)]), [9001])
        const both = [...Migrations.all, table(9000), table(9001)]
        assert.strictEqual((yield* Effect.flip(Migrations.verify(both)))._tag, "MigrationError")
        assert.deepEqual(yield* Migrations.run(both), [9000])
        yield* database.execute("DELETE FROM switchboard_migrations WHERE id IN (9000, 9001)", [])
      })
    )

    it.effect("a migration that fails is rolled back whole and not recorded", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const before = yield* schemaVersions
        const broken = {
          id: 1 + (Migrations.all.at(-1)?.id ?? 0),
          name: "broken",
          statements: () => ["CREATE TABLE half_made (x integer)", "CREATE TABLE half_made (x integer)"]
        }
        const error = yield* Effect.flip(Migrations.run([...Migrations.all, broken]))
        assert.strictEqual(error._tag === "MigrationError" && error.reason, "MigrationFailed")
        assert.deepEqual(yield* schemaVersions, before)
        const gone = yield* Effect.flip(database.execute("SELECT x FROM half_made", []))
        assert.strictEqual(gone.reason._tag, "SqlSyntaxError")
      })
    )

    it.effect("the installation has a name of 16 hex digits that stays", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const read = database.execute("SELECT value FROM meta WHERE key = 'installation'", [])
        const before = yield* read
        assert.match(String(before[0]?.["value"]), /^[0-9a-f]{16}$/)
        yield* Migrations.run()
        assert.deepEqual(yield* read, before)
      })
    )

    it.effect("a repeated unique key is a typed violation", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const text =
          "INSERT INTO outbox (key, link, queue, ordinal, kind, payload, state, created_at, updated_at) " +
          "VALUES ('unique-1', 'l', 'q', 0, 'final', '{}', 'pending', 0, 0)"
        yield* database.execute(text, [])
        const error = yield* Effect.flip(database.execute(text, []))
        assert.strictEqual(error.reason._tag, "UniqueViolation")
      })
    )

    it.effect("a message of a turn, and a live user row of a platform message, exist once", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const say = (turn: string | null, ordinal: number, role: string, message: string | null, active = 1) => {
          const text =
            "INSERT INTO messages (session_id, turn, ordinal, role, content, timestamp, platform_message_id, active)"
          const values =
            database.dialect === "pg"
              ? "VALUES ('once', $1, $2, $3, '', 0, $4, $5)"
              : "VALUES ('once', ?, ?, ?, '', 0, ?, ?)"
          return Effect.map(
            database.execute(`${text} ${values} ON CONFLICT DO NOTHING RETURNING id`, [
              turn,
              ordinal,
              role,
              message,
              active
            ]),
            (rows) => rows.length
          )
        }
        assert.strictEqual(yield* say("t1", 0, "user", "m1"), 1)
        assert.strictEqual(yield* say("t1", 0, "user", "m2"), 0)
        assert.strictEqual(yield* say("t2", 0, "user", "m1"), 0)
        assert.strictEqual(yield* say("t2", 0, "user", "m1", 0), 1)
        assert.strictEqual(yield* say("t2", 1, "assistant", "m1"), 1)
        assert.strictEqual(yield* say(null, 0, "assistant", null), 1)
        assert.strictEqual(yield* say(null, 0, "assistant", null), 1)
      })
    )

    it.effect("a statement that can never succeed fails with a final reason, not an unknown one", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const final = ["ConstraintError", "SqlSyntaxError"]
        const wrongType = yield* Effect.flip(
          database.execute(
            "INSERT INTO session_routes " +
              "(session_key, session_id, created_at, updated_at, origin, platform, chat_type, chat_id) " +
              `VALUES ('k', 'i', ${database.dialect === "pg" ? "$1" : "?"}, 0, '{}', 'p', 'dm', '')`,
            ["soon"]
          )
        )
        assert.include(final, wrongType.reason._tag)
        assert.isFalse(wrongType.isRetryable)
        const badJson = yield* Effect.flip(database.execute(insertText[database.dialect], ["{"]))
        assert.include(final, badJson.reason._tag)
      })
    )

    it.effect("a transaction that fails leaves nothing behind", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const exit = yield* Effect.exit(
          database.transaction(Effect.andThen(insert([{ key: "fails" }]), Effect.fail("no")))
        )
        assert.deepEqual(exit, Exit.fail("no"))
        assert.deepEqual(yield* find("fails"), [])
      })
    )

    it.effect("a transaction that is interrupted leaves nothing behind and gives its connection back", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const inside = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          database.transaction(
            insert([{ key: "interrupted" }]).pipe(
              Effect.andThen(Deferred.succeed(inside, undefined)),
              Effect.andThen(Effect.never)
            )
          )
        )
        yield* Deferred.await(inside)
        yield* Fiber.interrupt(fiber)
        assert.deepEqual(yield* find("interrupted"), [])
        yield* database.transaction(insert([{ key: "after interruption" }]))
        assert.lengthOf(yield* find("after interruption"), 1)
      })
    )

    it.effect("a failed inner transaction undoes only itself", () =>
      Effect.gen(function* () {
        const database = yield* Database
        yield* database.transaction(
          Effect.gen(function* () {
            yield* insert([{ key: "outer" }])
            yield* Effect.exit(database.transaction(Effect.andThen(insert([{ key: "inner" }]), Effect.fail("no"))))
          })
        )
        assert.lengthOf(yield* find("outer"), 1)
        assert.deepEqual(yield* find("inner"), [])
      })
    )

    it.effect("statements of other fibers stay out of an open transaction", () =>
      Effect.gen(function* () {
        const database = yield* Database
        const inside = yield* Deferred.make<void>()
        const rolledBack = yield* Effect.forkChild(
          Effect.exit(
            database.transaction(
              insert([{ key: "theirs" }]).pipe(
                Effect.andThen(Deferred.succeed(inside, undefined)),
                Effect.andThen(Effect.yieldNow),
                Effect.andThen(Effect.fail("no"))
              )
            )
          )
        )
        yield* Deferred.await(inside)
        yield* insert([{ key: "ours" }])
        yield* Fiber.join(rolledBack)
        assert.lengthOf(yield* find("ours"), 1)
        assert.deepEqual(yield* find("theirs"), [])
      })
    )

    it.effect("one statement inserts a batch of JSON rows and returns the new ones in order", () =>
      Effect.gen(function* () {
        yield* insert([{ key: "batch-2" }])
        const fresh = yield* insert([{ key: "batch-1" }, { key: "batch-2" }, { key: "batch-3" }, { key: "batch-3" }])
        assert.deepEqual(keysOf(fresh), ["batch-1", "batch-3"])
        assert.deepEqual(yield* insert([{ key: "batch-1" }, { key: "batch-3" }]), [])
        assert.deepEqual(yield* insert([]), [])
      })
    )

    it.effect("ids of a batch of 512 rows ascend in the order of the rows", () =>
      Effect.gen(function* () {
        const keys = Array.from({ length: 512 }, (_, i) => `order-${(i * 7919) % 512}`)
        const rows = yield* insert(keys.map((key) => ({ key })))
        const byId = rows.toSorted((a, b) => Number(a["id"]) - Number(b["id"]))
        assert.deepEqual(keysOf(byId), keys)
        assert.strictEqual(new Set(rows.map((row) => row["id"])).size, 512)
      })
    )

    it.effect("64-bit numbers come back as numbers", () =>
      Effect.gen(function* () {
        const [row] = yield* insert([{ key: "numbers" }])
        assert.isNumber(row?.["id"])
        const [stored] = yield* find("numbers")
        assert.strictEqual(stored?.["taken_at"], 1_900_000_000_000)
      })
    )

    it.effect("text comes back as it was: emoji, quotes, line ends, and what the sanitiser made of the rest", () =>
      Effect.gen(function* () {
        const text = "👩‍👩‍👧 𝕊 \"'\\ \r\n\t \u2028 é ​" + sanitizeText("\0 \ud800 \udc00")
        yield* insert([{ key: "text", event: text }])
        const [row] = yield* find("text")
        assert.strictEqual(row?.["event"], text)
      })
    )
  })
}
