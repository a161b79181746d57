/**
 * `inbox list | show | replay | drop`: the messages taken and what became of them (`operations`, Commands). Works on
 * the database beside a running gateway, which finds a change by its sweep.
 */
import { Clock, Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { SqlClient } from "effect/sql"
import { Settings } from "../Config/Settings.ts"
import { paths } from "../Operations/Home.ts"
import { isHeld } from "../Operations/HomeLock.ts"
import { InboxState } from "../Storage/Inbox.ts"
import * as Output from "./Output.ts"
import { Count, idArgument, json, jsonOf, listed, refuse, stateFlag, Text, time } from "./Rows.ts"
import * as Storage from "./Storage.ts"

const undone: ReadonlyArray<InboxState> = ["waiting", "running", "refused"]

const Row = Schema.Struct({
  id: Count,
  message_key: Text,
  buffer_key: Text,
  link: Schema.String,
  platform: Schema.String,
  session_key: Schema.String,
  state: InboxState,
  event: Schema.String,
  starts: Count,
  note: Text,
  taken_at: Count,
  ended_at: Schema.NullOr(Count)
})
type Row = typeof Row.Type
const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))

const columns =
  "id, message_key, buffer_key, link, platform, session_key, state, event, starts, note, taken_at, ended_at"

const isGatewayRunning = Effect.map(Settings, ({ home }) => isHeld(paths(home)))

const newest = Effect.fnUntraced(function* (states: ReadonlyArray<string>) {
  const sql = yield* SqlClient.SqlClient
  return yield* decodeRows(
    yield* sql`SELECT ${sql.literal(columns)} FROM inbox
      WHERE state IN ${sql.in(states)} ORDER BY id DESC LIMIT ${listed}`
  )
})

const find = Effect.fnUntraced(function* (id: number) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* decodeRows(yield* sql`SELECT ${sql.literal(columns)} FROM inbox WHERE id = ${id}`)
  return row ?? (yield* refuse(`there is no message ${id} in the inbox`))
})

/** What a person said, as far as the row tells. */
const textOf = (row: Row): string => {
  const event = jsonOf(row.event)
  if (typeof event === "string") return event
  if (typeof event !== "object" || event === null) return ""
  if ("text" in event && typeof event.text === "string") return event.text
  return "raw" in event && typeof event.raw === "string" ? event.raw : ""
}

const shown = ({ event, ...row }: Row) => ({ ...row, event: jsonOf(event) })

const list = Command.make(
  "list",
  { state: stateFlag(InboxState.literals, undone.join(", ")), json },
  ({ json, state }) =>
    Effect.gen(function* () {
      const rows = yield* newest(state === undefined ? undone : [state])
      if (json) return yield* Output.json(rows.map(shown))
      if (rows.length === 0) return yield* Output.line("nothing")
      yield* Output.lines(
        Output.table([
          ["id", "state", "taken", "session", "text"],
          ...rows.map((row) => [
            String(row.id),
            row.state,
            time(row.taken_at),
            Output.oneLine(row.session_key || row.link, 48),
            Output.oneLine(textOf(row))
          ])
        ])
      )
    }).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription(`List what is not done yet, the newest ${listed}`))

const show = Command.make("show", { id: idArgument }, ({ id }) =>
  Effect.flatMap(find(id), (row) => Output.json(shown(row))).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("Show one message whole, redacted"))

/**
 * The message runs again as a row of its own: under the old id its turn would find its own transcript and its own sent
 * answers, and say nothing.
 */
const replay = Command.make("replay", { id: idArgument }, ({ id }) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const row = yield* find(id)
    if (row.state === "running" && (yield* isGatewayRunning)) return yield* refuse(`message ${id} runs now`)
    if (undone.includes(row.state)) return yield* refuse(`message ${id} is ${row.state}: it runs by itself`)
    if (row.session_key === "")
      return yield* refuse(`message ${id} never became a message (${row.note}): it cannot run`)
    const now = yield* Clock.currentTimeMillis
    const key = `replay:${id}:${now}`
    const [again] = yield* sql<{ readonly id: unknown }>`
      INSERT INTO inbox (message_key, buffer_key, link, platform, session_key, state, event, via_relay, is_bot,
        role_authorized, starts, note, taken_at, ended_at, internal)
      SELECT ${key}, NULL, link, platform, session_key, 'waiting', event, via_relay, is_bot, role_authorized, 0,
        ${`again, after ${id}`}, ${now}, NULL, internal FROM inbox WHERE id = ${id}
      RETURNING id`
    yield* Output.line(`message ${id} runs again as ${String(again?.id)}`)
  }).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("Run a message again that has come to its end"))

const drop = Command.make("drop", { id: idArgument }, ({ id }) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const row = yield* find(id)
    if (row.state === "running" && (yield* isGatewayRunning)) {
      return yield* refuse(`message ${id} runs now; /stop in its chat ends the turn`)
    }
    if (!undone.includes(row.state)) return yield* refuse(`message ${id} is ${row.state} already`)
    const now = yield* Clock.currentTimeMillis
    const dropped = yield* sql`
      UPDATE inbox SET state = 'dropped', note = 'dropped by the operator', ended_at = ${now}
      WHERE id = ${id} AND state = ${row.state} RETURNING id`
    if (dropped.length === 0) return yield* refuse(`message ${id} has just changed; look at it again`)
    yield* Output.line(`message ${id} is dropped`)
  }).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("Give up a message: it is done without a turn"))

export const inboxCommand = Command.make("inbox").pipe(
  Command.withDescription("Look at the messages taken, run them again, give them up"),
  Command.withSubcommands([list, show, replay, drop])
)
