/** The places where somebody has spoken to this gateway (`session E1`), for tools that list or address them. Read only. */
import { Context, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import { Database } from "./Database.ts"
import { type Route, routeColumns, routeOf } from "./Routes.ts"
import { sanitizeText } from "./StoredText.ts"

export class KnownChats extends Context.Service<
  KnownChats,
  {
    /** Last active first. Rows that do not decode are left out. */
    readonly recent: (limit: number) => Effect.Effect<ReadonlyArray<Route>, SqlError.SqlError>
    /** The same of one chat. */
    readonly of: (
      platform: string,
      chatId: string,
      limit: number
    ) => Effect.Effect<ReadonlyArray<Route>, SqlError.SqlError>
    readonly route: (sessionKey: string) => Effect.Effect<Route | null, SqlError.SqlError>
  }
>()("Storage/KnownChats") {
  static readonly layer = Layer.effect(
    KnownChats,
    Effect.gen(function* () {
      const database = yield* Database
      const text = (sql: string): string => {
        let n = 0
        return database.dialect === "sqlite" ? sql : sql.replaceAll("?", () => `$${++n}`)
      }
      const read = (where: string, params: ReadonlyArray<unknown>) =>
        Effect.map(
          database.execute(
            text(`SELECT ${routeColumns} FROM session_routes r ${where} ORDER BY r.updated_at DESC LIMIT ?`),
            params
          ),
          (rows) => rows.map(routeOf).flatMap((found) => (found._tag === "Success" ? [found.success] : []))
        )
      return {
        recent: (limit) => read("", [limit]),
        of: (platform, chatId, limit) =>
          read("WHERE r.platform = ? AND r.chat_id = ?", [sanitizeText(platform), sanitizeText(chatId), limit]),
        route: (sessionKey) =>
          Effect.map(read("WHERE r.session_key = ?", [sanitizeText(sessionKey), 1]), ([route]) => route ?? null)
      }
    })
  )
}
