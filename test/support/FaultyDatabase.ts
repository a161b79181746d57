/**
 * A real database in memory that can be told to refuse, to die at a certain statement, to keep callers waiting, and that
 * counts. What it does while no fault is set is the database's own doing.
 */
import { Effect, Latch, Layer } from "effect"
import { SqlError } from "effect/sql"
import { Database } from "../../src/Storage/Database.ts"

export const unreachable = (): SqlError.SqlError =>
  new SqlError.SqlError({
    reason: new SqlError.ConnectionError({ cause: new Error("gone"), message: "gone", operation: "execute" })
  })

export class Faults {
  transactions = 0
  statements = 0
  /** Every transaction fails with it before anything is done. */
  refuse: SqlError.SqlError | null = null
  /** The statement with this number within a transaction fails with `failWith` (or dies, when that is `null`). */
  failAt: number | null = null
  failWith: SqlError.SqlError | null = unreachable()
  /** Transactions that may fail at `failAt`; then the fault is gone. */
  failures = Infinity
  /** Reads outside of transactions wait here after they have read. */
  readonly readers = Latch.makeUnsafe(true)
  /** Transactions wait here before they begin. */
  readonly writers = Latch.makeUnsafe(true)
}

export const faulty = (database: Database["Service"], faults: Faults): Database["Service"] => {
  let inTransaction: number | null = null
  const within = <A>(statement: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, SqlError.SqlError> => {
    faults.statements++
    if (inTransaction!++ !== faults.failAt || faults.failures <= 0) return statement
    faults.failures--
    return faults.failWith === null ? Effect.die(new Error("the driver threw")) : Effect.fail(faults.failWith)
  }
  return {
    ...database,
    execute: (sql, params) =>
      Effect.suspend(() =>
        inTransaction === null
          ? Effect.tap(database.execute(sql, params), () => faults.readers.await)
          : within(database.execute(sql, params))
      ),
    batch: (statement, rows) => Effect.suspend(() => within(database.batch(statement, rows))),
    transaction: (e) =>
      faults.writers.await.pipe(
        Effect.andThen(
          Effect.suspend(() => {
            if (faults.refuse !== null) return Effect.fail(faults.refuse)
            faults.transactions++
            return database
              .transaction(
                Effect.suspend(() => {
                  inTransaction = 0
                  return e
                })
              )
              .pipe(
                Effect.ensuring(
                  Effect.sync(() => {
                    inTransaction = null
                  })
                )
              )
          })
        )
      )
  }
}

export const layer = (faults: Faults): Layer.Layer<Database> =>
  Layer.effect(
    Database,
    Effect.map(Database, (database) => faulty(database, faults))
  ).pipe(Layer.provide(Database.layer({ storage: "memory", filename: "" })), Layer.orDie)
