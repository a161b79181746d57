/**
 * Questions that were asked from outside of a turn, and their answers (`prompts`, kind `ask`): they outlive whoever asked, and
 * a restart. Rows of other kinds are not looked at.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import * as BatchStatement from "./BatchStatement.ts"
import type { Write } from "./BatchStatement.ts"
import { Database } from "./Database.ts"

export const Asked = Schema.Struct({
  question: Schema.String,
  choices: Schema.Array(Schema.String),
  /** Who asked: nobody else may read the answer. */
  by: Schema.String,
  /** Whom: who may answer is decided with these. */
  userId: Schema.NullOr(Schema.String),
  isDirect: Schema.Boolean,
  delivery: Schema.String,
  answer: Schema.optionalKey(Schema.String)
})
export type Asked = typeof Asked.Type

export interface Question {
  readonly id: string
  readonly sessionKey: string
  readonly link: string
  readonly asked: Asked
  readonly answered: boolean
  readonly expiresAt: number
}

const put = BatchStatement.insert({
  name: "questions.put",
  rank: 38,
  columns: [
    ["id", "text"],
    ["session_key", "text"],
    ["link", "text"],
    ["kind", "text"],
    ["request", "text"],
    ["options", "text"],
    ["state", "text"],
    ["created_at", "bigint"],
    ["expires_at", "bigint"]
  ],
  identity: "id",
  into: "prompts",
  values: BatchStatement.asGiven(
    "id",
    "session_key",
    "link",
    "kind",
    "request",
    "options",
    "state",
    "created_at",
    "expires_at"
  ),
  onConflict: "ON CONFLICT DO NOTHING"
})

const answer = BatchStatement.update({
  name: "questions.answer",
  rank: 39,
  columns: [
    ["id", "text"],
    ["request", "text"]
  ],
  identity: "id",
  table: "prompts",
  set: "request = r.request, state = 'answered'",
  where: "prompts.id = r.id AND prompts.state = 'asked'"
})

export const asked = ({ asked, expiresAt, id, link, sessionKey }: Question, at: number): Write => ({
  statement: put,
  row: [id, sessionKey, link, "ask", JSON.stringify(asked), "[]", "asked", at, expiresAt]
})

/** The first answer counts. */
export const answered = ({ asked, id }: Question, text: string): Write => ({
  statement: answer,
  row: [id, JSON.stringify({ ...asked, answer: text })]
})

const Int = Schema.Union([Schema.Number, Schema.FiniteFromString])
const Row = Schema.Struct({
  id: Schema.String,
  session_key: Schema.String,
  link: Schema.String,
  request: Schema.fromJsonString(Asked),
  state: Schema.Literals(["asked", "answered"]),
  expires_at: Int
})
const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))

export class Questions extends Context.Service<
  Questions,
  {
    readonly find: (id: string) => Effect.Effect<Question | null, SqlError.SqlError>
    /** Not answered and not expired at `now`, at most `limit`. */
    readonly open: (now: number, limit: number) => Effect.Effect<ReadonlyArray<Question>, SqlError.SqlError>
  }
>()("Storage/Questions") {
  static readonly layer = Layer.effect(
    Questions,
    Effect.gen(function* () {
      const database = yield* Database
      const text = (sql: string): string => {
        let n = 0
        return database.dialect === "sqlite" ? sql : sql.replaceAll("?", () => `$${++n}`)
      }
      const columns = "id, session_key, link, request, state, expires_at"
      const read = (sql: string, params: ReadonlyArray<unknown>) =>
        database.execute(text(sql), params).pipe(
          Effect.flatMap((rows) => Effect.orDie(decodeRows(rows))),
          Effect.map((rows) =>
            rows.map((row): Question => ({
              id: row.id,
              sessionKey: row.session_key,
              link: row.link,
              asked: row.request,
              answered: row.state === "answered",
              expiresAt: row.expires_at
            }))
          )
        )
      return {
        find: (id) =>
          Effect.map(
            read(`SELECT ${columns} FROM prompts WHERE id = ? AND kind = 'ask'`, [id]),
            ([row]) => row ?? null
          ),
        open: (now, limit) =>
          read(
            `SELECT ${columns} FROM prompts WHERE kind = 'ask' AND state = 'asked' AND expires_at > ? ORDER BY created_at LIMIT ?`,
            [now, limit]
          )
      }
    })
  )
}
