/**
 * What commands and turns ask about conversations (`session` R, C, Q, Z). Whatever moves a key or changes what is stored
 * is a plan: the writes, and the route that holds once they are committed. Nothing here commits; the caller does it in the
 * transaction that ends its own row, and then calls `routed(plan.route)`. Plans are made inside the session's actor.
 */
import { Context, type Effect, Schema } from "effect"
import type { SqlError } from "effect/sql"
import type { Media } from "../Message/MessageEvent.ts"
import type { Source } from "../Message/Source.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import type { Choices, Route } from "../Storage/Routes.ts"

/** Who asks, from where. */
export interface Asker {
  readonly sessionKey: string
  /** As the actor knows it (`SessionView.route`); `null` = the key points nowhere yet. */
  readonly route: Route | null
  /** Of the message that asks. */
  readonly source: Source
  /** `own`: conversations of this chat (`session C6`). `all`: every one; only for configured admins (`commands A4`). */
  readonly scope: "own" | "all"
  /** Epoch milliseconds. */
  readonly now: number
}

export interface Plan {
  readonly writes: ReadonlyArray<Write>
  readonly route: Route
}

/**
 * Nothing was changed and nothing may be written. `not_found`, `ambiguous`, `out_of_range` (`count` = how many there are),
 * `already_there`, `not_allowed`, `too_long` (`count` messages, `limit`): `/resume` (`session C5`, C6, T15). `no_session`,
 * `no_history`: nothing to work on. `title_empty`, `title_too_long` (`count` characters, `limit`), `title_taken`
 * (`sessionId` of the other one): titles (`session C2`).
 */
export class SessionRefused extends Schema.TaggedError<SessionRefused>()("SessionRefused", {
  reason: Schema.Literals([
    "not_found",
    "ambiguous",
    "out_of_range",
    "already_there",
    "not_allowed",
    "too_long",
    "no_session",
    "no_history",
    "title_empty",
    "title_too_long",
    "title_taken"
  ]),
  sessionId: Schema.NullOr(Schema.String),
  count: Schema.NullOr(Schema.Number),
  limit: Schema.NullOr(Schema.Number)
}) {}

type Planned<A> = Effect.Effect<Plan & A, SessionRefused | SqlError.SqlError>

/** One line of a list (`session Q7`); `number` counts from 1 and is what `/resume N` takes. */
export interface Listed {
  readonly number: number
  readonly sessionId: string
  readonly platform: string
  readonly title: string | null
  /** First words of the user, at most 60 characters. */
  readonly preview: string
  readonly lastActivityAt: number
  readonly messages: number
  readonly isCurrent: boolean
}

/** A message that a search found (`session Q5`); the match stands between `>>>` and `<<<`. */
export interface Hit {
  readonly sessionId: string
  readonly messageId: number
  readonly role: string
  readonly snippet: string
  readonly timestamp: number
  readonly title: string | null
  readonly platform: string
}

/** For `/status`. */
export interface Summary {
  readonly sessionId: string
  readonly title: string | null
  readonly startedAt: number
  readonly lastActivityAt: number
  readonly messages: number
  readonly lastPromptTokens: number
  readonly choices: Choices
}

export class Sessions extends Context.Service<
  Sessions,
  {
    /** `/new`, `/reset` (`session C1`). A title that will not do leaves the new conversation without one, and says why. */
    readonly startFresh: (
      asker: Asker,
      title: string | null
    ) => Effect.Effect<
      Plan & { readonly title: string | null; readonly titleRefused: SessionRefused | null },
      SqlError.SqlError
    >
    /** A number of `list`, a session id or a title; one pair of quotes or brackets around it is ignored (`session C5`–C7). */
    readonly resume: (
      asker: Asker,
      target: string
    ) => Planned<{ readonly title: string | null; readonly userMessages: number }>
    /** A copy of the conversation, to go on in another direction (`session C9`). */
    readonly branch: (
      asker: Asker,
      title: string | null
    ) => Planned<{ readonly title: string; readonly messages: number }>
    /** `null`: it has none. */
    readonly title: (asker: Asker) => Effect.Effect<string | null, SqlError.SqlError>
    /** Cleaned, at most 100 characters, unique (`session C2`). Works before the first message. */
    readonly setTitle: (asker: Asker, title: string) => Planned<{ readonly title: string }>
    /** Takes the last `turns` messages of the user and all after them back; they stay for audit (`session C10`). */
    readonly undo: (
      asker: Asker,
      turns: number
    ) => Planned<{
      readonly turns: number
      readonly messages: number
      /** The oldest message that was taken back. */
      readonly text: string
    }>
    /** Takes the user's last message and all after it back, and gives it to be run again (`session C11`). */
    readonly retry: (asker: Asker) => Planned<{ readonly text: string; readonly media: ReadonlyArray<Media> }>
    /** Changes what the conversation chose for itself; reads nothing (`session E4`). What it chose is `route.choices`. */
    readonly choose: (asker: Asker, changes: Partial<Choices>) => Effect.Effect<Plan>
    /** A continuation that begins with `summary` instead of the live messages (`session R1`, T4 `compression`). */
    readonly compress: (asker: Asker, summary: string) => Planned<{ readonly messages: number }>
    /** Conversations that the asker may attach to, newest first; `query` looks in titles and messages (`session C6`, C8). */
    readonly list: (
      asker: Asker,
      options: { readonly titledOnly: boolean; readonly query: string | null; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Listed>, SqlError.SqlError>
    /** Messages of those conversations, best first (`session Q2`–Q6). */
    readonly search: (
      asker: Asker,
      query: string,
      limit: number
    ) => Effect.Effect<ReadonlyArray<Hit>, SqlError.SqlError>
    /** `null`: the key points nowhere yet. */
    readonly summary: (asker: Asker) => Effect.Effect<Summary | null, SqlError.SqlError>
    /** The asker's conversation as Markdown or one JSON object a line, secrets masked (`session Z3`, T15). */
    readonly export: (
      asker: Asker,
      format: "markdown" | "jsonl"
    ) => Effect.Effect<string, SessionRefused | SqlError.SqlError>
  }
>()("Session/Sessions") {}
