/**
 * A message of the turn's progress that is edited in place: tool lines, the plan (`conversation G3`–`G5`, `delivery E4`). Its
 * first text is an Outbox row like any other; what follows are edits, of which only the newest counts. Cosmetic: a failure
 * is never the turn's.
 */
import { type Clock, Effect } from "effect"
import type { SendError } from "../Message/SendError.ts"

/** At most one edit in this time (`conversation G4`). */
const every = 1500
/** The platform may ask for longer; then the edit that follows is newer. */
const patience = 10_000
/** Refusals in a row after which the message stays as it is: its turn may be over for long. */
const mostRefusals = 20
/** Lines that one message holds; a new one is begun after them. */
const mostLines = 100

export interface Options {
  readonly clock: Clock.Clock
  /** Says the first text, and tells the id of its message once it is there; `null` = it will not be known. */
  readonly say: (text: string, tell: (messageId: string | null) => void) => Effect.Effect<void>
  readonly edit: (messageId: string, text: string) => Effect.Effect<void, SendError>
  readonly fork: (effect: Effect.Effect<void>) => void
}

export interface Progress {
  /** `false`: it can no longer be changed, and the text has to be said anew. */
  readonly show: (text: string) => Effect.Effect<boolean>
}

export const make = ({ clock, edit, fork, say }: Options): Progress => {
  let wanted: string | null = null
  let shown = ""
  let isBroken = false
  let isEditing = false
  let id: string | null = null
  let next = 0
  let refusals = 0

  const work = Effect.gen(function* () {
    while (wanted !== null && wanted !== shown && id !== null && !isBroken) {
      const wait = next - clock.currentTimeMillisUnsafe()
      if (wait > 0) {
        yield* Effect.sleep(wait)
        continue
      }
      const text: string = wanted
      next = clock.currentTimeMillisUnsafe() + every
      yield* Effect.matchEffect(edit(id, text), {
        onSuccess: () =>
          Effect.sync(() => {
            shown = text
            refusals = 0
          }),
        onFailure: (error) =>
          Effect.sync(() => {
            const isForLater = error.kind === "rate_limited" || error.kind === "transient" || error.isAmbiguous
            if (isForLater && ++refusals < mostRefusals) next += Math.min(patience, (error.retryAfter ?? 1) * 1000)
            else isBroken = true
          })
      })
    }
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        isEditing = false
      })
    )
  )

  const start = (): void => {
    if (isEditing || id === null) return
    isEditing = true
    fork(work)
  }

  return {
    show: (text) =>
      Effect.suspend(() => {
        if (isBroken) return Effect.succeed(false)
        if (wanted !== null) {
          wanted = text
          start()
          return Effect.succeed(true)
        }
        wanted = text
        shown = text
        const tell = (messageId: string | null): void => {
          id = messageId
          next = clock.currentTimeMillisUnsafe() + every
          if (messageId === null) isBroken = true
          else start()
        }
        return Effect.as(say(text, tell), true)
      })
  }
}

interface Line {
  readonly text: string
  readonly times: number
}

/** The lines of one bubble; equal ones in a row are one with a count (`conversation G3`). */
export interface Lines {
  readonly lines: ReadonlyArray<Line>
}

export const noLines: Lines = { lines: [] }

export const withLine = ({ lines }: Lines, text: string): Lines => {
  const last = lines.at(-1)
  return last?.text === text
    ? { lines: [...lines.slice(0, -1), { text, times: last.times + 1 }] }
    : { lines: [...lines, { text, times: 1 }] }
}

export const textOf = ({ lines }: Lines): string =>
  lines.map(({ text, times }) => (times === 1 ? text : `${text} (×${times})`)).join("\n")

/** There is no room for another line (`conversation G4`). */
export const isFull = (lines: Lines, maxLength: number): boolean =>
  lines.lines.length > mostLines || textOf(lines).length > maxLength - 64
