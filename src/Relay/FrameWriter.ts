/**
 * The writing side of one connection: lines that gather within one turn of the scheduler leave in one WebSocket message
 * (`relay W1` allows several lines in one). It keeps their order and knows nothing of what they say.
 */
import { Effect, Latch } from "effect"
import type { Wire, WireClosed } from "./Dialer.ts"

/** Told that a line is about to leave this process; until then it surely did not. */
export interface Mark {
  written: boolean
}

/** Characters of one WebSocket message, unless one line alone is longer: peers may limit messages as low as 1 MiB. */
const maxMessage = 64 * 1024
/** Characters that may gather before `room` waits. */
const maxGathered = 4 * 1024 * 1024

export interface FrameWriter {
  /** Takes whole lines, newline included; never waits. After the end of the connection it drops them. */
  readonly push: (lines: string, mark?: Mark) => void
  /** Waits while too much has gathered. */
  readonly room: Effect.Effect<void>
  /** Completes when everything pushed has been handed to the wire, or the connection ended. */
  readonly flushed: Effect.Effect<void>
  /** Writes until the connection ends. */
  readonly run: Effect.Effect<never, WireClosed>
  /** Drops what has gathered and lets everybody go. */
  readonly end: () => void
  readonly hasEnded: () => boolean
}

export const make = (wire: Wire, onWrite: () => void): FrameWriter => {
  let lines: Array<string> = []
  let marks: Array<Mark | undefined> = []
  let gathered = 0
  let next = 0
  let ended = false
  const some = Latch.makeUnsafe(false)
  const room = Latch.makeUnsafe(true)
  const empty = Latch.makeUnsafe(true)

  const take = (): string => {
    let text = lines[next]!
    mark(next++)
    while (next < lines.length && text.length + lines[next]!.length <= maxMessage) {
      text += lines[next]!
      mark(next++)
    }
    gathered -= text.length
    if (next === lines.length) {
      lines = []
      marks = []
      next = 0
    }
    if (gathered <= maxGathered) room.openUnsafe()
    return text
  }
  const mark = (index: number) => {
    const mark = marks[index]
    if (mark !== undefined) mark.written = true
  }

  return {
    push: (text, mark) => {
      if (ended) return
      lines.push(text)
      marks.push(mark)
      gathered += text.length
      if (gathered > maxGathered) room.closeUnsafe()
      empty.closeUnsafe()
      some.openUnsafe()
    },
    room: room.await,
    flushed: empty.await,
    run: Effect.gen(function* () {
      while (true) {
        yield* some.await
        // Whoever is ready to run now gets its line into the same message.
        yield* Effect.yieldNow
        while (lines.length > 0) {
          yield* wire.write(take())
          onWrite()
        }
        some.closeUnsafe()
        empty.openUnsafe()
      }
    }),
    end: () => {
      ended = true
      lines = []
      marks = []
      gathered = 0
      next = 0
      room.openUnsafe()
      empty.openUnsafe()
    },
    hasEnded: () => ended
  }
}
