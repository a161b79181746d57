/**
 * Gets what a person wrote to the server: one message at a time, in order, under the same id until it is confirmed. It
 * gives nothing up by itself.
 */
import * as Memory from "./Memory.ts"
import type { PageMessage, ServerMessage, WireRefusal } from "./Wire.ts"

export interface Sending {
  readonly add: (chatId: string, text: string) => boolean
  /** The link is open: whatever was under way is sent again. */
  readonly start: () => void
  readonly stop: () => void
  readonly onMessage: (message: ServerMessage) => void
}

/** No confirmation within this time on an open link: the same message again. */
const patience = 10_000

const reasons: Readonly<Record<WireRefusal, string>> = {
  empty: "there is nothing in it",
  too_long: "it is longer than 64 KiB",
  chat_full: "too many messages wait in this chat",
  too_many_chats: "there are too many chats",
  storage: "the server cannot store it",
  rate_limited: "too fast",
  bad_request: "the server does not understand it"
}

export const make = (send: (message: PageMessage) => void, onChange: () => void): Sending => {
  let open = false
  let underWay: string | null = null
  let timer: ReturnType<typeof setTimeout> | undefined

  const next = (): void => {
    clearTimeout(timer)
    underWay = null
    if (!open) return
    const message = Memory.unsent().find(({ refused }) => refused === null)
    if (message === undefined) return
    underWay = message.id
    send({ type: "send", id: message.id, chatId: message.chatId, text: message.text })
    timer = setTimeout(next, patience)
  }

  return {
    add: (chatId, text) => {
      if (Memory.unsent().length >= Memory.maxUnsent) return false
      Memory.keep({ id: crypto.randomUUID(), chatId, text, createdAt: Date.now(), refused: null })
      if (underWay === null) next()
      return true
    },
    start: () => {
      open = true
      next()
    },
    stop: () => {
      open = false
      underWay = null
      clearTimeout(timer)
    },
    onMessage: (message) => {
      if (message.type === "messages" && message.messages.some(({ id }) => id === underWay)) next()
      if (message.type === "history" && message.messages.some(({ id }) => id === underWay)) next()
      if (message.type !== "refused" || message.id === null || message.id !== underWay) return
      clearTimeout(timer)
      if (message.retryAfter !== null) {
        timer = setTimeout(next, message.retryAfter)
        return
      }
      Memory.refuse(message.id, reasons[message.reason])
      onChange()
      next()
    }
  }
}
