/**
 * Which conversation a session key points at, and what that conversation chose for itself (`session E1`): the writes of
 * the table, and how its rows read. Whoever moves a key ends the old id in the same transaction (`session B2`).
 */
import { Result, Schema } from "effect"
import { Source } from "../Message/Source.ts"
import * as BatchStatement from "./BatchStatement.ts"
import type { Write } from "./BatchStatement.ts"
import { cleanOrNull, sanitizeText } from "./StoredText.ts"

/** What a conversation chose for itself; dropped at every boundary (`session E4`). Never a key or a token. */
export const Choices = Schema.Struct({
  model: Schema.NullOr(Schema.String),
  provider: Schema.NullOr(Schema.String),
  reasoning: Schema.NullOr(Schema.String),
  /** Dangerous commands need no approval in this conversation. */
  yolo: Schema.Boolean,
  /** How much of the tools is shown (`off`, `new`, `all`, `verbose`); `null` = as configured. */
  verbose: Schema.NullOr(Schema.String),
  /** Further switches of commands, by name; small values only. */
  flags: Schema.Record(Schema.String, Schema.String)
})
export type Choices = typeof Choices.Type

export const noChoices: Choices = {
  model: null,
  provider: null,
  reasoning: null,
  yolo: false,
  verbose: null,
  flags: {}
}

/** A route in memory: immutable, replaced as a whole. */
export interface Route {
  readonly sessionKey: string
  readonly sessionId: string
  readonly createdAt: number
  /** Last activity of a user (`session E2`). */
  readonly updatedAt: number
  /** Where the conversation was opened (`session S2`). */
  readonly source: Source
  readonly choices: Choices
  /** Size of the last prompt as the provider told; > 0 = there was real activity (`session P3a`). */
  readonly lastPromptTokens: number
  /** A hard stop: the next message starts a new session (`session U1`). */
  readonly suspended: boolean
  /** The conversation that this one carries on under a new id, until other keys were told. */
  readonly continues?: string
  /** Writes that storage does not have yet; they go into the next transaction of this key, and may go into several. */
  readonly pending: ReadonlyArray<Write>
}

const put = BatchStatement.insert({
  name: "routes.put",
  rank: 30,
  columns: [
    ["session_key", "text"],
    ["session_id", "text"],
    ["at", "bigint"],
    ["origin", "text"],
    ["display_name", "text"],
    ["platform", "text"],
    ["chat_type", "text"],
    ["chat_id", "text"]
  ],
  identity: "session_key",
  into: "session_routes",
  values: [
    ...BatchStatement.asGiven(
      "session_key",
      "session_id",
      "origin",
      "display_name",
      "platform",
      "chat_type",
      "chat_id"
    ),
    ["created_at", "r.at"],
    ["updated_at", "r.at"]
  ],
  onConflict:
    "ON CONFLICT (session_key) DO UPDATE SET session_id = excluded.session_id, " +
    // The same id once more changes nothing; another one drops what was its predecessor's (`session R8`).
    ["created_at", "updated_at", "origin", "display_name", "choices"]
      .concat(["last_prompt_tokens", "suspended", "expiry_finalized"])
      .map(
        (column) =>
          `${column} = CASE WHEN session_routes.session_id = excluded.session_id ` +
          `THEN session_routes.${column} ELSE excluded.${column} END`
      )
      .join(", ")
})

const touch = BatchStatement.update({
  name: "routes.touch",
  rank: 31,
  columns: [
    ["session_key", "text"],
    ["at", "bigint"],
    ["tokens", "bigint"]
  ],
  identity: "session_key",
  table: "session_routes",
  set: "updated_at = r.at, expiry_finalized = 0, last_prompt_tokens = COALESCE(r.tokens, session_routes.last_prompt_tokens)",
  where: "session_routes.session_key = r.session_key"
})

const choose = BatchStatement.update({
  name: "routes.choose",
  rank: 33,
  columns: [
    ["session_key", "text"],
    ["session_id", "text"],
    ["choices", "text"]
  ],
  identity: "session_key",
  table: "session_routes",
  set: "choices = r.choices",
  where: "session_routes.session_key = r.session_key AND session_routes.session_id = r.session_id"
})

