/**
 * The verbs by which a faithful connector becomes an unlucky one: cuts, lost and late answers, refusals, silence, odd
 * framing, repeated deliveries. They bend timing and transport only; no verb makes the connector break its contract.
 */
import type { WebSocket } from "ws"
import { type Random, seeded } from "./Random.ts"

export class ConnectorFaults {
  /** A hello gets no descriptor (`relay H3`). */
  withholdDescriptor = false
  /** Share of deliveries that arrive twice. */
  duplicates = 0
  readonly counts = { cut: 0, dropped: 0, delayed: 0, refused: 0, frozen: 0, duplicated: 0, split: 0 }
  private readonly random: Random
  private readonly current: () => WebSocket | undefined
  private droppedResults = 0
  private delay = 0
  private refusals: Array<string> = []
  private splitting = false
  private frozen: WebSocket | undefined
  private readonly held: Array<string | Buffer> = []
  private readonly pending = new WeakMap<WebSocket, Array<Buffer>>()

  constructor(seed: number, current: () => WebSocket | undefined) {
    this.random = seeded(seed)
    this.current = current
  }

  /** Ends the connection without a close frame. */
  cutSocket(): void {
    const socket = this.current()
    if (socket === undefined) return
    this.counts.cut++
    socket.terminate()
  }

  closeWith(code: number): void {
    this.current()?.close(code)
  }

  /** The next `count` sends are carried out and never answered. */
  dropResult(count: number): void {
    this.droppedResults = count
  }

  /** Every answer comes `millis` later; 0 ends it. */
  delayResult(millis: number): void {
    this.delay = millis
  }

  /** The next `count` actions other than typing are not carried out and answered with this error. */
  refuse(count: number, error: string): void {
    for (let n = 0; n < count; n++) this.refusals.push(error)
  }

  rateLimit(count: number, seconds: number): void {
    this.refuse(count, `Too Many Requests: retry after ${seconds}`)
  }

  /** Neither reads, answers pings, nor writes, while the TCP connection stays up. */
  freeze(): void {
    const socket = this.current()
    if (socket === undefined || this.frozen !== undefined) return
    this.counts.frozen++
    this.frozen = socket
    socket.pause()
  }

  thaw(): void {
    const socket = this.frozen
    if (socket === undefined) return
    this.frozen = undefined
    socket.resume()
    for (const data of this.held.splice(0)) this.write(socket, data)
  }

  /** From now on lines are joined and cut anywhere, as text or binary messages. */
  splitBytes(on: boolean): void {
    this.splitting = on
  }

  duplicateNow(): boolean {
    if (this.duplicates === 0 || this.random.next() >= this.duplicates) return false
    this.counts.duplicated++
    return true
  }

  refusal(): string | undefined {
    const refusal = this.refusals.shift()
    if (refusal !== undefined) this.counts.refused++
    return refusal
  }

  /** Decides when, if at all, an action is answered. */
  answering(op: string, answer: (answered: boolean) => void): void {
    if (this.droppedResults > 0 && op !== "typing") {
      this.droppedResults--
      this.counts.dropped++
      return answer(false)
    }
    if (this.delay === 0) return answer(true)
    this.counts.delayed++
    setTimeout(answer, this.delay, true)
  }

  write(socket: WebSocket, data: string | Buffer): void {
    if (socket === this.frozen) {
      this.held.push(data)
      return
    }
    if (socket.readyState !== socket.OPEN) return
    if (!this.splitting) return socket.send(data, { binary: typeof data !== "string" })
    let pieces = this.pending.get(socket)
    if (pieces === undefined) {
      const gathered: Array<Buffer> = (pieces = [])
      this.pending.set(socket, gathered)
      queueMicrotask(() => {
        this.pending.delete(socket)
        this.writeSplit(socket, Buffer.concat(gathered))
      })
    }
    pieces.push(typeof data === "string" ? Buffer.from(data) : data)
  }

  private writeSplit(socket: WebSocket, bytes: Buffer): void {
    for (let from = 0; from < bytes.length;) {
      if (socket.readyState !== socket.OPEN) return
      let to = Math.min(bytes.length, from + 1 + this.random.below(this.random.next() < 0.5 ? 12 : 4000))
      const binary = this.random.next() < 0.5
      // A text message must be whole characters (RFC 6455 5.6); only a binary one may end inside one.
      if (!binary) while (to < bytes.length && (bytes[to]! & 0xc0) === 0x80) to++
      if (!binary && (bytes[from]! & 0xc0) === 0x80) to = Math.min(to, this.endOfCharacter(bytes, from))
      this.counts.split++
      socket.send(bytes.subarray(from, to), { binary: binary || (bytes[from]! & 0xc0) === 0x80 })
      from = to
    }
  }

  private endOfCharacter(bytes: Buffer, from: number): number {
    let end = from
    while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end++
    return end
  }
}
