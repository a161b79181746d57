/**
 * The messages of conversations as a table (`session T1`, T5–T12). One writer: the session actor's turn; every write
 * belongs to the transaction that ends the turn or the command that caused it (`session B1`). Nothing is deleted here:
 * what is taken back stays for audit.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { Media } from "../Message/MessageEvent.ts"
import * as BatchStatement from "./BatchStatement.ts"
import type { Write } from "./BatchStatement.ts"
import { Database } from "./Database.ts"
import { cleanOrNull, sanitizeText } from "./StoredText.ts"

/** A message as the agent gets it back (`session Y3`). */
export interface StoredMessage {
  readonly role: "user" | "assistant"
  readonly content: string
  readonly timestamp: number
}

/** A live message as it is stored. */
export interface TranscriptRow extends StoredMessage {
  readonly id: number
  /** The turn that it began ended without an answer (`session L4`). */
  readonly unanswered: boolean
  /** Name of who said it, where several people speak (`session Y9`). */
  readonly sender: string | null
}

const put = BatchStatement.insert({
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
    ["unanswered", "integer"],
    ["sender", "text"],
    ["media", "text"]
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
    "unanswered",
    "sender",
    "media"
  ),
  onConflict: "ON CONFLICT DO NOTHING"
})

const copy = BatchStatement.copy({
  name: "messages.copy",
  rank: 34,
  columns: [
    ["from", "text"],
    ["to", "text"]
  ],
  into: "messages",
  values: [
    ["session_id", "r.to"],
    // `turn` names where a row was written, which is once.
    ...["ordinal", "role", "content", "timestamp", "platform_message_id", "unanswered", "sender", "media"].map(
      (column) => [column, `m.${column}`] as const
    )
  ],
  from: "messages",
  where: "m.session_id = r.from AND m.active = 1"
})

const undo = BatchStatement.update({
  name: "messages.undo",
  rank: 35,
  columns: [
    ["session_id", "text"],
    ["from", "bigint"]
  ],
  table: "messages",
  set: "active = 0",
  where: "messages.session_id = r.session_id AND messages.id >= r.from AND messages.active = 1"
})

/** Values outside 2000–2100 are no time of a message (`session T8`). */
const earliest = Date.UTC(2000, 0)
const latest = Date.UTC(2100, 0)

export interface Said {
  readonly sessionId: string
  readonly turn: string | null
  readonly ordinal: number
  readonly role: "user" | "assistant"
  readonly content: string
  /** Epoch milliseconds; `now` stands for a time that cannot be. */
  readonly timestamp: number
  readonly now: number
  readonly platformMessageId: string | null
  readonly unanswered: boolean
  readonly sender?: string | null
  readonly media?: ReadonlyArray<Media>
}

export const said = (message: Said): Write => ({
  statement: put,
  row: [
    message.sessionId,
    message.turn,
    message.ordinal,
    message.role,
    sanitizeText(message.content),
    message.timestamp >= earliest && message.timestamp < latest ? message.timestamp : message.now,
    cleanOrNull(message.platformMessageId),
    message.unanswered ? 1 : 0,
    cleanOrNull(message.sender ?? null),
    message.media === undefined || message.media.length === 0 ? null : sanitizeText(JSON.stringify(message.media))
  ]
})

/** Every live message of `from`, in its order, for `to` as well (`session C9`). */
export const copied = (from: string, to: string): Write => ({ statement: copy, row: [from, to] })

/** The message `from` and all after it are hidden from replay and search (`session C10`). */
export const takenBack = (sessionId: string, from: number): Write => ({ statement: undo, row: [sessionId, from] })

const Int = Schema.Union([Schema.Number, Schema.FiniteFromString])
const Row = Schema.Struct({
  id: Int,
  role: Schema.Literals(["user", "assistant"]),
  content: Schema.String,
  timestamp: Int,
  unanswered: Int,
  sender: Schema.NullOr(Schema.String)
})
const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))
const decodeMedia = Schema.decodeUnknownEffect(Schema.NullOr(Schema.fromJsonString(Schema.Array(Media))))

