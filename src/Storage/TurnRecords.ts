/**
 * What Inbox and Outbox tell of one turn and of one delivery (law 2, law 3): read for whoever asks, never written. The rows
 * are what they are; what they mean to a client is decided elsewhere.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { MessageEvent } from "../Message/MessageEvent.ts"
import type { Write } from "./BatchStatement.ts"
import { Database } from "./Database.ts"
import { InboxState } from "./Inbox.ts"
import { OutboxKind, OutboxState, Payload } from "./Outbox.ts"

/** Rows of one turn that are looked at; a turn that says more is shown as far as that. */
const deliveryBound = 256

export interface DeliveryRecord {
  readonly key: string
  /** Its cause: `turn:17`, `command:17`, or what a tool was asked for. */
  readonly turn: string | null
  readonly kind: OutboxKind
  readonly link: string
  readonly payload: Payload
  readonly state: OutboxState
  readonly attempts: number
  readonly messageIds: ReadonlyArray<string>
  readonly error: string | null
  readonly updatedAt: number
}

export interface TurnRecord {
  readonly id: number
  readonly link: string
  readonly sessionKey: string
  readonly state: InboxState
  readonly note: string | null
  readonly starts: number
  readonly takenAt: number
  readonly endedAt: number | null
  /** `null`: it never was a message, or does not decode any more. */
  readonly event: MessageEvent | null
  /** In order of their commit; chrome included. */
  readonly deliveries: ReadonlyArray<DeliveryRecord>
}

const Int = Schema.Union([Schema.Number, Schema.FiniteFromString])
const InboxCells = Schema.Struct({
  id: Int,
  link: Schema.String,
  session_key: Schema.String,
  state: InboxState,
  note: Schema.NullOr(Schema.String),
  starts: Int,
  taken_at: Int,
  ended_at: Schema.NullOr(Int),
  event: Schema.String
})
const OutboxCells = Schema.Struct({
  key: Schema.String,
  turn: Schema.NullOr(Schema.String),
  kind: OutboxKind,
  link: Schema.String,
  payload: Schema.fromJsonString(Payload),
  state: OutboxState,
  attempts: Int,
  message_ids: Schema.NullOr(Schema.fromJsonString(Schema.Array(Schema.String))),
  error: Schema.NullOr(Schema.String),
  updated_at: Int
})
const decodeInbox = Schema.decodeUnknownEffect(InboxCells)
const decodeOutbox = Schema.decodeUnknownEffect(Schema.Array(OutboxCells))
const decodeEvent = Schema.decodeUnknownOption(Schema.fromJsonString(MessageEvent))

/** What the keys of everything begin with that an Inbox row has caused (`IdempotencyKey.ordered`). */
const prefixOf = (id: number): string => id.toString(16).padStart(10, "0").slice(-10)

/** Whether a write may change what is known of a turn; those that name none may concern any. */
export const concerns = (id: number): ((write: Write) => boolean) => {
  const prefix = prefixOf(id)
  return ({ row: [first], statement: { name } }) =>
    name === "inbox.state"
      ? first === id
      : name === "inbox.dropWaiting" || name === "outbox.endTurn"
        ? true
        : name.startsWith("outbox.") && typeof first === "string" && first.startsWith(prefix)
}

export class TurnRecords extends Context.Service<
  TurnRecords,
  {
    /** `null`: there is no such row, or no longer: ended rows are kept for 7 days. */
    readonly turn: (id: number) => Effect.Effect<TurnRecord | null, SqlError.SqlError>
    readonly delivery: (key: string) => Effect.Effect<DeliveryRecord | null, SqlError.SqlError>
  }
>()("Storage/TurnRecords") {
  static readonly layer = Layer.effect(
    TurnRecords,
    Effect.gen(function* () {
      const database = yield* Database
      const text = (sql: string): string => {
        let n = 0
        return database.dialect === "sqlite" ? sql : sql.replaceAll("?", () => `$${++n}`)
      }
      const selectTurn = text(
        "SELECT id, link, session_key, state, note, starts, taken_at, ended_at, event FROM inbox WHERE id = ?"
      )
      const columns = "key, turn, kind, link, payload, state, attempts, message_ids, error, updated_at"
      // A range of the unique index over keys; an index over turns would cost every row one more write.
      const selectOf = text(
        `SELECT ${columns} FROM outbox WHERE key >= ? AND key < ? ORDER BY seq LIMIT ${deliveryBound}`
      )
      const selectKey = text(`SELECT ${columns} FROM outbox WHERE key = ?`)

      const deliveries = (sql: string, params: ReadonlyArray<unknown>) =>
        database.execute(sql, params).pipe(
          Effect.flatMap((rows) => Effect.orDie(decodeOutbox(rows))),
          Effect.map((rows) =>
            rows.map(({ message_ids, updated_at, ...row }): DeliveryRecord => ({
              ...row,
              messageIds: message_ids ?? [],
              updatedAt: updated_at
            }))
          )
        )

      return {
        turn: Effect.fnUntraced(function* (id) {
          const [found] = yield* database.execute(selectTurn, [id])
          if (found === undefined) return null
          const row = yield* Effect.orDie(decodeInbox(found))
          const event = decodeEvent(row.event)
          const caused = new RegExp(`^\\w+:${id}(?::|$)`)
          const prefix = prefixOf(id)
          return {
            id: row.id,
            link: row.link,
            sessionKey: row.session_key,
            state: row.state,
            note: row.note,
            starts: row.starts,
            takenAt: row.taken_at,
            endedAt: row.ended_at,
            event: event._tag === "Some" ? event.value : null,
            deliveries: (yield* deliveries(selectOf, [prefix, `${prefix}g`])).filter(({ turn }) =>
              caused.test(turn ?? "")
            )
          }
        }),
        delivery: (key) => Effect.map(deliveries(selectKey, [key]), ([row]) => row ?? null)
      }
    })
  )
}
