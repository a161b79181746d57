/**
 * Full-text search over transcripts (`session Q1`–Q5). The index follows the messages: what a turn stores waits for no
 * index and is never refused because of one (`session B5`), and a search first takes up what is not indexed yet.
 */
import { createHash } from "node:crypto"
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { Database } from "./Database.ts"
import * as SearchQuery from "./SearchQuery.ts"
import type { Place } from "./SessionStore.ts"
import { sanitizeText } from "./StoredText.ts"

/** Messages that one transaction indexes: it holds the database for a few milliseconds. */
const piece = 200
/** What a search itself takes up at most before it looks. */
const piecesBeforeSearch = 25
const every = "10 seconds"
/** Newest matches among which the best are found. */
const candidates = 300

export interface Found {
  readonly messageId: number
  readonly sessionId: string
  readonly role: string
  readonly snippet: string
  readonly timestamp: number
  readonly title: string | null
  readonly platform: string
}

const Int = Schema.Union([Schema.Number, Schema.FiniteFromString])
const Row = Schema.Struct({
  id: Int,
  session_id: Schema.String,
  role: Schema.String,
  content: Schema.String,
  timestamp: Int,
  title: Schema.NullOr(Schema.String),
  platform: Schema.String
})
const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))

/** One word that stands for a chat. */
const placeWord = (platform: string, chatId: string): string =>
  `p${createHash("sha256")
    .update(JSON.stringify([platform, chatId]))
    .digest("hex")
    .slice(0, 20)}`

export class SearchIndex extends Context.Service<
  SearchIndex,
  {
    /** Live and summarised messages of a place (`null` = everywhere), best first; a query without sense finds nothing. */
    readonly search: (
      place: Place | null,
      query: string,
      options: { readonly limit: number; readonly order: "relevance" | "newest" }
    ) => Effect.Effect<ReadonlyArray<Found>, SqlError.SqlError>
    /** Takes up at most `piece` messages that are not indexed; says how many. */
    readonly catchUp: Effect.Effect<number, SqlError.SqlError>
  }
