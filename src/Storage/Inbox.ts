/**
 * The table of messages taken and not all done: the truth about what still has to run (laws 1 and 2). Doorbells may be
 * lost, this may not. It knows nothing of sessions' state; a row's `event` is stored as it was taken.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { MessageEvent } from "../Message/MessageEvent.ts"
import type { Provenance } from "../Message/Source.ts"
import * as BatchStatement from "./BatchStatement.ts"
import type { Write } from "./BatchStatement.ts"
import { Database } from "./Database.ts"
import * as Pruning from "./Pruning.ts"
import { sanitizeText } from "./StoredText.ts"

/** `conversation Q9`; the first three are undone and run after a crash. */
export const InboxState = Schema.Literals(["waiting", "running", "refused", "done", "dropped", "revoked", "dead"])
export type InboxState = typeof InboxState.Type

/**
 * What the gateway itself put into the Inbox: a command whose confirmation was given, a message that wants a turn of its own
 * (`/queue`), a piece of background work. No sender may make one: the mark is a column of its own, never part of an event.
 */
export const Internal = Schema.Literals(["confirmed", "queued", "background"])
export type Internal = typeof Internal.Type

export interface InboxRow {
  readonly id: number
  readonly link: string
  readonly sessionKey: string
  readonly state: InboxState
  readonly event: MessageEvent
  readonly provenance: Provenance
  /** How many processes have started its turn (`session U5`). */
  readonly starts: number
  readonly takenAt: number
  /** Absent: it came from outside. */
  readonly internal?: Internal
}

/** A row before it has an id. At least one key must be set; both are unique for 7 days (`relay I3a`). */
export interface NewInboxRow {
  readonly messageKey: string | null
  readonly bufferKey: string | null
  readonly link: string
  readonly sessionKey: string
  readonly event: MessageEvent
  readonly provenance: Provenance
  readonly takenAt: number
  readonly internal?: Internal
}

const insert = BatchStatement.insert({
  name: "inbox.insert",
  rank: 10,
  columns: [
    ["ref", "text"],
    ["message_key", "text"],
    ["buffer_key", "text"],
    ["link", "text"],
    ["platform", "text"],
    ["session_key", "text"],
    ["state", "text"],
    ["event", "text"],
    ["via_relay", "integer"],
    ["is_bot", "integer"],
    ["role_authorized", "integer"],
    ["note", "text"],
    ["taken_at", "bigint"],
    ["ended_at", "bigint"],
    ["internal", "text"]
  ],
  identity: "ref",
  returning: "ref",
  into: "inbox",
  values: BatchStatement.asGiven(
    "message_key",
    "buffer_key",
    "link",
    "platform",
    "session_key",
    "state",
    "event",
    "via_relay",
    "is_bot",
    "role_authorized",
    "note",
    "taken_at",
    "ended_at",
    "internal"
  ),
  onConflict: "ON CONFLICT DO NOTHING RETURNING id, COALESCE(message_key, buffer_key) AS ref"
})

const setState = BatchStatement.update({
  name: "inbox.state",
  rank: 20,
  columns: [
    ["id", "bigint"],
    ["state", "text"],
    ["starts", "integer"],
    ["note", "text"],
    ["ended_at", "bigint"]
  ],
  identity: "id",
  table: "inbox",
  set:
    "state = r.state, starts = COALESCE(r.starts, inbox.starts), note = COALESCE(r.note, inbox.note), " +
    "ended_at = r.ended_at",
  where: "inbox.id = r.id"
})

/** The list of the partial index, letter for letter: SQLite uses it for no other. */
const undone = "state IN ('waiting', 'running', 'refused')"

const dropWaiting = BatchStatement.update({
  name: "inbox.dropWaiting",
  // After the marks of the same commit: a row refused a moment ago is dropped with the others.
  rank: 25,
  columns: [
    ["session_key", "text"],
    ["until", "bigint"],
    ["note", "text"],
    ["at", "bigint"]
  ],
  identity: "session_key",
  table: "inbox",
  set: "state = 'dropped', note = r.note, ended_at = r.at",
  where: `inbox.session_key = r.session_key AND inbox.id < r.until AND inbox.${undone} AND inbox.state <> 'running'`
})

const setEvent = BatchStatement.update({
  name: "inbox.event",
  rank: 15,
  columns: [
    ["id", "bigint"],
    ["event", "text"]
  ],
  identity: "id",
  table: "inbox",
  set: "event = r.event",
  where: "inbox.id = r.id AND inbox.state IN ('waiting', 'refused')"
})

const flag = (value: boolean | null): number | null => (value === null ? null : value ? 1 : 0)

const inserted = (row: NewInboxRow, state: "waiting" | "done", note: string | null): Write => ({
  statement: insert,
  row: [
    row.messageKey ?? row.bufferKey,
    row.messageKey,
    row.bufferKey,
    sanitizeText(row.link),
    sanitizeText(row.event.source.platform),
    sanitizeText(row.sessionKey),
    state,
    JSON.stringify(row.event),
    flag(row.provenance.viaRelay),
    flag(row.provenance.isBot),
    flag(row.provenance.roleAuthorized),
    note,
    row.takenAt,
    state === "waiting" ? null : row.takenAt,
    row.internal ?? null
  ]
})

