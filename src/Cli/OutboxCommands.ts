/**
 * `outbox list | show | retry | drop`: what is owed to the platforms, and what was given up (`operations`, Commands).
 * A row that is retried keeps its key, so that a platform that knows the key shows it once.
 */
import { Clock, Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { SqlClient } from "effect/sql"
import { Settings } from "../Config/Settings.ts"
import { paths } from "../Operations/Home.ts"
import { isHeld } from "../Operations/HomeLock.ts"
import { OutboxState } from "../Storage/Outbox.ts"
import * as Output from "./Output.ts"
import { Count, json, jsonOf, keyArgument, listed, refuse, stateFlag, Text, time } from "./Rows.ts"
import * as Storage from "./Storage.ts"

const unsent: ReadonlyArray<OutboxState> = ["preview", "pending", "sending", "ambiguous", "held", "dead"]
const retriable: ReadonlySet<OutboxState> = new Set(["held", "dead"])

const Row = Schema.Struct({
  seq: Count,
  key: Schema.String,
  link: Schema.String,
  queue: Schema.String,
  session_key: Text,
  turn: Text,
  ordinal: Count,
  kind: Schema.String,
  payload: Schema.String,
  state: OutboxState,
  attempts: Count,
  not_before: Count,
  preview: Text,
  message_ids: Text,
  error: Text,
  error_kind: Text,
  created_at: Count,
  updated_at: Count
})
type Row = typeof Row.Type
const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))

const columns =
  "seq, key, link, queue, session_key, turn, ordinal, kind, payload, state, attempts, not_before, preview, " +
  "message_ids, error, error_kind, created_at, updated_at"

const shortestPrefix = 6

const newest = Effect.fnUntraced(function* (states: ReadonlyArray<string>) {
  const sql = yield* SqlClient.SqlClient
  return yield* decodeRows(
    yield* sql`SELECT ${sql.literal(columns)} FROM outbox
      WHERE state IN ${sql.in(states)} ORDER BY seq DESC LIMIT ${listed}`
  )
})

const find = Effect.fnUntraced(function* (key: string) {
  const sql = yield* SqlClient.SqlClient
  const exact = yield* decodeRows(yield* sql`SELECT ${sql.literal(columns)} FROM outbox WHERE key = ${key}`)
  if (exact[0] !== undefined) return exact[0]
  const found =
    key.length < shortestPrefix
      ? []
      : yield* decodeRows(
          yield* sql`SELECT ${sql.literal(columns)} FROM outbox WHERE substr(key, 1, ${key.length}) = ${key} LIMIT 2`
        )
  if (found.length > 1) return yield* refuse(`more than one row begins with ${key}: write more of the key`)
  return found[0] ?? (yield* refuse(`there is no row ${key} in the outbox`))
})

const textOf = (row: Row): string => {
  const payload = jsonOf(row.payload)
  return typeof payload === "object" && payload !== null && "text" in payload ? String(payload.text) : row.payload
}

const shown = ({ message_ids, payload, preview, ...row }: Row) => ({
  ...row,
  payload: jsonOf(payload),
  preview: jsonOf(preview),
  message_ids: jsonOf(message_ids)
})

const list = Command.make(
  "list",
  { state: stateFlag(OutboxState.literals, unsent.join(", ")), json },
  ({ json, state }) =>
    Effect.gen(function* () {
      const rows = yield* newest(state === undefined ? unsent : [state])
      if (json) return yield* Output.json(rows.map(shown))
      if (rows.length === 0) return yield* Output.line("nothing")
      yield* Output.lines(
        Output.table([
          ["key", "state", "created", "to", "tries", "error", "text"],
          ...rows.map((row) => [
            row.key.slice(0, 12),
            row.state,
            time(row.created_at),
            Output.oneLine(`${row.link} ${row.queue}`, 40),
            String(row.attempts),
            Output.oneLine(row.error ?? "-", 40),
            Output.oneLine(textOf(row), 40)
          ])
        ])
      )
    }).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription(`List what has not been sent, the newest ${listed}`))

const show = Command.make("show", { key: keyArgument }, ({ key }) =>
  Effect.flatMap(find(key), (row) => Output.json(shown(row))).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("Show one row whole, redacted"))

/** One step: only a row that is still in the state it was found in is changed. */
const change = Effect.fnUntraced(function* (row: Row, to: "pending" | "superseded") {
  const sql = yield* SqlClient.SqlClient
  const now = yield* Clock.currentTimeMillis
  const changed =
    to === "pending"
      ? // Its age begins anew, or the row would be given up again for being too old.
        yield* sql`
      UPDATE outbox SET state = 'pending', attempts = 0, not_before = 0, error = NULL, error_kind = NULL,
        created_at = ${now}, updated_at = ${now} WHERE key = ${row.key} AND state = ${row.state} RETURNING key`
      : yield* sql`
      UPDATE outbox SET state = 'superseded', updated_at = ${now}
      WHERE key = ${row.key} AND state = ${row.state} RETURNING key`
  if (changed.length === 0) return yield* refuse(`row ${row.key} has just changed; look at it again`)
})

const retry = Command.make("retry", { key: keyArgument }, ({ key }) =>
  Effect.gen(function* () {
    const row = yield* find(key)
    if (!retriable.has(row.state)) {
      return yield* refuse(`row ${row.key} is ${row.state}; only held and dead rows are retried`)
    }
    yield* change(row, "pending")
    yield* Output.line(`row ${row.key} will be sent`)
  }).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("Send a held or dead row again, under the same key"))

const drop = Command.make("drop", { key: keyArgument }, ({ key }) =>
  Effect.gen(function* () {
    const row = yield* find(key)
    if (!unsent.includes(row.state)) return yield* refuse(`row ${row.key} is ${row.state} already`)
    const isRunning = isHeld(paths((yield* Settings).home))
    if (isRunning && (row.state === "sending" || row.state === "preview")) {
      return yield* refuse(`row ${row.key} is being sent now`)
    }
    yield* change(row, "superseded")
    yield* Output.line(`row ${row.key} will not be sent`)
  }).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("Give up a row: it is never sent"))

export const outboxCommand = Command.make("outbox").pipe(
  Command.withDescription("Look at what is owed, send it again, give it up"),
  Command.withSubcommands([list, show, retry, drop])
)
