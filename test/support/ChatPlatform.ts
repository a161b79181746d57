/**
 * The chat platform behind the connector: carries out actions, shows their effect in each chat, and remembers keys for as
 * long as it lives, across connections and gateways. It complains about actions that only its memory can find wrong.
 */
import { ChatView, type Shown } from "./ChatView.ts"
import { isObject, type JsonObject } from "./RelayContract.ts"

export class ChatPlatform {
  readonly chats = new Map<string, ChatView>()
  /** `performance.now()` of the last send whose key was known already. */
  lastRepeat = 0
  onShown: ((chat: ChatView, shown: Shown) => void) | undefined
  private readonly deduplicates: boolean
  private readonly complain: (text: string) => void
  private readonly chatOfKey = new Map<string, string>()
  private sequence = 0

  constructor(deduplicates: boolean, complain: (text: string) => void) {
    this.deduplicates = deduplicates
    this.complain = complain
  }

  chat(id: string): ChatView {
    let chat = this.chats.get(id)
    if (chat === undefined) this.chats.set(id, (chat = new ChatView(id)))
    return chat
  }

  /** The `result` of an action (`relay`, Outbound actions). */
  carryOut(action: JsonObject): JsonObject {
    // A follow-up names a session and no chat; nothing here hands out such sessions.
    if (typeof action.chat_id !== "string") return { success: false, error: "no such chat" }
    const chat = this.chat(action.chat_id)
    const meta = isObject(action.metadata) ? action.metadata : {}
    if (chat.scopeId !== null && (meta.scope_id !== chat.scopeId || meta.guild_id !== chat.scopeId)) {
      this.complain(`${String(action.op)} to ${chat.id} does not carry its scope as scope_id and guild_id (O4, I2)`)
    }
    switch (action.op) {
      case "typing":
        chat.typing++
        return { success: true }
      case "edit":
        return this.edit(chat, String(action.message_id), String(action.content))
      case "get_chat_info":
        return { name: chat.id, type: "dm" }
      case "react":
        return { success: true }
      default:
        return this.show(chat, action, String(meta.idempotency_key))
    }
  }

  private edit(chat: ChatView, messageId: string, content: string): JsonObject {
    const shown = chat.byId(messageId)
    if (shown === undefined) {
      this.complain(`edit of ${messageId}, which ${chat.id} never showed`)
      return { success: false, error: "message to edit not found" }
    }
    shown.text = content
    shown.edits++
    this.onShown?.(chat, shown)
    return { success: true }
  }

  private show(chat: ChatView, action: JsonObject, key: string): JsonObject {
    const owner = this.chatOfKey.get(key)
    if (owner !== undefined && owner !== chat.id) this.complain(`key ${key} is used in ${owner} and ${chat.id} (O5)`)
    this.chatOfKey.set(key, chat.id)
    const text = typeof action.content === "string" ? action.content : ""
    const earlier = chat.byKeyOf(key)
    if (earlier !== undefined) this.lastRepeat = performance.now()
    if (earlier !== undefined && this.deduplicates && earlier.first !== text) {
      this.complain(`key ${key} is repeated with another text (O5)`)
    }
    const send = {
      key,
      text,
      replyTo: typeof action.reply_to === "string" ? action.reply_to : null,
      op: String(action.op)
    }
    const { fresh, shown } = chat.show(send, `s${++this.sequence}`, this.deduplicates)
    if (fresh) this.onShown?.(chat, shown)
    return { success: true, message_id: shown.messageId }
  }
}
