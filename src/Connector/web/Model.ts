/**
 * The chats as the page knows them: what the server said, and what this browser has not yet been able to say. No DOM.
 */
import * as Memory from "./Memory.ts"
import type { ServerMessage, WireChat, WireMessage } from "./Wire.ts"

export interface ChatState {
  readonly chatId: string
  title: string
  createdAt: number
  /** By id; the order is that of `seq`. */
  readonly messages: Map<string, WireMessage>
  /** The server has older ones. */
  more: boolean
  typingUntil: number
}

/** A person's message on the screen: the server's, or one it has not confirmed. */
export type Shown =
  | { readonly kind: "stored"; readonly message: WireMessage }
  | { readonly kind: "unsent"; readonly message: Memory.Unsent }

export interface Model {
  readonly chats: Map<string, ChatState>
  /** Everything up to this revision was told to us. */
  seen: number
  gateway: boolean
  current: string
}

export const make = (): Model => {
  const model: Model = { chats: new Map(), seen: 0, gateway: false, current: Memory.currentChat() }
  // The chat that was open stays open; the server will tell its name, unless it exists only here.
  if (model.current !== "") ensure(model, model.current, "New chat", Date.now())
  for (const { chatId, createdAt, text } of Memory.unsent()) ensure(model, chatId, titleOf(text), createdAt)
  return model
}

export const titleOf = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim()
  return line.length <= 48 ? line || "New chat" : `${line.slice(0, 47).trimEnd()}…`
}

export const ensure = (model: Model, chatId: string, title: string, createdAt: number): ChatState => {
  let chat = model.chats.get(chatId)
  if (chat === undefined) {
    chat = { chatId, title, createdAt, messages: new Map(), more: false, typingUntil: 0 }
    model.chats.set(chatId, chat)
  }
  return chat
}

/** A chat that exists only on this page until something is said in it. */
export const addChat = (model: Model): ChatState => {
  const empty = [...model.chats.values()].find((chat) => chat.messages.size === 0 && shown(chat).length === 0)
  return empty ?? ensure(model, crypto.randomUUID(), "New chat", Date.now())
}

const upsert = (model: Model, message: WireMessage): void => {
  const chat = ensure(model, message.chatId, titleOf(message.text), message.createdAt)
  const present = chat.messages.get(message.id)
  if (present !== undefined && present.revision >= message.revision) return
  chat.messages.set(message.id, message)
  if (message.role === "assistant") chat.typingUntil = 0
}

/** Applies what the server said; gives the chats that look different now. */
export const apply = (model: Model, message: ServerMessage): ReadonlySet<string> => {
  switch (message.type) {
    case "welcome":
      model.gateway = message.gateway
      return new Set()
    case "gateway":
      model.gateway = message.connected
      return new Set()
    case "chats":
      for (const chat of message.chats) renamed(model, chat)
      return new Set(message.chats.map(({ chatId }) => chatId))
    case "messages":
      Memory.forget(new Set(message.messages.map(({ id }) => id)))
      for (const one of message.messages) upsert(model, one)
      model.seen = Math.max(model.seen, message.seen)
      return new Set(message.messages.map(({ chatId }) => chatId))
    case "history":
      Memory.forget(new Set(message.messages.map(({ id }) => id)))
      for (const one of message.messages) upsert(model, one)
      ensure(model, message.chatId, "Chat", Date.now()).more = message.more
      return new Set([message.chatId])
    case "typing": {
      const chat = model.chats.get(message.chatId)
      if (chat !== undefined) chat.typingUntil = Date.now() + message.milliseconds
      return new Set([message.chatId])
    }
    case "refused":
      return new Set()
  }
}

const renamed = (model: Model, { chatId, createdAt, title }: WireChat): void => {
  const chat = ensure(model, chatId, title, createdAt)
  chat.title = title
  chat.createdAt = createdAt
}

/** A chat's messages in the order of the screen: stored ones by `seq`, then what is still to be sent. */
export const shown = (chat: ChatState): ReadonlyArray<Shown> => [
  ...[...chat.messages.values()].sort((a, b) => a.seq - b.seq).map((message): Shown => ({ kind: "stored", message })),
  ...Memory.unsent()
    .filter(({ chatId, id }) => chatId === chat.chatId && !chat.messages.has(id))
    .map((message): Shown => ({ kind: "unsent", message }))
]

export const firstSeq = (chat: ChatState): number =>
  Math.min(Number.MAX_SAFE_INTEGER, ...[...chat.messages.values()].map(({ seq }) => seq))

const lastSeq = (chat: ChatState): number => Math.max(0, ...[...chat.messages.values()].map(({ seq }) => seq))

export const markRead = (chat: ChatState): void => Memory.markRead(chat.chatId, lastSeq(chat))

/** Answers that nobody has looked at. */
export const unread = (chat: ChatState): number => {
  const upTo = Memory.readUpTo(chat.chatId)
  let count = 0
  for (const { role, seq } of chat.messages.values()) if (role === "assistant" && seq > upTo) count++
  return count
}

export const isBusy = (chat: ChatState): boolean =>
  chat.typingUntil > Date.now() || [...chat.messages.values()].some(({ state }) => state === "running")

/** Latest first. */
export const ordered = (model: Model): ReadonlyArray<ChatState> => {
  const at = (chat: ChatState) => Math.max(chat.createdAt, ...[...chat.messages.values()].map((m) => m.createdAt))
  return [...model.chats.values()].sort((a, b) => at(b) - at(a))
}
