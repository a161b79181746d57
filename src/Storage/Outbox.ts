/**
 * The table of what we owe the platforms (law 3, `delivery O1`–`O6`): rows are written in the transaction that ends their
 * turn, and leave by their send queue in order of `seq`. Nothing here sends.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import * as BatchStatement from "./BatchStatement.ts"
import type { Write } from "./BatchStatement.ts"
import { Database } from "./Database.ts"
import * as Pruning from "./Pruning.ts"
import { sanitizeText } from "./StoredText.ts"

/** `delivery O2`, and `preview`: its text still grows, the turn that owns it is running or was cut off. */
export const OutboxState = Schema.Literals([
  "preview",
  "pending",
  "sending",
  "sent",
  "ambiguous",
  "held",
  "dead",
  "superseded"
])
export type OutboxState = typeof OutboxState.Type

/** Ranks the send budget (`delivery O11`). */
export const OutboxKind = Schema.Literals(["final", "prompt", "notice", "scheduled", "tool", "commentary"])
export type OutboxKind = typeof OutboxKind.Type

/** A row that is a file; where the platform takes none, its text is sent in its place. */
export const MediaPart = Schema.Struct({
  kind: Schema.Literals(["image", "voice", "audio", "video", "document"]),
  ref: Schema.String,
  caption: Schema.NullOr(Schema.String),
  filename: Schema.NullOr(Schema.String),
  mime: Schema.NullOr(Schema.String)
})

/** A row that asks with buttons; where the platform has none, its text is sent in its place. */
export const PromptPart = Schema.Struct({
  kind: Schema.Literals(["approval", "clarify", "choice"]),
  promptId: Schema.String,
  /** What stands above the buttons. */
  text: Schema.String,
  options: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      label: Schema.String,
      style: Schema.NullOr(Schema.Literals(["primary", "danger"]))
    })
  ),
  timeoutSeconds: Schema.NullOr(Schema.Number)
})

export const Payload = Schema.Struct({
  platform: Schema.String,
  chatId: Schema.String,
  chatType: Schema.String,
  threadId: Schema.NullOr(Schema.String),
  scopeId: Schema.NullOr(Schema.String),
  text: Schema.String,
  replyTo: Schema.NullOr(Schema.String),
  notify: Schema.Boolean,
  /** Headed by the line that says it may be a repeat (`delivery O4` c). */
  marked: Schema.Boolean,
  /** It answers by a capability of this kind while that lasts (`relay P3`). */
  followUp: Schema.optionalKey(Schema.String),
  /** The platform's limit is lower than it said: sent in pieces of this size, of which so many have been confirmed. */
  pieces: Schema.optionalKey(
    Schema.Struct({
      limit: Schema.Number,
      sent: Schema.Number,
      /** The platform refused the marks: these have none. */
      plain: Schema.optionalKey(Schema.Boolean)
    })
  ),
  /** What its preview shows is to go: nothing is said in its place. */
  removes: Schema.optionalKey(Schema.Boolean),
  media: Schema.optionalKey(MediaPart),
  prompt: Schema.optionalKey(PromptPart)
})
export type Payload = typeof Payload.Type

/** What may already be on the screen of this row: written before it is sent, `messageId` once the platform confirmed it. */
export const Preview = Schema.Struct({
  text: Schema.String,
  messageId: Schema.NullOr(Schema.String),
  /** The platform confirmed exactly this text last. Stored only where it gave no id, so that it cannot have changed. */
  isExact: Schema.optionalKey(Schema.Boolean)
})
export type Preview = typeof Preview.Type

export interface OutboxRow {
  /** Order of commit; 0 until the commit has told it. */
  readonly seq: number
  readonly key: string
  readonly link: string
  readonly queue: string
  readonly sessionKey: string | null
  readonly turn: string | null
  readonly ordinal: number
  readonly kind: OutboxKind
  readonly payload: Payload
  readonly state: OutboxState
  readonly attempts: number
  /** Epoch milliseconds before which it must not be tried. */
  readonly notBefore: number
  readonly preview: Preview | null
  readonly createdAt: number
}

const put = BatchStatement.insert({
  name: "outbox.put",
  rank: 40,
  columns: [
    ["key", "text"],
    ["link", "text"],
    ["queue", "text"],
    ["session_key", "text"],
    ["turn", "text"],
    ["ordinal", "integer"],
    ["kind", "text"],
    ["payload", "text"],
    ["state", "text"],
    ["preview", "text"],
    ["at", "bigint"]
  ],
  identity: "key",
  returning: "key",
  into: "outbox",
  values: [
    ...BatchStatement.asGiven(
      "key",
      "link",
      "queue",
      "session_key",
      "turn",
      "ordinal",
      "kind",
      "payload",
      "state",
      "preview"
    ),
    ["created_at", "r.at"],
    ["updated_at", "r.at"]
  ],
  // A row that exists is left alone, unless it is a preview: then the text that now ends it takes its place, and what is
  // known to be on the screen is kept and returned.
  onConflict:
    "ON CONFLICT (key) DO UPDATE SET payload = excluded.payload, state = excluded.state, " +
    "preview = COALESCE(outbox.preview, excluded.preview), updated_at = excluded.updated_at " +
    "WHERE outbox.state = 'preview' RETURNING key, seq, preview, created_at"
})

