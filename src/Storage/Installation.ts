/**
 * The name of this database: 16 hex characters, made with it. Part of every idempotency key, so that a platform that
 * remembers keys never takes a message of a new database for one of an old one.
 */
import { Context, Effect, Layer } from "effect"
import { Database } from "./Database.ts"

export class Installation extends Context.Service<Installation, { readonly id: string }>()("Storage/Installation") {
  static readonly layer = Layer.effect(
    Installation,
    Effect.gen(function* () {
      const database = yield* Database
      const [row] = yield* database.execute("SELECT value FROM meta WHERE key = 'installation'", [])
      return { id: String(row?.value) }
    })
  )
}
