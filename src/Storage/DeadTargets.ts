/**
 * Chats that said they cannot be reached (`delivery T11`): sends to them are skipped for an hour, then one is tried. What
 * is known is in memory, so that a send costs no look-up; the table only carries it over a restart.
 */
import { Clock, Effect } from "effect"
import type { SqlError } from "effect/sql"
import * as BatchStatement from "./BatchStatement.ts"
import type { Write } from "./BatchStatement.ts"
import { Database } from "./Database.ts"
import { sanitizeText } from "./StoredText.ts"

/** Chats that are remembered; the oldest is forgotten first, and is then tried like any other. */
const bound = 10_000
const reasonBound = 200
/** Milliseconds after which a chat that nobody has tried again is forgotten. */
const keptFor = 30 * 24 * 60 * 60 * 1000
/** Milliseconds until one send is tried again. */
export const retryAfter = 60 * 60 * 1000

const put = BatchStatement.insert({
  name: "dead_targets.put",
  rank: 70,
  columns: [
    ["target", "text"],
    ["reason", "text"],
    ["at", "bigint"]
  ],
  identity: "target",
  into: "dead_targets",
  values: BatchStatement.asGiven("target", "reason", "at"),
  onConflict: "ON CONFLICT (target) DO UPDATE SET reason = excluded.reason, at = excluded.at"
})

/** A row that is over is deleted at the next start. */
const clear = BatchStatement.update({
  name: "dead_targets.clear",
  rank: 71,
  columns: [["target", "text"]],
  identity: "target",
  table: "dead_targets",
  set: "at = -1",
  where: "dead_targets.target = r.target"
})

export interface DeadTargets {
  /** Reads what an earlier process knew, and forgets what is too old. */
  readonly load: Effect.Effect<void, SqlError.SqlError>
  /** It is not to be tried now. */
  readonly isDead: (target: string, now: number) => boolean
  readonly marked: (target: string, reason: string, now: number) => ReadonlyArray<Write>
  /** Something arrived there; empty when nothing was marked. */
  readonly cleared: (target: string) => ReadonlyArray<Write>
  readonly count: (now: number) => number
}

export const make: Effect.Effect<DeadTargets, never, Database> = Effect.gen(function* () {
  const database = yield* Database
  const clock = yield* Clock.Clock
  const known = new Map<string, number>()
  return {
    load: Effect.gen(function* () {
      const forgotten = Math.max(0, clock.currentTimeMillisUnsafe() - keptFor)
      yield* database.execute(`DELETE FROM dead_targets WHERE at < ${forgotten}`, [])
      const rows = yield* database.execute(
        `SELECT target, at FROM dead_targets WHERE at >= 0 ORDER BY at LIMIT ${bound}`,
        []
      )
      for (const { at, target } of rows) known.set(String(target), Number(at))
    }),
    isDead: (target, now) => {
      const at = known.get(target)
      return at !== undefined && now - at < retryAfter
    },
    marked: (target, reason, now) => {
      known.delete(target)
      known.set(target, now)
      if (known.size > bound) known.delete(known.keys().next().value!)
      return [{ statement: put, row: [sanitizeText(target), sanitizeText(reason.slice(0, reasonBound)), now] }]
    },
    cleared: (target) => (known.delete(target) ? [{ statement: clear, row: [sanitizeText(target)] }] : []),
    count: (now) => {
      let count = 0
      for (const at of known.values()) if (now - at < retryAfter) count++
      return count
    }
  }
})
