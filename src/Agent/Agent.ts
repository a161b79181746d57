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
  retryable: Schema.Boolean,
  /** Seconds that the provider asked us to wait. */
  retryAfter: Schema.optionalKey(Schema.Number)
}) {}

/** What this conversation chose for itself (`commands`: `/model`, `/reasoning`); `null` = the agent's own default. Never a secret. */
export interface AgentChoices {
  readonly model: string | null
  readonly provider: string | null
  readonly reasoning: string | null
}

export const noChoices: AgentChoices = { model: null, provider: null, reasoning: null }

/** What a turn cost, as far as the provider told; absent = not told. */
export interface Usage {
  readonly model: string | null
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly cacheReadTokens?: number
  /** Tokens of the last prompt, and what the model can hold. */
  readonly contextTokens?: number
  readonly contextWindow?: number
  readonly costUsd?: number
}

export interface AgentTurn {
  readonly sessionKey: string
  readonly sessionId: string
  /** Stable over re-runs of the same message. */
  readonly turnId: string
  readonly event: MessageEvent
  /** The prepared message: what the user said, with what the gateway put before it. */
  readonly text: string
  /** The notes of this turn alone with which `text` begins, each followed by a blank line; absent = none. */
  readonly notes?: ReadonlyArray<string>
  readonly media: ReadonlyArray<Media>
  /** Where the agent runs and how it should speak (`session` context prompt); stable within a conversation, "" = nothing. */
  readonly context: string
  readonly choices: AgentChoices
  /** The conversation so far, oldest first; only read by agents that keep none of their own. */
  readonly history: Effect.Effect<ReadonlyArray<StoredMessage>, SqlError.SqlError>
}

/** What an agent reports, in its order (`delivery E1`, `conversation T2`). `Final` ends the turn and carries the whole reply. */
export type AgentEvent =
  | { readonly _tag: "TextDelta"; readonly text: string }
  | { readonly _tag: "Commentary"; readonly text: string }
  /** Thoughts, shown only where the user asked for them. */
  | { readonly _tag: "Reasoning"; readonly text: string }
  | {
      readonly _tag: "ToolStarted"
      readonly tool: string
      readonly preview: string | null
      /** Ties the end to the start when several run at once. */
      readonly callId?: string
    }
  | {
      readonly _tag: "ToolFinished"
      readonly tool: string
      readonly ok: boolean
      readonly callId?: string
      readonly summary?: string
    }
  /** The agent's plan as it stands, whole each time. */
  | {
      readonly _tag: "Plan"
      readonly entries: ReadonlyArray<{ readonly text: string; readonly status: "pending" | "running" | "done" }>
    }
  /** The latest figures; a later one replaces it. */
  | { readonly _tag: "Usage"; readonly usage: Usage }
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
      /** What an approval for longer than once is remembered by; absent = the command, letter for letter. */
      readonly patternKeys?: ReadonlyArray<string>
      /** `false`: it may not be given for good; absent = it may. */
      readonly allowPermanent?: boolean
    }
  | { readonly _tag: "Final"; readonly text: string }

/** The user's answer to a `Question` or `Approval`. */
export type Answer =
  | { readonly _tag: "Text"; readonly text: string }
  | {
      readonly _tag: "Decision"
      readonly choice: "once" | "session" | "always" | "deny"
      /** Why it was denied, in the words of the user, at most 280 characters (`conversation A6`). */
      readonly reason?: string
    }
  | { readonly _tag: "None"; readonly why: "timeout" | "cancelled" | "undeliverable" }

export interface AgentModel {
  readonly id: string
  readonly label: string
  readonly provider: string | null
}

export interface AgentCommand {
  readonly name: string
  readonly description: string
  /** What may follow the name, in words; `null` = nothing. */
  readonly hint: string | null
}

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
    /** Models that a conversation may choose; absent = the agent offers no choice. */
    readonly models?: Effect.Effect<ReadonlyArray<AgentModel>, AgentError>
    /** Levels that `/reasoning` may choose. */
    readonly reasoningLevels?: ReadonlyArray<string>
    /** Commands that the agent itself understands, shown in menus and passed on as text (`commands D1`). */
    readonly commands?: (sessionKey: string) => ReadonlyArray<AgentCommand>
    /** Shortens a history to a summary (`conversation H`); absent = it cannot. */
    readonly compress?: (
      history: ReadonlyArray<StoredMessage>,
      focus: string | null
    ) => Effect.Effect<string, AgentError>
    /** A boundary: what the agent keeps of this conversation is void. */
    readonly forget?: (sessionKey: string, sessionId: string) => Effect.Effect<void>
  }
>()("Agent/Agent") {}
