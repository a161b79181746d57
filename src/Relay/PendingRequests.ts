/**
 * Requests that wait for their `outbound_result`: ids, the 30 s limit, at most 256 in flight, failed at once when the
 * connection ends (`relay O1`–`O3`, `O6`). It never sends anything twice.
 */
import { Clock, Effect, Exit, Latch, Random } from "effect"
import type { Mark } from "./FrameWriter.ts"
import { ConnectionLost, LinkBusy, NotConnected, OutboundTimeout } from "./RequestError.ts"

export const resultTimeoutMillis = 30_000
export const maxInFlight = 256
/** Callers that may wait for their turn; beyond it a request is refused with `LinkBusy`. */
const maxWaiting = 16_384

/** Order of service (`delivery O11`); within one rank the oldest first. */
export const ranks = ["final", "approval", "notice", "scheduled", "interim", "edit", "typing"] as const
export type Rank = (typeof ranks)[number]

export type PendingError = NotConnected | LinkBusy | ConnectionLost | OutboundTimeout

/** Where launched requests go: the writer of the connection that is up. */
export type Submit = (line: string, mark: Mark) => void

interface Entry extends Mark {
  readonly encode: (requestId: string) => string
  readonly settle: (exit: Exit.Exit<unknown, PendingError>) => void
  id: string
  deadline: number
  isDone: boolean
}

export interface PendingRequests {
  /** Launches the request, now or when its turn comes; succeeds with the raw `result`. */
  readonly request: (rank: Rank, encode: (requestId: string) => string) => Effect.Effect<unknown, PendingError>
  /** Answers the request of that id; `false`: nobody waits for it (`relay O2`). */
  readonly resolve: (requestId: string, result: unknown) => boolean
  readonly connect: (submit: Submit) => void
  /** Fails everything that waits: `ConnectionLost` for what has left, `NotConnected` for what has not. */
  readonly disconnect: () => void
  /** Fails what waited too long; runs as long as the link lives. */
  readonly expire: Effect.Effect<never>
  readonly inFlight: () => number
}

export const make: Effect.Effect<PendingRequests> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const prefix = yield* randomHex
  let sequence = 0
  let submit: Submit | null = null
  /** In order of launch, so the first is the first to expire. */
  const flying = new Map<string, Entry>()
  const waiting = new Map<Rank, Array<Entry>>(ranks.map((rank) => [rank, []]))
  let waitingCount = 0
  const some = Latch.makeUnsafe(false)

  const launch = (entry: Entry, submit: Submit) => {
    entry.id = prefix + (++sequence).toString(16).padStart(16, "0")
    entry.deadline = clock.currentTimeMillisUnsafe() + resultTimeoutMillis
    flying.set(entry.id, entry)
    some.openUnsafe()
    submit(entry.encode(entry.id), entry)
  }

  const launchNext = () => {
    while (submit !== null && flying.size < maxInFlight && waitingCount > 0) {
      const entry = nextWaiting()
      if (!entry.isDone) launch(entry, submit)
    }
    if (flying.size === 0) some.closeUnsafe()
  }

  const nextWaiting = (): Entry => {
    waitingCount--
    for (const entries of waiting.values()) if (entries.length > 0) return entries.shift()!
    throw new Error("counted a waiting request that is not there")
  }

  const end = (entry: Entry, exit: Exit.Exit<unknown, PendingError>) => {
    flying.delete(entry.id)
    if (entry.isDone) return
    entry.isDone = true
    entry.settle(exit)
  }

  return {
    request: (rank, encode) =>
      Effect.callback((resume) => {
        if (submit === null) return resume(Effect.fail(new NotConnected()))
        if (waitingCount >= maxWaiting) return resume(Effect.fail(new LinkBusy()))
        const entry: Entry = { encode, settle: resume, id: "", deadline: 0, isDone: false, written: false }
        if (flying.size < maxInFlight) launch(entry, submit)
        else {
          waiting.get(rank)!.push(entry)
          waitingCount++
        }
        return Effect.sync(() => {
          entry.isDone = true
          if (flying.delete(entry.id)) return launchNext()
          const entries = waiting.get(rank)!
          const at = entries.indexOf(entry)
          if (at < 0) return
          entries.splice(at, 1)
          waitingCount--
        })
      }),
    resolve: (requestId, result) => {
      const entry = flying.get(requestId)
      if (entry === undefined) return false
      end(entry, Exit.succeed(result))
      launchNext()
      return true
    },
    connect: (to) => {
      submit = to
    },
    disconnect: () => {
      submit = null
      const lost = [...flying.values()]
      const unsent = [...waiting.values()].flat()
      flying.clear()
      for (const entries of waiting.values()) entries.length = 0
      waitingCount = 0
      some.closeUnsafe()
      for (const entry of lost) end(entry, Exit.fail(entry.written ? new ConnectionLost() : new NotConnected()))
      for (const entry of unsent) end(entry, Exit.fail(new NotConnected()))
    },
    expire: Effect.gen(function* () {
      while (true) {
        yield* some.await
        for (const entry of flying.values()) {
          const wait = entry.deadline - clock.currentTimeMillisUnsafe()
          if (wait > 0) {
            yield* Effect.sleep(wait)
            break
          }
          end(entry, Exit.fail(new OutboundTimeout()))
        }
        launchNext()
      }
    }),
    inFlight: () => flying.size
  }
})

const randomHex = Effect.map(
  Effect.all([Random.nextIntBetween(0, 0xffff_ffff), Random.nextIntBetween(0, 0xffff_ffff)]),
  (words) => words.map((word) => word.toString(16).padStart(8, "0")).join("")
)
