/**
 * The field a person writes in: Enter sends, Shift+Enter breaks the line, an unfinished text stays with its chat. It does
 * not know what becomes of what was sent.
 */
import { elements } from "./Elements.ts"

const usualHint = elements.hint.textContent ?? ""
const longestText = 64 * 1024
const bytes = new TextEncoder()

export const make = (handlers: { readonly onSend: (text: string) => boolean; readonly onStop: () => void }) => {
  const { composer, examples, hint, message, send, stop } = elements
  const unfinished = new Map<string, string>()
  let chatId = ""

  const complain = (problem: string | null) => {
    hint.textContent = problem ?? usualHint
    if (problem === null) delete hint.dataset["problem"]
    else hint.dataset["problem"] = ""
  }

  const changed = () => {
    message.style.height = "auto"
    message.style.height = `${message.scrollHeight + 2}px`
    const tooLong = message.value.length > longestText / 4 && bytes.encode(message.value).length > longestText
    complain(tooLong ? "This is longer than 64 KiB: send it in parts." : null)
    send.disabled = tooLong || message.value.trim() === ""
  }

  const insert = (text: string) => {
    message.value = text
    changed()
    message.focus()
  }

  const submit = () => {
    if (send.disabled) return
    if (!handlers.onSend(message.value)) return complain("Too many messages wait to be sent.")
    insert("")
  }
  composer.addEventListener("submit", (event) => {
    event.preventDefault()
    submit()
  })
  message.addEventListener("input", changed)
  message.addEventListener("keydown", (event) => {
    // An input method uses Enter to choose a word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
    event.preventDefault()
    submit()
  })
  examples.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null
    if (button?.dataset["text"] !== undefined) insert(button.dataset["text"])
  })
  stop.addEventListener("click", handlers.onStop)

  return {
    insert,
    openChat: (next: string) => {
      if (next === chatId) return
      unfinished.set(chatId, message.value)
      chatId = next
      message.value = unfinished.get(next) ?? ""
      changed()
    },
    showBusy: (busy: boolean) => {
      stop.hidden = !busy
    }
  }
}
