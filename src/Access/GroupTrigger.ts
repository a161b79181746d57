/**
 * Is this message for us (`access G1`–`G3`, B1–B3)? The one call that every adapter makes after access: pure, the same
 * order of rules on every platform. A message that is not ours costs nothing.
 */
import type { GroupRules } from "./GroupRules.ts"
import { scopeOf } from "./Platforms.ts"

/** What the adapter saw; ids are the platform's. */
export interface Heard {
  readonly text: string
  readonly chatType: string
  readonly chatId: string
  /** Of a thread: the place that it belongs to. */
  readonly parentChatId: string | null
  readonly threadId: string | null
  /** The sender is our own account (`access B1`). */
  readonly isOwn: boolean
  readonly isBot: boolean | null
  /** Where the platform's own mention entities of us stand in the text, by index and length; empty = none. */
  readonly mentions: ReadonlyArray<{ readonly at: number; readonly length: number }>
  /** Its entities name other bots. */
  readonly mentionsOtherBots: boolean
  readonly isReplyToUs: boolean
  /** We have said something in this thread, or opened it. */
  readonly isOurThread: boolean
  /** Our own name after `@` in a command, without the sign; `null` = commands are not addressed on this platform. */
  readonly ownName: string | null
  /** How bots are let in (`access B2`). */
  readonly allowBots: "none" | "mentions" | "all"
}

/** Why it is ours, or why not; for a debug line and for tests. */
export type Trigger =
  | {
      readonly ours: true
      readonly by: "direct" | "free" | "open" | "command" | "mention" | "reply" | "thread" | "pattern"
    }
  | { readonly ours: false; readonly by: "own" | "bot" | "ignored" | "not allowed" | "another bot" | "no trigger" }

/** Patterns look at so much of a text (`access G4`). */
const searched = 4096

const ours = (by: Extract<Trigger, { readonly ours: true }>["by"]): Trigger => ({ ours: true, by })
const not = (by: Extract<Trigger, { readonly ours: false }>["by"]): Trigger => ({ ours: false, by })

const names = (list: ReadonlySet<string>, ...ids: ReadonlyArray<string | null>): boolean =>
  list.size > 0 && (list.has("*") || ids.some((id) => id !== null && list.has(id)))

/** `ours`, `another's`, or no command at all (`/etc/passwd` is a path). */
const commandFor = (text: string, ownName: string | null): "ours" | "others" | "none" => {
  const match = /^\/([^\s/@]+)(?:@(\S*))?(?:\s|$)/u.exec(text)
  if (match === null) return "none"
  const addressee = match[2]
  if (addressee === undefined || addressee === "" || ownName === null) return "ours"
  return addressee.toLowerCase() === ownName.toLowerCase() ? "ours" : "others"
}

export const triggerOf = (heard: Heard, rules: GroupRules): Trigger => {
  const { chatId, parentChatId, text, threadId } = heard
  const isMentioned = heard.mentions.length > 0
  const isBot = heard.isBot === true
  if (heard.isOwn) return not("own")
  if (names(rules.ignored, chatId, parentChatId) || names(rules.ignoredThreads, threadId)) return not("ignored")
  if (scopeOf(heard.chatType) === "dm") return ours("direct")
  if (rules.allowed.size > 0 && !names(rules.allowed, chatId, parentChatId)) return not("not allowed")
  if (rules.allowedTopics.size > 0 && threadId !== null && !names(rules.allowedTopics, threadId))
    return not("not allowed")
  // Neither a reply nor a wake word is enough for a bot that must mention us.
  if (isBot && heard.allowBots === "mentions" && !isMentioned) return not("bot")
  if (rules.exclusiveMentions && heard.mentionsOtherBots && !isMentioned) return not("another bot")
  if (names(rules.freeResponse, chatId, parentChatId)) return ours("free")
  if (!rules.requireMention) return commandFor(text, heard.ownName) === "others" ? not("another bot") : ours("open")
  const command = commandFor(text, heard.ownName)
  if (command === "ours") return ours("command")
  if (command === "others") return not("another bot")
  if (isMentioned) return ours("mention")
  if (heard.isReplyToUs && !(isBot && rules.botsRequireMention)) return ours("reply")
  if (rules.threadsCount && heard.isOurThread && !rules.threadRequireMention && !rules.strictMention)
    return ours("thread")
  if (rules.patterns.length > 0 && !names(rules.nativeMentionOnly, chatId, parentChatId)) {
    const start = text.slice(0, searched)
    if (rules.patterns.some((pattern) => pattern.matcher(start).find())) return ours("pattern")
  }
  return not("no trigger")
}

/**
 * The text without the mentions of us, and without the punctuation and blanks around them; unchanged when nothing else
 * would be left (`access G3`). What is not a mention entity stays, wake words too.
 */
export const withoutMentions = (text: string, mentions: Heard["mentions"]): string => {
  let rest = text
  for (const { at, length } of mentions.toSorted((a, b) => b.at - a.at)) {
    const before = rest.slice(0, at).replace(/[\s,:;]+$/u, "")
    const after = rest.slice(at + length).replace(/^[\s,:;.!-]+/u, "")
    rest = before === "" ? after : after === "" ? before : `${before} ${after}`
  }
  const left = rest.trim()
  return mentions.length === 0 || left === "" ? text : left
}
