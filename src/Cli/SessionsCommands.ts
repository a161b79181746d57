/**
 * `sessions list | search | show | rename | delete | export | prune | archive | stats`: conversations for the operator
 * (`session Z3`). What a running gateway may have in its hands is not deleted under it.
 */
import { Clock, Effect, Layer, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { SqlClient } from "effect/sql"
import { redact } from "../Config/Redact.ts"
import { Settings } from "../Config/Settings.ts"
import { paths } from "../Operations/Home.ts"
import { isHeld } from "../Operations/HomeLock.ts"
import { isUnsafe } from "../Session/SafeName.ts"
import { exported } from "../Session/SessionsLive.ts"
import * as Title from "../Session/Title.ts"
import { SearchIndex } from "../Storage/SearchIndex.ts"
import { type SessionRow, SessionStore } from "../Storage/SessionStore.ts"
import { Transcript } from "../Storage/Transcript.ts"
import * as Output from "./Output.ts"
import { json, listed, refuse, time } from "./Rows.ts"
import * as Storage from "./Storage.ts"

const tables = Layer.mergeAll(SessionStore.layer, Transcript.layer, SearchIndex.layer).pipe(
  Layer.provideMerge(Storage.command)
)

const idArgument = Argument.String("id").pipe(
  Argument.withDescription("Id of the conversation, as `sessions list` shows it")
)

const find = Effect.fnUntraced(function* (id: string) {
  const session = isUnsafe(id) ? null : yield* (yield* SessionStore).session(id)
  return session ?? (yield* refuse(`there is no conversation ${id}`))
})

const state = (session: SessionRow): string => session.end_reason ?? "live"

const list = Command.make("list", { json }, ({ json }) =>
  Effect.gen(function* () {
    const store = yield* SessionStore
    const transcript = yield* Transcript
    const rows = yield* store.list(null, { titledOnly: false, query: null, limit: listed })
    if (json) return yield* Output.json(rows)
    if (rows.length === 0) return yield* Output.line("nothing")
    const lines = yield* Effect.forEach(rows, (row) =>
      Effect.gen(function* () {
        const { messages } = yield* transcript.countsOf(row.id)
        const about = row.title ?? (yield* transcript.firstWords(row.id, 60))
        return [
          row.id,
          row.platform,
          time(row.last_activity_at),
          state(row),
          String(messages),
          Output.oneLine(about, 60)
        ]
      })
    )
    yield* Output.lines(Output.table([["id", "platform", "active", "state", "messages", "about"], ...lines]))
  }).pipe(Effect.provide(tables))
).pipe(Command.withDescription(`List conversations, the ${listed} last active`))

const search = Command.make(
  "search",
  { query: Argument.String("query").pipe(Argument.withDescription('Words, "a phrase", OR, NOT, begin*')), json },
  ({ json, query }) =>
    Effect.gen(function* () {
      const index = yield* SearchIndex
      // Nobody else may be indexing: all there is, so that the answer is whole.
      yield* Effect.repeat(index.catchUp, { while: (n) => n > 0 })
      const hits = yield* index.search(null, query, { limit: 20, order: "relevance" })
      if (json) return yield* Output.json(hits)
      if (hits.length === 0) return yield* Output.line("nothing")
      yield* Output.lines(
        Output.table([
          ["id", "time", "role", "text"],
          ...hits.map((hit) => [hit.sessionId, time(hit.timestamp), hit.role, Output.oneLine(redact(hit.snippet), 100)])
        ])
      )
    }).pipe(Effect.provide(tables))
).pipe(Command.withDescription("Find messages in all conversations, the best 20"))

const show = Command.make("show", { id: idArgument }, ({ id }) =>
  Effect.gen(function* () {
    const session = yield* find(id)
    const { messages, userMessages } = yield* (yield* Transcript).countsOf(id)
    yield* Output.json({ ...session, messages, user_messages: userMessages })
  }).pipe(Effect.provide(tables))
).pipe(Command.withDescription("Show one conversation's row"))

const rename = Command.make(
  "rename",
  { id: idArgument, title: Argument.String("title").pipe(Argument.withDescription("Its new title")) },
  ({ id, title }) =>
    Effect.gen(function* () {
      yield* find(id)
      const clean = Title.clean(title)
      if (clean === "" || Title.lengthOf(clean) > Title.maxTitle) {
        return yield* refuse(`a title has 1 to ${Title.maxTitle} characters`)
      }
      const other = (yield* (yield* SessionStore).byTitle(clean)).find((session) => session.title === clean)
      if (other !== undefined && other.id !== id) return yield* refuse(`conversation ${other.id} has that title`)
      const sql = yield* SqlClient.SqlClient
      yield* sql`UPDATE sessions SET title = ${clean}, title_source = 'user' WHERE id = ${id}`
      yield* Output.line(`conversation ${id} is called ${clean}`)
    }).pipe(Effect.provide(tables))
).pipe(Command.withDescription("Give a conversation another title"))

const archive = Command.make("archive", { id: idArgument }, ({ id }) =>
  Effect.gen(function* () {
    yield* find(id)
    const sql = yield* SqlClient.SqlClient
    yield* sql`UPDATE sessions SET archived = 1 WHERE id = ${id}`
    yield* Output.line(`conversation ${id} is listed no more`)
  }).pipe(Effect.provide(tables))
).pipe(Command.withDescription("Leave a conversation out of lists; nothing is deleted"))

/** Messages, words of the index, row: all or nothing. Children go on without a parent. */
const remove = Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
  const sql = yield* SqlClient.SqlClient
  const chosen = sql.in(ids)
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`DELETE FROM message_index WHERE rowid IN (SELECT id FROM messages WHERE session_id IN ${chosen})`
      yield* sql`DELETE FROM messages WHERE session_id IN ${chosen}`
      yield* sql`UPDATE sessions SET parent_session_id = NULL WHERE parent_session_id IN ${chosen}`
      yield* sql`DELETE FROM session_routes WHERE session_id IN ${chosen}`
      yield* sql`DELETE FROM sessions WHERE id IN ${chosen}`
    })
  )
})

