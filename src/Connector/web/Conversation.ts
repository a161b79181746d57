/**
 * The messages of the chat that is open: one node per message for as long as it is shown, changed in place. It scrolls
 * along only while the end is in view, and never decides what a state means.
 */
import { create, elements } from "./Elements.ts"
import * as Markdown from "./Markdown.ts"
import * as Model from "./Model.ts"
import type { WireMessage, WireState } from "./Wire.ts"

type State = Exclude<WireState, "shown"> | "sending" | "refused"

const marks: Readonly<Record<State, readonly [string, string]>> = {
  sending: ["◌", "sending"],
  sent: ["✓", "sent"],
  taken: ["✓✓", "taken"],
  running: ["●", "running"],
  answered: ["✓✓", "answered"],
  refused: ["✕", "not sent"]
}

interface Row {
  readonly element: HTMLElement
  readonly body: HTMLElement
  readonly meta: HTMLElement
  readonly options: HTMLElement
  prompt: WireMessage["prompt"]
  text: string | null
  state: string
}

export interface Handlers {
  readonly onDiscard: (id: string) => void
  readonly onPress: (messageId: string, option: { readonly id: string; readonly label: string }) => void
  readonly onTakeBack: (id: string, text: string) => void
}

const nearEnd = 80
/** A press that nobody confirmed may be tried again. */
const pressPatience = 5000

export const make = (handlers: Handlers) => {
  const { earlier, empty, log, scroll, toEnd, typing } = elements
  let chatId = ""
  let rows = new Map<string, Row>()
  let typingTimer: ReturnType<typeof setTimeout> | undefined

  const atEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < nearEnd
  const toBottom = () => {
    scroll.scrollTop = scroll.scrollHeight
    toEnd.hidden = true
  }
  toEnd.addEventListener("click", toBottom)
  scroll.addEventListener("scroll", () => {
    if (atEnd()) toEnd.hidden = true
  })
  log.addEventListener("click", Markdown.onPress)

  const makeRow = (id: string, mine: boolean): Row => {
    const element = create("article", `message ${mine ? "mine" : "theirs"}`)
    element.dataset["id"] = id
    element.setAttribute("aria-label", mine ? "You" : "Agent")
    const body = create("div", mine ? "bubble" : "bubble rendered")
    const meta = create("div", "meta")
    const options = create("div", "options")
    options.hidden = true
    element.append(body, options, meta)
    return { element, body, meta, options, prompt: null, text: null, state: "" }
  }

  const setText = (row: Row, text: string, mine: boolean) => {
    if (row.text === text) return
    row.text = text
    if (mine) row.body.textContent = text
    else Markdown.update(row.body, text)
  }

  /** Pressed once: the buttons are gone when the server says so, and rest until then. */
  const setPrompt = (row: Row, messageId: string, prompt: WireMessage["prompt"]) => {
    if (row.prompt?.id === prompt?.id) return
    row.prompt = prompt
    row.options.hidden = prompt === null
    row.options.replaceChildren(
      ...(prompt?.options ?? []).map((option) => {
        const element = button(option.label, () => {
          for (const other of row.options.querySelectorAll("button")) other.disabled = true
          setTimeout(() => {
            for (const other of row.options.querySelectorAll("button")) other.disabled = false
          }, pressPatience)
          handlers.onPress(messageId, option)
        })
        if (option.style !== null) element.dataset["style"] = option.style
        return element
      })
    )
  }

  const setMeta = (row: Row, at: number, state: State | null, why: string | null, id: string, text: string) => {
    const key = `${state}:${why}`
    if (row.state === key) return
    row.state = key
    row.element.classList.toggle("unsent", state === "sending" || state === "refused")
    row.element.classList.toggle("refused", state === "refused")
    row.meta.replaceChildren(time(at))
    if (state === null) return
    const [mark, word] = marks[state]
    const label = create("span", "state")
    label.dataset["state"] = state
    const icon = create("span", "mark", mark)
    icon.setAttribute("aria-hidden", "true")
    label.append(icon, create("span", "word", why === null ? word : `${word}: ${why}`))
    row.meta.append(label)
    if (state !== "refused") return
    row.meta.append(
      button("Edit", () => handlers.onTakeBack(id, text)),
      button("Discard", () => handlers.onDiscard(id))
    )
  }

  const showTyping = (chat: Model.ChatState) => {
    clearTimeout(typingTimer)
    const left = chat.typingUntil - Date.now()
    typing.hidden = left <= 0
    if (left > 0) typingTimer = setTimeout(() => show(chat), left)
  }

  /** Brings the screen to what the chat is now. */
  const show = (chat: Model.ChatState) => {
    const switched = chat.chatId !== chatId
    if (switched) {
      chatId = chat.chatId
      rows = new Map()
      log.replaceChildren()
    }
    const follow = switched || atEnd()
    const heightBefore = scroll.scrollHeight
    const first = log.querySelector(".message")
    const messages = Model.shown(chat)
    const wanted: Array<Element> = []
    const ids = new Set<string>()
    let day = ""
    for (const { kind, message } of messages) {
      const mine = kind === "unsent" || message.role === "user"
      let row = rows.get(message.id)
      if (row === undefined) rows.set(message.id, (row = makeRow(message.id, mine)))
      const on = dayOf(message.createdAt)
      if (on !== day) wanted.push(dayMark(on))
      day = on
      setText(row, message.text, mine)
      if (kind === "stored") setPrompt(row, message.id, message.prompt)
      const state: State | null =
        kind === "unsent"
          ? message.refused === null
            ? "sending"
            : "refused"
          : message.state === "shown"
            ? null
            : message.state
      setMeta(row, message.createdAt, state, kind === "unsent" ? message.refused : null, message.id, message.text)
      wanted.push(row.element)
      ids.add(message.id)
    }
    for (const [id, row] of rows) {
      if (ids.has(id)) continue
      row.element.remove()
      rows.delete(id)
    }
    arrange(wanted)
    empty.hidden = messages.length > 0
    earlier.hidden = !chat.more
    showTyping(chat)
    if (messages.length === 0) scroll.scrollTop = 0
    else if (follow) toBottom()
    else if (first !== log.querySelector(".message")) scroll.scrollTop += scroll.scrollHeight - heightBefore
    else if (scroll.scrollHeight > heightBefore) toEnd.hidden = false
  }

  const days = new Map<string, HTMLElement>()
  const dayMark = (day: string): HTMLElement => {
    let mark = days.get(day)
    if (mark === undefined) days.set(day, (mark = create("div", "day", day)))
    return mark
  }

  /** Moves only nodes that stand in the wrong place: a node that is moved loses its selection. */
  const arrange = (wanted: ReadonlyArray<Element>) => {
    const keep = new Set(wanted)
    for (const child of Array.from(log.children)) if (!keep.has(child)) child.remove()
    wanted.forEach((element, index) => {
      const present = log.children[index]
      if (present !== element) log.insertBefore(element, present ?? null)
    })
  }

  return { show, toBottom }
}

const button = (label: string, onPress: () => void): HTMLButtonElement => {
  const element = create("button", "", label)
  element.type = "button"
  element.addEventListener("click", onPress)
  return element
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })
const calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" })

const time = (at: number): HTMLElement => {
  const element = create("time", "", clock.format(at))
  element.dateTime = new Date(at).toISOString()
  return element
}

const dayOf = (at: number): string =>
  new Date(at).toDateString() === new Date().toDateString() ? "Today" : calendar.format(at)
