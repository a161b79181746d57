/**
 * A turn as it goes on, for clients that wait: server-sent events from the one after `Last-Event-ID`. Each is read from the
 * rows; a commit only says when to look. While nobody listens it costs nothing.
 */
import { type Cause, Effect, Queue, Stream } from "effect"
import type { SqlError } from "effect/sql"
import { Journal } from "../../Storage/Journal.ts"
import { concerns, TurnRecords } from "../../Storage/TurnRecords.ts"
import { eventsOf, viewOf } from "./TurnView.ts"

/** Also finds what another process has committed, and keeps the connection alive. */
const lookEvery = "5 seconds"
/** Clients that listen at once; further ones are told to ask again. */
const maxListeners = 64

export const make = Effect.gen(function* () {
  const journal = yield* Journal
  const records = yield* TurnRecords
  let listeners = 0

  const frames = (id: number, after: number): Stream.Stream<string, SqlError.SqlError> =>
    Stream.unwrap(
      Effect.gen(function* () {
        yield* Effect.acquireRelease(
          Effect.sync(() => listeners++),
          () => Effect.sync(() => listeners--)
        )
        const woken = yield* Queue.sliding<void>(1)
        const mine = concerns(id)
        yield* journal.observe((write) => {
          if (mine(write)) Queue.offerUnsafe(woken, undefined)
        })
        const out = yield* Queue.bounded<string, SqlError.SqlError | Cause.Done>(16)
        let last = after
        const follow = Effect.gen(function* () {
          while (true) {
            const record = yield* records.turn(id)
            if (record === null) return
            const view = viewOf(record)
            for (const { event, id } of eventsOf(view)) {
              if (id <= last) continue
              last = id
              yield* Queue.offer(out, `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify({ ...view, event })}\n\n`)
            }
            if (view.over) return
            const news = yield* Effect.timeoutOption(Queue.take(woken), lookEvery)
            if (news._tag === "None") yield* Queue.offer(out, ": still here\n\n")
          }
        })
        yield* follow.pipe(
          Effect.matchCauseEffect({
            onFailure: (cause) => Queue.failCause(out, cause),
            onSuccess: () => Queue.end(out)
          }),
          Effect.forkScoped
        )
        return Stream.fromQueue(out)
      })
    )

  return { frames, isFull: () => listeners >= maxListeners }
})