const progress = BatchStatement.update({
  name: "outbox.progress",
  rank: 50,
  columns: [
    ["key", "text"],
    ["state", "text"],
    ["attempts", "integer"],
    ["not_before", "bigint"],
    ["payload", "text"],
    ["preview", "text"],
    ["message_ids", "text"],
    ["error", "text"],
    ["error_kind", "text"],
    ["at", "bigint"]
  ],
  identity: "key",
  table: "outbox",
  set:
    "state = r.state, attempts = r.attempts, not_before = r.not_before, " +
    "payload = COALESCE(r.payload, outbox.payload), preview = COALESCE(r.preview, outbox.preview), " +
    "message_ids = COALESCE(r.message_ids, outbox.message_ids), error = r.error, error_kind = r.error_kind, " +
    "updated_at = r.at",
  where: "outbox.key = r.key AND outbox.state NOT IN ('sent', 'superseded')"
})

/** Never touches the state: it may share its transaction with the text that ends the preview. */
const previewPut = BatchStatement.update({
  name: "outbox.preview",
  rank: 45,
  columns: [
    ["key", "text"],
    ["preview", "text"]
  ],
  identity: "key",
  table: "outbox",
  set: "preview = r.preview",
  where: "outbox.key = r.key"
})

/** Takes the rest of a turn's rows out of the queue after one of them could not be sent (`delivery O2`, Z9). */
const endTurn = BatchStatement.update({
  name: "outbox.endTurn",
  rank: 60,
  columns: [
    ["turn", "text"],
    ["link", "text"],
    ["queue", "text"],
    ["ordinal", "integer"],
    ["state", "text"],
    ["at", "bigint"]
  ],
  identity: "turn",
  table: "outbox",
  set: "state = r.state, updated_at = r.at",
  // Found through the open rows of the send queue: they are few, and need no index over all turns.
  where:
    "outbox.link = r.link AND outbox.queue = r.queue AND outbox.turn = r.turn AND outbox.ordinal > r.ordinal " +
    "AND outbox.kind = 'final' AND outbox.state IN ('preview', 'pending', 'sending', 'ambiguous') " +
    "AND outbox.state IN ('pending', 'preview')"
})

/** Stores a row; its receipt is `{ key, seq, preview, created_at }`, or nothing when the row was there and no preview. */
export const stored = (row: OutboxRow): Write => ({
  statement: put,
  row: [
    row.key,
    sanitizeText(row.link),
    sanitizeText(row.queue),
    row.sessionKey === null ? null : sanitizeText(row.sessionKey),
    row.turn === null ? null : sanitizeText(row.turn),
    row.ordinal,
    row.kind,
    JSON.stringify(row.payload),
    row.state,
    row.preview === null ? null : JSON.stringify(row.preview),
    row.createdAt
  ]
})

export interface Progress {
  readonly row: OutboxRow
  readonly messageIds?: ReadonlyArray<string>
  readonly error?: string | null
  readonly errorKind?: string | null
  readonly at: number
}

/** Stores how far a row has come. A row that is `sent` or `superseded` stays so, whatever a late worker writes. */
export const progressed = ({ row, messageIds, error, errorKind, at }: Progress): Write => ({
  statement: progress,
  row: [
    row.key,
    row.state,
    row.attempts,
    row.notBefore,
    row.payload.marked || row.payload.pieces !== undefined ? JSON.stringify(row.payload) : null,
    row.preview === null ? null : JSON.stringify(row.preview),
    messageIds === undefined ? null : JSON.stringify(messageIds),
    error == null ? null : sanitizeText(error),
    errorKind ?? null,
    at
  ]
})

/** The platform confirmed what a preview shows; `null`: it surely shows nothing. */
export const previewed = (key: string, preview: Preview | null): Write => ({
  statement: previewPut,
  row: [key, preview === null ? null : JSON.stringify(preview)]
})

/** The later texts of a row's turn share its end (`delivery O2`). */
export const restOfTurn = (row: OutboxRow, state: "dead" | "held" | "superseded", at: number): Write => ({
  statement: endTurn,
  row: [row.turn ?? "", row.link, row.queue, row.ordinal, state, at]
})

const Count = Schema.Union([Schema.Number, Schema.FiniteFromString])
const StoredRow = Schema.Struct({
  seq: Count,
  key: Schema.String,
  link: Schema.String,
  queue: Schema.String,
  session_key: Schema.NullOr(Schema.String),
  turn: Schema.NullOr(Schema.String),
  ordinal: Count,
  kind: OutboxKind,
  payload: Schema.fromJsonString(Payload),
  state: OutboxState,
  attempts: Count,
  not_before: Count,
  preview: Schema.NullOr(Schema.fromJsonString(Preview)),
  created_at: Count
})
const decodeRow = Schema.decodeUnknownEffect(StoredRow)

