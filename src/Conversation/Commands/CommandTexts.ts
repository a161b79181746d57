/** What slash commands say, in one place (`commands`: the table gives the substance, this file the words). */

const first = (text: string, length: number): string => {
  const shown = Array.from(text.replaceAll(/\s+/g, " ").trim())
  return shown.length > length ? `${shown.slice(0, length - 1).join("")}…` : shown.join("")
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`

export const time = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`

export const usage = (name: string, args: string): string => `Usage: /${name}${args === "" ? "" : ` ${args}`}`

export const dispatch = {
  unknown: (name: string, nearest: string | null): string =>
    `Unknown command /${name}.${nearest === null ? "" : ` Did you mean /${nearest}?`} /commands lists all. ` +
    "To send the text to the agent, write it without the slash.",
  terminalOnly: (name: string): string => `/${name} works only in the terminal.`,
  otherPlatform: (name: string, platforms: ReadonlyArray<string>): string =>
    `/${name} works only on ${platforms.join(", ")}.`,
  notDuringTurn: (name: string): string =>
    `⏳ /${name} cannot run while a task is running. Wait for its end, or end it with /stop.`,
  hostInGroup: (name: string): string =>
    `⛔ /${name} acts on the gateway's machine: in groups it is for configured admins only.`,
  notOfThisAgent: (name: string, agent: string): string => `The agent here (${agent}) does not have /${name}.`,
  hookDenied: (name: string): string => `⛔ A hook of this gateway blocked /${name}.`,
  notHere: (name: string): string => `/${name} is not possible in this process.`,
  busyActing: "⏳ Too many commands are at work. Try again in a moment."
}

export const commandLimits = {
  execAnswer: (output: string, end: "exit" | "time" | "bytes", code: number | null): string => {
    const why =
      end === "time"
        ? "⏱️ Stopped after 30 s."
        : end === "bytes"
          ? "✂️ Stopped: it wrote more than 64 KiB."
          : code === 0 || code === null
            ? ""
            : `❌ Exit code ${code}.`
    const text = output === "" ? (why === "" ? "Done, without output." : "") : output
    return [text, why].filter((part) => part !== "").join("\n")
  },
  aliasMissing: (name: string, target: string): string =>
    `/${name} stands for /${target}, which does not exist. Correct quick_commands.${name} in the configuration.`,
  aliasChain: (name: string, target: string): string =>
    `/${name} stands for /${target}, which is another name itself; only one step is followed.`
}

export const skill = {
  disabled: (name: string): string => `The skill /${name} is disabled here. Its file in the skills folder says so.`,
  tooMany: (limit: number): string => `At most ${limit} skills in one message.`,
  reloaded: (change: {
    readonly added: ReadonlyArray<string>
    readonly removed: ReadonlyArray<string>
    readonly total: number
  }): string =>
    [
      `🔄 ${count(change.total, "skill")}.`,
      change.added.length === 0 ? "" : `Added: ${change.added.join(", ")}.`,
      change.removed.length === 0 ? "" : `Removed: ${change.removed.join(", ")}.`,
      change.added.length + change.removed.length === 0 ? "Nothing changed." : ""
    ]
      .filter((part) => part !== "")
      .join(" "),
  noBundles: "No skill bundles are installed.",
  expanded: (skills: ReadonlyArray<{ readonly name: string; readonly content: string }>, text: string): string =>
    [...skills.map(({ content, name }) => `[Skill: ${name}]\n${content}\n[End of skill: ${name}]`), text]
      .filter((part) => part !== "")
      .join("\n\n")
}

export const turn = {
  queued: (waiting: number): string =>
    waiting > 1 ? `⏳ Queued, number ${waiting} in the queue.` : "⏳ Queued: it runs after the current task.",
  steered: (text: string): string => `⏩ Passed on: "${first(text, 60)}"`,
  steerQueued: "⏳ The agent takes no text while it works; queued as the next message.",
  background: (id: string, text: string): string => `🔄 ${id} works on it: "${first(text, 60)}"`,
  backgroundFull: (limit: number, where: string): string =>
    `⏳ ${count(limit, "background task")} ${where} at most. Wait for one to end; /agents shows them.`,
  backgroundDone: (prompt: string): string => `✅ "${first(prompt, 60)}"`,
  approved: (scope: string): string =>
    scope === "once"
      ? "✅ Approved, this once."
      : scope === "session"
        ? "✅ Approved for this conversation."
        : "✅ Approved for good.",
  denied: "❌ Denied."
}

export const session = {
  choicesDropped: "The model you had chosen was for the conversation before; /model chooses again.",
  freshTitle: (title: string): string => `Title: ${title}.`,
  titleEmpty: "The title was empty, so it has none.",
  titleTooLong: (length: number, limit: number): string => `The title has ${length} characters; ${limit} is the limit.`,
  titleTaken: (sessionId: string): string => `That title belongs to ${sessionId} already.`,
  titleIs: (title: string | null, id: string): string => `${title === null ? "No title." : `Title: ${title}.`} (${id})`,
  titleSet: (title: string): string => `✏️ Title: ${title}`,
  noSession: "There is no conversation here yet. Send a message first.",
  noHistory: "Nothing has been said in this conversation yet. Send a message first.",
  notFound: "No such conversation. /sessions lists yours.",
  ambiguous: "Several conversations match. Use the number or the id that /sessions shows.",
  outOfRange: (n: number): string =>
    n === 0 ? "There is no conversation to go back to." : `There are ${n}; give a number from 1 to ${n}.`,
  alreadyThere: "📌 You are in that conversation already.",
  notAllowed: "⚠️ That conversation belongs to another chat or user.",
  tooLong: (messages: number, limit: number): string =>
    `⚠️ That conversation has ${messages} messages; ${limit} is the limit.`,
  resumed: (title: string | null, messages: number): string =>
    `↻ ${title === null ? "Back in that conversation" : `Back in "${title}"`}: ${count(messages, "message")} of yours.`,
  branched: (title: string, from: string | null, to: string, messages: number): string =>
    `⑂ "${title}" goes on from here with ${count(messages, "message")}: ${from ?? "?"} → ${to}`,
  undone: (turns: number, messages: number, text: string): string =>
    `↩️ ${count(turns, "turn")} taken back (${count(messages, "message")}). It began with:\n${Array.from(text).slice(0, 200).join("")}`,
  confirmUndo: (turns: number): string => `Take back the last ${count(turns, "turn")}?`,
  confirmNew: "Start a new conversation? What was said so far stays stored, but I will no longer see it.",
  nothingListed: "No conversations yet.",
  nothingFound: "Nothing was found.",
  listTail: "/resume NUMBER goes back to one.",
  allDenied: "⛔ Conversations of other chats are for configured admins only.",
  compressTooShort: "There is too little to compress: at least 4 messages are needed.",
  compressPreview: (messages: number, tokens: number): string =>
    `🗜️ ${count(messages, "message")}, about ${tokens} tokens, would become one summary. Nothing was changed.`,
  compressed: (messages: number, tokens: number, after: number): string =>
    `🗜️ ${count(messages, "message")} (about ${tokens} tokens) became one summary (about ${after} tokens).`,
  compressFailed: "⚠️ The summary failed, so nothing was changed.",
  compressRefused: "--aggressive is not offered: a summary replaces the history, nothing is thrown away without one."
}

export const configuration = {
  oneModel: (agent: string): string =>
    `The agent here (${agent}) decides about its model itself; there is nothing to choose.`,
  modelsFailed: "⚠️ The list of models could not be read, so nothing was changed.",
  modelIs: (model: string | null): string => `Model: ${model ?? "the agent's default"}`,
  modelSet: (model: string, provider: string | null): string =>
    `✅ ${model}${provider === null ? "" : ` (${provider})`} for this conversation.`,
  modelGlobal: "What new conversations begin with is the agent's own configuration. Nothing was changed.",
  modelUnknown: (name: string, nearest: string | null): string =>
    `No model is called "${first(name, 60)}".${nearest === null ? "" : ` Did you mean ${nearest}?`} /model lists them. Nothing was changed.`,
  modelReset: "✅ Back to the agent's own model.",
  noReasoning: (agent: string): string => `The agent here (${agent}) has no levels of reasoning to choose from.`,
  reasoningIs: (level: string | null, levels: ReadonlyArray<string>): string =>
    `Reasoning: ${level ?? "the agent's default"}. Choices: ${levels.join(", ")}, reset.`,
  reasoningSet: (level: string): string => `✅ Reasoning ${level} for this conversation.`,
  reasoningReset: "✅ Reasoning as the agent has it.",
  reasoningUnknown: (levels: ReadonlyArray<string>): string => `Choose one of ${levels.join(", ")}, or reset.`,
  reasoningGlobal: "What new conversations begin with is the agent's own configuration. Nothing was changed.",
  saved: (key: string, value: string): string => `✅ ${key} is now ${value}. Saved.`,
  notSaved: (why: string): string => `⚠️ The configuration was not changed: ${why}`,
  overridden: (key: string, by: string): string =>
    `⚠️ ${key} is set by ${by}, which wins over the file. Nothing was changed.`,
  verboseOff: "This command is off. display.tool_progress_command: true in the configuration switches it on.",
  yoloOn: "⚠️ From now on this conversation asks for no approvals. /yolo again ends that.",
  yoloOff: "✅ Approvals are asked for again.",
  busyIs: (mode: string): string => `A message during a task: ${mode}. Choices: interrupt, queue, steer.`,
  footerIs: (on: boolean): string => `Footer of final replies: ${on ? "on" : "off"}.`,
  footerExample: "Example: gpt-5 · 12% · ~/work",
  home: (platform: string, name: string): string => `✅ ${name} is now the home channel of ${platform}.`,
  restartNeeded: " It takes effect at the next start."
}

/** Why a command that is ours does nothing here: what is missing, in one line each. */
export const missing: Readonly<Record<string, string>> = {
  goal: "Goals need a model that judges each turn; this gateway has none yet.",
  subgoal: "There is no goal to add to: goals need a model that judges each turn.",
  topic: "Topics need the Telegram adapter in topic mode, which is not running here.",
  fast: "The agent here has no priority processing to switch.",
  personality: "The agent here takes no personalities.",
  voice: "Spoken replies need text-to-speech, which is not set up here.",
  approvals: "How approvals are decided is the agent's here; /yolo switches them off for one conversation.",
  blueprint: "There is no scheduler here that could run an automation.",
  suggestions: "There is no scheduler here, so there are no suggestions.",
  kanban: "There is no task board here.",
  "reload-mcp": "The agent here has no MCP servers that the gateway could reload.",
  insights: "No figures of use are kept here.",
  update: "No update command is configured.",
  pause: "Pausing all work is not possible from a chat; /platform pause NAME stops one platform."
}

export const information = {
  started: (program: string): string =>
    `👋 This is ${program}. Write a message and the agent answers; /help lists the commands.`,
  page: (page: number, pages: number, asked: number | null): string =>
    `Commands, page ${page} of ${pages}${asked !== null && asked !== page ? ` (there is no page ${asked})` : ""}` +
    (page < pages ? `; /commands ${page + 1} goes on` : ""),
  moreSkills: (n: number): string => `… and ${count(n, "more skill")}; /commands lists them`,
  nothingMatches: (filter: string): string => `No command matches "${first(filter, 40)}".`,
  version: (version: string): string => `Switchboard ${version}`,
  whoami: (who: {
    readonly platform: string
    readonly scope: string
    readonly userId: string | null
    readonly tier: string
    readonly commands: string
  }): string =>
    [
      `Platform: ${who.platform} (${who.scope})`,
      `User: ${who.userId ?? "unknown"}`,
      `Tier: ${who.tier}`,
      `Commands: ${who.commands}`
    ].join("\n"),
  profile: (profile: string, home: string | null): string =>
    `Profile: ${profile}${home === null ? "" : `\nHome: ${home}`}`,
  noTurns: "Nothing is running.",
  usage: (messages: number, tokens: number): string =>
    `Messages: ${messages}\nLast prompt: ${tokens <= 1 ? "the agent did not tell" : `${tokens} tokens`}`,
  summary: (of: {
    readonly title: string | null
    readonly startedAt: number
    readonly lastActivityAt: number
    readonly messages: number
    readonly lastPromptTokens: number
    readonly agent: string
    readonly choices: { readonly model: string | null; readonly reasoning: string | null; readonly yolo: boolean }
  }): ReadonlyArray<string> => [
    ...(of.title === null ? [] : [`Title: ${of.title}`]),
    `Begun: ${time(of.startedAt)}, last message: ${time(of.lastActivityAt)}`,
    `Agent: ${of.agent}${of.choices.model === null ? "" : `, model ${of.choices.model}`}${
      of.choices.reasoning === null ? "" : `, reasoning ${of.choices.reasoning}`
    }${of.choices.yolo ? ", asks for no approvals" : ""}`,
    `Messages: ${of.messages}${of.lastPromptTokens <= 1 ? "" : `, last prompt: ${of.lastPromptTokens} tokens`}`
  ],
  noReset: "The agent here has no usage limit that could be reset.",
  debugWritten: (file: string): string => `🧾 The report is in ${file} on the gateway's machine. Nothing was uploaded.`,
  debugInDm: "🧾 The report was written on the gateway's machine. Ask in a direct message to see it."
}

export const operation = {
  platforms: (
    lines: ReadonlyArray<{
      readonly name: string
      readonly status: string
      readonly detail: string | null
      readonly tries: number
      readonly paused: string | null
    }>
  ): string =>
    lines.length === 0
      ? "No platform is set up."
      : lines
          .map(({ detail, name, paused, status, tries }) =>
            paused !== null
              ? `⏸ ${name}: paused${paused === "" ? "" : ` (${paused})`}`
              : status === "retrying"
                ? `🔁 ${name}: retrying, attempt ${tries}${detail === null ? "" : ` (${detail})`}`
                : `${status === "connected" ? "🟢" : "⚪"} ${name}: ${status}${detail === null ? "" : ` (${detail})`}`
          )
          .join("\n"),
  noPlatform: (name: string): string => `No platform is called "${first(name, 40)}". /platform list shows them.`,
  pausesItself: (name: string): string =>
    `You are on ${name} yourself: paused, it could not hear you say /platform resume. Do it from another platform.`,
  paused: (name: string): string => `⏸ ${name} takes no messages until /platform resume ${name}.`,
  resumed: (name: string): string => `▶ ${name} takes messages again.`,
  restarting: (turns: number): string =>
    turns === 0
      ? "♻ Restarting. Write again if you hear nothing in 60 s."
      : `⏳ Restarting when ${count(turns, "running task")} ${turns === 1 ? "has" : "have"} ended.`,
  restartUnderWay: "♻ The restart is under way already.",
  restarted: "♻ Back again."
}
