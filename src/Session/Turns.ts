/**
 * What a session actor asks of the rooms above it: how a message is to be treated, and to carry out a turn, a command or
 * a notice. The actor decides when; whoever provides this decides what. Nothing here may touch the actor's state.
 */
import { Context, type Effect } from "effect"
import type { InboxRow } from "../Storage/Inbox.ts"
import type { Route } from "../Storage/Routes.ts"
import type { Begun } from "./Entry.ts"

/** What may happen to a running turn when a command arrives (`commands W1`). */
export type BusyPolicy = "now" | "stop" | "no"

export type Classified =
  | { readonly _tag: "Message" }
  /** A press on a button, or words that answer a prompt which hangs on no turn: handled at once, never queued. */
  | { readonly _tag: "Press" }
  | { readonly _tag: "Command"; readonly name: string; readonly policy: BusyPolicy }

/** Why a turn was stopped (`conversation S6`). `shutdown` leaves its Inbox row undone: it runs again after the start. */
export type StopReason = "stop" | "newer" | "reset" | "connector" | "revoked" | "shutdown"

/** What the sender of a follow-up is told (`conversation Y7`, Q1). */
export type Notice = "interrupting" | "queued" | "steered" | "many-waiting" | "draining" | "subagents" | "compression"

/** What a message does while a turn runs (`conversation Y1`). */
export type BusyMode = "interrupt" | "queue" | "steer"

export interface Busy {
  readonly mode: BusyMode
  /** Why the turn is not interrupted though it would be. */
  readonly because: "subagents" | "compression" | null
}

/** One run of the agent, as its fiber sees it. */
export interface Turn {
  /** The message; of several that were joined, the last one with all their content (`conversation B1`, Q3). */
  readonly row: InboxRow
  /** The other rows that it stands for: they end with it. */
  readonly joined: ReadonlyArray<InboxRow>
  readonly sessionKey: string
  /** Counts the turns of this actor; what an older generation still reports is ignored (`conversation S2`). */
  readonly generation: number
  /** The conversation it belongs to; its id exists before the first turn runs (`session R4`). */
  readonly route: Route
  readonly begun: Begun
  /** Set before the fiber is interrupted, so that its finalizer knows why. */
  readonly stopReason: () => StopReason | null
  /** Tells the actor that the turn waits for an answer, or no longer does. */
  readonly awaiting: (waits: boolean) => void
  /** Tells the actor what of its route is stored by now. */
  readonly routed: (route: Route) => void
}

/** What a command may know about its session when it runs. */
export interface SessionView {
  readonly sessionKey: string
  readonly route: Route | null
  readonly running: InboxRow | null
  /** A turn was running when the command came, and was stopped because of it. */
  readonly stopped: boolean
  readonly queued: number
  /** Waiting messages that the command took out of the queue; they end with its row (`conversation Q8`). */
  readonly dropped: ReadonlyArray<InboxRow>
  readonly routed: (route: Route | null) => void
}

export class Turns extends Context.Service<
  Turns,
  {
    readonly classify: (row: InboxRow) => Classified
    /** What a follow-up does to the turn that runs since `startedAt`, and why it must wait if it must (`conversation Y1`, Y5). */
    readonly busy: (row: InboxRow, startedAt: number) => Busy
    /** Ends when the turn's outcome is on disk (or deliberately not, see `StopReason`). Never fails. */
    readonly run: (turn: Turn) => Effect.Effect<void>
    /**
     * Carries a command out and ends its row in the transaction that stores its answer (`commands D9`); gives the rows that
     * it put into the Inbox with it.
     */
    readonly execute: (row: InboxRow, name: string, session: SessionView) => Effect.Effect<ReadonlyArray<InboxRow>>
    /** Handles a press; `null`: the row is no answer after all, treat it as a message. Else the rows that it put into the Inbox. */
    readonly press: (sessionKey: string, row: InboxRow) => Effect.Effect<ReadonlyArray<InboxRow> | null>
    /** Hands a message to the running turn that asked for an answer. `false`: it no longer waits; treat it as a message. */
    readonly answer: (sessionKey: string, row: InboxRow) => Effect.Effect<boolean>
    /**
     * Hands a message to the running agent; its row then ends with the turn. `false`: it cannot take it; treat it as a
     * follow-up (`conversation Y4`).
     */
    readonly steer: (sessionKey: string, row: InboxRow) => Effect.Effect<boolean>
    /** Tells the sender of a follow-up what became of it, at most as often as `conversation Y7` allows. */
    readonly tell: (row: InboxRow, notice: Notice) => Effect.Effect<void>
    /** Stores that a row waits outside the mailbox (`refused`) or inside it again. */
    readonly mark: (row: InboxRow, state: "refused" | "waiting") => Effect.Effect<void>
    /** A session has far too many undone rows: this one is given up and its sender told (`conversation Q1`). */
    readonly overflow: (row: InboxRow) => Effect.Effect<void>
  }
>()("Session/Turns") {}
