/**
 * The slash commands that the gateway itself answers (`commands`): one table from which parsing, policy and help come. A
 * handler says what is answered and what is written with it; it sends nothing itself.
 */
import { Duration } from "effect"
import type { Answer } from "../Agent/Agent.ts"
import * as SessionId from "../Session/SessionId.ts"
import type { BusyPolicy, SessionView } from "../Session/Turns.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import type { InboxRow, NewInboxRow } from "../Storage/Inbox.ts"
import { closed, opened } from "../Storage/Transcript.ts"
import type { Prompt } from "./Prompts.ts"
import * as Texts from "./Texts.ts"

export interface Invocation {
  readonly row: InboxRow
  readonly args: string
  readonly session: SessionView
  /** What the session's turn asked and still waits for. */
  readonly prompt: Prompt | null
  readonly now: number
  /** In [0, 1). */
  readonly random: number
}

/** What a command does: the answer, what is written in the same transaction, and what it tells the waiting agent. */
export interface Outcome {
  readonly text: string
  readonly writes?: ReadonlyArray<Write>
  readonly answer?: Answer
  /** Messages that the command puts into the Inbox in the same transaction. */
  readonly taken?: ReadonlyArray<NewInboxRow>
  /** After the commit. */
  readonly routed?: Parameters<SessionView["routed"]>[0]
}

/** Setting and preference that switch the question off. */
export const confirmKey = "approvals.destructive_slash_confirm"

export interface CommandDef {
  readonly name: string
  readonly aliases: ReadonlyArray<string>
  readonly args: string
  readonly help: string
  readonly policy: BusyPolicy
  /** What is asked before it runs; `null` = nothing (`conversation F1`). */
  readonly confirm?: (invocation: Invocation) => string | null
  readonly run: (invocation: Invocation) => Outcome
}

const status = ({ now, session }: Invocation): string => {
  const { queued, route, running } = session
  return [
    `Conversation: ${route?.sessionId ?? "not begun"}`,
    running === null
      ? "Running: nothing"
      : `Running: yes, for ${Math.round(Duration.toSeconds(Duration.millis(now - running.takenAt)))} s`,
    `Waiting: ${queued}`
  ].join("\n")
}

/** Only the boundary is made; the first turn of the new conversation stores its session row with itself (`session C1`). */
const fresh = ({ now, random, row, session }: Invocation): Outcome => {
  const route = { sessionKey: session.sessionKey, sessionId: SessionId.make(now, random), createdAt: now }
  return {
    text: Texts.freshSession,
    writes: [
      ...(session.route === null ? [] : [closed(session.route.sessionId, "session_reset", now)]),
      ...opened(route, row.event.source)
    ],
    routed: route
  }
}

const decide =
  (choice: "once" | "session" | "always" | "deny") =>
  ({ prompt }: Invocation): Outcome =>
    prompt?.kind === "approval"
      ? { text: choice === "deny" ? "Denied." : `Approved (${choice}).`, answer: { _tag: "Decision", choice } }
      : { text: Texts.nothingWaits }

export const commands: ReadonlyArray<CommandDef> = [
  {
    name: "new",
    aliases: ["reset"],
    args: "",
    help: "Start a new conversation",
    policy: "stop",
    // While a turn runs it stops the turn and starts afresh at once.
    confirm: ({ session }) => (session.running === null ? Texts.confirmNew : null),
    run: fresh
  },
  {
    name: "stop",
    aliases: [],
    args: "",
    help: "Stop the running task and forget what waits behind it",
    policy: "stop",
    run: ({ session }) => ({
      text: session.stopped || session.dropped.length > 0 ? Texts.stopped : Texts.nothingToStop
    })
  },
  {
    name: "status",
    aliases: [],
    args: "",
    help: "Show this conversation",
    policy: "now",
    run: (invocation) => ({ text: status(invocation) })
  },
  {
    name: "approve",
    aliases: [],
    args: "[session, always]",
    help: "Allow what the agent asks",
    policy: "now",
    run: (invocation) => {
      const scope = invocation.args.trim().toLowerCase()
      return decide(scope === "session" || scope === "always" ? scope : "once")(invocation)
    }
  },
  {
    name: "deny",
    aliases: [],
    args: "",
    help: "Refuse what the agent asks",
    policy: "now",
    run: decide("deny")
  },
  {
    name: "help",
    aliases: ["commands"],
    args: "",
    help: "Show this list",
    policy: "now",
    run: () => ({ text: help() })
  }
]

const help = (): string =>
  commands.map(({ args, help, name }) => `/${name}${args === "" ? "" : ` ${args}`}: ${help}`).join("\n")

const byName = new Map(
  commands.flatMap((command) => [command.name, ...command.aliases].map((name) => [name, command] as const))
)

export const find = (name: string): CommandDef | null => byName.get(name) ?? null
