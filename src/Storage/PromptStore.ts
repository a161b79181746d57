/**
 * The tables of prompts that hang on no turn (`conversation A12`, F), of what was allowed for longer than once (A5), and of
 * answers that hold for good. A prompt of a running turn is never here: it dies with its turn.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { MessageEvent } from "../Message/MessageEvent.ts"
import * as BatchStatement from "./BatchStatement.ts"
import type { Write } from "./BatchStatement.ts"
import { Database } from "./Database.ts"
import { sanitizeText } from "./StoredText.ts"

/** What one button or word does: text that then runs as a command of who asked; `null` = nothing. */
export const StoredOption = Schema.Struct({
  id: Schema.String,
  label: Schema.String,
  style: Schema.NullOr(Schema.Literals(["primary", "danger"])),
  run: Schema.NullOr(Schema.String),
  /** A preference that is set when this is chosen, so that it is not asked again. */
  remember: Schema.NullOr(Schema.String)
})
export type StoredOption = typeof StoredOption.Type

const Request = Schema.Struct({
  event: MessageEvent,
  viaRelay: Schema.Boolean,
  isBot: Schema.NullOr(Schema.Boolean),
  roleAuthorized: Schema.Boolean
})

export interface StoredPrompt {
  readonly id: string
  readonly sessionKey: string
  readonly link: string
  readonly kind: "confirm" | "picker"
  /** The command that asked, with its author: what is chosen runs in its name. */
  readonly request: typeof Request.Type
  readonly options: ReadonlyArray<StoredOption>
  readonly createdAt: number
  readonly expiresAt: number
}

const put = BatchStatement.insert({
  name: "prompts.put",
  rank: 35,
  columns: [
    ["id", "text"],
    ["session_key", "text"],
    ["link", "text"],
    ["kind", "text"],
    ["request", "text"],
    ["options", "text"],
    ["at", "bigint"],
    ["expires_at", "bigint"]
  ],
  identity: "id",
  into: "prompts",
  values: [
    ...BatchStatement.asGiven("id", "session_key", "link", "kind", "request", "options"),
    ["state", "'open'"],
    ["created_at", "r.at"],
    ["expires_at", "r.expires_at"]
  ],
  onConflict: "ON CONFLICT (id) DO NOTHING"
})

const end = BatchStatement.update({
  name: "prompts.end",
  rank: 36,
  columns: [["id", "text"]],
  identity: "id",
  table: "prompts",
  set: "state = 'ended'",
  where: "prompts.id = r.id"
})

/** A newer prompt of the same session takes the place of the older one (`conversation F3`). */
const replace = BatchStatement.update({
  name: "prompts.replace",
  rank: 37,
  columns: [
    ["id", "text"],
    ["session_key", "text"]
  ],
  identity: "session_key",
  table: "prompts",
  set: "state = 'ended'",
  where: "prompts.session_key = r.session_key AND prompts.state = 'open' AND prompts.id <> r.id"
})

const grant = BatchStatement.insert({
  name: "approvals.grant",
  rank: 38,
  columns: [
    ["scope", "text"],
    ["pattern", "text"],
    ["at", "bigint"]
  ],
  into: "approval_grants",
  values: [...BatchStatement.asGiven("scope", "pattern"), ["granted_at", "r.at"]],
  onConflict: "ON CONFLICT DO NOTHING"
})

const prefer = BatchStatement.insert({
  name: "preferences.put",
  rank: 39,
  columns: [
    ["name", "text"],
    ["value", "text"]
  ],
  identity: "name",
  into: "preferences",
  values: BatchStatement.asGiven("name", "value"),
  onConflict: "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
})

/** Stores a prompt; the ones that the session had are over. */
export const asked = (prompt: StoredPrompt): ReadonlyArray<Write> => [
  {
    statement: put,
    row: [
      prompt.id,
      sanitizeText(prompt.sessionKey),
      sanitizeText(prompt.link),
      prompt.kind,
      JSON.stringify(prompt.request),
      JSON.stringify(prompt.options),
      prompt.createdAt,
      prompt.expiresAt
    ]
  },
  { statement: replace, row: [prompt.id, sanitizeText(prompt.sessionKey)] }
]

