/**
 * What a client learns of one turn: its state, where its answer went, and the events that led there. Pure, from the rows
 * alone, so that the answer is the same before and after a restart, and in every process.
 */
import { Schema } from "effect"
import type { DeliveryRecord, TurnRecord } from "../../Storage/TurnRecords.ts"

/**
 * `taken`: stored, will run. `running`: the agent works on it. `answered`: the answer is stored and on its way, or there is
 * none to send. `delivered`: the platform has confirmed all of it. `failed`: see `reason`.
 */
export const TurnState = Schema.Literals(["taken", "running", "answered", "delivered", "failed"])
export type TurnState = typeof TurnState.Type

export const Delivery = Schema.Struct({
  id: Schema.String,
  kind: Schema.String,
  link: Schema.String,
  platform: Schema.String,
  chat: Schema.String,
  thread: Schema.NullOr(Schema.String),
  state: Schema.String,
  message_ids: Schema.Array(Schema.String),
  text: Schema.String,
  attempts: Schema.Number,
  error: Schema.NullOr(Schema.String)
})
export type Delivery = typeof Delivery.Type

export const TurnView = Schema.Struct({
  id: Schema.String,
  state: TurnState,
  /** Nothing of it will change on its own any more. */
  over: Schema.Boolean,
  reason: Schema.NullOr(Schema.String),
  platform: Schema.NullOr(Schema.String),
  chat: Schema.NullOr(Schema.String),
  link: Schema.String,
  session_key: Schema.String,
  starts: Schema.Number,
  taken_at: Schema.Number,
  ended_at: Schema.NullOr(Schema.Number),
  /** The final answer; `null` until there is one, or when the turn ended in silence. */
  reply: Schema.NullOr(Schema.String),
  deliveries: Schema.Array(Delivery)
})
export type TurnView = typeof TurnView.Type

export const deliveryOf = (row: DeliveryRecord): Delivery => ({
  id: row.key,
  kind: row.kind,
  link: row.link,
  platform: row.payload.platform,
  chat: row.payload.chatId,
  thread: row.payload.threadId,
  state: row.state,
  message_ids: row.messageIds,
  text: row.payload.text,
  attempts: row.attempts,
  error: row.error
})

/** What the turn or command answered; questions, tool lines and notices come beside it. */
const isAnswer = ({ id }: TurnRecord, row: DeliveryRecord): boolean =>
  (row.kind === "final" && row.turn === `turn:${id}`) || row.turn === `command:${id}`

const outcome = (
  record: TurnRecord,
  answers: ReadonlyArray<DeliveryRecord>
): Pick<TurnView, "state" | "over" | "reason"> => {
  switch (record.state) {
    case "waiting":
    case "refused":
      return { state: "taken", over: false, reason: null }
    case "running":
      return { state: "running", over: false, reason: null }
    case "dead":
    case "dropped":
    case "revoked":
      return { state: "failed", over: true, reason: record.note ?? record.state }
    case "done":
      break
  }
  const lost = answers.find(({ state }) => state === "dead" || state === "held" || state === "superseded")
  if (lost !== undefined) {
    const reason =
      lost.state === "held"
        ? "the answer may or may not have been shown; it is held for an operator"
        : `the answer was not delivered: ${lost.error ?? lost.state}`
    return { state: "failed", over: true, reason }
  }
  const isOver = answers.every(({ state }) => state === "sent")
  if (record.note !== null && /^(?:failed|stopped)\b/.test(record.note)) {
    return { state: "failed", over: isOver, reason: record.note }
  }
  return { state: isOver && answers.length > 0 ? "delivered" : "answered", over: isOver, reason: record.note }
}

export const viewOf = (record: TurnRecord): TurnView => {
  const answers = record.deliveries.filter((row) => isAnswer(record, row) && row.state !== "preview")
  return {
    id: String(record.id),
    ...outcome(record, answers),
    platform: record.event?.source.platform ?? null,
    chat: record.event?.source.chatId ?? null,
    link: record.link,
    session_key: record.sessionKey,
    starts: record.starts,
    taken_at: record.takenAt,
    ended_at: record.endedAt,
    reply: answers.length === 0 ? null : answers.map(({ payload }) => payload.text).join("\n"),
    deliveries: record.deliveries.filter(({ state }) => state !== "preview").map(deliveryOf)
  }
}

export interface TurnEvent {
  /** Grows along the turn and means the same after a restart: what `Last-Event-ID` names. */
  readonly id: number
  readonly event: TurnState
}

/** Starts that have ids of their own; the gateway sets a message aside long before (`session U5`). */
const mostStarts = 8
const answeredId = mostStarts + 2
const failedId = answeredId + 1
const deliveredId = failedId + 1

/** Everything that has happened to a turn, in order. */
export const eventsOf = (view: TurnView): ReadonlyArray<TurnEvent> => {
  const events: Array<TurnEvent> = [{ id: 1, event: "taken" }]
  for (let n = 1; n <= Math.min(view.starts, mostStarts); n++) events.push({ id: n + 1, event: "running" })
  if (view.ended_at !== null && (view.reply !== null || view.state === "answered")) {
    events.push({ id: answeredId, event: "answered" })
  }
  if (view.state === "failed") events.push({ id: failedId, event: "failed" })
  if (view.state === "delivered") events.push({ id: deliveredId, event: "delivered" })
  return events
}
