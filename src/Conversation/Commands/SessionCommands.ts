/** Commands that begin, name, find, copy and cut conversations (`commands`, Session; `session C`). */
import { Effect } from "effect"
import { type Listed, Sessions } from "../../Session/Sessions.ts"
import * as Texts from "../Texts.ts"
import { askerOf, forgotten, planned, refusalText } from "./Asking.ts"
import type { CommandDef, Invocation, Run } from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"
import { compress } from "./Compress.ts"
import { messageOf } from "./TurnCommands.ts"

const listedBound = 10

const fresh: Run = Effect.fnUntraced(function* (invocation) {
  const wanted = invocation.args.trim()
  const sessions = yield* Sessions
  const plan = yield* sessions.startFresh(askerOf(invocation), wanted === "" ? null : wanted)
  const title =
    plan.titleRefused === null
      ? plan.title === null
        ? []
        : [Said.session.freshTitle(plan.title)]
      : [refusalText(plan.titleRefused)]
  const old = invocation.session.route?.choices.model ?? null
  const choices = old === null ? [] : [Said.session.choicesDropped]
  return {
    text: [Texts.freshSession, ...title, ...choices].join("\n"),
    writes: plan.writes,
    routed: plan.route,
    after: yield* forgotten(invocation)
  }
})

const title: Run = Effect.fnUntraced(function* (invocation) {
  const sessions = yield* Sessions
  const asker = askerOf(invocation)
  if (invocation.args.trim() !== "") {
    return yield* planned(sessions.setTitle(asker, invocation.args), ({ title }) => ({
      text: Said.session.titleSet(title)
    }))
  }
  const { route } = invocation.session
  if (route === null) return { text: Said.session.noSession }
  return { text: Said.session.titleIs(yield* sessions.title(asker), route.sessionId) }
})

/** Turns taken back by `/undo`; `null`: not a number (`commands`, `/undo`). */
const turnsOf = (args: string): number | null => {
  const word = args.trim()
  if (word === "") return 1
  return /^[+-]?\d{1,6}$/.test(word) ? Math.max(1, Number(word)) : null
}

const undo: Run = Effect.fnUntraced(function* (invocation) {
  const turns = turnsOf(invocation.args)
  if (turns === null) return { text: Said.usage("undo", "[N]") }
  const sessions = yield* Sessions
  const after = yield* forgotten(invocation)
  return yield* planned(sessions.undo(askerOf(invocation), turns), (plan) => ({
    text: Said.session.undone(plan.turns, plan.messages, plan.text),
    after
  }))
})

const retry: Run = Effect.fnUntraced(function* (invocation) {
  const sessions = yield* Sessions
  const after = yield* forgotten(invocation)
  return yield* planned(sessions.retry(askerOf(invocation)), ({ media, text }) => ({
    text: "",
    turn: messageOf({ ...invocation.row.event, media, replyTo: null }, text),
    after
  }))
})

const branch: Run = Effect.fnUntraced(function* (invocation) {
  const wanted = invocation.args.trim()
  const sessions = yield* Sessions
  return yield* planned(sessions.branch(askerOf(invocation), wanted === "" ? null : wanted), (plan) => ({
    text: Said.session.branched(
      plan.title,
      invocation.session.route?.sessionId ?? null,
      plan.route.sessionId,
      plan.messages
    )
  }))
})

const lineOf = ({ isCurrent, lastActivityAt, messages, number, preview, sessionId, title }: Listed, full: boolean) => {
  const shown = Array.from(preview)
  const words = shown.length > 40 ? `${shown.slice(0, 39).join("")}…` : preview
  const name = title ?? words
  const second = title === null || words === "" ? "" : `\n    ${words}`
  return `${number}. ${isCurrent ? "📌 " : ""}${name === "" ? sessionId : name}${second}${
    full ? `\n    ${sessionId}, ${messages} messages, ${Said.time(lastActivityAt)}` : ""
  }`
}

