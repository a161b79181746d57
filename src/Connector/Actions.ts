/**
 * What each outbound action does to the chats (`relay` Outbound actions): stores, edits, shows typing, and moves the
 * person's message along. Runs inside the core's transaction; it never repeats an action whose key it knows.
 */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { sanitizeText } from "../Storage/StoredText.ts"
import * as ChatModel from "./ChatModel.ts"
import type { ChatMessage, MessageState } from "./ChatModel.ts"
import type { ChatStore, NewMessage } from "./ChatStore.ts"
import * as Files from "./Files.ts"
import type { Draft } from "./Exchange.ts"
import { type ActionResult, idempotencyKeyOf, isAnswer, type KnownAction } from "./GatewayFrames.ts"

export type ActionHandler = (draft: Draft, action: KnownAction) => Effect.Effect<ActionResult, SqlError.SqlError>

type Action<Op extends KnownAction["op"]> = Extract<KnownAction, { readonly op: Op }>

const failure = (error: string): ActionResult => ({ success: false, error })
/** Among these it shows whether a gateway says what its answers answer. */
const recentMessages = 20
const chatNotFound = failure("chat not found")

export const make = (store: ChatStore["Service"]): ActionHandler => {
  const move = Effect.fnUntraced(function* (draft: Draft, messages: ReadonlyArray<ChatMessage>, state: MessageState) {
    for (const { id } of messages) {
      const moved = yield* store.change(id, { state, at: draft.now, revision: ++draft.revision })
      if (moved !== null) draft.updates.push({ _tag: "Messages", messages: [moved] })
    }
  })

  const settled = Effect.fnUntraced(function* (
    open: ReadonlyArray<ChatMessage>,
    chatId: string,
    replyTo: string | null,
    shownAt: number
  ) {
    if (open.length === 0) return open
    if (replyTo === null) {
      // Where answers name what they answer, one that does not goes on with the last, or was not asked for.
      const latest = yield* store.before(chatId, Number.MAX_SAFE_INTEGER, recentMessages)
      const areAnchored = latest.some((message) => message.role === "assistant" && message.replyTo !== null)
      return areAnchored ? [] : ChatModel.settledBy(open, null)
    }
    if (open.some(({ id }) => id === replyTo)) return ChatModel.settledBy(open, replyTo)
    const asked = yield* store.byId(replyTo)
    return asked?.role === "user" && asked.chatId === chatId ? ChatModel.settledAfterPrompt(open, asked, shownAt) : []
  })

  const showProgress = Effect.fnUntraced(function* (
    draft: Draft,
    chatId: string,
    replyTo: string | null,
    answered: boolean,
    shownAt: number
  ) {
    const open = yield* store.open(chatId)
    // A command's answer is often no more than a notice.
    const toCommand = open.some((message) => message.id === replyTo && ChatModel.isCommand(message))
    if (answered || toCommand) {
      return yield* move(draft, yield* settled(open, chatId, replyTo, shownAt), "answered")
    }
    const started = ChatModel.startedBy(open, replyTo)
    if (started !== null) yield* move(draft, [started], "running")
  })

  const show = Effect.fnUntraced(function* (
    draft: Draft,
    chatId: string,
    action: Action<"send"> | Action<"follow_up"> | Action<"send_media"> | Action<"prompt">,
    text: string,
    more: Pick<NewMessage, "prompt"> = {}
  ): Effect.fn.Return<ActionResult, SqlError.SqlError> {
    const key = idempotencyKeyOf(action.metadata)
    const earlier = key === null ? null : yield* store.byKey(key)
    if (earlier !== null) return { success: true, message_id: earlier.id }
    const replyTo = action.op === "follow_up" ? null : (action.reply_to ?? null)
    const revision = ++draft.revision
    const message = yield* store.insert({
      chatId,
      id: `a${revision}`,
      role: "assistant",
      text: sanitizeText(text),
      ...more,
      replyTo,
      idempotencyKey: key,
      bufferId: null,
      state: "shown",
      at: draft.now,
      revision
    })
    if (message === null) return failure("connectionerror: the message could not be stored, nothing was shown")
    if (ChatModel.isPruningDue(message)) yield* store.prune(chatId, ChatModel.maxMessagesPerChat)
    draft.updates.push({ _tag: "Messages", messages: [message] })
    yield* showProgress(draft, chatId, replyTo, action.op !== "prompt" && isAnswer(action), message.createdAt)
    return { success: true, message_id: message.id }
  })

  const edit = Effect.fnUntraced(function* (
    draft: Draft,
    action: Action<"edit">
  ): Effect.fn.Return<ActionResult, SqlError.SqlError> {
    const message = yield* store.byId(action.message_id)
    if (message === null || message.role !== "assistant" || message.chatId !== action.chat_id) {
      return failure("message to edit not found")
    }
    const text = sanitizeText(action.content)
    if (text !== message.text) {
      const edited = yield* store.change(message.id, { text, at: draft.now, revision: ++draft.revision })
      if (edited !== null) draft.updates.push({ _tag: "Messages", messages: [edited] })
    }
    yield* showProgress(draft, message.chatId, message.replyTo, isAnswer(action), message.createdAt)
    return { success: true }
  })

  const typing = Effect.fnUntraced(function* (
    draft: Draft,
    action: Action<"typing">
  ): Effect.fn.Return<ActionResult, SqlError.SqlError> {
    if ((yield* store.chat(action.chat_id)) === null) return chatNotFound
    draft.updates.push({ _tag: "Typing", chatId: action.chat_id })
    yield* showProgress(draft, action.chat_id, null, false, draft.now)
    return { success: true }
  })

  /** The chat is the last part of a session key of this platform that names one (`session K1`). */
  const chatOfSession = Effect.fnUntraced(function* (sessionKey: string) {
    for (const part of sessionKey.split(":").reverse()) {
      if (part !== "" && (yield* store.chat(part)) !== null) return part
    }
    return null
  })

  return (draft, action) => {
    switch (action.op) {
      case "send":
        return Effect.flatMap(store.chat(action.chat_id), (chat) =>
          chat === null ? Effect.succeed(chatNotFound) : show(draft, chat.chatId, action, action.content)
        )
      case "send_media": {
        const { content, filename, media_kind, source_url } = action
        const file = { kind: media_kind, url: source_url, filename: filename ?? null, caption: content ?? null }
        const text = Files.markdownOf(file)
        return text === null
          ? Effect.succeed(failure("unsupported: only addresses of the web can be shown"))
          : Effect.flatMap(store.chat(action.chat_id), (chat) =>
              chat === null ? Effect.succeed(chatNotFound) : show(draft, chat.chatId, action, text)
            )
      }
      case "prompt": {
        const options = action.options.map(({ id, label, style }) => ({ id, label, style: style ?? null }))
        const prompt = { id: action.prompt_id, options }
        return Effect.flatMap(store.chat(action.chat_id), (chat) =>
          chat === null ? Effect.succeed(chatNotFound) : show(draft, chat.chatId, action, action.content, { prompt })
        )
      }
      case "edit":
        return edit(draft, action)
      case "typing":
        return typing(draft, action)
      case "follow_up":
        // The page hands out no capability of its own: what is left of a follow-up is a message in that session's chat.
        return Effect.flatMap(chatOfSession(action.session_key), (chatId) =>
          chatId === null ? Effect.succeed(chatNotFound) : show(draft, chatId, action, action.content)
        )
      case "get_chat_info":
        return Effect.map(store.chat(action.chat_id), (chat): ActionResult =>
          chat === null ? chatNotFound : { success: true, name: chat.title, type: "dm" }
        )
    }
  }
}
