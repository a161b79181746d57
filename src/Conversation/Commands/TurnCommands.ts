/** Commands about the running turn and what waits behind it (`commands`, Session: stop, queue, steer, background, approvals). */
import { Effect } from "effect"
import { Agent } from "../../Agent/Agent.ts"
import type { MessageEvent, MessageType } from "../../Message/MessageEvent.ts"
import * as Background from "../Background.ts"
import * as Texts from "../Texts.ts"
import { TurnRunner } from "../TurnRunner.ts"
import type { CommandDef, Invocation, Outcome, Run } from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"
import { GatewayControls } from "./GatewayControls.ts"

/** `conversation J1`. */
const backgroundPerChat = 4
const backgroundInAll = 32
const shownTurns = 12
const reasonBound = 280

const typeOf = ({ media }: MessageEvent): MessageType =>
  media.length === 0 ? "text" : media[0]!.kind === "image" ? "photo" : "document"

/** The command's message as the message that it carries: its media and what it replies to are kept (`conversation Q2`). */
export const messageOf = (event: MessageEvent, text: string): MessageEvent => ({ ...event, text, type: typeOf(event) })

const isEmpty = ({ args, row }: Invocation): boolean => args.trim() === "" && row.event.media.length === 0

const queue: Run = (invocation) => {
  const { args, row, session } = invocation
  if (isEmpty(invocation)) return Effect.succeed({ text: Said.usage("queue", "TEXT") })
  return Effect.succeed({
    text: session.running === null ? "" : Said.turn.queued(session.queued + 1),
    turn: messageOf(row.event, args)
  })
}

const steer: Run = Effect.fnUntraced(function* (invocation) {
  const { args, row, session } = invocation
  if (isEmpty(invocation)) return { text: Said.usage("steer", "TEXT") }
  const turn = messageOf(row.event, args)
  if (session.running === null) return { text: "", turn }
  const runner = yield* TurnRunner
  if (row.event.media.length === 0 && (yield* runner.steer(session.sessionKey, { ...row, event: turn }))) {
    return { text: Said.turn.steered(args) }
  }
  return { text: Said.turn.steerQueued, turn }
})

const background: Run = Effect.fnUntraced(function* (invocation) {
  const { args, row, session } = invocation
  if (isEmpty(invocation)) return { text: Said.usage("background", "TEXT") }
  const controls = yield* GatewayControls
  const turns = controls.get("turns")
  if (turns === null) return { text: Said.dispatch.notHere("background") }
  const running = turns().filter((turn) => Background.isBackground(turn.sessionKey))
  const here = running.filter((turn) => turn.sessionKey.startsWith(`${session.sessionKey}#`))
  if (here.length >= backgroundPerChat) return { text: Said.turn.backgroundFull(backgroundPerChat, "per chat") }
  if (running.length >= backgroundInAll) return { text: Said.turn.backgroundFull(backgroundInAll, "in all") }
  const id = Background.idOf(row)
  return {
    text: Said.turn.background(id, args),
    turn: messageOf(row.event, args),
    beside: Background.keyOf(session.sessionKey, id)
  }
})

const decided =
  (choice: "once" | "session" | "always" | "deny", text: string) =>
  ({ prompt }: Invocation): Outcome =>
    prompt?.kind === "approval" ? { text, answer: { _tag: "Decision", choice } } : { text: Texts.nothingWaits }

/** The reason is passed on in the user's own words (`conversation A6`). */
const deny = (invocation: Invocation): Outcome => {
  const outcome = decided("deny", Said.turn.denied)(invocation)
  const reason = Array.from(invocation.args.replace(/^all\b/i, "").trim())
    .slice(0, reasonBound)
    .join("")
  return outcome.answer?._tag === "Decision" && reason !== ""
    ? { ...outcome, answer: { ...outcome.answer, reason } }
    : outcome
}

const approve = (invocation: Invocation): Outcome => {
  const words = invocation.args.trim().toLowerCase().split(/\s+/)
  const scope = words.includes("always") ? "always" : words.includes("session") ? "session" : "once"
  return decided(scope, Said.turn.approved(scope))(invocation)
}

const agents: Run = Effect.fnUntraced(function* ({ caller, now, session }) {
  const turns = (yield* GatewayControls).get("turns")
  if (turns === null) return { text: Said.dispatch.notHere("agents") }
  const ofHere = (key: string) => key === session.sessionKey || key.startsWith(`${session.sessionKey}#`)
  const all = turns().filter(({ sessionKey }) => caller.tier !== "user" || ofHere(sessionKey))
  if (all.length === 0) return { text: Said.information.noTurns }
  const agent = yield* Agent
  const lines = all.slice(0, shownTurns).map(({ isStopping, row, sessionId, sessionKey }, i) => {
    const seconds = Math.max(0, Math.round((now - row.takenAt) / 1000))
    const marks = [Background.isBackground(sessionKey) ? "background" : "", ofHere(sessionKey) ? "this chat" : ""]
    const notes = marks.filter((mark) => mark !== "").map((mark) => ` (${mark})`)
    return `${i + 1}. ${sessionKey}: ${isStopping ? "stopping" : "running"}, ${seconds} s, ${sessionId ?? "new"}, ${agent.name}${notes.join("")}`
  })
  const more = all.length > shownTurns ? [`… and ${all.length - shownTurns} more`] : []
  return { text: [`Running: ${all.length}`, ...lines, ...more].join("\n") }
})

const common = { group: "Session", owner: "gateway", class: "session" } as const

export const turnCommands: ReadonlyArray<CommandDef> = [
  {
    ...common,
    name: "stop",
    aliases: [],
    args: "",
    help: "Stop the running task and forget what waits behind it",
    policy: "stop",
    run: ({ session }) =>
      Effect.succeed({ text: session.stopped || session.dropped.length > 0 ? Texts.stopped : Texts.nothingToStop })
  },
  {
    ...common,
    name: "queue",
    aliases: ["q"],
    args: "TEXT",
    help: "Run this after the current task",
    policy: "now",
    run: queue
  },
  {
    ...common,
    name: "steer",
    aliases: [],
    args: "TEXT",
    help: "Hand text to the running agent",
    owner: "both",
    policy: "now",
    run: steer
  },
  {
    ...common,
    name: "background",
    aliases: ["bg", "btw"],
    args: "TEXT",
    help: "Work on this beside the conversation",
    policy: "now",
    class: "ordinary",
    run: background
  },
  {
    ...common,
    name: "agents",
    aliases: ["tasks"],
    args: "",
    help: "Show what is running",
    policy: "now",
    class: "ordinary",
    run: agents
  },
  {
    ...common,
    name: "approve",
    aliases: [],
    args: "[all] [session, always]",
    help: "Allow what the agent asks",
    surface: "chat",
    policy: "now",
    run: (invocation) => Effect.succeed(approve(invocation))
  },
  {
    ...common,
    name: "deny",
    aliases: [],
    args: "[all] [reason]",
    help: "Refuse what the agent asks",
    surface: "chat",
    policy: "now",
    run: (invocation) => Effect.succeed(deny(invocation))
  }
]
