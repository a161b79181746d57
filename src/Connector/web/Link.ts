/**
 * The page's WebSocket: opens it, opens it again when it is lost (full jitter, no reload), and says how it stands. It
 * keeps no messages: what was not confirmed is sent again by whoever holds it.
 */
import type { PageMessage, ServerMessage } from "./Wire.ts"

/** `login`: the server wants a login first; only a reload helps. */
export type LinkState = "connecting" | "open" | "waiting" | "login"

export interface Link {
  /** Dropped while the link is not open. */
  readonly send: (message: PageMessage) => void
}

const shortestWait = 150
const firstWait = 400
const longestWait = 8000
/** An attempt that has not opened by then is given up. */
const openTimeout = 8000

export const open = (handlers: {
  readonly onState: (state: LinkState) => void
  readonly onMessage: (message: ServerMessage) => void
}): Link => {
  let socket: WebSocket | null = null
  let failures = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const dial = () => {
    clearTimeout(timer)
    handlers.onState("connecting")
    const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/chat/socket`)
    socket = mine
    const giveUp = setTimeout(() => mine.close(), openTimeout)
    mine.addEventListener("open", () => {
      clearTimeout(giveUp)
      failures = 0
      handlers.onState("open")
    })
    mine.addEventListener("message", (event) => {
      if (socket === mine) handlers.onMessage(JSON.parse(String(event.data)) as ServerMessage)
    })
    mine.addEventListener("close", () => {
      clearTimeout(giveUp)
      if (socket !== mine) return
      socket = null
      void lost()
    })
  }

  const lost = async () => {
    failures++
    handlers.onState("waiting")
    const cap = Math.min(longestWait, firstWait * 2 ** Math.min(failures - 1, 10))
    timer = setTimeout(dial, shortestWait + Math.random() * cap)
    if (failures > 1 && (await needsLogin())) {
      clearTimeout(timer)
      handlers.onState("login")
    }
  }

  const hurry = () => {
    if (socket === null && document.visibilityState === "visible") dial()
  }
  addEventListener("online", hurry)
  document.addEventListener("visibilitychange", hurry)
  dial()

  return {
    send: (message) => {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
    }
  }
}

/** A refused upgrade does not tell the page why; an ordinary request does. */
const needsLogin = () =>
  fetch("/assets/Page.js", { method: "GET", cache: "no-store" }).then(
    (response) => response.status === 401,
    () => false
  )
