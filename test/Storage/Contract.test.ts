/** The storage contract against the three storages. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import { Database } from "../../src/Storage/Database.ts"
import * as Postgres from "../support/Postgres.ts"
import { storageContract } from "./Contract.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-sqlite-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

storageContract(
  "SQLite file",
  Layer.unwrap(
    Effect.map(folder, (folder) =>
      Database.layer({ storage: "sqlite", filename: join(folder, "home", "switchboard.db") })
    )
  )
)

storageContract("SQLite in memory", Database.layer({ storage: "memory", filename: "" }))

storageContract(
  "PostgreSQL",
  Layer.unwrap(Effect.map(Postgres.makeDatabase, ({ url }) => Database.layer({ storage: { url }, filename: "" })))
)
