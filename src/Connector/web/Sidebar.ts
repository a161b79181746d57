/**
 * The list of chats, the name of the open one, and how the connection stands. On a phone the list is a drawer.
 */
import { create, elements } from "./Elements.ts"
import type { LinkState } from "./Link.ts"
import * as Model from "./Model.ts"

export interface Handlers {
  readonly onOpen: (chatId: string) => void
  readonly onNew: () => void
  readonly onRename: (title: string) => void
}

export const make = (handlers: Handlers) => {
  const { banner, chats, closeSidebar, link, newChat, openSidebar, rename, renameForm, renameInput, shade, title } =
    elements
  const items = new Map<string, ReturnType<typeof makeItem>>()

  const drawer = (open: boolean) => {
    document.body.classList.toggle("sidebar-open", open)
    openSidebar.setAttribute("aria-expanded", String(open))
  }
  openSidebar.addEventListener("click", () => {
    drawer(true)
    closeSidebar.focus()
  })
  closeSidebar.addEventListener("click", () => {
    drawer(false)
    openSidebar.focus()
  })
  shade.addEventListener("click", () => drawer(false))
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") drawer(false)
  })
  newChat.addEventListener("click", () => {
    handlers.onNew()
    drawer(false)
  })

  const editing = (on: boolean) => {
    renameForm.hidden = !on
    title.hidden = on
    rename.hidden = on
  }
  rename.addEventListener("click", () => {
    renameInput.value = title.textContent ?? ""
    editing(true)
    renameInput.select()
  })
  renameForm.addEventListener("submit", (event) => {
    event.preventDefault()
    const wanted = renameInput.value.trim()
    if (wanted !== "") handlers.onRename(wanted)
    editing(false)
    rename.focus()
  })
  renameInput.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return
    editing(false)
    rename.focus()
  })

  const makeItem = (chatId: string) => {
    const element = create("li", "")
    const button = create("button", "")
    button.type = "button"
    const name = create("span", "name")
    const last = create("span", "last")
    const unread = create("span", "unread")
    button.append(name, last, unread)
    button.addEventListener("click", () => {
      handlers.onOpen(chatId)
      drawer(false)
    })
    element.append(button)
    return { element, button, name, last, unread }
  }

  return {
    showChats: (model: Model.Model) => {
      const ordered = Model.ordered(model)
      let total = 0
      ordered.forEach((chat, index) => {
        let item = items.get(chat.chatId)
        if (item === undefined) items.set(chat.chatId, (item = makeItem(chat.chatId)))
        const current = chat.chatId === model.current
        const unread = current && document.visibilityState === "visible" ? 0 : Model.unread(chat)
        total += unread
        item.name.textContent = chat.title
        item.last.textContent = Model.shown(chat).at(-1)?.message.text.slice(0, 120) ?? ""
        item.unread.textContent = String(unread)
        item.unread.hidden = unread === 0
        item.unread.setAttribute("aria-label", `${unread} unread`)
        item.button.setAttribute("aria-current", String(current))
        if (chats.children[index] !== item.element) chats.insertBefore(item.element, chats.children[index] ?? null)
        if (current) title.textContent = chat.title
      })
      document.title = `${total > 0 ? `(${total}) ` : ""}${model.chats.get(model.current)?.title ?? "Chat"} – Switchboard`
    },
    showLink: (state: LinkState, gateway: boolean) => {
      const [lamp, words] = standing(state, gateway)
      link.dataset["state"] = lamp
      link.querySelector(".words")!.textContent = words
      banner.hidden = lamp === "good" || state === "connecting"
      if (state === "login") {
        const again = create("a", "", "Log in again")
        again.href = "/"
        banner.replaceChildren("The login has ended. ", again)
      } else if (state !== "open")
        banner.textContent = "The connection is lost; what you write is kept here and sent later."
      else banner.textContent = "The gateway is away; what you write is kept on the server until it is back."
    },
    cancelRename: () => editing(false)
  }
}

const standing = (state: LinkState, gateway: boolean): readonly ["good" | "warn" | "bad", string] => {
  switch (state) {
    case "open":
      return gateway ? ["good", "Connected"] : ["warn", "Gateway away"]
    case "connecting":
      return ["warn", "Connecting…"]
    case "waiting":
      return ["bad", "Reconnecting…"]
    case "login":
      return ["bad", "Login needed"]
  }
}