const decodePreviewText = Schema.decodeUnknownOption(Schema.fromJsonString(Preview))
/** The `preview` cell of a receipt. */
export const previewOf = (cell: unknown): Preview | null => {
  const decoded = decodePreviewText(cell)
  return decoded._tag === "Some" ? decoded.value : null
}

const columns =
  "seq, key, link, queue, session_key, turn, ordinal, kind, payload, state, attempts, not_before, preview, created_at"
// The list of the partial index, letter for letter: SQLite uses it for no other (and a preview is not ours to send).
const open = "state IN ('preview', 'pending', 'sending', 'ambiguous') AND state <> 'preview'"

export class Outbox extends Context.Service<
  Outbox,
  {
    /** Open rows of a link in order, from `after` on. Rows that no longer decode are marked dead and logged. */
    readonly openOf: (
      link: string,
      after: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<OutboxRow>, SqlError.SqlError>
    /** The same for one send queue. */
    readonly openOfQueue: (
      link: string,
      queue: string,
      after: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<OutboxRow>, SqlError.SqlError>
    readonly find: (key: string) => Effect.Effect<OutboxRow | null, SqlError.SqlError>
    /** Deletes ended rows last touched before `before`. */
    readonly prune: Pruning.Prune
    /** Rows by state, as far as they are not well ended: open, held, dead. */
    readonly counts: Effect.Effect<Readonly<Record<string, number>>, SqlError.SqlError>
  }
>()("Storage/Outbox") {
  static readonly layer = Layer.effect(
    Outbox,
    Effect.gen(function* () {
      const database = yield* Database
      const text = (sqlite: string, pg: string) => (database.dialect === "sqlite" ? sqlite : pg)

      const decode = (raw: Readonly<Record<string, unknown>>) =>
        decodeRow(raw).pipe(
          Effect.map((row): OutboxRow => ({
            seq: row.seq,
            key: row.key,
            link: row.link,
            queue: row.queue,
            sessionKey: row.session_key,
            turn: row.turn,
            ordinal: row.ordinal,
            kind: row.kind,
            payload: row.payload,
            state: row.state,
            attempts: row.attempts,
            notBefore: row.not_before,
            preview: row.preview,
            createdAt: row.created_at
          })),
          Effect.catch((error) =>
            Effect.logError("an outbox row no longer decodes and was set aside", {
              key: raw.key,
              error: error.message
            }).pipe(
              Effect.andThen(
                database.execute(
                  text(
                    "UPDATE outbox SET state = 'dead', error = 'does not decode' WHERE key = ?",
                    "UPDATE outbox SET state = 'dead', error = 'does not decode' WHERE key = $1"
                  ),
                  [raw.key]
                )
              ),
              Effect.as(null)
            )
          )
        )
      const decodeAll = (rows: ReadonlyArray<Readonly<Record<string, unknown>>>) =>
        Effect.map(Effect.forEach(rows, decode), (decoded) => decoded.filter((row) => row !== null))

      const selectOpen = text(
        `SELECT ${columns} FROM outbox WHERE ${open} AND link = ? AND seq > ? ORDER BY seq LIMIT ?`,
        `SELECT ${columns} FROM outbox WHERE ${open} AND link = $1 AND seq > $2 ORDER BY seq LIMIT $3`
      )
      const selectQueue = text(
        `SELECT ${columns} FROM outbox WHERE ${open} AND link = ? AND queue = ? AND seq > ? ORDER BY seq LIMIT ?`,
        `SELECT ${columns} FROM outbox WHERE ${open} AND link = $1 AND queue = $2 AND seq > $3 ORDER BY seq LIMIT $4`
      )
      const selectKey = text(
        `SELECT ${columns} FROM outbox WHERE key = ?`,
        `SELECT ${columns} FROM outbox WHERE key = $1`
      )
      // What is open or unsent is counted by its partial index; how much was ever sent is a metric's business.
      const countText =
        `SELECT state, COUNT(*) AS n FROM outbox WHERE state IN ('preview', 'pending', 'sending', 'ambiguous') GROUP BY state ` +
        "UNION ALL SELECT state, COUNT(*) AS n FROM outbox WHERE state IN ('held', 'dead') GROUP BY state"

      return {
        openOf: (link, after, limit) => Effect.flatMap(database.execute(selectOpen, [link, after, limit]), decodeAll),
        openOfQueue: (link, queue, after, limit) =>
          Effect.flatMap(database.execute(selectQueue, [link, queue, after, limit]), decodeAll),
        find: (key) =>
          Effect.map(Effect.flatMap(database.execute(selectKey, [key]), decodeAll), (rows) => rows[0] ?? null),
        prune: Pruning.make(database, {
          name: "outbox",
          key: "seq",
          endedBefore: "state IN ('sent', 'dead', 'superseded') AND updated_at <"
        }),
        counts: Effect.map(database.execute(countText, []), (rows) =>
          Object.fromEntries(rows.map((row) => [String(row.state), Number(row.n)]))
        )
      }
    })
  )
}
