/**
 * Group commit of the message path: callers hand over writes and wait for their receipt; one fiber commits whatever has
 * gathered in one transaction, synced to disk. Nothing here awaits the network, an agent or a queue inside a transaction.
 */
import {
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Layer,
  Metric,
  Queue,
  Random,
  Schedule,
  Schema,
  type Scope
} from "effect"
import { SqlError } from "effect/sql"
import type { BatchStatement, Cell, Write } from "./BatchStatement.ts"
import { Database } from "./Database.ts"

/**
 * `Rejected`: the storage refused these very writes; none of them happened. `Closed`: the gateway is going down and
 * the writes did not happen. While storage cannot be reached, callers wait: there is no error for that.
 */
export class JournalError extends Schema.TaggedError<JournalError>()("JournalError", {
  reason: Schema.Literals(["Rejected", "Closed"]),
  message: Schema.String
}) {}

/** What a statement with `RETURNING` gave for each write of the commit; `undefined` = no row (a duplicate), or nothing returned. */
export type Receipt = ReadonlyArray<Readonly<Record<string, unknown>> | undefined>

export interface JournalHealth {
  /** Epoch milliseconds since when storage has refused commits; `null` = the last commit succeeded. */
  readonly failingSince: number | null
  readonly error: string | null
  /** Epoch milliseconds of the last commit; `null` = none yet. */
  readonly committedAt: number | null
}

/** Milliseconds after which a commit that is still under way counts as refused: a lock, a disk that hangs. */
const commitPatience = 2000

/** Rows that gather for one transaction at most (`DESIGN` Journal). */
const maxRows = 512
/** Rows that may wait; beyond it `append` waits as `commit` does. */
const maxWaiting = 16_384

interface Entry {
  readonly writes: ReadonlyArray<Write>
  readonly resume: ((exit: Exit.Exit<Receipt, JournalError>) => void) | null
}

const commits = Metric.counter("journal_commits_total", { description: "transactions committed", incremental: true })
const rows = Metric.counter("journal_rows_total", { description: "rows committed", incremental: true })
const retries = Metric.counter("journal_retries_total", { description: "commits tried again", incremental: true })

export class Journal extends Context.Service<
  Journal,
  {
    /** All writes or none; succeeds when they are on disk. An interrupted caller does not take its writes back. */
    readonly commit: (writes: ReadonlyArray<Write>) => Effect.Effect<Receipt, JournalError>
    /** Takes writes whose loss at a crash is harmless, without waiting for the disk; order with later commits is kept. */
    readonly append: (writes: ReadonlyArray<Write>) => Effect.Effect<void>
    /** Waits until everything handed over before is on disk. */
    readonly flush: Effect.Effect<void>
    /**
     * The end is near: from now on a commit that storage refuses fails with `Closed` instead of being tried again, so that
     * nobody who must store something before he ends waits for storage that does not come back.
     */
    readonly stopRetrying: Effect.Effect<void>
    /** Hears of every write that was committed from now on until the scope closes. It must be quick and may not throw. */
    readonly observe: (committed: (write: Write) => void) => Effect.Effect<void, never, Scope.Scope>
    readonly health: () => JournalHealth
  }
