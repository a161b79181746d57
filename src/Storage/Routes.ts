/**
 * Which conversation a session key points at, and what that conversation chose for itself (`session E1`): the table's
 * writes and how its rows read. Whoever moves a key does it in the transaction that ends the old id (`session B2`).
 */
import { Schema } from "effect"
import { Source } from "../Message/Source.ts"
import type { Write } from "./BatchStatement.ts"

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

/** Why an id was replaced without anybody asking for it (`session R6`). */
export const ResetReason = Schema.Literals(["suspended", "idle", "daily", "resume_pending_expired"])
export type ResetReason = typeof ResetReason.Type

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
  /** Size of the last prompt as the provider told; > 0 = there was real activity. */
  readonly lastPromptTokens: number
  /** A hard stop: the next message starts a new session (`session U1`). */
  readonly suspended: boolean
  /** A turn was cut off by the gateway's end (`session U2`): why and when; `null` = none was. */
  readonly resume: { readonly reason: string; readonly at: number } | null
  /** Writes that storage does not have yet; they go into the next transaction of this key, and may go into several. */
  readonly pending: ReadonlyArray<Write>
}
