/** The three storages with the tables' services on top, for the suites that every storage passes. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import { Database, type StorageError } from "../../src/Storage/Database.ts"
import { Inbox } from "../../src/Storage/Inbox.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { Outbox } from "../../src/Storage/Outbox.ts"
import { SearchIndex } from "../../src/Storage/SearchIndex.ts"
import { SessionStore } from "../../src/Storage/SessionStore.ts"
import type * as Pruning from "../../src/Storage/Pruning.ts"
import { Transcript } from "../../src/Storage/Transcript.ts"
import * as Postgres from "../support/Postgres.ts"

export type Storage = Database | Journal | Inbox | Outbox | Transcript | SessionStore | SearchIndex

/** Everything that ended before the time is deleted, in pieces so small that there are several. */
export const pruned = Effect.fnUntraced(function* (prune: Pruning.Prune, before: number) {
  for (let after: number | null = 0; after !== null;) {
    const piece: Pruning.Piece = yield* prune(before, after, 2)
    after = piece.next
  }
})

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-tables-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const over = <E>(database: Layer.Layer<Database, E>): Layer.Layer<Storage, E> =>
  Layer.mergeAll(
    Journal.layer,
    Inbox.layer,
    Outbox.layer,
    Transcript.layer,
    SessionStore.layer,
    SearchIndex.layer
  ).pipe(Layer.provideMerge(database))

export const storages: ReadonlyArray<
  readonly [string, Layer.Layer<Storage, StorageError | Postgres.PostgresUnavailable>]
> = [
  ["SQLite in memory", over(Database.layer({ storage: "memory", filename: "" }))],
  [
    "SQLite file",
    over(
      Layer.unwrap(
        Effect.map(folder, (folder) => Database.layer({ storage: "sqlite", filename: join(folder, "switchboard.db") }))
      )
    )
  ],
  [
    "PostgreSQL",
    over(
      Layer.unwrap(Effect.map(Postgres.makeDatabase, ({ url }) => Database.layer({ storage: { url }, filename: "" })))
    )
  ]
]
