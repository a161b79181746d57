/**
 * What the gateway itself says to people, in one place (`conversation`: the specs give the substance, this file the words).
 * No text holds ids of processes, class names, or anything an agent or platform answered.
 */
import type { AgentError } from "../Agent/Agent.ts"
import type { MediaPart } from "../Delivery/Attachments.ts"
import type { Notice } from "../Session/Turns.ts"

export const notices: Readonly<Record<Notice, string>> = {
  interrupting: "⚡ Stopping the current task; your new message is next.",
  queued: "⏳ Queued: it runs after the current task.",
  steered: "⏩ Passed on: it arrives after the next tool call.",
  "many-waiting": "⏳ Many messages are waiting; this one runs after them. /stop clears the queue.",
  draining: "⏳ I take no new tasks at the moment. Your message is kept and runs as soon as I am back.",
  subagents: "⏳ Queued: a subagent is working. /stop cancels everything.",
  compression: "⏳ Queued: the conversation is being compressed. /stop cancels everything."
}

/** `conversation E1`. */
export const failures: Readonly<Record<AgentError["category"], string>> = {
  auth: "⚠️ The agent's provider refused the credentials. Details are in the gateway's log.",
  policy: "⚠️ The provider rejected this request. Please rephrase it.",
  rate_limit: "⏱️ The provider's rate limit is reached. Please wait a moment and try again.",
  balance: "⚠️ The provider's balance or quota is used up.",
  overloaded: "⚠️ The provider is overloaded. Please try again shortly.",
  context: "⚠️ The conversation has become too large. Start afresh with /new.",
  bad_request: "⚠️ The provider rejected the request.",
  provider: "⚠️ The provider failed. Details are in the gateway's log.",
  no_credentials: "⚠️ The agent has no credentials for its provider."
}

export const internal = (errorId: string): string =>
  `⚠️ Sorry, something unexpected went wrong (error ${errorId}). Please try again, or start afresh with /new.`

export const stuck = (minutes: number, tool: string | null): string =>
  `⏱️ The agent gave no sign of life for ${minutes} min${tool === null ? "" : ` (last tool: ${tool})`} and was stopped. ` +
  "agent.gateway_timeout raises the limit."
export const goneQuiet = (idle: number, left: number | null): string =>
  `⚠️ The agent has given no sign of life for ${idle} min.` +
  (left === null ? " /stop ends it." : ` In ${left} min it will be stopped; /stop ends it now.`)
export const stillWorking = (minutes: number, tool: string | null): string =>
  `⏳ Still working, for ${minutes} min${tool === null ? "" : ` (${tool})`}.`
export const nothingSaid = "⚠️ The agent finished without an answer. Please try again."
export const diedTooOften = "⚠️ This message made the gateway stop several times and was set aside. Please rephrase it."
export const stopped = "⚡ Stopped. You can go on."
export const nothingToStop = "Nothing is running."
export const freshSession = "✨ New conversation. I no longer see what was said before."
export const goingDown =
  "⚠️ I am shutting down. If this task does not end in time, it is interrupted and runs again when I am back."
export const tooManyWaiting = "⚠️ Too many messages are waiting here; this one was not kept. /stop clears them."
export const cancelled = "Cancelled. Nothing was changed."
export const promptOver = "⚠️ This has expired: nothing waits for an answer any more."
export const approvalWaits = "⚠️ The agent waits for your approval first: answer yes or no, or use /approve or /deny."
export const inOwnWords = "Please answer in your own words."
export const noSuchChoice = (choices: number): string => `Please choose a number from 1 to ${choices}.`
export const confirmation = (question: string): string =>
  `${question}\n\n1. /approve: yes\n2. /always: yes, and do not ask again\n3. /cancel: no`
export const atLimit = (limit: number): string =>
  `⏳ I am at my limit of ${limit} tasks at once. Yours waits and runs as soon as there is room.`

const span = (minutes: number): string => {
  const hours = Math.floor(minutes / 60)
  const rest = minutes % 60
  return hours === 0 ? `${rest}m` : rest === 0 ? `${hours}h` : `${hours}h ${rest}m`
}

/** A conversation began anew by itself (`session P6`). */
export const sessionReset = (
  reason: "suspended" | "idle" | "daily",
  policy: { readonly atHour: number; readonly idleMinutes: number }
): string => {
  const why = {
    suspended: "previous session was stopped or interrupted",
    idle: `inactive for ${span(policy.idleMinutes)}`,
    daily: `daily schedule at ${policy.atHour}:00`
  }[reason]
  return (
    `◐ Session automatically reset (${why}). What was said before is no longer seen; /resume brings an earlier session ` +
    "back. When this happens is set under session_reset."
  )
}