/** Stores a message; its receipt is a row with `id` when it is new, nothing when either key was there already. */
export const taken = (row: NewInboxRow): Write => inserted(row, "waiting", null)

/** Stores what is kept and never run; `note` says why. */
export const recorded = (row: NewInboxRow, note: string): Write => inserted(row, "done", note)

/** Gives a message that still waits another text (`relay I3a`); one whose turn has begun keeps its own. */
export const edited = (id: number, event: MessageEvent): Write => ({
  statement: setEvent,
  row: [id, JSON.stringify(event)]
})

/** Keeps something that never became a message (`relay I3a`); shown by `inbox list`, never run. */
export const buried = (dead: {
  readonly bufferKey: string
  readonly link: string
  readonly raw: string
  readonly reason: string
  readonly at: number
}): Write => ({
  statement: insert,
  row: [
    dead.bufferKey,
    null,
    dead.bufferKey,
    dead.link,
    "relay",
    "",
    "dead",
    JSON.stringify({ raw: dead.raw }),
    0,
    null,
    0,
    sanitizeText(dead.reason),
    dead.at,
    dead.at,
    null
  ]
})

/** A turn of this row has begun, for the `starts`-th time. */
export const started = (id: number, starts: number): Write => ({
  statement: setState,
  row: [id, "running", starts, null, null]
})

/** Waits again, for example after a refusal for want of room (`conversation Q1`). */
export const waiting = (id: number): Write => ({ statement: setState, row: [id, "waiting", null, null, null] })

export const refused = (id: number): Write => ({ statement: setState, row: [id, "refused", null, null, null] })

/** The row has come to its end; `note` says why when that is not `done`. */
export const ended = (
  id: number,
  state: "done" | "dropped" | "revoked" | "dead",
  at: number,
  note: string | null = null
): Write => ({ statement: setState, row: [id, state, null, note, at] })

/** Everything of a session that waits and was taken before the row `until`, refused rows included (`conversation Q8`). */
export const waitingDropped = (sessionKey: string, until: number, at: number, note: string): Write => ({
  statement: dropWaiting,
  row: [sessionKey, until, note, at]
})

/** A row that holds one of the keys that were asked for. */
export interface EarlierRow {
  readonly id: number
  readonly messageKey: string | null
  readonly bufferKey: string | null
  readonly sessionKey: string
  readonly state: InboxState
  /** `null`: it does not decode. */
  readonly event: MessageEvent | null
}

const columns = "id, link, session_key, state, event, via_relay, is_bot, role_authorized, starts, taken_at, internal"

const Flag = (value: unknown): boolean | null => (value === null || value === undefined ? null : Number(value) !== 0)

const StoredRow = Schema.Struct({
  id: Schema.Union([Schema.Number, Schema.FiniteFromString]),
  link: Schema.String,
  session_key: Schema.String,
  state: InboxState,
  event: Schema.fromJsonString(MessageEvent),
  starts: Schema.Union([Schema.Number, Schema.FiniteFromString]),
  taken_at: Schema.Union([Schema.Number, Schema.FiniteFromString]),
  internal: Schema.NullOr(Internal)
})
const decodeRow = Schema.decodeUnknownEffect(StoredRow)
const decodeEvent = Schema.decodeUnknownOption(StoredRow.fields.event)
const decodeState = Schema.decodeUnknownSync(InboxState)
const Text = (value: unknown): string | null => (typeof value === "string" ? value : null)

export class Inbox extends Context.Service<
  Inbox,
  {
    /** Undone rows of one session, oldest first. Rows that no longer decode are left out, logged and marked dead. */
    readonly undoneOf: (sessionKey: string, limit: number) => Effect.Effect<ReadonlyArray<InboxRow>, SqlError.SqlError>
    /** Rows under any of these message keys, or under this buffer key; at most one each. */
    readonly byKeys: (
      messageKeys: readonly [string | null, string | null],
      bufferKey: string | null
    ) => Effect.Effect<ReadonlyArray<EarlierRow>, SqlError.SqlError>
    /** Keys above `after` of sessions that have undone rows taken before `before`, in order of the key. */
    readonly sessionsWithUndone: (
      before: number,
      after: string,
      limit: number
    ) => Effect.Effect<ReadonlyArray<string>, SqlError.SqlError>
    /** Lets rows wait again whose turn was running when the last process ended; says how many those were. */
    readonly recoverRunning: Effect.Effect<number, SqlError.SqlError>
    /** Deletes rows that ended before `before`: their keys are free again. */
    readonly prune: Pruning.Prune
    /** Which of these rows are still undone: an operator may have dropped one meanwhile. */
    readonly stillUndone: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlySet<number>, SqlError.SqlError>
    /** Undone rows of a session, counted up to `limit`. */
    readonly countUndone: (sessionKey: string, limit: number) => Effect.Effect<number, SqlError.SqlError>
    /** Undone rows by state. */
    readonly counts: Effect.Effect<Readonly<Record<string, number>>, SqlError.SqlError>
  }
