/**
 * The yardstick: `ws` and `JSON.parse` and nothing else. It counts frames, and answers each `inbound` of a chat that
 * talks with the same text at once. No validation, no storage, no acknowledgement: no gateway can be faster than this.
 */
import { WebSocket } from "ws"

const url = process.argv[2] ?? ""
const socket = new WebSocket(`${url.replace(/^http/, "ws")}/relay`, {
  perMessageDeflate: false,
  skipUTF8Validation: true
})

interface Frame {
  readonly type: string
  readonly event?: { readonly text: string; readonly source: { readonly chat_id: string } }
}

let counting = false
let counted = 0
let began = 0
let requests = 0

const line = (text: string): void => {
  const frame = JSON.parse(text) as Frame
  if (frame.type === "inbound" && frame.event !== undefined) {
    if (counting) {
      counted++
      return
    }
    const requestId = (++requests).toString(16).padStart(32, "0")
    const action = {
      op: "send",
      chat_id: frame.event.source.chat_id,
      content: frame.event.text,
      metadata: { idempotency_key: requestId }
    }
    socket.send(`${JSON.stringify({ type: "outbound", requestId, action })}\n`)
  } else if (frame.type === "count") {
    counting = true
    counted = 0
    began = performance.now()
  } else if (frame.type === "counted") {
    counting = false
    socket.send(
      `${JSON.stringify({ type: "counted", messages: counted, seconds: (performance.now() - began) / 1000 })}\n`
    )
  }
}

socket.on("open", () => socket.send(`{"type":"hello","platform":"relay","botId":""}\n`))
let tail = ""
socket.on("message", (data) => {
  const text = tail + String(data)
  let from = 0
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
    line(text.slice(from, end))
    from = end + 1
  }
  tail = text.slice(from)
})
socket.on("close", () => process.exit(0))
socket.on("error", () => process.exit(1))
