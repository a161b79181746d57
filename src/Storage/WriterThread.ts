/**
 * The thread that writes to the SQLite file for `Writer.ts`: one order is one transaction, answered when it is synced. It
 * imports nothing but Node, so that it starts fast, and never decides what is tried again.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import { parentPort, workerData } from "node:worker_threads"

export interface Setup {
  /** A `file:` URL that opens without creating: a file that has gone is an error, not a new and empty database. */
  readonly url: string
  readonly busyTimeoutMillis: number
  readonly pragmas: string
}

export interface Order {
  readonly id: number
  /** Statements that this thread has not heard of yet; later orders name each by its place among all of them. */
  readonly fresh: ReadonlyArray<string>
  readonly groups: ReadonlyArray<readonly [statement: number, rows: ReadonlyArray<ReadonlyArray<SQLInputValue>>]>
}

export type Row = Record<string, unknown>

/** `failure`: nothing was written; what SQLite or Node said, without the `Error` that no message carries whole. */
export type Reply =
  | { readonly id: number; readonly returned: ReadonlyArray<ReadonlyArray<Row>> }
  | { readonly id: number; readonly failure: { readonly message: string; readonly errcode: number | undefined } }

const nothing: ReadonlyArray<Row> = []

const serve = (port: NonNullable<typeof parentPort>, setup: Setup): void => {
  const texts: Array<string> = []
  const prepared: Array<StatementSync> = []
  const returns: Array<boolean> = []
  let db: DatabaseSync | undefined

  const open = (): DatabaseSync => {
    const opened = new DatabaseSync(setup.url, { timeout: setup.busyTimeoutMillis, enableForeignKeyConstraints: true })
    opened.exec(setup.pragmas)
    return opened
  }

  const statementAt = (db: DatabaseSync, at: number): StatementSync => {
    const known = prepared[at]
    if (known !== undefined) return known
    const statement = db.prepare(texts[at]!)
    returns[at] = statement.columns().length > 0
    return (prepared[at] = statement)
  }

  const execute = (db: DatabaseSync, groups: Order["groups"]): ReadonlyArray<ReadonlyArray<Row>> => {
    // a deferred BEGIN that later wants to write can fail with BUSY in the middle; this one waits at the door
    db.exec("BEGIN IMMEDIATE")
    try {
      const returned = groups.map(([at, rows]) => {
        const statement = statementAt(db, at)
        if (!returns[at]) {
          for (const row of rows) statement.run(...row)
          return nothing
        }
        const found: Array<Row> = []
        for (const row of rows) {
          const one = statement.get(...row)
          if (one !== undefined) found.push(one)
        }
        return found
      })
      db.exec("COMMIT")
      return returned
    } catch (cause) {
      // a full disk or an I/O error has rolled back by itself; when this fails too, the thread ends and that rolls back
      if (db.isTransaction) db.exec("ROLLBACK")
      throw cause
    }
  }

  const answer = ({ fresh, groups, id }: Order): Reply => {
    texts.push(...fresh)
    try {
      return { id, returned: execute((db ??= open()), groups) }
    } catch (cause) {
      const errcode = cause instanceof Error && "errcode" in cause ? Number(cause.errcode) : undefined
      return { id, failure: { message: cause instanceof Error ? cause.message : String(cause), errcode } }
    }
  }

  port.on("message", (order: Order | "close") => {
    if (order !== "close") return port.postMessage(answer(order))
    db?.close()
    port.close()
  })
}

if (parentPort !== null) serve(parentPort, workerData as Setup)