const deleteCommand = Command.make("delete", { id: idArgument }, ({ id }) =>
  Effect.gen(function* () {
    const session = yield* find(id)
    if (session.ended_at === null && isHeld(paths((yield* Settings).home))) {
      return yield* refuse(
        `conversation ${id} goes on in the running gateway: write /new there, or stop it, and try again`
      )
    }
    yield* remove([id])
    yield* Output.line(`conversation ${id} is deleted`)
  }).pipe(Effect.provide(tables))
).pipe(Command.withDescription("Delete a conversation with its messages"))

const exportCommand = Command.make(
  "export",
  {
    id: idArgument,
    format: Flag.Literals("format", ["markdown", "jsonl"]).pipe(
      Flag.withDefault("markdown" as const),
      Flag.withDescription("markdown (default), or jsonl: one JSON object a line")
    )
  },
  ({ format, id }) =>
    Effect.gen(function* () {
      const session = yield* find(id)
      const transcript = yield* Transcript
      const { messages } = yield* transcript.countsOf(id)
      yield* Output.line(exported(format, session, yield* transcript.rows(id, messages)))
    }).pipe(Effect.provide(tables))
).pipe(Command.withDescription("Print a conversation, secrets masked"))

const day = 86_400_000

const prune = Command.make(
  "prune",
  {
    olderThan: Flag.Int("older-than").pipe(
      Flag.withDefault(90),
      Flag.withMetavar("DAYS"),
      Flag.withDescription("Days without activity; default: 90")
    ),
    platform: Flag.String("platform").pipe(Flag.optional, Flag.withDescription("Only this platform's")),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withoutNegation,
      Flag.withDefault(false),
      Flag.withDescription("Only say how many there are")
    )
  },
  ({ dryRun, olderThan, platform }) =>
    Effect.gen(function* () {
      if (olderThan < 1) return yield* refuse("--older-than wants 1 or more days")
      const sql = yield* SqlClient.SqlClient
      const before = (yield* Clock.currentTimeMillis) - olderThan * day
      const only = Option.getOrNull(platform)
      // A lineage goes only as a whole: what has a continuation, or is one, stays until that one is as old.
      const old = yield* sql<{ readonly id: string }>`
        SELECT s.id FROM sessions s WHERE s.ended_at IS NOT NULL AND s.last_activity_at < ${before}
          AND NOT EXISTS (SELECT 1 FROM session_routes r WHERE r.session_id = s.id)
          AND NOT EXISTS (SELECT 1 FROM sessions c WHERE c.parent_session_id = s.id AND c.fork_kind = 'compression'
            AND (c.ended_at IS NULL OR c.last_activity_at >= ${before}))
          ${only === null ? sql.literal("") : sql`AND s.platform = ${only}`} ORDER BY s.last_activity_at`
      const ids = old.map(({ id }) => id)
      if (!dryRun) {
        for (let at = 0; at < ids.length; at += 100) yield* remove(ids.slice(at, at + 100))
      }
      yield* Output.line(`${ids.length} conversations ${dryRun ? "would be deleted" : "deleted"}`)
    }).pipe(Effect.provide(tables))
).pipe(Command.withDescription("Delete conversations that are over and old, with their messages"))

const stats = Command.make("stats", { json }, ({ json }) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql<{
      readonly platform: string
      readonly sessions: number | string
      readonly messages: number | string
    }>`
      SELECT s.platform, COUNT(*) AS sessions, SUM((SELECT COUNT(*) FROM messages m WHERE m.session_id = s.id)) AS messages
        FROM sessions s GROUP BY s.platform ORDER BY s.platform`
    const counts = rows.map(({ messages, platform, sessions }) => ({
      platform,
      sessions: Number(sessions),
      messages: Number(messages)
    }))
    if (json) return yield* Output.json(counts)
    if (counts.length === 0) return yield* Output.line("nothing")
    yield* Output.lines(
      Output.table([
        ["platform", "conversations", "messages"],
        ...counts.map(({ messages, platform, sessions }) => [platform, String(sessions), String(messages)])
      ])
    )
  }).pipe(Effect.provide(tables))
).pipe(Command.withDescription("Count conversations and messages by platform"))

export const sessionsCommand = Command.make("sessions").pipe(
  Command.withDescription("Look at conversations, name, export and delete them"),
  Command.withSubcommands([list, search, show, rename, deleteCommand, exportCommand, prune, archive, stats])
)
