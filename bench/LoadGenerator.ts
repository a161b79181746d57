/**
 * A process of its own that plays the connector: it floods, or keeps chats talking, and measures from its own side what
 * comes back. It checks nothing, so that it is never the bottleneck; the strict connector of the tests does that.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { type RawData, type WebSocket, WebSocketServer } from "ws"
import { percentile } from "./Figures.ts"
import { descriptorLine, inboundLine, type Order, type Report } from "./Wire.ts"

interface Frame {
  readonly type: string
  readonly bufferId?: string
  readonly requestId?: string
  readonly messages?: number
  readonly seconds?: number
  readonly action?: { readonly op: string; readonly chat_id: string; readonly content?: string }
}

const say = (report: Report) => process.send?.(report)

let client: WebSocket | undefined
let sequence = 0
let onSend: (chat: string, text: string) => void = () => {}
let onAcknowledged: (bufferId: number) => void = () => {}
let onCounted: (messages: number, seconds: number) => void = () => {}

const frame = (frame: Frame): void => {
  switch (frame.type) {
    case "hello":
      client?.send(descriptorLine)
      return void say({ report: "connected" })
    case "inbound_ack":
      return onAcknowledged(Number(frame.bufferId))
    case "counted":
      return onCounted(frame.messages ?? 0, frame.seconds ?? 1)
    case "outbound": {
      client?.send(
        `{"type":"outbound_result","requestId":"${frame.requestId}","result":{"success":true,"message_id":"s${++sequence}"}}\n`
      )
      const { action } = frame
      if (action?.op === "send") onSend(action.chat_id, action.content ?? "")
    }
  }
}

const accept = (socket: WebSocket): void => {
  client = socket
  let tail = ""
  socket.on("message", (data: RawData) => {
    const text = tail + String(data)
    let from = 0
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      frame(JSON.parse(text.slice(from, end)) as Frame)
      from = end + 1
    }
    tail = text.slice(from)
  })
  socket.on("error", () => socket.terminate())
}

/** Every chat sends its next message when it has its answer; the time of a turn is from that send to that answer. */
const turns = (order: Extract<Order, { order: "turns" }>): void => {
  const sentAt = new Map<string, number>()
  const times: Array<number> = []
  let measuring = false
  const next = (chat: string) => {
    sentAt.set(chat, performance.now())
    client?.send(inboundLine(chat, ++sequence, "echo this"))
  }
  onSend = (chat) => {
    const since = sentAt.get(chat)
    if (since === undefined) return
    sentAt.delete(chat)
    if (measuring) times.push(performance.now() - since)
    next(chat)
  }
  for (let n = 0; n < order.chats; n++) next(`turn-${n}`)
  setTimeout(() => {
    measuring = true
    const began = performance.now()
    setTimeout(() => {
      const seconds = (performance.now() - began) / 1000
      onSend = () => {}
      const sorted = Float64Array.from(times)
      say({
        report: "turns",
        figure: { perSecond: times.length / seconds, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) }
      })
    }, order.seconds * 1000)
  }, order.warmUp * 1000)
}

/** Writes as fast as the peer reads: at most 1 MiB waits in this process. */
const pour = (lines: Iterator<string>, poured: () => void): void => {
  const step = () => {
    if (client === undefined || client.readyState !== client.OPEN) return
    for (let n = 0; n < 200; n++) {
      if (client.bufferedAmount > 1024 * 1024) break
      const { done, value } = lines.next()
      if (done === true) return poured()
      client.send(value)
    }
    setImmediate(step)
  }
  step()
}

/** A fixed number of messages for which no answer comes; then one per chat that is answered, to see when all turns ran. */
const flood = (order: Extract<Order, { order: "flood" }>): void => {
  const messages = order.chats * order.perChat
  const began = performance.now()
  const elapsed = () => (performance.now() - began) / 1000
  const text = order.acknowledged ? "!silent" : "counted"
  function* silent(): Generator<string> {
    for (let n = 0; n < messages; n++) yield inboundLine(`flood-${n % order.chats}`, ++sequence, text)
  }
  if (!order.acknowledged) {
    onCounted = (counted, seconds) =>
      say({ report: "flood", figure: { messages: counted, taken: counted / seconds, turned: null } })
    client?.send(`{"type":"count"}\n`)
    return pour(silent(), () => client?.send(`{"type":"counted"}\n`))
  }
  // Stragglers of an earlier order are not ours.
  const before = sequence
  let acknowledged = 0
  let taken = Number.NaN
  const waiting = new Set<string>()
  onAcknowledged = (bufferId) => {
    if (bufferId > before && ++acknowledged === messages) taken = messages / elapsed()
  }
  onSend = (chat) => {
    if (!waiting.delete(chat) || waiting.size > 0) return
    onSend = () => {}
    say({ report: "flood", figure: { messages, taken, turned: (messages + order.chats) / elapsed() } })
  }
  pour(silent(), () => {
    for (let n = 0; n < order.chats; n++) waiting.add(`flood-${n}`)
    function* last(): Generator<string> {
      for (let n = 0; n < order.chats; n++) yield inboundLine(`flood-${n}`, ++sequence, "and this one is answered")
    }
    pour(last(), () => {})
  })
}

process.on("message", (order: Order) => (order.order === "turns" ? turns(order) : flood(order)))
process.once("disconnect", () => process.exit(0))

const server = createServer((_, response) => response.writeHead(404).end())
const upgrades = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 16 * 1024 * 1024 })
upgrades.on("connection", accept)
server.listen(0, "127.0.0.1", () => say({ report: "listening", port: (server.address() as AddressInfo).port }))
