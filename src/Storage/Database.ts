/**
 * The one door to the database: a few operations that both dialects share, and the layers that open, claim and migrate
 * it. What it says about itself (`describe`, messages) never holds a password.
 */
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Context, Deferred, Effect, identity, Layer, Queue, Redacted, Schedule, Schema } from "effect"
import type { Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, SqlError } from "effect/sql"
import type { BatchStatement, Cell } from "./BatchStatement.ts"
import * as Migrations from "./Migrations.ts"
import * as SqliteClient from "./SqliteClient.ts"

/**
 * Why there is no database; `message` says what to do. `Unreachable`: it cannot be opened or does not answer. `InUse`:
 * another gateway has it. `Refused`: it is there and does not let us in, or is no database. `OlderSchema`: only without a
 * claim, when no gateway of this version has been here yet.
 */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  reason: Schema.Literals(["Unreachable", "InUse", "Refused", "MigrationFailed", "NewerSchema", "OlderSchema"]),
  message: Schema.String
}) {}

export interface DatabaseConfig {
  readonly storage: "sqlite" | "memory" | { readonly url: Redacted.Redacted }
  /** Of the SQLite file; used when `storage` is `sqlite`. */
  readonly filename: string
  readonly claim?: Claim | undefined
}

/**
 * `exclusive` (default) claims a PostgreSQL database for this process; `shared` shares it with other runners of one
 * cluster, and still keeps out a gateway that wants it alone (law 7). `none` claims and migrates nothing: for commands
 * beside a gateway that may be running; it wants the schema of this version.
 */
export type Claim = "exclusive" | "shared" | "none"

type Row = Record<string, unknown>

