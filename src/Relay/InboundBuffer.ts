/**
 * What has been read and is not stored yet, in order of arrival. It outlives a connection, so that what was read is stored
 * whatever becomes of the socket; it is bounded in number and size, and when it is full reading stops (`relay I4`).
 */
import { type Effect, Latch } from "effect"
import type { Inbound } from "../Session/Intake.ts"
import type { FrameWriter } from "./FrameWriter.ts"

export type Waiting =
  | {
      readonly kind: "inbound"
      readonly inbound: Inbound
      /** Where the acknowledgement goes: the connection it came over, as long as that lives. */
      readonly writer: FrameWriter
      readonly size: number
    }
  | {
      readonly kind: "dead"
      readonly bufferId: string
      readonly raw: string
      readonly reason: string
      readonly writer: FrameWriter
      readonly size: number
    }
  | {
      /** Wants nothing of us, and is acknowledged in its turn. */
      readonly kind: "nothing"
      readonly bufferId: string
      readonly writer: FrameWriter
      readonly size: number
    }
  | {
      /** A request for an adapter of this gateway (`relay P4`). */
      readonly kind: "forward"
      readonly read: Effect.Effect<ReadonlyArray<Inbound>>
      /** What is kept of it when the adapter cannot read it. */
      readonly raw: string
      readonly bufferId: string | null
      readonly writer: FrameWriter
      readonly size: number
    }
  | { readonly kind: "interrupt"; readonly sessionKey: string; readonly chatId: string; readonly size: number }

export const maxItems = 2048
/** Characters of the lines that wait. */
const maxSize = 16 * 1024 * 1024

export interface InboundBuffer {
  readonly push: (item: Waiting) => void
  /** Lets the other side see what was pushed: once per batch. */
  readonly announce: () => void
  readonly isFull: () => boolean
  /** Waits while it is full. */
  readonly room: Effect.Effect<void>
  /** Waits for the first item. */
  readonly some: Effect.Effect<void>
  /** Up to `count` items, which stay in `holds` until the next take or `settled`. */
  readonly take: (count: number) => ReadonlyArray<Waiting>
  /** What was taken last is dealt with. */
  readonly settle: () => void
  /** Waits until everything pushed is dealt with. */
  readonly settled: Effect.Effect<void>
  /** Whether a message of that chat waits or is being stored. */
  readonly holds: (chatId: string) => boolean
}

export const make = (): InboundBuffer => {
  let items: Array<Waiting> = []
  let taken: ReadonlyArray<Waiting> = []
  let size = 0
  const some = Latch.makeUnsafe(false)
  const room = Latch.makeUnsafe(true)
  const empty = Latch.makeUnsafe(true)
  const isFull = () => items.length >= maxItems || size >= maxSize
  const isOf = (chatId: string) => (item: Waiting) =>
    item.kind === "inbound" && item.inbound.event.source.chatId === chatId

  return {
    push: (item) => {
      items.push(item)
      size += item.size
    },
    announce: () => {
      if (items.length === 0) return
      empty.closeUnsafe()
      if (isFull()) room.closeUnsafe()
      some.openUnsafe()
    },
    isFull,
    room: room.await,
    some: some.await,
    take: (count) => {
      if (items.length <= count) {
        taken = items
        items = []
      } else taken = items.splice(0, count)
      for (const item of taken) size -= item.size
      if (items.length === 0) some.closeUnsafe()
      if (!isFull()) room.openUnsafe()
      return taken
    },
    settle: () => {
      taken = []
      if (items.length === 0) empty.openUnsafe()
    },
    settled: empty.await,
    holds: (chatId) => taken.some(isOf(chatId)) || items.some(isOf(chatId))
  }
}
