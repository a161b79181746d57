/**
 * The only way into the gateway: an adapter hands over what it decoded, access is decided, and the event is in the
 * Inbox, committed, before `take` returns (law 2). It never waits for a turn.
 */
import { Context, type Effect } from "effect"
import type { MessageEvent } from "../Message/MessageEvent.ts"
import type { Provenance } from "../Message/Source.ts"
import type { JournalError } from "../Storage/Journal.ts"

export interface Inbound {
  readonly event: MessageEvent
  readonly provenance: Provenance
  /** The link it came over (`Outlet.link`); the answer leaves by the same one. */
  readonly link: string
  /** Where duplicates are looked for, when the link speaks for several bots (`relay I3a`); absent = the link. */
  readonly scope?: string
  /** The transport's own delivery id (`bufferId`, update id), where there is one: the second duplicate check. */
  readonly bufferId: string | null
}

/** `taken`: stored now. `duplicate`: stored earlier. `refused`: the sender may not speak, or it is a press on another gateway's prompt; only counted. All may be acknowledged. */
export type IntakeOutcome = "taken" | "duplicate" | "refused"

export class Intake extends Context.Service<
  Intake,
  {
    /**
     * Stores a batch in its order and rings the sessions concerned. Succeeds after the durable commit, with one outcome
     * per event; fails when storage cannot be written, and then nothing may be acknowledged.
     */
    readonly take: (batch: ReadonlyArray<Inbound>) => Effect.Effect<ReadonlyArray<IntakeOutcome>, JournalError>
    /** Keeps what could not be decoded as a `dead` row (at most 64 KiB of it), so that it may be acknowledged (`relay I3a`). */
    readonly bury: (dead: {
      readonly link: string
      readonly bufferId: string
      readonly raw: string
      readonly reason: string
    }) => Effect.Effect<void, JournalError>
    /** Stops the running turn of a session, keeps its queue (`relay I6`). `false`: no turn runs under that key. */
    readonly interrupt: (sessionKey: string, chatId: string) => Effect.Effect<boolean>
  }
>()("Session/Intake") {}
