/**
 * The web chat in the browser: puts link, model, sending and the parts of the screen together. It is never reloaded by
 * itself; what the server says is drawn once per frame.
 */
import * as Composer from "./Composer.ts"
import * as Conversation from "./Conversation.ts"
import { elements } from "./Elements.ts"
import * as Link from "./Link.ts"
import * as Memory from "./Memory.ts"
import * as Model from "./Model.ts"
import * as Sending from "./Sending.ts"
import * as Sidebar from "./Sidebar.ts"

const model = Model.make()
let state: Link.LinkState = "connecting"
let drawing = false

const current = (): Model.ChatState =>
  model.chats.get(model.current) ?? openChat(Model.ordered(model)[0] ?? Model.addChat(model))

const openChat = (chat: Model.ChatState): Model.ChatState => {
  model.current = chat.chatId
  Memory.setCurrentChat(chat.chatId)
  return chat
}

const draw = () => {
  drawing = false
  const chat = current()
  composer.openChat(chat.chatId)
  conversation.show(chat)
  if (document.visibilityState === "visible") Model.markRead(chat)
  sidebar.showChats(model)
  sidebar.showLink(state, model.gateway)
  composer.showBusy(Model.isBusy(chat))
}

/** A hidden page gets no frames, and its title still has to count. */
const changed = () => {
  if (drawing) return
  drawing = true
  if (document.visibilityState === "visible") requestAnimationFrame(draw)
  else setTimeout(draw, 100)
}

const say = (text: string): boolean => {
  const taken = sending.add(current().chatId, text)
  conversation.toBottom()
  changed()
  return taken
}

const show = (chat: Model.ChatState) => {
  sidebar.cancelRename()
  openChat(chat)
  changed()
  // On a phone the keyboard would cover what was just opened.
  if (matchMedia("(min-width: 761px)").matches) elements.message.focus()
}

const composer = Composer.make({ onSend: say, onStop: () => say("/stop") })
const conversation = Conversation.make({
  onDiscard: (id) => {
    Memory.forget(new Set([id]))
    changed()
  },
  onPress: (messageId, option) => {
    link.send({
      type: "send",
      id: crypto.randomUUID(),
      chatId: current().chatId,
      text: option.label,
      press: { messageId, optionId: option.id }
    })
  },
  onTakeBack: (id, text) => {
    Memory.forget(new Set([id]))
    composer.insert(text)
    changed()
  }
})
const sidebar = Sidebar.make({
  onOpen: (chatId) => {
    const chat = model.chats.get(chatId)
    if (chat !== undefined) show(chat)
  },
  onNew: () => show(Model.addChat(model)),
  onRename: (title) => {
    const chat = current()
    chat.title = title
    link.send({ type: "rename", chatId: chat.chatId, title })
    changed()
  }
})
const sending = Sending.make((message) => link.send(message), changed)

const link = Link.open({
  onState: (next) => {
    state = next
    if (next === "open") {
      link.send({ type: "hello", seen: model.seen })
      sending.start()
    } else sending.stop()
    changed()
  },
  onMessage: (message) => {
    Model.apply(model, message)
    sending.onMessage(message)
    changed()
  }
})

elements.earlier.addEventListener("click", () => {
  const chat = current()
  link.send({ type: "history", chatId: chat.chatId, before: Model.firstSeq(chat) })
})
document.addEventListener("visibilitychange", changed)
addEventListener("storage", changed)
changed()
