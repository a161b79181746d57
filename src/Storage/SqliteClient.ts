/**
 * An `SqlClient` over `node:sqlite`: one connection behind one permit, so a transaction holds it until it ends. Every
 * call is synchronous and blocks the event loop: batch, and never await anything foreign inside a transaction.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import { Context, Effect, Layer, Random, Schedule, Semaphore, Stream } from "effect"
import type { Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, SqlError, Statement } from "effect/sql"
import type { SqlConnection } from "effect/sql"

export interface SqliteConfig {
  /** Path of the database file, or `:memory:`. Its folder is made (0700) when it is missing. */
  readonly filename: string
  /** `FULL` (default) syncs each commit; `NORMAL` may lose the last commits in a power cut. */
  readonly synchronous?: "NORMAL" | "FULL" | undefined
  /** How long opening waits for a lock of another process, blocking this one (default 5000). */
  readonly busyTimeoutMillis?: number | undefined
}

/** How long a statement waits for a lock of another process: the event loop stands still, so the wait is the caller's. */
const statementBusyMillis = 10

const preparedLimit = 256

const toSqlError = (cause: unknown, operation: string): SqlError.SqlError => {
  const detail = cause instanceof Error ? cause.message : String(cause)
  const props = { cause, message: `sqlite ${operation} failed: ${detail}`, operation }
  const code = resultCode(cause)
  switch (code & 0xff) {
    // what the classifier calls unknown, though it would fail again for ever: bad SQL or JSON; too big, mismatch, range
    case 1:
      return new SqlError.SqlError({ reason: new SqlError.SqlSyntaxError(props) })
    case 18:
    case 20:
    case 25:
      return new SqlError.SqlError({ reason: new SqlError.ConstraintError(props) })
  }
  // node:sqlite puts SQLite's code into `errcode`, the classifier looks for it in `errno`
  const classified = cause instanceof Error && code !== 0 ? Object.assign(cause, { errno: code }) : cause
  return new SqlError.SqlError({ reason: SqlError.classifySqliteError(classified, props) })
}

/** SQLite's extended result code; 0 when the failure is not SQLite's. */
const resultCode = (cause: unknown): number =>
  cause instanceof Error && "errcode" in cause && typeof cause.errcode === "number" ? cause.errcode : 0

const toBind = (value: unknown): SQLInputValue => {
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
      return value
    case "boolean":
      return value ? 1 : 0
    case "undefined":
      return null
  }
  if (value === null || value instanceof Uint8Array) return value
  if (value instanceof Date) return value.toISOString()
  throw new TypeError(`SQLite has no type for a parameter of type ${typeof value}`)
}

/** Opened with the mode that the database and its sidecars must have: SQLite gives `-wal` and `-shm` the file's own. */
const claimFile = (filename: string): string | undefined => {
  mkdirSync(dirname(filename), { recursive: true, mode: 0o700 })
  closeSync(openSync(filename, "a", 0o600))
  try {
    for (const file of [filename, `${filename}-wal`, `${filename}-shm`, `${filename}-journal`]) {
      if (existsSync(file)) chmodSync(file, 0o600)
    }
    return undefined
  } catch (cause) {
    // a foreign owner or a file system without modes: the data is usable, its privacy is the operator's to judge
    return `cannot restrict ${filename} to its owner (mode 0600): ${cause instanceof Error ? cause.message : "no reason given"}`
  }
}

/** True when the file system carries WAL: it needs shared memory beside the file, which shows at the first read. */
const enterWal = (db: DatabaseSync): boolean => {
  try {
    const mode = db.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"]
    db.exec("SELECT count(*) FROM sqlite_schema")
    return mode === "wal"
  } catch (cause) {
    // CANTOPEN, IOERR and PROTOCOL are how a file system refuses; corruption, a lock or a read-only file are not
    const code = resultCode(cause) & 0xff
    if (code === 14 || code === 10 || code === 15) return false
    throw cause
  }
}

interface Opened {
  readonly db: DatabaseSync
  readonly warnings: ReadonlyArray<string>
}

const connect = (config: SqliteConfig): DatabaseSync =>
  new DatabaseSync(config.filename, {
    timeout: config.busyTimeoutMillis ?? 5000,
    enableForeignKeyConstraints: true
  })