>()("Storage/Inbox") {
  static readonly layer = Layer.effect(
    Inbox,
    Effect.gen(function* () {
      const database = yield* Database
      const text = (sqlite: string, pg: string) => (database.dialect === "sqlite" ? sqlite : pg)

      const decode = (raw: Readonly<Record<string, unknown>>) =>
        decodeRow(raw).pipe(
          Effect.map((row): InboxRow => ({
            id: row.id,
            link: row.link,
            sessionKey: row.session_key,
            state: row.state,
            event: row.event,
            provenance: {
              viaRelay: Flag(raw.via_relay) === true,
              isBot: Flag(raw.is_bot),
              roleAuthorized: Flag(raw.role_authorized) === true
            },
            starts: row.starts,
            takenAt: row.taken_at,
            ...(row.internal === null ? {} : { internal: row.internal })
          })),
          Effect.catch((error) =>
            Effect.logError("an inbox row no longer decodes and was set aside", {
              id: raw.id,
              error: error.message
            }).pipe(
              Effect.andThen(
                database.execute(
                  text(
                    "UPDATE inbox SET state = 'dead', note = 'does not decode', ended_at = taken_at WHERE id = ?",
                    "UPDATE inbox SET state = 'dead', note = 'does not decode', ended_at = taken_at WHERE id = $1"
                  ),
                  [raw.id]
                )
              ),
              Effect.as(null)
            )
          )
        )

      const selectUndone = text(
        `SELECT ${columns} FROM inbox WHERE session_key = ? AND ${undone} ORDER BY id LIMIT ?`,
        `SELECT ${columns} FROM inbox WHERE session_key = $1 AND ${undone} ORDER BY id LIMIT $2`
      )
      const byKeyColumns = "SELECT id, message_key, buffer_key, session_key, state, event FROM inbox"
      const selectByKeys = text(
        `${byKeyColumns} WHERE message_key IN (?1, ?2) UNION ${byKeyColumns} WHERE buffer_key = ?3`,
        `${byKeyColumns} WHERE message_key IN ($1, $2) UNION ${byKeyColumns} WHERE buffer_key = $3`
      )
      const selectSessions = text(
        `SELECT DISTINCT session_key FROM inbox WHERE ${undone} AND session_key > ? AND taken_at < ? ORDER BY session_key LIMIT ?`,
        `SELECT DISTINCT session_key FROM inbox WHERE ${undone} AND session_key > $1 AND taken_at < $2 ORDER BY session_key LIMIT $3`
      )
      const selectOne = text(
        `SELECT id FROM inbox WHERE id = ? AND ${undone}`,
        `SELECT id FROM inbox WHERE id = $1 AND ${undone}`
      )
      const counted = `SELECT id FROM inbox WHERE session_key =`
      const selectCount = text(
        `SELECT COUNT(*) AS n FROM (${counted} ? AND ${undone} LIMIT ?) AS some`,
        `SELECT COUNT(*) AS n FROM (${counted} $1 AND ${undone} LIMIT $2) AS some`
      )
      return {
        undoneOf: (sessionKey, limit) =>
          database.execute(selectUndone, [sessionKey, limit]).pipe(
            Effect.flatMap((rows) => (rows.length === 0 ? Effect.succeed([]) : Effect.forEach(rows, decode))),
            Effect.map((rows) => rows.filter((row) => row !== null))
          ),
        byKeys: ([one, other], bufferKey) =>
          Effect.map(database.execute(selectByKeys, [one, other, bufferKey]), (rows) =>
            rows.map((row) => ({
              id: Number(row.id),
              messageKey: Text(row.message_key),
              bufferKey: Text(row.buffer_key),
              sessionKey: String(row.session_key),
              state: decodeState(row.state),
              event: Option.getOrNull(decodeEvent(row.event))
            }))
          ),
        sessionsWithUndone: (before, after, limit) =>
          Effect.map(database.execute(selectSessions, [after, before, limit]), (rows) =>
            rows.map((row) => String(row.session_key))
          ),
        recoverRunning: Effect.map(
          database.execute("UPDATE inbox SET state = 'waiting' WHERE state = 'running' RETURNING id", []),
          (rows) => rows.length
        ),
        stillUndone: (ids) =>
          Effect.map(
            Effect.forEach(ids, (id) => database.execute(selectOne, [id])),
            (found) => new Set(found.flat().map((row) => Number(row.id)))
          ),
        countUndone: (sessionKey, limit) =>
          Effect.map(database.execute(selectCount, [sessionKey, limit]), ([row]) => Number(row?.n ?? 0)),
        prune: Pruning.make(database, { name: "inbox", key: "id", endedBefore: "ended_at <" }),
        counts: Effect.map(
          database.execute(`SELECT state, COUNT(*) AS n FROM inbox WHERE ${undone} GROUP BY state`, []),
          (rows) => Object.fromEntries(rows.map((row) => [String(row.state), Number(row.n)]))
        )
      }
    })
  )
}
