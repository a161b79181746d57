/**
 * Commands that do nothing of their own here: those of the agent, passed on as text where it announces them; those whose
 * ground is missing, which say what is missing; and those of the terminal. None of them ever reaches the agent as raw text
 * by mistake (`commands D4`, D6).
 */
import { Effect } from "effect"
import type { CommandClass, CommandDef, Group, Run } from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"

/** `commands` By agent: the prompt is what was typed. */
const passedOn: Run = ({ name, offer, row }) =>
  Effect.succeed(
    offer.announced.some((command) => command.name === name)
      ? { text: "", turn: { ...row.event, type: "text" } }
      : { text: Said.dispatch.notOfThisAgent(name, offer.agent.name) }
  )

const ofAgent = (
  name: string,
  group: Group,
  commandClass: CommandClass,
  args: string,
  help: string,
  more: Partial<CommandDef> = {}
): CommandDef => ({
  name,
  aliases: [],
  args,
  help,
  group,
  owner: "agent",
  policy: "no",
  class: commandClass,
  isOffered: ({ announced }) => announced.some((command) => command.name === name),
  run: passedOn,
  ...more
})

export const agentCommands: ReadonlyArray<CommandDef> = [
  ofAgent("rollback", "Session", "host", "[number or hash]", "List or restore file checkpoints", { owner: "both" }),
  ofAgent("moa", "Session", "session", "TEXT", "One turn with a mixture of agents"),
  ofAgent("codex-runtime", "Configuration", "configuration", "[auto, codex_app_server]", "Choose the runtime", {
    aliases: ["codex_runtime"]
  }),
  ofAgent(
    "memory",
    "Tools and skills",
    "configuration",
    "[pending, approve ID, reject ID]",
    "Review what is remembered",
    {
      owner: "both"
    }
  ),
  ofAgent(
    "skills",
    "Tools and skills",
    "configuration",
    "[pending, approve, reject, diff ID]",
    "Review staged skills",
    {
      owner: "both",
      surface: "terminal"
    }
  ),
  ofAgent("learn", "Tools and skills", "ordinary", "[TEXT]", "Make a skill of what was done"),
  ofAgent("curator", "Tools and skills", "configuration", "…", "Look after the skills"),
  ofAgent("credits", "Information and operation", "ordinary", "", "Show the credits", { aliases: ["topup"] }),
  ofAgent("context", "Session", "ordinary", "", "Show what fills the context", { aliases: ["ctx"], policy: "now" }),
  ...(["plan", "review", "init", "refine"] as const).map((name) =>
    ofAgent(name, "Session", "ordinary", "[TEXT]", `Prompt of the agent: ${name}`)
  )
]

const without = (
  name: string,
  group: Group,
  commandClass: CommandClass,
  args: string,
  help: string,
  more: Partial<CommandDef> = {}
): CommandDef => ({
  name,
  aliases: [],
  args,
  help,
  group,
  owner: "gateway",
  policy: "now",
  class: commandClass,
  isMissing: true,
  run: () => Effect.succeed({ text: Said.missing[name] ?? Said.dispatch.notHere(name) }),
  ...more
})

export const missingCommands: ReadonlyArray<CommandDef> = [
  without("goal", "Session", "session", "TEXT, status, pause, resume, clear", "Go on until a goal is reached"),
  without("subgoal", "Session", "session", "[TEXT, remove N, clear]", "Further criteria of the goal"),
  without("topic", "Session", "session", "[off, help, ID]", "Several conversations as topics", {
    surface: "chat",
    platforms: ["telegram"]
  }),
  without("fast", "Configuration", "configuration", "[fast, normal, status]", "Priority processing", { owner: "both" }),
  without("personality", "Configuration", "configuration", "[name, none]", "How the agent speaks", { owner: "both" }),
  without("voice", "Configuration", "session", "[on, off, tts, status]", "Spoken replies"),
  without("approvals", "Configuration", "configuration", "[manual, smart, off]", "How approvals are decided"),
  without("blueprint", "Tools and skills", "configuration", "[name] [slot=value …]", "Templates of automations", {
    aliases: ["bp"]
  }),
  without("suggestions", "Tools and skills", "configuration", "[accept N, dismiss N]", "Suggested automations", {
    aliases: ["suggest"]
  }),
  without("kanban", "Tools and skills", "configuration", "ACTION …", "The task board"),
  without("reload-mcp", "Tools and skills", "host", "", "Read the agent's MCP servers anew", {
    aliases: ["reload_mcp"],
    owner: "both"
  }),
  without("insights", "Information and operation", "ordinary", "[days]", "Use of the last days"),
  without("update", "Information and operation", "host", "", "Update this program"),
  without("pause", "Information and operation", "host", "[reason, off]", "Stop all new work")
]

const inTerminal: Readonly<Record<string, ReadonlyArray<string>>> = {
  browser: [],
  clear: [],
  config: [],
  copy: [],
  cron: [],
  handoff: [],
  history: [],
  image: [],
  indicator: [],
  paste: [],
  platforms: ["gateway"],
  plugins: [],
  prompt: [],
  quit: ["exit"],
  redraw: [],
  reload: [],
  save: [],
  skin: [],
  snapshot: [],
  statusbar: ["sb"],
  timestamps: ["ts"],
  tools: [],
  toolsets: []
}

export const terminalCommands: ReadonlyArray<CommandDef> = Object.entries(inTerminal).map(([name, aliases]) => ({
  name,
  aliases,
  args: "",
  help: "In the terminal only",
  group: "Session",
  owner: "gateway",
  policy: "now",
  class: "ordinary",
  surface: "terminal",
  inChats: false,
  isHidden: true,
  run: () => Effect.succeed({ text: Said.dispatch.terminalOnly(name) })
}))
