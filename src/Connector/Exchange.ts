/**
 * What goes into the connector's core and what comes out of it. Plain values, so that sockets, tests and a simulation
 * feed it alike.
 */
import type { BadLine } from "../Relay/LineReader.ts"
import type { Chat, ChatMessage } from "./ChatModel.ts"
import type { DeliveryWindow } from "./DeliveryWindow.ts"

/** What a person wrote on a page; `id` is the page's and the same on every repeat. */
export interface Said {
  readonly id: string
  readonly chatId: string
  readonly text: string
  /** It is a press on a button of that message. */
  readonly press?: { readonly messageId: string; readonly optionId: string }
}

export type Input =
  | { readonly _tag: "Connected"; readonly link: number }
  | { readonly _tag: "Disconnected"; readonly link: number }
  | { readonly _tag: "Frame"; readonly link: number; readonly line: string | BadLine }
  | { readonly _tag: "Said"; readonly said: Said }
  | { readonly _tag: "Renamed"; readonly chatId: string; readonly title: string }
  /** Time has passed: what was not acknowledged is looked after. */
  | { readonly _tag: "Tick" }

/** What pages have to be told. */
export type Update =
  | { readonly _tag: "Messages"; readonly messages: ReadonlyArray<ChatMessage> }
  | { readonly _tag: "Chats"; readonly chats: ReadonlyArray<Chat> }
  | { readonly _tag: "Typing"; readonly chatId: string }
  | { readonly _tag: "Gateway"; readonly connected: boolean }

export type RefusalReason = "empty" | "too_long" | "chat_full" | "too_many_chats" | "storage" | "bad_request"
export type Reply =
  | { readonly _tag: "Stored"; readonly message: ChatMessage }
  | { readonly _tag: "Refused"; readonly reason: RefusalReason }
  | { readonly _tag: "Done" }

export interface Handled {
  /** The connection that `lines` are for. */
  readonly link: number | null
  readonly lines: ReadonlyArray<string>
  readonly updates: ReadonlyArray<Update>
  /** One for each input. */
  readonly replies: ReadonlyArray<Reply>
}

/** What one transaction builds up; dropped when it fails. */
export interface Draft {
  window: DeliveryWindow | null
  revision: number
  readonly now: number
  readonly lines: Array<string>
  readonly updates: Array<Update>
  readonly replies: Array<Reply>
}