export const nothingWaits = "⚠️ Nothing is waiting for an answer."

/** `access S6`. */
export const adminOnly = (
  name: string,
  { more, names }: { readonly names: ReadonlyArray<string>; readonly more: boolean }
): string =>
  `⛔ /${name} is for admins here.\n` +
  (names.length === 0
    ? "An admin can open commands with user_allowed_commands, for groups group_user_allowed_commands."
    : `You can use ${names.map((open) => `/${open}`).join(", ")}${more ? ", …" : ""}. /whoami shows what you may do.`)

export const question = (text: string, choices: ReadonlyArray<string>): string =>
  choices.length === 0
    ? `❓ ${text}`
    : `❓ ${text}\n\n${choices.map((choice, i) => `${i + 1}. ${choice}`).join("\n")}\n\nAnswer with a number or in your own words.`

/** What stands above the buttons; at most 200 characters of the command (`conversation A3`). */
export const approvalQuestion = (command: string, description: string | null): string => {
  const shown = Array.from(command)
  const cut = shown.length > 200 ? `${shown.slice(0, 200).join("")}...` : command
  // Longer than any run of backticks within, so that the command cannot leave its block.
  const fence = "`".repeat(Math.max(3, ...Array.from(cut.matchAll(/`+/g), ([run]) => run.length + 1)))
  return `⚠️ The agent asks to run:\n${fence}\n${cut}\n${fence}${description === null ? "" : `\n${description}`}`
}

/** The same where there are no buttons. */
export const approval = (command: string, description: string | null): string =>
  `${approvalQuestion(command, description)}\n/approve, /approve session, /approve always or /deny`

/** `length`: characters of the preview; 0 = 40 (`delivery E3`). */
export const toolLine = (tool: string, preview: string | null, length = 0): string => {
  if (preview === null || preview === "") return `⚙️ ${tool}...`
  const shown = Array.from(preview.replaceAll(/\s+/g, " "))
  const most = Math.max(4, length === 0 ? 40 : length)
  return `⚙️ ${tool}: "${shown.length > most ? `${shown.slice(0, most - 3).join("")}...` : shown.join("")}"`
}

export const plan = (
  entries: ReadonlyArray<{ readonly text: string; readonly status: "pending" | "running" | "done" }>
): string =>
  `📋 Plan\n${entries.map(({ status, text }) => `${{ pending: "☐", running: "▶", done: "☑" }[status]} ${text}`).join("\n")}`

/** At most 15 lines of them, then how many there were more (`conversation N3`). */
export const thoughts = (reasoning: string): string => {
  const lines = reasoning.trim().split("\n")
  const fence = "`".repeat(Math.max(3, ...Array.from(reasoning.matchAll(/`+/g), ([run]) => run.length + 1)))
  const more = lines.length > 15 ? `\n… ${lines.length - 15} more lines` : ""
  return `💭\n${fence}\n${lines.slice(0, 15).join("\n")}\n${fence}${more}`
}

/** A file where the chat takes none: its address, or its name, never a path of this machine (`delivery M11`). */
export const attachment = ({ caption, filename, kind, ref }: MediaPart): string => {
  if (/^https?:\/\//i.test(ref)) return caption === null ? ref : `${caption}\n${ref}`
  const sign = { image: "🖼️ Image", voice: "🔊 Audio", audio: "🔊 Audio", video: "🎬 Video", document: "📎 File" }[kind]
  return `${sign}: ${filename ?? "file"} (this chat takes no files)`
}

export const tooLongForChat =
  "⚠️ The rest is too long for this chat, and it did not take the file. Ask me for a part of it."
/** In place of a message that cannot be taken back. */
export const gone = "…"
export const filesFollow = "📎"
export const wholeInFile = "… The whole answer is in the file."

/** One line for all of them (`delivery M14`). */
export const notSent = (refused: ReadonlyArray<{ readonly name: string; readonly why: string }>): string =>
  `⚠️ Could not be sent: ${refused
    .slice(0, 10)
    .map(({ name, why }) => `${name.replaceAll(/[`\r\n]/g, " ").slice(0, 100)} (${why})`)
    .join(", ")}${refused.length > 10 ? `, and ${refused.length - 10} more` : ""}`
