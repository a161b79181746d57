/**
 * Which server or workspace a chat belongs to, as the stored source of its last conversation says (`relay O4`). Asked only
 * when nobody who is running knows.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { Source } from "../Message/Source.ts"
import { Database } from "../Storage/Database.ts"
import { SourceCodec } from "./SourceCodec.ts"

const decodeOrigin = Schema.decodeUnknownOption(
  Schema.Union([Schema.fromJsonString(Source), Schema.fromJsonString(SourceCodec)])
)

const query = (platform: string, chatId: string) =>
  `SELECT origin FROM session_routes WHERE platform = ${platform} AND chat_id = ${chatId} ORDER BY updated_at DESC LIMIT 1`

export class KnownScopes extends Context.Service<
  KnownScopes,
  {
    /** `null`: no conversation of that chat is stored, or it has none. */
    readonly scopeOf: (platform: string, chatId: string) => Effect.Effect<string | null, SqlError.SqlError>
  }
>()("Session/KnownScopes") {
  static readonly layer = Layer.effect(
    KnownScopes,
    Effect.map(Database, (database) => ({
      scopeOf: (platform, chatId) =>
        Effect.map(
          database.execute(database.dialect === "sqlite" ? query("?", "?") : query("$1", "$2"), [platform, chatId]),
          ([row]) => Option.getOrNull(decodeOrigin(row?.origin))?.scopeId ?? null
        )
    }))
  )
}