>()("Storage/Journal") {
  static readonly layer = Layer.effect(
    Journal,
    Effect.gen(function* () {
      const database = yield* Database
      const queue = yield* Queue.unbounded<Entry>()
      let waiting = 0
      let closing = false
      let closed = false
      const clock = yield* Clock.Clock
      let failing: { readonly since: number; readonly error: string } | null = null
      let committingSince: number | null = null
      let committedAt: number | null = null
      const observers = new Set<(write: Write) => void>()

      const health = (): JournalHealth => {
        if (failing !== null) return { failingSince: failing.since, error: failing.error, committedAt }
        return committingSince !== null && clock.currentTimeMillisUnsafe() - committingSince > commitPatience
          ? { failingSince: committingSince, error: "a commit does not come to its end", committedAt }
          : { failingSince: null, error: null, committedAt }
      }

      const transaction = (entries: ReadonlyArray<Entry>) => {
        const groups = group(entries)
        return groups.length === 0
          ? Effect.succeed(groups)
          : database
              .transaction(
                Effect.forEach(
                  groups,
                  (g) =>
                    Effect.map(database.batch(g.statement, g.rows), (returned) => {
                      g.returned = returned
                    }),
                  { discard: true }
                )
              )
              .pipe(
                // One write that makes the driver throw must not end the fiber that everybody waits for.
                Effect.catchDefect((defect) => Effect.fail(thrown(defect))),
                Effect.as(groups)
              )
      }

      const settle = (entries: ReadonlyArray<Entry>, groups: ReadonlyArray<Group>) =>
        Effect.suspend(() => {
          committingSince = null
          const found = index(groups)
          for (const entry of entries) {
            entry.resume?.(Exit.succeed(entry.writes.map((write) => take(found, write))))
          }
          committedAt = clock.currentTimeMillisUnsafe()
          if (observers.size > 0) {
            for (const { writes } of entries) for (const write of writes) for (const tell of observers) tell(write)
          }
          if (failing === null) return Effect.void
          failing = null
          return Effect.logInfo("storage takes commits again")
        })

      /** A transaction that the storage refuses for good is tried entry by entry, so that one bad row spoils nobody else's. */
      const refuse = (entries: ReadonlyArray<Entry>, error: SqlError.SqlError): Effect.Effect<void> => {
        if (closing && !isRejection(error)) return Effect.sync(() => fail(entries, closedError()))
        if (entries.length > 1) return Effect.forEach(entries, (entry) => commitAll([entry]), { discard: true })
        const failure = new JournalError({ reason: "Rejected", message: describe(error) })
        return Effect.andThen(
          Effect.logError("storage rejected a write", failure.message),
          Effect.sync(() => fail(entries, failure))
        )
      }

      const commitAll = (entries: ReadonlyArray<Entry>): Effect.Effect<void> =>
        transaction(entries).pipe(
          Effect.tapError((error) => (isRejection(error) ? Effect.void : noteFailure(error))),
          Effect.retry({ while: (error) => !isRejection(error) && !closing, schedule: backoff }),
          Effect.matchEffect({
            onFailure: (error) => refuse(entries, error),
            onSuccess: (groups) => settle(entries, groups)
          })
        )

      const noteFailure = (error: SqlError.SqlError) =>
        Effect.suspend(() => {
          const first = failing === null
          failing = { since: failing?.since ?? clock.currentTimeMillisUnsafe(), error: describe(error) }
          return Effect.andThen(
            Metric.update(retries, 1),
            first ? Effect.logError("storage refuses commits, will keep trying", failing.error) : Effect.void
          )
        })

      const commitTaken = Effect.fnUntraced(function* (entries: ReadonlyArray<Entry>) {
        // Whatever is ready to run now gets to hand over its writes too: that is what makes a group.
        yield* Effect.yieldNow
        const more =
          entries.length < maxRows && Queue.sizeUnsafe(queue) > 0
            ? yield* Queue.takeBetween(queue, 1, maxRows - entries.length)
            : []
        const all = more.length === 0 ? entries : [...entries, ...more]
        committingSince = clock.currentTimeMillisUnsafe()
        yield* commitAll(all)
        committingSince = null
        let count = 0
        for (const entry of all) count += entry.writes.length
        waiting -= count
        yield* Metric.update(commits, 1)
        yield* Metric.update(rows, count)
      })

      yield* Effect.addFinalizer(() =>
        Effect.gen(function* () {
          // What was handed over before the end still goes to disk, unless storage has been refusing all along.
          while (failing === null && Queue.sizeUnsafe(queue) > 0) {
            yield* Effect.flatMap(Queue.takeBetween(queue, 1, maxRows), commitTaken)
          }
          closed = true
          fail(yield* Queue.clear(queue), closedError())
        })
      )
      yield* Effect.uninterruptibleMask((restore) =>
        Effect.forever(Effect.flatMap(restore(Queue.takeBetween(queue, 1, maxRows)), commitTaken))
      ).pipe(Effect.forkScoped)
      yield* Effect.addFinalizer(() => Effect.sync(() => (closing = true)))

      const submit = (writes: ReadonlyArray<Write>) =>
        Effect.callback<Receipt, JournalError>((resume) => {
          if (closed) {
            resume(Effect.fail(closedError()))
            return
          }
          waiting += writes.length
          Queue.offerUnsafe(queue, { writes, resume })
        })

      return {
        commit: submit,
        append: (writes) =>
          Effect.suspend(() => {
            if (waiting >= maxWaiting) return Effect.ignore(submit(writes))
            if (!closed) {
              waiting += writes.length
              Queue.offerUnsafe(queue, { writes, resume: null })
            }
            return Effect.void
          }),
        flush: Effect.ignore(submit([])),
        stopRetrying: Effect.sync(() => {
          closing = true
        }),
        observe: (committed) =>
          Effect.asVoid(
            Effect.acquireRelease(
              Effect.sync(() => observers.add(committed)),
              () => Effect.sync(() => observers.delete(committed))
            )
          ),
        health
      }
    })
  )
}

