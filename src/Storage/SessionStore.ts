/**
 * Conversations as rows: opened, ended, named, copied (`session T1`–`T4`), and how they are found. Writes belong to the
 * transaction of what caused them; reads see what is committed. Who may see which conversation is decided by the caller.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import type { Source } from "../Message/Source.ts"
import * as BatchStatement from "./BatchStatement.ts"
import type { Write } from "./BatchStatement.ts"
import { Database } from "./Database.ts"
import * as Routes from "./Routes.ts"
import type { Route } from "./Routes.ts"
import { cleanOrNull, sanitizeText } from "./StoredText.ts"

/** Ends that nobody meant: such a conversation may go on (`session T4`). */
const accidents = ["agent_close", "ws_orphan_reap", "superseded_by_resume", "startup_orphan_reap"]

export const isAccident = (reason: string | null): boolean => reason !== null && accidents.includes(reason)

/** Ends that are none: another id carries the conversation on (`session T4`). */
export const isContinued = (reason: string | null): boolean => reason === "compression" || reason === "branched"

export type EndReason =
  | "session_reset"
  | "session_switch"
  | "compression"
  | "branched"
  | "suspended"
  | "idle"
  | "daily"
  | "pruned"

const put = BatchStatement.insert({
  name: "sessions.put",
  rank: 28,
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
    ["at", "bigint"],
    ["parent", "text"],
    ["fork_kind", "text"]
  ],
  identity: "id",
  into: "sessions",
  values: [
    ...BatchStatement.asGiven("id", "session_key", "platform", "user_id", "chat_id", "chat_type", "thread_id"),
    ...BatchStatement.asGiven("display_name", "origin", "fork_kind"),
    ["parent_session_id", "r.parent"],
    ["started_at", "r.at"],
    ["last_activity_at", "r.at"]
  ],
  onConflict: "ON CONFLICT (id) DO NOTHING"
})

const end = BatchStatement.update({
  name: "sessions.end",
  // After the keys have moved: an id that another key still points at lives on (`session B2`, E5).
  rank: 32,
  columns: [
    ["id", "text"],
    ["reason", "text"],
    ["at", "bigint"],
    ["active", "bigint"]
  ],
  identity: "id",
  table: "sessions",
  set: "ended_at = r.at, end_reason = r.reason, last_activity_at = r.active",
  where:
    `sessions.id = r.id AND (sessions.ended_at IS NULL OR sessions.end_reason IN ('${accidents.join("', '")}')) ` +
    "AND NOT EXISTS (SELECT 1 FROM session_routes o WHERE o.session_id = r.id)"
})

const reopen = BatchStatement.update({
  name: "sessions.reopen",
  rank: 33,
  columns: [
    ["id", "text"],
    ["session_key", "text"],
    ["platform", "text"],
    ["user_id", "text"],
    ["chat_id", "text"],
    ["chat_type", "text"],
    ["thread_id", "text"],
    ["origin", "text"]
  ],
  identity: "id",
  table: "sessions",
  set:
    "ended_at = NULL, end_reason = NULL, session_key = r.session_key, platform = r.platform, user_id = r.user_id, " +
    "chat_id = r.chat_id, chat_type = r.chat_type, thread_id = r.thread_id, origin = r.origin",
  where: "sessions.id = r.id"
})

const rename = BatchStatement.update({
  name: "sessions.rename",
  rank: 35,
  columns: [
    ["id", "text"],
    ["title", "text"],
    ["source", "text"]
  ],
  identity: "id",
  table: "sessions",
  set: "title = r.title, title_source = r.source",
  where: "sessions.id = r.id"
})

const untitle = BatchStatement.update({
  name: "sessions.untitle",
  // Before `rename`: a continuation takes its ancestor's title over (`session C2`).
  rank: 34,
  columns: [["id", "text"]],
  identity: "id",
  table: "sessions",
  set: "title = NULL, title_source = NULL",
  where: "sessions.id = r.id"
})

const rewind = BatchStatement.update({
  name: "sessions.rewind",
  rank: 35,
  columns: [["id", "text"]],
  identity: "id",
  table: "sessions",
  set: "rewind_count = sessions.rewind_count + 1",
  where: "sessions.id = r.id"
})

/** Of a child: where it comes from (`session T1`). */
export interface Fork {
  readonly parent: string
  readonly kind: "compression" | "branch"
}