>()("Storage/SearchIndex") {
  static readonly layer = Layer.effect(
    SearchIndex,
    Effect.gen(function* () {
      const database = yield* Database
      const isSqlite = database.dialect === "sqlite"
      const text = (sql: string): string => {
        let n = 0
        return isSqlite ? sql : sql.replaceAll("?", () => `$${++n}`)
      }
      const insertWords = isSqlite
        ? "INSERT OR REPLACE INTO message_index (rowid, place, body) VALUES (?, ?, ?)"
        : `INSERT INTO message_index (rowid, words) VALUES ($1, setweight(to_tsvector('simple', $2), 'A') ||
            to_tsvector('simple', $3)) ON CONFLICT (rowid) DO UPDATE SET words = excluded.words`
      const readMark = "SELECT value FROM meta WHERE key = 'message_index'"
      const writeMark = text(
        "INSERT INTO meta (key, value) VALUES ('message_index', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
      )
      const unindexed = text(
        `SELECT m.id, m.content, s.platform, s.chat_id FROM messages m LEFT JOIN sessions s ON s.id = m.session_id
          WHERE m.id > ? ORDER BY m.id LIMIT ${piece}`
      )

      const newest = "SELECT MAX(id) AS id FROM messages"
      /** Nothing newer is there; what another process has indexed is found out by the way. */
      let done = -1

      const catchUp = Effect.flatMap(database.execute(newest, []), ([row]) =>
        Number(row?.id ?? 0) <= done ? Effect.succeed(0) : indexPiece
      )
      const indexPiece = Effect.suspend(() =>
        Effect.map(indexed, ({ count, last }) => {
          if (count < piece) done = last
          return count
        })
      )
      const indexed = Effect.suspend(() =>
        database.transaction(
          Effect.gen(function* () {
            const [mark] = yield* database.execute(readMark, [])
            const rows = yield* database.execute(unindexed, [Number(mark?.value ?? 0)])
            const last = Number(rows.at(-1)?.id ?? mark?.value ?? 0)
            if (rows.length === 0) return { count: 0, last }
            for (const { chat_id, content, id, platform } of rows) {
              const body = SearchQuery.words(String(content)).join(" ")
              yield* database.execute(insertWords, [id, placeWord(String(platform), String(chat_id)), body])
            }
            yield* database.execute(writeMark, [String(last)])
            return { count: rows.length, last }
          })
        )
      )

      const all = (pieces: number): Effect.Effect<void, SqlError.SqlError> =>
        Effect.flatMap(catchUp, (n) => (n < piece || pieces <= 1 ? Effect.void : Effect.suspend(() => all(pieces - 1))))

      // In small pieces with a pause between: messages come first.
      yield* catchUp.pipe(
        Effect.repeat({ while: (n) => n === piece, schedule: Schedule.spaced("20 millis") }),
        Effect.catch((error) => Effect.logWarning("messages were not indexed, will try again", error.message)),
        Effect.schedule(Schedule.spaced(every)),
        Effect.forkScoped
      )

      const matching = isSqlite
        ? `SELECT rowid AS id FROM message_index WHERE message_index MATCH ? ORDER BY rowid DESC LIMIT ${candidates}`
        : `SELECT rowid AS id FROM message_index WHERE words @@ to_tsquery('simple', ?) ORDER BY rowid DESC LIMIT ${candidates}`

      const search: SearchIndex["Service"]["search"] = Effect.fnUntraced(function* (place, query, { limit, order }) {
        const parsed = SearchQuery.parse(query)
        if (parsed.length === 0) return []
        yield* Effect.catch(all(piecesBeforeSearch), (error) =>
          Effect.logWarning("a search does not see the latest messages", error.message)
        )
        const word = place === null ? null : placeWord(sanitizeText(place.platform), sanitizeText(place.chatId))
        const expression = isSqlite ? SearchQuery.toFts5(parsed, word) : SearchQuery.toTsquery(parsed, word)
        const where = ["(m.active = 1 OR m.compacted = 1)", "m.role IN ('user', 'assistant')"]
        const params: Array<unknown> = [expression]
        if (place !== null) {
          where.push("s.platform = ?", "s.chat_id = ?")
          params.push(sanitizeText(place.platform), sanitizeText(place.chatId))
          if (place.threadId !== null) {
            where.push("COALESCE(s.thread_id, '') = ?")
            params.push(sanitizeText(place.threadId))
          }
          if (place.userId !== null) {
            where.push("s.user_id = ?")
            params.push(sanitizeText(place.userId))
          }
        }
        const rows = yield* database.execute(
          text(
            `SELECT m.id, m.session_id, m.role, m.content, m.timestamp, s.title, s.platform FROM (${matching}) hit
              JOIN messages m ON m.id = hit.id JOIN sessions s ON s.id = m.session_id
              WHERE ${where.join(" AND ")} ORDER BY m.id DESC`
          ),
          params
        )
        const decoded = yield* Effect.orDie(decodeRows(rows))
        const ordered =
          order === "newest"
            ? decoded
            : decoded
                .map((row) => ({ row, score: SearchQuery.score(parsed, row.content) }))
                .sort((a, b) => b.score - a.score || b.row.id - a.row.id)
                .map(({ row }) => row)
        return ordered.slice(0, limit).map((row) => ({
          messageId: row.id,
          sessionId: row.session_id,
          role: row.role,
          snippet: SearchQuery.snippet(parsed, row.content),
          timestamp: row.timestamp,
          title: row.title,
          platform: row.platform
        }))
      })

      // What storage does not understand has no hits; turns never come here (`session Q2`, B5).
      const answered: typeof search = (place, query, options) =>
        Effect.catch(search(place, query, options), (error) =>
          Effect.as(Effect.logWarning("a search could not be answered", error.message), [])
        )

      return { search: answered, catchUp }
    })
  )
}