export const promptEnded = (id: string): Write => ({ statement: end, row: [id] })

/** `scope`: a session id, or `*` for good. */
export const granted = (scope: string, pattern: string, at: number): Write => ({
  statement: grant,
  row: [scope, sanitizeText(pattern), at]
})

export const preferred = (name: string, value: string): Write => ({ statement: prefer, row: [name, value] })

const Count = Schema.Union([Schema.Number, Schema.FiniteFromString])
const StoredRow = Schema.Struct({
  id: Schema.String,
  session_key: Schema.String,
  link: Schema.String,
  kind: Schema.Literals(["confirm", "picker"]),
  request: Schema.fromJsonString(Request),
  options: Schema.fromJsonString(Schema.Array(StoredOption)),
  created_at: Count,
  expires_at: Count
})
const decodeRow = Schema.decodeUnknownEffect(StoredRow)

export class PromptStore extends Context.Service<
  PromptStore,
  {
    /** Open prompts that have not expired at `now`, newest last. What no longer decodes is left out and logged. */
    readonly open: (now: number, limit: number) => Effect.Effect<ReadonlyArray<StoredPrompt>, SqlError.SqlError>
    /** Patterns that a scope was granted. */
    readonly grantsOf: (scope: string) => Effect.Effect<ReadonlyArray<string>, SqlError.SqlError>
    readonly preferences: Effect.Effect<ReadonlyMap<string, string>, SqlError.SqlError>
    /** Deletes prompts that ended or expired before `before`. */
    readonly prune: (before: number) => Effect.Effect<void, SqlError.SqlError>
  }
>()("Storage/PromptStore") {
  static readonly layer = Layer.effect(
    PromptStore,
    Effect.gen(function* () {
      const database = yield* Database
      const text = (sqlite: string, pg: string) => (database.dialect === "sqlite" ? sqlite : pg)
      const columns = "id, session_key, link, kind, request, options, created_at, expires_at"
      const selectOpen = text(
        `SELECT ${columns} FROM prompts WHERE state = 'open' AND expires_at > ? ORDER BY created_at DESC LIMIT ?`,
        `SELECT ${columns} FROM prompts WHERE state = 'open' AND expires_at > $1 ORDER BY created_at DESC LIMIT $2`
      )
      const selectGrants = text(
        "SELECT pattern FROM approval_grants WHERE scope = ?",
        "SELECT pattern FROM approval_grants WHERE scope = $1"
      )
      const decode = (raw: Readonly<Record<string, unknown>>) =>
        decodeRow(raw).pipe(
          Effect.map((row): StoredPrompt => ({
            id: row.id,
            sessionKey: row.session_key,
            link: row.link,
            kind: row.kind,
            request: row.request,
            options: row.options,
            createdAt: row.created_at,
            expiresAt: row.expires_at
          })),
          Effect.catch((error) =>
            Effect.as(Effect.logError("a stored prompt no longer decodes and was left out", error.message), null)
          )
        )
      return {
        open: (now, limit) =>
          database.execute(selectOpen, [now, limit]).pipe(
            Effect.flatMap((rows) => Effect.forEach(rows, decode)),
            Effect.map((rows) => rows.filter((row) => row !== null).toReversed())
          ),
        grantsOf: (scope) =>
          Effect.map(database.execute(selectGrants, [scope]), (rows) => rows.map((row) => String(row.pattern))),
        preferences: Effect.map(
          database.execute("SELECT name, value FROM preferences", []),
          (rows) => new Map(rows.map((row) => [String(row.name), String(row.value)]))
        ),
        prune: (before) =>
          Effect.asVoid(
            database.execute(
              text("DELETE FROM prompts WHERE expires_at < ?", "DELETE FROM prompts WHERE expires_at < $1"),
              [before]
            )
          )
      }
    })
  )
}