type Opening = Pick<Route, "sessionKey" | "sessionId" | "createdAt" | "source">

const begun = ({ createdAt, sessionId, sessionKey, source }: Opening, fork: Fork | null): Write => ({
  statement: put,
  row: [
    sessionId,
    sanitizeText(sessionKey),
    sanitizeText(source.platform),
    cleanOrNull(source.userId),
    sanitizeText(source.chatId),
    sanitizeText(source.chatType),
    cleanOrNull(source.threadId),
    cleanOrNull(source.chatName),
    JSON.stringify(source),
    createdAt,
    fork?.parent ?? null,
    fork?.kind ?? null
  ]
})

/** The conversation and the key that points at it, together (`session B2`, T2). */
export const opened = (route: Opening, fork: Fork | null = null): ReadonlyArray<Write> => [
  begun(route, fork),
  Routes.pointed(route)
]

/** A conversation is over, unless another key still points at it; a reason stands, unless it was an accident (`session T3`). */
export const closed = (sessionId: string, reason: EndReason, at: number, lastActivityAt: number): Write => ({
  statement: end,
  row: [sessionId, reason, at, lastActivityAt]
})

/** Goes on, at another place perhaps (`session C7`). */
export const reopened = (sessionId: string, sessionKey: string, source: Source): Write => ({
  statement: reopen,
  row: [
    sessionId,
    sanitizeText(sessionKey),
    sanitizeText(source.platform),
    cleanOrNull(source.userId),
    sanitizeText(source.chatId),
    sanitizeText(source.chatType),
    cleanOrNull(source.threadId),
    JSON.stringify(source)
  ]
})

/** Fails as a whole when another conversation has the title. */
export const titled = (sessionId: string, title: string, source: "user" | "derived"): Write => ({
  statement: rename,
  row: [sessionId, title, source]
})
export const untitled = (sessionId: string): Write => ({ statement: untitle, row: [sessionId] })
export const rewound = (sessionId: string): Write => ({ statement: rewind, row: [sessionId] })

const Int = Schema.Union([Schema.Number, Schema.FiniteFromString])
const Row = Schema.Struct({
  id: Schema.String,
  session_key: Schema.String,
  platform: Schema.String,
  user_id: Schema.NullOr(Schema.String),
  chat_id: Schema.String,
  chat_type: Schema.String,
  thread_id: Schema.NullOr(Schema.String),
  parent_session_id: Schema.NullOr(Schema.String),
  fork_kind: Schema.NullOr(Schema.String),
  started_at: Int,
  last_activity_at: Int,
  ended_at: Schema.NullOr(Int),
  end_reason: Schema.NullOr(Schema.String),
  title: Schema.NullOr(Schema.String)
})
/** A conversation's row; `last_activity_at` of a live one is its route's. */
export type SessionRow = typeof Row.Type
const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))

const columns =
  "s.id, s.session_key, s.platform, s.user_id, s.chat_id, s.chat_type, s.thread_id, s.parent_session_id, s.fork_kind, " +
  "s.started_at, COALESCE((SELECT MAX(r.updated_at) FROM session_routes r WHERE r.session_id = s.id), " +
  "s.last_activity_at) AS last_activity_at, s.ended_at, s.end_reason, s.title"

/** What a key points at, as far as storage knows. */
export interface Known {
  /** `null`: no route, or one that points at a conversation that is over (`session R1.2`). */
  readonly route: Route | null
  /** Conversations of exactly this key, or of its very place, newest first; only read when there is no route (`session R3`). */
  readonly earlier: ReadonlyArray<SessionRow>
  /** Nobody has ever spoken to this gateway (`session R9`); only read when there is no route. */
  readonly isFirstEver: boolean
}

/** Whose conversations are looked at (`session C6`); `null` = all. */
export interface Place {
  readonly platform: string
  readonly chatId: string
  /** `null`: threads do not matter. */
  readonly threadId: string | null
  /** `null`: the chat is shared. */
  readonly userId: string | null
}

const foundBound = 32