const forgetTokens = BatchStatement.update({
  name: "routes.tokens",
  rank: 34,
  columns: [["session_id", "text"]],
  identity: "session_id",
  table: "session_routes",
  set: "last_prompt_tokens = 0",
  where: "session_routes.session_id = r.session_id"
})

const suspend = BatchStatement.update({
  name: "routes.suspend",
  rank: 34,
  columns: [["session_key", "text"]],
  identity: "session_key",
  table: "session_routes",
  set: "suspended = 1",
  where: "session_routes.session_key = r.session_key"
})

const finalize = BatchStatement.update({
  name: "routes.finalize",
  rank: 34,
  columns: [
    ["session_key", "text"],
    ["updated_at", "bigint"]
  ],
  identity: "session_key",
  table: "session_routes",
  set: "expiry_finalized = 1, choices = NULL",
  // A message that came meanwhile keeps its conversation as it is.
  where: "session_routes.session_key = r.session_key AND session_routes.updated_at = r.updated_at"
})

const follow = BatchStatement.update({
  name: "routes.follow",
  rank: 29,
  columns: [
    ["from", "text"],
    ["to", "text"]
  ],
  identity: "from",
  table: "session_routes",
  set: "session_id = r.to",
  where: "session_routes.session_id = r.from"
})

/** The key points at this id from now on. */
export const pointed = (route: Pick<Route, "sessionKey" | "sessionId" | "createdAt" | "source">): Write => ({
  statement: put,
  row: [
    sanitizeText(route.sessionKey),
    route.sessionId,
    route.createdAt,
    JSON.stringify(route.source),
    cleanOrNull(route.source.chatName),
    sanitizeText(route.source.platform),
    sanitizeText(route.source.chatType),
    sanitizeText(route.source.chatId)
  ]
})

/** A user's message moved the activity time (`session E2`); `tokens`: size of the last prompt, `null` = not told. */
export const touched = (sessionKey: string, at: number, tokens: number | null = null): Write => ({
  statement: touch,
  row: [sanitizeText(sessionKey), at, tokens]
})

/** Only while the key still points at that id. */
export const chosen = (route: Route): Write => ({
  statement: choose,
  row: [sanitizeText(route.sessionKey), route.sessionId, JSON.stringify(route.choices)]
})

/** What the model had read is no longer what is stored (`session C10`). */
export const tokensForgotten = (sessionId: string): Write => ({ statement: forgetTokens, row: [sessionId] })

/** The next message of this key starts a new conversation (`session U1`, U5). */
export const suspended = (sessionKey: string): Write => ({ statement: suspend, row: [sanitizeText(sessionKey)] })

/** The expiry watcher has closed what the agent kept of it, unless a user came back meanwhile (`session X2`). */
export const finalized = (sessionKey: string, updatedAt: number): Write => ({
  statement: finalize,
  row: [sessionKey, updatedAt]
})

/** Every key that points at `from` follows its continuation `to`. */
export const followed = (from: string, to: string): Write => ({ statement: follow, row: [from, to] })

export const routeColumns =
  "r.session_key, r.session_id, r.created_at, r.updated_at, r.origin, r.choices, r.last_prompt_tokens, r.suspended"

const Int = Schema.Union([Schema.Number, Schema.FiniteFromString])
const Row = Schema.Struct({
  session_key: Schema.String,
  session_id: Schema.String,
  created_at: Int,
  updated_at: Int,
  origin: Schema.fromJsonString(Source),
  choices: Schema.NullOr(Schema.fromJsonString(Choices)),
  last_prompt_tokens: Int,
  suspended: Int
})
const decode = Schema.decodeUnknownResult(Row)

/** A row that does not decode is told apart, so that one corrupt route stops nobody else's (`session N3`). */
export const routeOf = (row: unknown): Result.Result<Route, Schema.SchemaError> =>
  Result.map(decode(row), (row) => ({
    sessionKey: row.session_key,
    sessionId: row.session_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    source: row.origin,
    choices: row.choices ?? noChoices,
    lastPromptTokens: row.last_prompt_tokens,
    suspended: row.suspended !== 0,
    pending: []
  }))
