/**
 * What the web chat shows, and the rules by which a person's message moves from `sent` to `answered`. Pure: no storage,
 * no socket, no clock.
 */
import { Schema } from "effect"

/** `sent`: stored here. `taken`: the gateway has it on disk. `running`: its turn works. `shown` is the only state of an answer. */
export const MessageState = Schema.Literals(["sent", "taken", "running", "answered", "shown"])
export type MessageState = typeof MessageState.Type

export const Role = Schema.Literals(["user", "assistant"])

export const Chat = Schema.Struct({
  chatId: Schema.String,
  title: Schema.String,
  createdAt: Schema.Finite
})
export type Chat = typeof Chat.Type

/** The buttons below a question of the gateway (`relay L1`); gone once one was pressed. */
export const Prompt = Schema.Struct({
  id: Schema.String,
  options: Schema.Array(Schema.Struct({ id: Schema.String, label: Schema.String, style: Schema.NullOr(Schema.String) }))
})
export type Prompt = typeof Prompt.Type

/** The button that a person pressed: the message is that press. */
export const Press = Schema.Struct({ promptId: Schema.String, optionId: Schema.String, messageId: Schema.String })
export type Press = typeof Press.Type

export const ChatMessage = Schema.Struct({
  /** Order within the chat; assigned by the store, never reused. */
  seq: Schema.Finite,
  chatId: Schema.String,
  /** A person's message: made by the page. An answer: made here. Unique over all chats. */
  id: Schema.String,
  role: Role,
  text: Schema.String,
  replyTo: Schema.NullOr(Schema.String),
  prompt: Schema.NullOr(Prompt),
  press: Schema.NullOr(Press),
  state: MessageState,
  createdAt: Schema.Finite,
  updatedAt: Schema.Finite,
  /** Grows with every change of any message: what a page has not seen has a greater one. */
  revision: Schema.Finite
})
export type ChatMessage = typeof ChatMessage.Type

/** Chats that may exist; more are refused, none is dropped. */
export const maxChats = 500
/** Messages kept per chat; the oldest go first, those not yet taken by the gateway never. */
export const maxMessagesPerChat = 10_000
/** Now and then is enough: a chat may exceed its bound by this many messages. */
export const isPruningDue = (added: { readonly seq: number }): boolean => added.seq % 64 === 0
/** Messages of one chat that may wait for the gateway; more are refused. */
export const maxWaitingPerChat = 1000
/** UTF-8 bytes of one message of a person. */
export const maxTextBytes = 64 * 1024

const longestTitle = 48

/** A chat is called after its first message until somebody renames it. */
export const titleOf = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim()
  const points = Array.from(line)
  if (points.length === 0) return "New chat"
  return points.length <= longestTitle
    ? line
    : `${points
        .slice(0, longestTitle - 1)
        .join("")
        .trimEnd()}…`
}

export const isCommand = (message: ChatMessage): boolean => message.text.startsWith("/")

/** These commands end whatever runs before them: its messages get no answer of their own. */
const endsEarlierTurns = (message: ChatMessage): boolean => /^\/(?:stop|new|reset)\b/i.test(message.text)

/**
 * The open message that begins to run when the gateway shows a sign of work. One runs at a time; a command never waits
 * its turn, so it is no candidate. `open` = a chat's messages in `sent`, `taken`, `running`, oldest first.
 */
export const startedBy = (open: ReadonlyArray<ChatMessage>, replyTo: string | null): ChatMessage | null => {
  if (replyTo !== null) {
    return open.find((message) => message.id === replyTo && message.state !== "running") ?? null
  }
  if (open.some((message) => message.state === "running")) return null
  return open.find((message) => message.state === "taken" && !isCommand(message)) ?? null
}

/**
 * The open messages that an answer settles. An answer to a later message also settles the earlier ones: they were
 * merged into its turn or interrupted by it. A command answers for itself alone, unless it ends turns.
 */
export const settledBy = (open: ReadonlyArray<ChatMessage>, replyTo: string | null): ReadonlyArray<ChatMessage> => {
  if (replyTo === null) {
    const next =
      open.find((message) => message.state === "running") ?? open.find((message) => message.state === "taken")
    return next === undefined ? [] : [next]
  }
  const at = open.findIndex((message) => message.id === replyTo)
  const named = open[at]
  if (named === undefined) return []
  if (isCommand(named) && !endsEarlierTurns(named)) return [named]
  return [...open.slice(0, at).filter((message) => message.state !== "sent"), named]
}

/**
 * A further answer to a message that is settled already: its turn had asked something, and what was said next answered
 * that. `shownAt`: when the answer was first shown.
 */
export const settledAfterPrompt = (
  open: ReadonlyArray<ChatMessage>,
  asked: ChatMessage,
  shownAt: number
): ReadonlyArray<ChatMessage> => {
  const reply = open.find(
    (message) =>
      message.state !== "sent" &&
      !isCommand(message) &&
      message.seq > asked.seq &&
      message.createdAt >= asked.updatedAt &&
      message.createdAt <= shownAt
  )
  return reply === undefined ? [] : [reply]
}