const open = (config: SqliteConfig): Opened => {
  const warnings: Array<string> = []
  const onDisk = config.filename !== ":memory:"
  const unprotected = onDisk ? claimFile(config.filename) : undefined
  if (unprotected !== undefined) warnings.push(unprotected)
  let db = connect(config)
  try {
    if (onDisk && !enterWal(db)) {
      // by now the file says WAL: only a new connection with an exclusive lock reads it without shared memory
      db.close()
      db = connect(config)
      db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL")
      // the lock itself goes with the next statement
      db.exec("SELECT count(*) FROM sqlite_schema")
      warnings.push(`the file system of ${config.filename} refuses WAL: using the slower DELETE journal`)
    }
    db.exec(
      `PRAGMA synchronous = ${config.synchronous ?? "FULL"}; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536; ` +
        `PRAGMA wal_autocheckpoint = 8192; PRAGMA busy_timeout = ${statementBusyMillis};`
    )
    return { db, warnings }
  } catch (cause) {
    if (db.isOpen) db.close()
    throw cause
  }
}

interface Prepared {
  readonly statement: StatementSync
  readonly returnsRows: boolean
}

type Mode = "rows" | "values" | "raw"
type Row = Record<string, unknown>

/** The least recently used statement is finalised (by the collector) when a new one needs its place. */
const preparedCache = (db: DatabaseSync): ((sql: string) => Prepared) => {
  const cache = new Map<string, Prepared>()
  return (sql) => {
    let prepared = cache.get(sql)
    if (prepared === undefined) {
      prepared = prepare(db, sql)
      if (cache.size >= preparedLimit) {
        for (const oldest of cache.keys()) {
          cache.delete(oldest)
          break
        }
      }
    } else {
      cache.delete(sql)
    }
    cache.set(sql, prepared)
    return prepared
  }
}

const prepare = (db: DatabaseSync, sql: string): Prepared => {
  const statement = db.prepare(sql)
  return { statement, returnsRows: statement.columns().length > 0 }
}

/** A connection that runs one statement for many rows without an effect for each: the Journal's way in. */
export interface BatchConnection extends SqlConnection.Connection {
  /** The rows that `RETURNING` gave, in the order of the rows given. */
  readonly executeMany: (
    sql: string,
    rows: ReadonlyArray<ReadonlyArray<SQLInputValue>>
  ) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>
}

export const isBatchConnection = (connection: SqlConnection.Connection): connection is BatchConnection =>
  "executeMany" in connection

const makeConnection = (db: DatabaseSync): BatchConnection => {
  const cached = preparedCache(db)
  const fresh = (sql: string) => prepare(db, sql)

  const run = <A>(
    prepareStatement: (sql: string) => Prepared,
    sql: string,
    params: ReadonlyArray<unknown>,
    mode: Mode
  ) =>
    Effect.withFiber<A, SqlError.SqlError>((fiber) => {
      try {
        const { statement, returnsRows } = prepareStatement(sql)
        statement.setReadBigInts(Context.get(fiber.context, SqlClient.SafeIntegers))
        statement.setReturnArrays(mode === "values")
        const bound = params.map(toBind)
        const result = returnsRows ? statement.all(...bound) : statement.run(...bound)
        // what SQLite returns has the shape that the mode asked for; node's types cannot follow setReturnArrays
        return Effect.succeed((returnsRows || mode === "raw" ? result : []) as A)
      } catch (cause) {
        return Effect.fail(toSqlError(cause, "execute"))
      }
    })

  type Transform = Parameters<SqlConnection.Connection["execute"]>[2]
  const rows = (
    prepareStatement: (sql: string) => Prepared,
    sql: string,
    params: ReadonlyArray<unknown>,
    f: Transform
  ) => {
    const result = run<ReadonlyArray<Row>>(prepareStatement, sql, params, "rows")
    return f === undefined ? result : Effect.map(result, f)
  }

  return {
    executeMany: (sql, many) =>
      Effect.suspend(() => {
        try {
          const { statement, returnsRows } = cached(sql)
          statement.setReadBigInts(false)
          statement.setReturnArrays(false)
          const returned: Array<Row> = []
          for (const row of many) {
            if (!returnsRows) {
              statement.run(...row)
              continue
            }
            const found = statement.get(...row)
            if (found !== undefined) returned.push(found)
          }
          return Effect.succeed(returned)
        } catch (cause) {
          return Effect.fail(toSqlError(cause, "execute"))
        }
      }),
    execute: (sql, params, f) => rows(cached, sql, params, f),
    executeUnprepared: (sql, params, f) => rows(fresh, sql, params, f),
    executeRaw: (sql, params) => run<unknown>(cached, sql, params, "raw"),
    executeValues: (sql, params) => run<ReadonlyArray<ReadonlyArray<unknown>>>(cached, sql, params, "values"),
    executeValuesUnprepared: (sql, params) => run<ReadonlyArray<ReadonlyArray<unknown>>>(fresh, sql, params, "values"),
    executeStream: (sql, params, f) =>
      Stream.suspend(() => {
        try {
          const found = db.prepare(sql).iterate(...params.map(toBind))
          const stream = Stream.fromIteratorSucceed<Row>(found, 256)
          return f === undefined ? stream : Stream.mapArray(stream, (chunk) => f(chunk) as typeof chunk)
        } catch (cause) {
          return Stream.fail(toSqlError(cause, "stream"))
        }
      })
  }
}

