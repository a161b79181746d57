/**
 * What one slash command is: name, arguments, when and where it may run, what it does (`commands`). Parsing, help, menus,
 * access and the documentation are derived from these values alone. A command says what is answered and written; it sends
 * nothing itself.
 */
import type { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { Agent, Answer } from "../../Agent/Agent.ts"
import type { Settings } from "../../Config/Settings.ts"
import type { MessageEvent } from "../../Message/MessageEvent.ts"
import type { Sessions } from "../../Session/Sessions.ts"
import type { BusyPolicy, SessionView } from "../../Session/Turns.ts"
import type { Write } from "../../Storage/BatchStatement.ts"
import type { InboxRow } from "../../Storage/Inbox.ts"
import type { Transcript } from "../../Storage/Transcript.ts"
import type { Prompt } from "../Prompts.ts"
import type { TurnRunner } from "../TurnRunner.ts"
import type { Caller } from "./Caller.ts"
import type { GatewayControls } from "./GatewayControls.ts"
import type { Entry } from "./Help.ts"
import type { Offer } from "./Offer.ts"
import type { Skills } from "./Skills.ts"

/** Whose it is: ours; ours but with something of the agent; the agent's, passed on as text where it announces it. */
export type Owner = "gateway" | "both" | "agent"

/** What it changes: nothing, this session, the configuration of all, or the machine (`commands A5`). */
export type CommandClass = "ordinary" | "session" | "configuration" | "host"

export type Group = "Session" | "Configuration" | "Tools and skills" | "Information and operation"

export interface Invocation {
  readonly row: InboxRow
  /** Canonical. */
  readonly name: string
  readonly args: string
  readonly session: SessionView
  /** What the session's turn asked and still waits for, if the caller may answer it. */
  readonly prompt: Prompt | null
  readonly caller: Caller
  readonly offer: Offer
  /** What the caller may type here. */
  readonly entries: () => ReadonlyArray<Entry>
  readonly now: number
  /** In [0, 1). */
  readonly random: number
}

/** What a command does. All of it is one transaction with the end of its row, except `later`. */
export interface Outcome {
  /** "" = nothing is sent (`commands D7`). */
  readonly text: string
  readonly writes?: ReadonlyArray<Write>
  /** Answers the waiting prompt, after the commit. */
  readonly answer?: Answer
  /** After the commit. */
  readonly routed?: Parameters<SessionView["routed"]>[0]
  /** Runs as a turn of its own, behind what waits already: taken into the Inbox in the same transaction. */
  readonly turn?: MessageEvent
  /** The session of that turn, if it is another one (`conversation J1`). */
  readonly beside?: string
  /** Asks first: nothing else of this outcome counts (`conversation F`). */
  readonly ask?: string
  /** Short, after the commit. */
  readonly after?: Effect.Effect<void>
  /** Acts outside the store, once, after the row is done (`commands D9`); what it says is a further answer. */
  readonly later?: Effect.Effect<string>
}

export type CommandNeeds = Agent | Settings | Sessions | Transcript | Skills | TurnRunner | GatewayControls

/** Nothing was changed; the command is tried again. */
export type CommandFailure = SqlError.SqlError

export type Run = (invocation: Invocation) => Effect.Effect<Outcome, CommandFailure, CommandNeeds>

export interface CommandDef {
  readonly name: string
  readonly aliases: ReadonlyArray<string>
  /** As shown: `[title]`, `TEXT`; "" = none. */
  readonly args: string
  readonly help: string
  readonly group: Group
  readonly owner: Owner
  /** During a turn (`commands W1`); some depend on their arguments. */
  readonly policy: BusyPolicy | ((args: string) => BusyPolicy)
  readonly class: CommandClass | ((args: string) => CommandClass)
  /** The reference knows it on its terminal alone, or in chats alone (`golden/command_resolve`). */
  readonly surface?: "terminal" | "chat"
  /** `false`: typed in a chat it says so (`commands D6`). */
  readonly inChats?: false
  /** Only on these platforms. */
  readonly platforms?: ReadonlyArray<string>
  /** Shown in help and menus only where this holds; typed elsewhere, it says what is missing. */
  readonly isOffered?: (offer: Offer) => boolean
  /** Its ground is missing in this program; it only says what that is. */
  readonly isMissing?: true
  /** Never in help or menus. */
  readonly isHidden?: true
  /** What is asked before it runs; `null` = nothing (`conversation F1`). */
  readonly confirm?: (invocation: Invocation) => string | null
  readonly run: Run
}

export const policyOf = (def: CommandDef, args: string): BusyPolicy =>
  typeof def.policy === "function" ? def.policy(args) : def.policy

export const classOf = (def: CommandDef, args: string): CommandClass =>
  typeof def.class === "function" ? def.class(args) : def.class
