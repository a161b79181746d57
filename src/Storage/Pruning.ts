/**
 * Deletes old rows of a table piece by piece in order of its key, so that no message waits for it and no row that stays
 * for long hides the ones behind it. What counts as ended is the table's own; nothing else is ever deleted.
 */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { Database } from "./Database.ts"

/** `next`: where the next piece begins; `null` = the whole table has been looked at. */
export interface Piece {
  readonly deleted: number
  readonly next: number | null
}

/** Looks at `limit` rows whose key is above `after`, and deletes those that ended before `before` (epoch milliseconds). */
export type Prune = (before: number, after: number, limit: number) => Effect.Effect<Piece, SqlError.SqlError>

export const make = (
  database: Database["Service"],
  table: {
    readonly name: string
    /** The ascending key. */
    readonly key: string
    /** Condition that a row has ended before the time that follows it. */
    readonly endedBefore: string
  }
): Prune => {
  const { endedBefore, key, name } = table
  const parameter = (n: number): string => (database.dialect === "sqlite" ? `?${n}` : `$${n}`)
  const piece =
    `SELECT COUNT(*) AS n, MAX(${key}) AS last FROM ` +
    `(SELECT ${key} FROM ${name} WHERE ${key} > ${parameter(1)} ORDER BY ${key} LIMIT ${parameter(2)}) AS piece`
  const remove =
    `DELETE FROM ${name} WHERE ${key} > ${parameter(1)} AND ${key} <= ${parameter(2)} ` +
    `AND ${endedBefore} ${parameter(3)} RETURNING ${key}`
  return Effect.fnUntraced(function* (before, after, limit) {
    const [found] = yield* database.execute(piece, [after, limit])
    const last = Number(found?.last ?? 0)
    if (found === undefined || Number(found.n) === 0) return { deleted: 0, next: null }
    const deleted = yield* database.execute(remove, [after, last, before])
    return { deleted: deleted.length, next: Number(found.n) < limit ? null : last }
  })
}