interface Group {
  readonly statement: BatchStatement
  readonly rows: Array<ReadonlyArray<Cell>>
  /** Places in `rows` by identity; whoever takes a receipt takes the entry out. */
  readonly at: Map<Cell, number>
  returned: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** A statement that returns something runs once more for rows whose identity has come before. */
  again: Group | null
}

const groupFor = (statement: BatchStatement): Group => ({
  statement,
  rows: [],
  at: new Map(),
  returned: [],
  again: null
})

/** Rows by statement, statements by rank; of rows with the same identity the last one counts. */
const group = (entries: ReadonlyArray<Entry>): ReadonlyArray<Group> => {
  const groups = new Map<BatchStatement, Group>()
  for (const entry of entries) {
    for (const { statement, row } of entry.writes) {
      let g = groups.get(statement)
      if (g === undefined) groups.set(statement, (g = groupFor(statement)))
      if (statement.identity === null) {
        g.rows.push(row)
        continue
      }
      const identity = row[statement.identity]!
      while (statement.returning !== null && g.at.has(identity)) g = g.again ??= groupFor(statement)
      const earlier = g.at.get(identity)
      if (earlier === undefined) g.at.set(identity, g.rows.push(row) - 1)
      else g.rows[earlier] = row
    }
  }
  const inOrder =
    groups.size < 2 ? [...groups.values()] : [...groups.values()].sort((a, b) => a.statement.rank - b.statement.rank)
  return inOrder.flatMap((g) => (g.again === null ? g : chain(g)))
}

const chain = (first: Group): ReadonlyArray<Group> => {
  const all: Array<Group> = []
  for (let g: Group | null = first; g !== null; g = g.again) all.push(g)
  return all
}

interface Found {
  readonly group: Group
  readonly rows: ReadonlyMap<unknown, Readonly<Record<string, unknown>>>
}

type Returned = Map<BatchStatement, Array<Found>>

const index = (groups: ReadonlyArray<Group>): Returned => {
  const found: Returned = new Map()
  for (const g of groups) {
    const column = g.statement.returning
    if (column === null) continue
    const one: Found = { group: g, rows: new Map(g.returned.map((row) => [row[column], row])) }
    const others = found.get(g.statement)
    if (others === undefined) found.set(g.statement, [one])
    else others.push(one)
  }
  return found
}

/** A returned row belongs to the write that asked for it: the first one of an identity to the first, and so on. */
const take = (found: Returned, write: Write): Readonly<Record<string, unknown>> | undefined => {
  if (write.statement.returning === null || write.statement.identity === null) return undefined
  const identity = write.row[write.statement.identity]!
  return found
    .get(write.statement)
    ?.find(({ group }) => group.at.delete(identity))
    ?.rows.get(identity)
}

/** 20–40 ms at first, doubling to a second, for as long as it takes: storage comes back, and nothing may be lost meanwhile. */
const backoff = Schedule.min([Schedule.exponential("40 millis", 2), Schedule.spaced("1 second")]).pipe(
  Schedule.modifyDelay(({ duration }) =>
    Effect.map(Random.next, (random) => Duration.times(duration, 0.5 + random / 2))
  )
)

/** Only what says "these rows can never be stored" is final; a full disk, a lock, a lost server are not. */
const isRejection = (error: SqlError.SqlError): boolean =>
  error.reason._tag === "UniqueViolation" ||
  error.reason._tag === "ConstraintError" ||
  error.reason._tag === "SqlSyntaxError"

const thrown = (cause: unknown): SqlError.SqlError =>
  new SqlError.SqlError({
    reason: new SqlError.ConstraintError({ cause, message: "the driver threw", operation: "commit" })
  })

const describe = (error: SqlError.SqlError): string => `${error.reason._tag}: ${error.message}`

const closedError = () => new JournalError({ reason: "Closed", message: "the gateway is stopping" })

const fail = (entries: ReadonlyArray<Entry>, error: JournalError): void => {
  for (const entry of entries) entry.resume?.(Exit.fail(error))
}
