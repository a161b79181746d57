/**
 * The schema, forward only: each missing migration runs in a transaction of its own and is recorded in it, so a crash
 * leaves the schema at a whole number. It never goes back, and never touches a database that a newer version made.
 */
import { Clock, Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql"
import { gateway } from "./migrations/0001_gateway.ts"
import { webChat } from "./migrations/0002_web_chat.ts"
import { conversations } from "./migrations/0003_conversations.ts"
import { access } from "./migrations/0004_access.ts"
import { prompts } from "./migrations/0005_prompts.ts"
import { deadTargets } from "./migrations/0006_dead_targets.ts"
import { webPrompts } from "./migrations/0008_web_prompts.ts"
import { dialects } from "./migrations/Migration.ts"
import type { Migration } from "./migrations/Migration.ts"

/** `NewerSchema`, `OlderSchema`: nothing was touched. `MigrationFailed`: migration `migration` was rolled back, earlier ones stand. */
export class MigrationError extends Schema.TaggedError<MigrationError>()("MigrationError", {
  reason: Schema.Literals(["NewerSchema", "OlderSchema", "MigrationFailed"]),
  migration: Schema.Int,
  message: Schema.String
}) {}

/** In order of their numbers, which ascend; one that came into the list late still runs. */
export const all: ReadonlyArray<Migration> = [gateway, webChat, conversations, access, prompts, deadTargets, webPrompts]

const recorded = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly id: number }>`SELECT id FROM switchboard_migrations`,
    (rows) => new Set(rows.map(({ id }) => id))
  )
)

const highest = (ids: ReadonlySet<number>): number => Math.max(0, ...ids)

const refuseNewer = (found: number, latest: number) =>
  found <= latest
    ? Effect.void
    : Effect.fail(
        new MigrationError({
          reason: "NewerSchema",
          migration: found,
          message:
            `the database is at schema ${found}, this version knows up to ${latest}: ` +
            "run the newer version, or restore a backup from before the upgrade"
        })
      )

/** Fails unless the database is at the last of `migrations`; changes nothing. */
export const verify: (
  migrations?: ReadonlyArray<Migration>
) => Effect.Effect<void, MigrationError | SqlError.SqlError, SqlClient.SqlClient> = Effect.fnUntraced(function* (
  migrations = all
) {
  const sql = yield* SqlClient.SqlClient
  const latest = migrations.at(-1)?.id ?? 0
  const tables = yield* sql.onDialectOrElse({
    pg: () => sql`SELECT 1 WHERE to_regclass('switchboard_migrations') IS NOT NULL`,
    orElse: () => sql`SELECT 1 FROM sqlite_schema WHERE name = 'switchboard_migrations'`
  })
  const done = tables.length === 0 ? new Set<number>() : yield* recorded
  const found = highest(done)
  yield* refuseNewer(found, latest)
  if (migrations.some(({ id }) => !done.has(id))) {
    return yield* new MigrationError({
      reason: "OlderSchema",
      migration: found,
      message: `the database is at schema ${found}, this version needs ${latest}: start the gateway of this version once`
    })
  }
})

/** Brings the database up to the last of `migrations`; gives the ids that ran now. */
export const run: (
  migrations?: ReadonlyArray<Migration>
) => Effect.Effect<ReadonlyArray<number>, MigrationError | SqlError.SqlError, SqlClient.SqlClient> = Effect.fnUntraced(
  function* (migrations = all) {
    const sql = yield* SqlClient.SqlClient
    const dialect = sql.onDialectOrElse({ pg: () => "pg" as const, orElse: () => "sqlite" as const })
    const latest = migrations.at(-1)?.id ?? 0

    // SQLite's transactions are exclusive from their start; PostgreSQL's need to be told
    const alone = dialect === "pg" ? sql`LOCK TABLE switchboard_migrations IN ACCESS EXCLUSIVE MODE` : Effect.void
    const apply = (migration: Migration) =>
      sql
        .withTransaction(
          Effect.gen(function* () {
            yield* alone
            const done = yield* recorded
            yield* refuseNewer(highest(done), latest)
            // another process may have been here between our look and our lock
            if (done.has(migration.id)) return false
            for (const statement of migration.statements(dialects[dialect])) yield* sql.unsafe(statement)
            const now = yield* Clock.currentTimeMillis
            const { id, name } = migration
            yield* sql`INSERT INTO switchboard_migrations (id, name, applied_at) VALUES (${id}, ${name}, ${now})`
            return true
          })
        )
        .pipe(
          Effect.catchTag("SqlError", (error) =>
            Effect.fail(
              new MigrationError({
                reason: "MigrationFailed",
                migration: migration.id,
                message: `schema migration ${migration.id} (${migration.name}) was rolled back: ${error.message}`
              })
            )
          )
        )

    yield* createTable(dialect)
    const done = yield* recorded
    yield* refuseNewer(highest(done), latest)
    const applied: Array<number> = []
    for (const migration of migrations) {
      if (!done.has(migration.id) && (yield* apply(migration))) applied.push(migration.id)
    }
    return applied
  }
)

/** PostgreSQL may fail an `IF NOT EXISTS` that races with another one: the loser looks again. */
const createTable = Effect.fnUntraced(function* (dialect: "sqlite" | "pg") {
  const sql = yield* SqlClient.SqlClient
  const { bigint, options } = dialects[dialect]
  const create = sql.unsafe(
    `CREATE TABLE IF NOT EXISTS switchboard_migrations (
      id integer PRIMARY KEY NOT NULL, name text NOT NULL, applied_at ${bigint} NOT NULL)${options}`
  )
  yield* Effect.retry(create, { times: 1, while: (error) => error.reason._tag === "UniqueViolation" })
})