export class Transcript extends Context.Service<
  Transcript,
  {
    /** The newest `limit` live messages of a conversation, oldest first. */
    readonly rows: (sessionId: string, limit: number) => Effect.Effect<ReadonlyArray<TranscriptRow>, SqlError.SqlError>
    /** Live messages: of all, and of users. */
    readonly countsOf: (
      sessionId: string
    ) => Effect.Effect<{ readonly messages: number; readonly userMessages: number }, SqlError.SqlError>
    /** The first thing a user said, in at most `limit` characters. */
    readonly firstWords: (sessionId: string, limit: number) => Effect.Effect<string, SqlError.SqlError>
    /** The live user messages from the newest back, at most `limit`. */
    readonly lastOfUser: (
      sessionId: string,
      limit: number
    ) => Effect.Effect<ReadonlyArray<{ readonly id: number; readonly content: string }>, SqlError.SqlError>
    readonly mediaOf: (messageId: number) => Effect.Effect<ReadonlyArray<Media>, SqlError.SqlError>
    /** Live messages from `from` on. */
    readonly countFrom: (sessionId: string, from: number) => Effect.Effect<number, SqlError.SqlError>
  }
>()("Storage/Transcript") {
  static readonly layer = Layer.effect(
    Transcript,
    Effect.gen(function* () {
      const database = yield* Database
      const text = (sql: string): string => {
        let n = 0
        return database.dialect === "sqlite" ? sql : sql.replaceAll("?", () => `$${++n}`)
      }
      const live = "session_id = ? AND role IN ('user', 'assistant') AND active = 1"
      const ofUser = "session_id = ? AND role = 'user' AND active = 1"
      const selectRows = text(
        `SELECT id, role, content, timestamp, unanswered, sender FROM messages WHERE ${live} ORDER BY id DESC LIMIT ?`
      )
      const selectCounts = text(
        `SELECT COUNT(*) AS messages, SUM(CASE WHEN role = 'user' THEN 1 ELSE 0 END) AS users FROM messages WHERE ${live}`
      )
      const selectFirst = text(
        `SELECT substr(content, 1, 400) AS content FROM messages WHERE ${ofUser} ORDER BY id LIMIT 1`
      )
      const selectLast = text(`SELECT id, content FROM messages WHERE ${ofUser} ORDER BY id DESC LIMIT ?`)
      const selectMedia = text("SELECT media FROM messages WHERE id = ?")
      const selectFrom = text(`SELECT COUNT(*) AS n FROM messages WHERE ${live} AND id >= ?`)
      return {
        rows: (sessionId, limit) =>
          database.execute(selectRows, [sessionId, limit]).pipe(
            Effect.flatMap((rows) => Effect.orDie(decodeRows(rows))),
            Effect.map((rows) => rows.map((row) => ({ ...row, unanswered: row.unanswered !== 0 })).toReversed())
          ),
        countsOf: (sessionId) =>
          Effect.map(database.execute(selectCounts, [sessionId]), ([row]) => ({
            messages: Number(row?.messages ?? 0),
            userMessages: Number(row?.users ?? 0)
          })),
        firstWords: (sessionId, limit) =>
          Effect.map(database.execute(selectFirst, [sessionId]), ([row]) => {
            const words = Array.from(
              (typeof row?.content === "string" ? row.content : "").replaceAll(/\s+/g, " ").trim()
            )
            return words.length > limit ? `${words.slice(0, limit - 3).join("")}...` : words.join("")
          }),
        lastOfUser: (sessionId, limit) =>
          Effect.map(database.execute(selectLast, [sessionId, limit]), (rows) =>
            rows.map((row) => ({ id: Number(row.id), content: String(row.content) }))
          ),
        mediaOf: (id) =>
          database.execute(selectMedia, [id]).pipe(
            Effect.flatMap(([row]) => Effect.orDie(decodeMedia(row?.media ?? null))),
            Effect.map((media) => media ?? [])
          ),
        countFrom: (sessionId, from) =>
          Effect.map(database.execute(selectFrom, [sessionId, from]), ([row]) => Number(row?.n ?? 0))
      }
    })
  )
}
