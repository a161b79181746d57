/**
 * The messages between the page and its server, as plain types: the server checks them against its schemas
 * (`PageProtocol`), the page relies on them. No code.
 */

export type WireState = "sent" | "taken" | "running" | "answered" | "shown"

export interface WireMessage {
  readonly seq: number
  readonly chatId: string
  readonly id: string
  readonly role: "user" | "assistant"
  readonly text: string
  readonly replyTo: string | null
  /** Buttons below it. */
  readonly prompt: {
    readonly id: string
    readonly options: ReadonlyArray<{ readonly id: string; readonly label: string; readonly style: string | null }>
  } | null
  readonly press: { readonly promptId: string; readonly optionId: string; readonly messageId: string } | null
  readonly state: WireState
  readonly createdAt: number
  readonly updatedAt: number
  readonly revision: number
}

export interface WireChat {
  readonly chatId: string
  readonly title: string
  readonly createdAt: number
}

/** Page → server. */
export type PageMessage =
  /** First on every connection. `seen` = the greatest `revision` the server has vouched for; 0 on a fresh page. */
  | { readonly type: "hello"; readonly seen: number }
  /** `id` is made by the page and stays the same when it sends again. */
  | {
      readonly type: "send"
      readonly id: string
      readonly chatId: string
      readonly text: string
      readonly press?: { readonly messageId: string; readonly optionId: string }
    }
  | { readonly type: "rename"; readonly chatId: string; readonly title: string }
  /** Messages before `seq`. */
  | { readonly type: "history"; readonly chatId: string; readonly before: number }

export type WireRefusal =
  | "empty"
  | "too_long"
  | "chat_full"
  | "too_many_chats"
  | "storage"
  | "rate_limited"
  | "bad_request"

/** Server → page. */
export type ServerMessage =
  | { readonly type: "welcome"; readonly gateway: boolean }
  | { readonly type: "gateway"; readonly connected: boolean }
  | { readonly type: "chats"; readonly chats: ReadonlyArray<WireChat> }
  /** New or changed messages; everything up to `seen` has been told when it is applied. */
  | { readonly type: "messages"; readonly messages: ReadonlyArray<WireMessage>; readonly seen: number }
  /** Older messages of a chat; `more` = there are still older ones. */
  | {
      readonly type: "history"
      readonly chatId: string
      readonly messages: ReadonlyArray<WireMessage>
      readonly more: boolean
    }
  /** Somebody writes in this chat; holds for `milliseconds` unless said again. */
  | { readonly type: "typing"; readonly chatId: string; readonly milliseconds: number }
  /** The message `id` was not stored; `retryAfter` (milliseconds) = it may be sent again then. */
  | {
      readonly type: "refused"
      readonly id: string | null
      readonly reason: WireRefusal
      readonly retryAfter: number | null
    }