export class SessionStore extends Context.Service<
  SessionStore,
  {
    readonly known: (sessionKey: string, source: Source | null) => Effect.Effect<Known, SqlError.SqlError>
    readonly session: (id: string) => Effect.Effect<SessionRow | null, SqlError.SqlError>
    /** The conversation that goes by this title, and its continuations `TITLE #N` (`session C4`). */
    readonly byTitle: (title: string) => Effect.Effect<ReadonlyArray<SessionRow>, SqlError.SqlError>
    /** Children of a kind, newest first. */
    readonly children: (id: string, kind: Fork["kind"]) => Effect.Effect<ReadonlyArray<SessionRow>, SqlError.SqlError>
    /** Conversations of a place, last active first; continuations stand for their ancestors (`session Q7`). */
    readonly list: (
      place: Place | null,
      options: { readonly titledOnly: boolean; readonly query: string | null; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<SessionRow>, SqlError.SqlError>
    /** Routes without activity since `before` and not yet finalised, from `after` on (`session X1`). */
    readonly expiring: (
      before: number,
      after: { readonly updatedAt: number; readonly sessionKey: string },
      limit: number
    ) => Effect.Effect<ReadonlyArray<Route>, SqlError.SqlError>
    /** Ends conversations whose key was silent since `before`, and drops their routes (`session Z1`); says how many. */
    readonly pruneRoutes: (before: number, now: number, limit: number) => Effect.Effect<number, SqlError.SqlError>
  }
>()("Storage/SessionStore") {
  static readonly layer = Layer.effect(
    SessionStore,
    Effect.gen(function* () {
      const database = yield* Database
      const isSqlite = database.dialect === "sqlite"
      /** `?` in the order of the parameters. */
      const text = (sql: string): string => {
        let n = 0
        return isSqlite ? sql : sql.replaceAll("?", () => `$${++n}`)
      }
      const rows = (sql: string, params: ReadonlyArray<unknown>) =>
        Effect.flatMap(database.execute(text(sql), params), (found) => Effect.orDie(decodeRows(found)))

      const selectRoute = `SELECT ${Routes.routeColumns}, s.ended_at, s.end_reason, s.id AS found
        FROM session_routes r LEFT JOIN sessions s ON s.id = r.session_id WHERE r.session_key = ?`
      const ofKey = `SELECT ${columns} FROM sessions s WHERE s.session_key = ? ORDER BY s.last_activity_at DESC LIMIT 20`
      const ofTuple = `SELECT ${columns} FROM sessions s WHERE s.platform = ? AND s.chat_id = ? AND s.chat_type = ?
        AND COALESCE(s.user_id, '') = ? AND COALESCE(s.thread_id, '') = ?
        AND EXISTS (SELECT 1 FROM messages m WHERE m.session_id = s.id AND m.active = 1)
        AND NOT EXISTS (SELECT 1 FROM session_routes r WHERE r.session_id = s.id)
        ORDER BY s.last_activity_at DESC LIMIT 20`

      const continuation = (id: string, depth: number): Effect.Effect<string, SqlError.SqlError> =>
        Effect.flatMap(
          database.execute(
            text(
              `SELECT id FROM sessions WHERE parent_session_id = ? AND fork_kind = 'compression'
                ORDER BY started_at DESC, id DESC LIMIT 1`
            ),
            [id]
          ),
          ([child]) =>
            child === undefined || depth === 0
              ? Effect.succeed(id)
              : Effect.suspend(() => continuation(String(child.id), depth - 1))
        )

      /** Once true, for ever: somebody has spoken to this gateway. */
      let hasSessions = false

      const known: SessionStore["Service"]["known"] = Effect.fnUntraced(function* (sessionKey, source) {
        const key = sanitizeText(sessionKey)
        const [row] = yield* database.execute(text(selectRoute), [key])
        if (row !== undefined) {
          const decoded = Routes.routeOf(row)
          if (decoded._tag === "Failure") {
            yield* Effect.logWarning("a route does not decode and is left out", { key, error: decoded.failure.message })
          } else if (row.found !== null && row.ended_at === null) {
            return { route: decoded.success, earlier: [], isFirstEver: false }
          } else if (row.end_reason === "compression") {
            const sessionId = yield* continuation(decoded.success.sessionId, foundBound)
            const [live] = yield* rows(`SELECT ${columns} FROM sessions s WHERE s.id = ? AND s.ended_at IS NULL`, [
              sessionId
            ])
            if (live !== undefined) {
              const moved = { ...decoded.success, sessionId }
              return {
                route: { ...moved, pending: [Routes.followed(decoded.success.sessionId, sessionId)] },
                earlier: [],
                isFirstEver: false
              }
            }
          }
        }
        const exact = yield* rows(ofKey, [key])
        if (exact.length > 0) return { route: null, earlier: exact, isFirstEver: false }
        if (source === null) return { route: null, earlier: [], isFirstEver: false }
        if (!hasSessions) {
          const [any] = yield* database.execute("SELECT id FROM sessions LIMIT 1", [])
          if (any === undefined) return { route: null, earlier: [], isFirstEver: true }
          hasSessions = true
        }
        const earlier = yield* rows(ofTuple, [
          sanitizeText(source.platform),
          sanitizeText(source.chatId),
          sanitizeText(source.chatType),
          cleanOrNull(source.userId) ?? "",
          cleanOrNull(source.threadId) ?? ""
        ])
        return { route: null, earlier, isFirstEver: false }
      })

      const list: SessionStore["Service"]["list"] = (place, { limit, query, titledOnly }) => {
        const where = ["s.archived = 0"]
        const params: Array<unknown> = []
        if (place === null) {
          // Of everybody's conversations the latest alone: no look at all of them.
          where.push(
            `s.id IN (SELECT session_id FROM (SELECT session_id FROM session_routes ORDER BY updated_at DESC LIMIT 500) a
              UNION SELECT id FROM (SELECT id FROM sessions ORDER BY last_activity_at DESC LIMIT 500) b)`
          )
        } else {
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
        if (titledOnly) where.push("s.title IS NOT NULL")
        if (query !== null) {
          // `%` and `_` are literal (`session C4`).
          where.push("(LOWER(COALESCE(s.title, '')) LIKE ? ESCAPE '!' OR s.id = ?)")
          params.push(`%${query.toLowerCase().replaceAll(/[!%_]/g, "!$&")}%`, query)
        }
        where.push(
          "NOT EXISTS (SELECT 1 FROM sessions c WHERE c.parent_session_id = s.id AND c.fork_kind = 'compression')"
        )
        return rows(
          `SELECT ${columns} FROM sessions s WHERE ${where.join(" AND ")} ORDER BY 11 DESC, s.id DESC LIMIT ?`,
          [...params, limit]
        )
      }

      return {
        known,
        list,
        session: (id) =>
          Effect.map(rows(`SELECT ${columns} FROM sessions s WHERE s.id = ?`, [id]), ([row]) => row ?? null),
        byTitle: (title) =>
          rows(`SELECT ${columns} FROM sessions s WHERE s.title = ? OR s.title LIKE ? ESCAPE '!' LIMIT 200`, [
            title,
            `${title.replaceAll(/[!%_]/g, "!$&")} #%`
          ]),
        children: (id, kind) =>
          rows(
            `SELECT ${columns} FROM sessions s WHERE s.parent_session_id = ? AND s.fork_kind = ?
              ORDER BY s.started_at DESC, s.id DESC LIMIT ${foundBound}`,
            [id, kind]
          ),
        expiring: (before, after, limit) =>
          Effect.map(
            database.execute(
              text(
                `SELECT ${Routes.routeColumns} FROM session_routes r WHERE r.expiry_finalized = 0 AND r.updated_at < ?
                  AND (r.updated_at > ? OR (r.updated_at = ? AND r.session_key > ?))
                  ORDER BY r.updated_at, r.session_key LIMIT ?`
              ),
              [before, after.updatedAt, after.updatedAt, after.sessionKey, limit]
            ),
            (found) => found.map(Routes.routeOf).flatMap((one) => (one._tag === "Success" ? [one.success] : []))
          ),
        pruneRoutes: (before, now, limit) =>
          database.transaction(
            Effect.gen(function* () {
              const old = yield* database.execute(
                text(
                  `DELETE FROM session_routes WHERE session_key IN (SELECT session_key FROM session_routes
                    WHERE updated_at < ? AND suspended = 0 ORDER BY updated_at LIMIT ?) RETURNING session_id, updated_at`
                ),
                [before, limit]
              )
              for (const { session_id, updated_at } of old) {
                yield* database.execute(
                  text(
                    `UPDATE sessions SET ended_at = ?, end_reason = 'pruned', last_activity_at = ? WHERE id = ?
                      AND ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM session_routes r WHERE r.session_id = id)`
                  ),
                  [now, updated_at, session_id]
                )
              }
              return old.length
            })
          )
      }
    })
  )
}
