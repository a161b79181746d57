/**
 * Sessions, their routes and their messages as tables (`session T1`). One writer: the session actor's turn; every write
 * belongs to the transaction that ends the turn or the command that caused it (`session B1`, B2).
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import type { Source } from "../Message/Source.ts"
import * as BatchStatement from "./BatchStatement.ts"
import type { Write } from "./BatchStatement.ts"
import { Database } from "./Database.ts"
import { sanitizeText } from "./StoredText.ts"

/** Which conversation a session key points at (`session E1`). */
export interface Route {
  readonly sessionKey: string
  readonly sessionId: string
  readonly createdAt: number
}

/** A stored message as the agent gets it back (`session Y3`). */
export interface StoredMessage {
  readonly role: "user" | "assistant"
  readonly content: string
  readonly timestamp: number
}

const routePut = BatchStatement.insert({
  name: "routes.put",
  rank: 30,
  columns: [
    ["session_key", "text"],
    ["session_id", "text"],
    ["at", "bigint"],
    ["origin", "text"],
    ["display_name", "text"],
    ["platform", "text"],
    ["chat_type", "text"],
    ["chat_id", "text"]
  ],
  identity: "session_key",
  into: "session_routes",
  values: [
    ...BatchStatement.asGiven(
      "session_key",
      "session_id",
      "origin",
      "display_name",
      "platform",
      "chat_type",
      "chat_id"
    ),
    ["created_at", "r.at"],
    ["updated_at", "r.at"]
  ],
  onConflict:
    "ON CONFLICT (session_key) DO UPDATE SET session_id = excluded.session_id, created_at = CASE WHEN " +
    "session_routes.session_id = excluded.session_id THEN session_routes.created_at ELSE excluded.created_at END, " +
    "updated_at = excluded.updated_at"
})

const routeTouch = BatchStatement.update({
  name: "routes.touch",
  rank: 31,
  columns: [
    ["session_key", "text"],
    ["at", "bigint"]
  ],
  identity: "session_key",
  table: "session_routes",
  set: "updated_at = r.at",
  where: "session_routes.session_key = r.session_key"
})

const sessionPut = BatchStatement.insert({
  name: "sessions.put",
  rank: 29,
  columns: [
    ["id", "text"],
    ["session_key", "text"],
    ["platform", "text"],
    ["user_id", "text"],
    ["chat_id", "text"],
    ["chat_type", "text"],
    ["thread_id", "text"],
    ["display_name", "text"],
    ["origin", "text"],
    ["at", "bigint"]
  ],
  identity: "id",
  into: "sessions",
  values: [
    ...BatchStatement.asGiven(
      "id",
      "session_key",
      "platform",
      "user_id",
      "chat_id",
      "chat_type",
      "thread_id",
      "display_name",
      "origin"
    ),
    ["started_at", "r.at"],
    ["last_activity_at", "r.at"]
  ],
  onConflict: "ON CONFLICT (id) DO NOTHING"
})

const sessionEnd = BatchStatement.update({
  name: "sessions.end",
  rank: 32,
  columns: [
    ["id", "text"],
    ["reason", "text"],
    ["at", "bigint"]
  ],
  identity: "id",
  table: "sessions",
  set: "ended_at = r.at, end_reason = r.reason",
  where: "sessions.id = r.id AND sessions.ended_at IS NULL"
})

const messagePut = BatchStatement.insert({
  name: "messages.put",
  rank: 33,
  columns: [
    ["session_id", "text"],
    ["turn", "text"],
    ["ordinal", "integer"],
    ["role", "text"],
    ["content", "text"],
    ["timestamp", "bigint"],
    ["platform_message_id", "text"],
    ["unanswered", "integer"]
  ],
  into: "messages",
  values: BatchStatement.asGiven(
    "session_id",
    "turn",
    "ordinal",
    "role",
    "content",
    "timestamp",
    "platform_message_id",
    "unanswered"
  ),
  onConflict: "ON CONFLICT DO NOTHING"
})

/** Names and ids come from outside as well, and one that the database refuses would cost its whole transaction. */
const clean = (text: string | null): string | null => (text === null ? null : sanitizeText(text))