/** (`session T16`) Fails with `SqlError` when the file cannot be opened, is no database, or stays locked for 5 s. */
export const make: (
  config: SqliteConfig
) => Effect.Effect<SqlClient.SqlClient, SqlError.SqlError, Scope.Scope | Reactivity.Reactivity> = Effect.fnUntraced(
  function* (config) {
    const { db, warnings } = yield* Effect.acquireRelease(
      Effect.try({ try: () => open(config), catch: (cause) => toSqlError(cause, "open") }),
      ({ db }) => Effect.sync(() => db.close())
    )
    yield* Effect.forEach(warnings, (warning) => Effect.logWarning(warning), { discard: true })
    return yield* SqlClient.make({
      ...SqlClient.makeSqliteAcquirers({
        connection: Effect.succeed(makeConnection(db)),
        semaphore: yield* Semaphore.make(1),
        isTransaction: () => db.isTransaction
      }),
      compiler: Statement.makeCompilerSqlite(),
      driver: "node:sqlite",
      // a deferred BEGIN that later wants to write can fail with BUSY in the middle; this one waits at the door
      beginTransaction: "BEGIN IMMEDIATE",
      prepareTransactionControls: true,
      releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
      spanAttributes: [["db.system.name", "sqlite"]]
    })
  }
)

export const layer = (config: SqliteConfig): Layer.Layer<SqlClient.SqlClient, SqlError.SqlError> =>
  Layer.effect(SqlClient.SqlClient, make(config)).pipe(Layer.provide(Reactivity.layer))

/** A statement of its own that found the file locked is tried again for up to a minute: nothing of it has happened. */
export const patiently = <A, E, R>(e: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.retry(e, { while: isLocked, schedule: lockedSchedule })

/**
 * A transaction whose BEGIN found the file locked is tried again for up to a minute: nothing of `e` has run then. A
 * failure later than that is the caller's.
 */
export const transaction = <A, E, R>(
  sql: SqlClient.SqlClient,
  e: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError.SqlError, R> =>
  Effect.suspend(() => {
    let begun = false
    const attempt = sql.withTransaction(
      Effect.suspend(() => {
        begun = true
        return e
      })
    )
    return Effect.retry(attempt, { while: (error) => !begun && isLocked(error), schedule: lockedSchedule })
  })

const isLocked = (error: unknown): boolean => SqlError.isSqlError(error) && error.reason._tag === "LockTimeoutError"

/** 20–150 ms five times, then 250–1000 ms, within a minute (`session B4`). */
const lockedSchedule = Schedule.forever.pipe(
  Schedule.modifyDelay(({ attempt }) =>
    Effect.map(Random.next, (random) => (attempt <= 5 ? 20 + random * 130 : 250 + random * 750))
  ),
  Schedule.upTo({ duration: "1 minute" })
)