const list = (listed: ReadonlyArray<Listed>, full: boolean, none: string): string =>
  listed.length === 0 ? none : [...listed.map((line) => lineOf(line, full)), Said.session.listTail].join("\n")

const wide = /(?:^|\s)--(?:all|cross-room)(?=\s|$)/g

const resumeTo = Effect.fnUntraced(function* (invocation: Invocation, target: string, all: boolean) {
  const sessions = yield* Sessions
  const after = yield* forgotten(invocation)
  return yield* planned(sessions.resume(askerOf(invocation, all ? "all" : "own"), target), (plan) => ({
    text: Said.session.resumed(plan.title, plan.userMessages),
    after
  }))
})

const resume: Run = Effect.fnUntraced(function* (invocation) {
  const all = /(?:^|\s)--(?:all|cross-room)(?=\s|$)/.test(invocation.args)
  const target = invocation.args.replaceAll(wide, "").trim()
  // "No list, so everyone is admin" does not open other people's conversations (`commands A4`).
  if (all && !invocation.caller.isConfiguredAdmin) return { text: Said.session.allDenied }
  if (target !== "") return yield* resumeTo(invocation, target, all)
  const sessions = yield* Sessions
  const listed = yield* sessions.list(askerOf(invocation, all ? "all" : "own"), {
    titledOnly: true,
    query: null,
    limit: listedBound
  })
  return { text: list(listed, false, Said.session.nothingListed) }
})

const showSessions: Run = Effect.fnUntraced(function* (invocation) {
  const words = invocation.args
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "")
  let all = false
  let full = false
  while (words[0] === "all" || words[0] === "full") {
    if (words.shift() === "all") all = true
    else full = true
  }
  if (all && !invocation.caller.isConfiguredAdmin) return { text: Said.session.allDenied }
  const isSearch = words[0]?.toLowerCase() === "search"
  const rest = words.slice(isSearch ? 1 : 0).join(" ")
  if (isSearch && rest === "") return { text: Said.usage("sessions", "search TEXT") }
  if (!isSearch && rest !== "") return yield* resumeTo(invocation, rest, all)
  const sessions = yield* Sessions
  const listed = yield* sessions.list(askerOf(invocation, all ? "all" : "own"), {
    titledOnly: false,
    query: isSearch ? rest : null,
    limit: listedBound
  })
  return { text: list(listed, full, isSearch ? Said.session.nothingFound : Said.session.nothingListed) }
})

const common = { aliases: [], args: "", group: "Session", owner: "gateway", policy: "no", class: "session" } as const

export const sessionCommands: ReadonlyArray<CommandDef> = [
  {
    ...common,
    name: "new",
    aliases: ["reset"],
    args: "[title]",
    help: "Start a new conversation",
    policy: "stop",
    // While a turn runs it stops the turn and starts afresh at once.
    confirm: ({ session }) => (session.running === null ? Said.session.confirmNew : null),
    run: fresh
  },
  { ...common, name: "retry", help: "Run your last message again", owner: "agent", run: retry },
  {
    ...common,
    name: "undo",
    args: "[N]",
    help: "Take your last messages back",
    confirm: ({ args }) => {
      const turns = turnsOf(args)
      return turns === null ? null : Said.session.confirmUndo(turns)
    },
    run: undo
  },
  { ...common, name: "title", args: "[text]", help: "Show or set this conversation's title", run: title },
  {
    ...common,
    name: "resume",
    args: "[title, number or id] [--all] [--cross-room]",
    help: "Go back to an earlier conversation",
    run: resume
  },
  {
    ...common,
    name: "sessions",
    args: "[all] [full] [search TEXT] [target]",
    help: "List conversations",
    run: showSessions
  },
  { ...common, name: "branch", aliases: ["fork"], args: "[title]", help: "Go on in a copy", run: branch },
  {
    ...common,
    name: "compress",
    aliases: ["compact"],
    args: "[here [N]] [focus words] [--preview, --dry-run]",
    help: "Replace what was said by a summary",
    owner: "both",
    isOffered: ({ agent }) => agent.compress !== undefined,
    run: compress
  }
]