export class Database extends Context.Service<
  Database,
  {
    readonly dialect: "sqlite" | "pg"
    /** For people: which database this is. */
    readonly describe: string
    /** A commit that succeeded survives a power cut. */
    readonly durable: boolean
    /**
     * One statement in the dialect's own text (`?`, or `$1`), prepared once. Booleans are passed as 0 and 1; 64-bit
     * integers come back as numbers where they are safe. PostgreSQL: fails after 30 s.
     */
    readonly execute: (
      sql: string,
      params: ReadonlyArray<unknown>
    ) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>
    /** A statement of the Journal for all rows, in their order; gives what `RETURNING` gave. Meant for a transaction. */
    readonly batch: (
      statement: BatchStatement,
      rows: ReadonlyArray<ReadonlyArray<Cell>>
    ) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>
    /**
     * All statements of `e` or none; a failure or interruption rolls back, a transaction inside one is a savepoint.
     * Await nothing foreign in it. A locked SQLite file is waited for up to a minute (`session B4`).
     */
    readonly transaction: <A, E, R>(e: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError.SqlError, R>
  }
>()("Storage/Database") {
  /** Opens, claims and migrates the database (`session B4`: whoever gets an error here accepts no message). */
  static readonly layer = (config: DatabaseConfig): Layer.Layer<Database | SqlClient.SqlClient, StorageError> =>
    Layer.effectContext(
      typeof config.storage === "object"
        ? postgres(config.storage.url, config.claim ?? "exclusive")
        : sqlite(config.storage === "memory" ? ":memory:" : config.filename, config.claim ?? "exclusive")
    ).pipe(Layer.provide(Reactivity.layer))
}

type Opening = Effect.fn.Return<
  Context.Context<Database | SqlClient.SqlClient>,
  StorageError,
  Scope.Scope | Reactivity.Reactivity
>

const migrated = (sql: SqlClient.SqlClient, describe: string, claim: Claim) =>
  (claim === "none" ? Effect.as(Migrations.verify(), []) : Migrations.run()).pipe(
    Effect.tap((ids) => (ids.length === 0 ? Effect.void : Effect.logInfo(`${describe}: now at schema ${ids.at(-1)}`))),
    Effect.provideService(SqlClient.SqlClient, sql),
    Effect.catchTag("MigrationError", ({ reason, message }) =>
      Effect.fail(new StorageError({ reason, message: `${describe}: ${message}` }))
    )
  )

/**
 * Within a transaction the statement goes straight to its connection: the client's own path costs as much again as the
 * statement (a span, a scope and a compilation each).
 */
const executeOn =
  (sql: SqlClient.SqlClient, alone: (statement: Statement) => Statement = identity) =>
  (text: string, params: ReadonlyArray<unknown>): Statement =>
    Effect.withFiber((fiber) => {
      const open = Context.getOrUndefined(fiber.context, sql.transactionService)
      return open === undefined ? alone(sql.unsafe<Row>(text, params)) : open[0].execute(text, params, undefined)
    })

type Statement = Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>

/** Row by row without an effect for each; outside a transaction there is no connection to hold, and no hurry. */
const batchOnSqlite =
  (sql: SqlClient.SqlClient): Database["Service"]["batch"] =>
  (statement, rows) =>
    Effect.withFiber((fiber) => {
      const open = Context.getOrUndefined(fiber.context, sql.transactionService)?.[0]
      return open !== undefined && SqliteClient.isBatchConnection(open)
        ? open.executeMany(statement.text.sqlite, rows)
        : Effect.map(
            Effect.forEach(rows, (row) => sql.unsafe<Row>(statement.text.sqlite, row)),
            (returned) => returned.flat()
          )
    })

const sqlite = Effect.fnUntraced(function* (filename: string, claim: Claim): Opening {
  const durable = filename !== ":memory:"
  const describe = durable ? `SQLite ${filename}` : "SQLite in memory"
  const refused = (error: SqlError.SqlError) =>
    new StorageError(
      error.reason._tag === "LockTimeoutError"
        ? { reason: "InUse", message: `${describe} stays locked: stop the other process that writes to it` }
        : {
            reason: error.reason._tag === "ConnectionError" ? "Unreachable" : "Refused",
            message:
              `${describe} cannot be opened (${error.message}): check that it is a database of Switchboard, that ` +
              "this user may write it and its folder, and that the disk is not full"
          }
    )
  const sql = yield* Effect.mapError(SqliteClient.make({ filename }), refused)
  yield* Effect.catchTag(migrated(sql, describe, claim), "SqlError", (error) => Effect.fail(refused(error)))
  return Context.make(SqlClient.SqlClient, sql).pipe(
    Context.add(Database, {
      dialect: "sqlite",
      describe,
      durable,
      execute: executeOn(sql, SqliteClient.patiently),
      batch: batchOnSqlite(sql),
      transaction: (e) => SqliteClient.transaction(sql, e)
    })
  )
})

/** Two halves of the advisory lock that says who owns the database: "SWBD" and its first use. */
const ownerLock = `1398227524, 1`
/** Server-side: how long a vanished machine keeps its lock (10 s idle, then 3 probes 5 s apart). */
const ownerKeepAlive = ["tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3"]
const statementTimeout = "30 seconds"

const postgres = Effect.fnUntraced(function* (url: Redacted.Redacted, claim: Claim): Opening {
  const describe = describeUrl(url)
  const refused = (error: SqlError.SqlError) => postgresError(error, describe, url)
  const owner = yield* claim === "none" ? guest(url, describe) : ownership(url, claim, describe)
  const sql = yield* PgClient.make({
    url,
    maxConnections: 6,
    preparedStatementCacheSize: 256,
    keepAlive: "10 seconds",
    applicationName: "switchboard",
    // a commit that the server has not synced may not be acknowledged, whatever its own default is
    ...(owner.synchronousCommit === "off" ? { startupParameters: { synchronous_commit: "on" } } : {})
  }).pipe(Effect.mapError(refused))
  yield* Effect.catchTag(migrated(sql, describe, claim), "SqlError", (error) => Effect.fail(refused(error)))
  if (!owner.fsync && claim !== "none")
    yield* Effect.logWarning(`${describe} runs with fsync=off: a power cut there loses messages`)

  const execute = executeOn(sql)
  const notOwner = Effect.fail(failure(SqlError.ConnectionError, `${describe}: the claim on the database is lost`))
  const tooSlow = Effect.fail(failure(SqlError.StatementTimeoutError, `${describe}: silent for ${statementTimeout}`))
  const guarded = <A, E, R>(e: Effect.Effect<A, E, R>) =>
    Effect.suspend((): Effect.Effect<A, E | SqlError.SqlError, R> => (owner.held() ? e : notOwner))
  const run: Database["Service"]["execute"] = (text, params) =>
    guarded(execute(text, params.map(numeric))).pipe(
      Effect.mapBoth({ onFailure: classifyData, onSuccess: narrowIntegers }),
      Effect.timeoutOrElse({ duration: statementTimeout, orElse: () => tooSlow })
    )
  return Context.make(SqlClient.SqlClient, sql).pipe(
    Context.add(Database, {
      dialect: "pg",
      describe,
      durable: owner.fsync,
      execute: run,
      batch: (statement, rows) => run(statement.text.pg, [JSON.stringify(rows)]),
      transaction: (e) => guarded(sql.withTransaction(e))
    })
  )
})

interface Ownership {
  /** False while the lock's connection is lost: another gateway may have the database by now. */
  readonly held: () => boolean
  readonly fsync: boolean
  readonly synchronousCommit: string
}

const durability = (connection: PgConnection.PgConnection) =>
  Effect.map(
    connection.query(
      "SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit"
    ),
    ({ rows }) => ({ fsync: rows[0]?.["fsync"] === "on", synchronousCommit: String(rows[0]?.["synchronous_commit"]) })
  )

/** Beside whoever owns the database: nothing is held, so nothing can be lost. */
const guest = (url: Redacted.Redacted, describe: string): Effect.Effect<Ownership, StorageError> =>
  Effect.scoped(Effect.flatMap(PgConnection.make({ url, applicationName: "switchboard" }), durability)).pipe(
    Effect.mapBoth({
      onFailure: (error) => postgresError(error, describe, url),
      onSuccess: (settings) => ({ held: () => true, ...settings })
    })
  )

/**
 * Holds the advisory lock on a connection of its own for the whole scope. The server frees it when the process dies;
 * when only the connection dies, nothing is written until the lock is ours again.
 */
const ownership = Effect.fnUntraced(function* (
  url: Redacted.Redacted,
  kind: Exclude<Claim, "none">,
  describe: string
): Effect.fn.Return<Ownership, StorageError, Scope.Scope> {
  let held = false
  const first = yield* Deferred.make<Ownership, StorageError>()
  const hold = Effect.gen(function* () {
    const connection = yield* PgConnection.make({ url, keepAlive: "10 seconds", applicationName: "switchboard owner" })
    yield* claimed(connection, kind, describe)
    for (const setting of ownerKeepAlive) yield* connection.query(`SET ${setting}`)
    const settings = yield* durability(connection)
    // the queue fails at the moment the connection does; nobody ever notifies on this channel
    const broken = yield* connection.listen("switchboard_owner")
    held = true
    yield* Deferred.succeed(first, { held: () => held, ...settings })
    return yield* Effect.forever(Queue.take(broken))
  }).pipe(
    Effect.scoped,
    Effect.catchTag("SqlError", (error) => Effect.fail(postgresError(error, describe, url))),
    Effect.tapError((error) =>
      held
        ? Effect.logError("lost the claim on the database, nothing is written until it is back:", error.message)
        : Effect.void
    ),
    Effect.ensuring(Effect.sync(() => (held = false)))
  )
  yield* hold.pipe(
    Effect.retry({ while: () => Deferred.isDoneUnsafe(first), schedule: Schedule.spaced("1 second") }),
    Effect.tapCause((cause) => Deferred.failCause(first, cause)),
    Effect.ignore,
    Effect.forkScoped
  )
  return yield* Deferred.await(first)
})

/** A process that was just killed may still hold the lock for a moment: asked ten times within two seconds. */
const claimed = (connection: PgConnection.PgConnection, kind: Exclude<Claim, "none">, describe: string) =>
  connection.query(`SELECT pg_try_advisory_lock${kind === "shared" ? "_shared" : ""}(${ownerLock}) AS held`).pipe(
    Effect.flatMap((result) =>
      result.rows[0]?.["held"] === true
        ? Effect.void
        : Effect.fail(
            new StorageError({
              reason: "InUse",
              message: `${describe} is in use by another gateway: stop that one, or give this one a database of its own`
            })
          )
    ),
    Effect.retry({
      while: (error) => error._tag === "StorageError",
      schedule: Schedule.spaced("200 millis").pipe(Schedule.upTo({ times: 9 }))
    })
  )

/** SQLSTATE class 22 (bad value for its type, NUL in text …) would fail again for ever: as final as a constraint. */
const classifyData = (error: SqlError.SqlError): SqlError.SqlError => {
  const { _tag, cause, message, operation } = error.reason
  return _tag === "UnknownError" && sqlState(cause).startsWith("22")
    ? new SqlError.SqlError({ reason: new SqlError.ConstraintError({ cause, message, operation }) })
    : error
}

/** The server's five characters; empty when the failure is not the server's. */
const sqlState = (cause: unknown): string => (cause instanceof Error && "code" in cause ? String(cause.code) : "")

const numeric = (value: unknown): unknown => (typeof value === "boolean" ? Number(value) : value)

/** In place: rows come fresh from the driver, which gives every 64-bit integer as a `bigint`. */
const narrowIntegers = (rows: ReadonlyArray<Row>): ReadonlyArray<Row> => {
  for (const row of rows) {
    for (const name in row) {
      const value = row[name]
      if (typeof value === "bigint" && Number.isSafeInteger(Number(value))) row[name] = Number(value)
    }
  }
  return rows
}

const failure = (
  Reason: typeof SqlError.ConnectionError | typeof SqlError.StatementTimeoutError,
  message: string
): SqlError.SqlError =>
  new SqlError.SqlError({ reason: new Reason({ cause: new Error(message), message, operation: "execute" }) })

/** `PostgreSQL user@host:port/database`; the part of the URL that may hold a password or an option is left out. */
const describeUrl = (url: Redacted.Redacted): string => {
  const parsed = URL.parse(Redacted.value(url))
  if (parsed === null) return "PostgreSQL"
  const user = parsed.username === "" ? "" : `${parsed.username}@`
  return `PostgreSQL ${user}${parsed.hostname || "localhost"}:${parsed.port || "5432"}${parsed.pathname}`
}

const postgresError = (error: SqlError.SqlError, describe: string, url: Redacted.Redacted): StorageError => {
  const { _tag, cause } = error.reason
  const detail = withoutPassword(cause instanceof Error && cause.message !== "" ? cause.message : error.message, url)
  // no room for another connection (53), or a server that is going down or coming up (57P): not our credentials' fault
  return _tag === "ConnectionError" || /^53|^57P/.test(sqlState(cause))
    ? new StorageError({
        reason: "Unreachable",
        message: `${describe} does not answer (${detail}): check that it runs and that SWITCHBOARD_STORAGE names it`
      })
    : new StorageError({
        reason: "Refused",
        message:
          `${describe} refuses us (${detail}): check user, password and database in SWITCHBOARD_STORAGE, and that ` +
          "the user may create tables there"
      })
}

const withoutPassword = (text: string, url: Redacted.Redacted): string => {
  const encoded = URL.parse(Redacted.value(url))?.password ?? ""
  if (encoded === "") return text
  const hidden = text.replaceAll(encoded, "***")
  try {
    return hidden.replaceAll(decodeURIComponent(encoded), "***")
  } catch {
    return hidden // no valid percent-encoding: then nobody has decoded it either
  }
}
