/**
 * Transactions on a SQLite file in a thread with a connection of its own, so that neither SQL nor the disk holds up the
 * event loop. A thread that ends is replaced with the next transaction; whoever waited for it gets an error, never silence.
 */
import { extname } from "node:path"
import { pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import { Duration, Effect } from "effect"
import type { Scope } from "effect"
import { SqlError } from "effect/sql"
import type { BatchStatement, Cell } from "./BatchStatement.ts"
import * as SqliteClient from "./SqliteClient.ts"
import type { Order, Reply, Row, Setup } from "./WriterThread.ts"

/** The rows for one statement of a transaction, in their order. */
export interface Group {
  readonly statement: BatchStatement
  readonly rows: ReadonlyArray<ReadonlyArray<Cell>>
}

/** What `RETURNING` gave, group by group. */
export type Returned = ReadonlyArray<ReadonlyArray<Row>>

export interface Writer {
  /**
   * All rows of all groups in one transaction, or none; succeeds when it is synced. `ConnectionError` (the thread ended) and
   * `StatementTimeoutError` (the disk does not answer) leave open whether it happened. A lock is waited for up to a minute.
   */
  readonly commit: (groups: ReadonlyArray<Group>) => Effect.Effect<Returned, SqlError.SqlError>
}

/** A transaction that takes longer hangs in the operating system. */
const patienceMillis = 60_000
const closingPatience = Duration.seconds(10)

// the compiler rewrites imports, not URLs: beside this file lies the thread's, in the same language
const threadFile = new URL(`./WriterThread${extname(import.meta.url)}`, import.meta.url)

type Resume = (result: Effect.Effect<Returned, SqlError.SqlError>) => void

interface Waiting {
  readonly resume: Resume
  readonly watch: NodeJS.Timeout
}

const failureOf = (
  Reason: typeof SqlError.ConnectionError | typeof SqlError.StatementTimeoutError,
  message: string,
  cause: unknown = new Error(message)
) => Effect.fail(new SqlError.SqlError({ reason: new Reason({ cause, message, operation: "commit" }) }))

/** One thread from its start to its end. */
class Thread {
  private readonly worker: Worker
  private readonly statements = new Map<string, number>()
  /** In the order of their ids; bounded by the callers, each of whom waits. */
  private readonly waiting = new Map<number, Waiting>()
  private ids = 0
  private stuck = false
  private ended = false
  private cause: unknown = undefined
  private onEnd = () => {}

  constructor(setup: Setup, ended: () => void) {
    this.worker = new Worker(threadFile, { name: "storage writer", workerData: setup, env: {} })
    this.worker.on("message", (reply: Reply) => this.settle(reply))
    // always followed by `exit`
    this.worker.on("error", (cause) => (this.cause = cause))
    this.worker.on("exit", (code) => {
      this.ended = true
      ended()
      const detail = this.cause instanceof Error ? this.cause.message : `exit code ${code}`
      this.failAll(failureOf(SqlError.ConnectionError, `the storage writer ended: ${detail}`, this.cause))
      this.onEnd()
    })
    // only somebody who waits keeps the process alive
    this.worker.unref()
  }

  commit(groups: ReadonlyArray<Group>, resume: Resume): number | null {
    if (this.stuck) {
      resume(silent)
      return null
    }
    const id = this.ids++
    const fresh: Array<string> = []
    const order: Order = {
      id,
      fresh,
      groups: groups.map(({ rows, statement }) => {
        const text = statement.text.sqlite
        let at = this.statements.get(text)
        if (at === undefined) {
          at = this.statements.size
          this.statements.set(text, at)
          fresh.push(text)
        }
        return [at, rows] as const
      })
    }
    this.worker.postMessage(order)
    if (this.waiting.size === 0) this.worker.ref()
    this.waiting.set(id, { resume, watch: setTimeout(() => this.giveUp(), patienceMillis) })
    return id
  }

  forget(id: number): void {
    this.release(id)
  }

  /** Ends after what was ordered before; whoever still waits when the bound is over is told so. */
  readonly close = Effect.callback<void>((resume) => {
    if (this.ended) return resume(Effect.void)
    this.onEnd = () => resume(Effect.void)
    this.worker.ref()
    this.worker.postMessage("close")
  })

  terminate(): void {
    this.failAll(failureOf(SqlError.ConnectionError, "the storage writer was stopped"))
    void this.worker.terminate()
    this.worker.unref()
  }

  private settle(reply: Reply): void {
    const resume = this.release(reply.id)
    if (resume === undefined) return
    if ("returned" in reply) return resume(Effect.succeed(reply.returned))
    const { errcode, message } = reply.failure
    resume(Effect.fail(SqliteClient.toSqlError(Object.assign(new Error(message), { errcode }), "commit")))
  }

  /** No thread can be stopped inside the operating system: until this one has ended, there is no other. */
  private giveUp(): void {
    this.stuck = true
    this.failAll(silent)
    void this.worker.terminate()
  }

  private failAll(failure: Effect.Effect<never, SqlError.SqlError>): void {
    for (const id of [...this.waiting.keys()]) this.release(id)?.(failure)
  }

  private release(id: number): Resume | undefined {
    const found = this.waiting.get(id)
    if (found === undefined) return undefined
    this.waiting.delete(id)
    clearTimeout(found.watch)
    if (this.waiting.size === 0) this.worker.unref()
    return found.resume
  }
}

const silent = failureOf(SqlError.StatementTimeoutError, "the disk has not answered for a minute")

/** The file must exist, in WAL mode: otherwise readers and this writer would lock each other out. */
export const make = Effect.fnUntraced(function* (
  config: SqliteClient.SqliteConfig
): Effect.fn.Return<Writer, never, Scope.Scope> {
  const url = pathToFileURL(config.filename)
  url.searchParams.set("mode", "rw")
  const setup: Setup = {
    url: url.href,
    busyTimeoutMillis: SqliteClient.busyTimeoutMillis(config),
    pragmas: SqliteClient.pragmas(config)
  }
  let thread: Thread | null = null
  const running = (): Thread => {
    if (thread !== null) return thread
    const started: Thread = new Thread(setup, () => {
      if (thread === started) thread = null
    })
    return (thread = started)
  }
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      const last = thread
      return last === null
        ? Effect.void
        : Effect.timeoutOrElse(last.close, {
            duration: closingPatience,
            orElse: () => Effect.sync(() => last.terminate())
          })
    })
  )
  return {
    commit: (groups) =>
      SqliteClient.whileLocked(
        Effect.callback<Returned, SqlError.SqlError>((resume) => {
          const thread = running()
          const id = thread.commit(groups, resume)
          // what was ordered happens all the same; only nobody waits for it any more
          return id === null ? undefined : Effect.sync(() => thread.forget(id))
        })
      )
  }
})