/** The first turn of a conversation stores its session and its route together (`session B2`). */
export const opened = (route: Route, source: Source): ReadonlyArray<Write> => {
  const origin = JSON.stringify(source)
  return [
    {
      statement: sessionPut,
      row: [
        route.sessionId,
        clean(route.sessionKey),
        clean(source.platform),
        clean(source.userId),
        clean(source.chatId),
        clean(source.chatType),
        clean(source.threadId),
        clean(source.chatName),
        origin,
        route.createdAt
      ]
    },
    {
      statement: routePut,
      row: [
        clean(route.sessionKey),
        route.sessionId,
        route.createdAt,
        origin,
        clean(source.chatName),
        clean(source.platform),
        clean(source.chatType),
        clean(source.chatId)
      ]
    }
  ]
}

/** A user's message moved the route's activity time (`session E2`). */
export const touched = (sessionKey: string, at: number): Write => ({ statement: routeTouch, row: [sessionKey, at] })

/** A boundary: the id is over, whatever the key points at next. */
export const closed = (sessionId: string, reason: string, at: number): Write => ({
  statement: sessionEnd,
  row: [sessionId, reason, at]
})

export const said = (message: {
  readonly sessionId: string
  readonly turn: string
  readonly ordinal: number
  readonly role: "user" | "assistant"
  readonly content: string
  readonly timestamp: number
  readonly platformMessageId: string | null
  readonly unanswered: boolean
}): Write => ({
  statement: messagePut,
  row: [
    message.sessionId,
    message.turn,
    message.ordinal,
    message.role,
    sanitizeText(message.content),
    message.timestamp,
    clean(message.platformMessageId),
    message.unanswered ? 1 : 0
  ]
})

const StoredRow = Schema.Struct({
  role: Schema.Literals(["user", "assistant"]),
  content: Schema.String,
  timestamp: Schema.Union([Schema.Number, Schema.FiniteFromString])
})
const decodeMessages = Schema.decodeUnknownEffect(Schema.Array(StoredRow))

export class Transcript extends Context.Service<
  Transcript,
  {
    readonly route: (sessionKey: string) => Effect.Effect<Route | null, SqlError.SqlError>
    /** The newest `limit` live messages of a conversation, oldest first. */
    readonly history: (
      sessionId: string,
      limit: number
    ) => Effect.Effect<ReadonlyArray<StoredMessage>, SqlError.SqlError>
    readonly counts: Effect.Effect<{ readonly sessions: number; readonly messages: number }, SqlError.SqlError>
  }
>()("Storage/Transcript") {
  static readonly layer = Layer.effect(
    Transcript,
    Effect.gen(function* () {
      const database = yield* Database
      const text = (sqlite: string, pg: string) => (database.dialect === "sqlite" ? sqlite : pg)
      const selectRoute = text(
        "SELECT session_id, created_at FROM session_routes WHERE session_key = ?",
        "SELECT session_id, created_at FROM session_routes WHERE session_key = $1"
      )
      const recent = "role IN ('user', 'assistant') AND active = 1 ORDER BY id DESC LIMIT"
      const selectHistory = text(
        `SELECT role, content, timestamp FROM messages WHERE session_id = ? AND ${recent} ?`,
        `SELECT role, content, timestamp FROM messages WHERE session_id = $1 AND ${recent} $2`
      )
      return {
        route: (sessionKey) =>
          Effect.map(database.execute(selectRoute, [sessionKey]), ([row]) =>
            row === undefined
              ? null
              : { sessionKey, sessionId: String(row.session_id), createdAt: Number(row.created_at) }
          ),
        history: (sessionId, limit) =>
          database.execute(selectHistory, [sessionId, limit]).pipe(
            Effect.flatMap((rows) => Effect.orDie(decodeMessages(rows))),
            Effect.map((rows) => rows.toReversed())
          ),
        counts: Effect.map(
          database.execute(
            "SELECT (SELECT COUNT(*) FROM session_routes) AS sessions, (SELECT COUNT(*) FROM messages) AS messages",
            []
          ),
          ([row]) => ({ sessions: Number(row?.sessions ?? 0), messages: Number(row?.messages ?? 0) })
        )
      }
    })
  )
}
