/**
 * The boundary to whatever thinks (`conversation T2`–`T4`): a turn goes in, a stream of typed events comes out. An agent
 * knows nothing of platforms, inbox or outbox; closing the turn's scope cancels it.
 */
import { Context, Schema, type Effect, type Scope, type Stream } from "effect"
import type { Media, MessageEvent } from "../Message/MessageEvent.ts"
import type { StoredMessage } from "../Storage/Transcript.ts"
import type { SqlError } from "effect/sql"

/** Category of a failed turn, shown to the user as `conversation E1` says; the message is for the log, redacted. */
export class AgentError extends Schema.TaggedError<AgentError>()("AgentError", {
  category: Schema.Literals([
    "auth",
    "policy",
    "rate_limit",
    "balance",
    "overloaded",
    "context",
    "bad_request",
    "provider",
    "no_credentials"
  ]),
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

export interface AgentTurn {
  readonly sessionKey: string
  readonly sessionId: string
  /** Stable over re-runs of the same message. */
  readonly turnId: string
  readonly event: MessageEvent
  /** The prepared message: what the user said, with what the gateway put before it. */
  readonly text: string
  readonly media: ReadonlyArray<Media>
  /** The conversation so far, oldest first; only read by agents that keep none of their own. */
  readonly history: Effect.Effect<ReadonlyArray<StoredMessage>, SqlError.SqlError>
}

/** What an agent reports, in its order (`delivery E1`, `conversation T2`). `Final` ends the turn and carries the whole reply. */
export type AgentEvent =
  | { readonly _tag: "TextDelta"; readonly text: string }
  | { readonly _tag: "Commentary"; readonly text: string }
  | { readonly _tag: "ToolStarted"; readonly tool: string; readonly preview: string | null }
  | { readonly _tag: "ToolFinished"; readonly tool: string; readonly ok: boolean }
  | { readonly _tag: "Attachment"; readonly ref: string; readonly caption: string | null }
  | {
      readonly _tag: "Question"
      readonly promptId: string
      readonly question: string
      readonly choices: ReadonlyArray<string>
    }
  | {
      readonly _tag: "Approval"
      readonly promptId: string
      readonly command: string
      readonly description: string | null
    }
  | { readonly _tag: "Final"; readonly text: string }

/** The user's answer to a `Question` or `Approval`. */
export type Answer =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Decision"; readonly choice: "once" | "session" | "always" | "deny" }
  | { readonly _tag: "None"; readonly why: "timeout" | "cancelled" | "undeliverable" }

/** One run, alive as long as its scope. */
export interface AgentRun {
  readonly events: Stream.Stream<AgentEvent, AgentError>
  /** Answers a prompt of this run; a prompt that no longer waits is ignored. */
  readonly answer: (promptId: string, answer: Answer) => Effect.Effect<void>
  /** Hands text to the running agent; `false`: it cannot take any (`conversation Y4`). */
  readonly steer: (text: string) => Effect.Effect<boolean>
}

export class Agent extends Context.Service<
  Agent,
  {
    readonly name: string
    readonly start: (turn: AgentTurn) => Effect.Effect<AgentRun, AgentError, Scope.Scope>
  }
>()("Agent/Agent") {}
