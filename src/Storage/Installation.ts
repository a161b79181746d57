/**
 * The name of this database: 16 hex characters, made with it. Part of every idempotency key, so that a platform that
 * remembers keys never takes a message of a new database for one of an old one.
 */
import { Context, Effect, Layer } from "effect"
import { Database } from "./Database.ts"

export class Installation extends Context.Service<
  Installation,
  {
    readonly id: string
    /** Leads the ids of our prompts, `NONCE.8hex`: as old as the database, so that they outlive a restart (`relay L1`). */
    readonly promptNonce: string
    /** Hides ids of people from agents (`session I4`); shown nowhere. */
    readonly pseudonymKey: string
  }
>()("Storage/Installation") {
  static readonly layer = Layer.effect(
    Installation,
    Effect.gen(function* () {
      const database = yield* Database
      const value = (key: string) =>
        Effect.map(database.execute(`SELECT value FROM meta WHERE key = '${key}'`, []), ([row]) => String(row?.value))
      const id = yield* value("installation")
      return { id, promptNonce: id.slice(0, 8), pseudonymKey: yield* value("pseudonym_key") }
    })
  )
}
