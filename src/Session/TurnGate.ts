/**
 * Turns of one conversation come one after the other, also when two keys point at it (`session E5`). A key's own turns
 * never meet, so that an ordinary turn finds the gate open: one entry in a map, and no row anywhere. All lanes live in this
 * process, whose claim on the database keeps others out; that is what makes memory enough.
 */
import { Context, Effect, Layer } from "effect"

export class TurnGate extends Context.Service<
  TurnGate,
  {
    /** Waits until no other turn of this conversation runs, first come, first served. Whoever is in must leave. */
    readonly enter: (sessionId: string) => Effect.Effect<void>
    readonly leave: (sessionId: string) => Effect.Effect<void>
  }
>()("Session/TurnGate") {
  static readonly layer = Layer.sync(TurnGate, () => {
    /** Whoever waits, by conversation; an entry is there as long as one of its turns runs. */
    const held = new Map<string, Array<() => void>>()

    const leave = (sessionId: string) =>
      Effect.sync(() => {
        const next = held.get(sessionId)?.shift()
        if (next === undefined) held.delete(sessionId)
        else next()
      })

    const enter = (sessionId: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const waiting = held.get(sessionId)
        if (waiting === undefined) {
          held.set(sessionId, [])
          return Effect.void
        }
        return Effect.callback<void>((resume) => {
          const go = () => resume(Effect.void)
          waiting.push(go)
          return Effect.suspend(() => {
            const at = waiting.indexOf(go)
            // Interrupted when the gate had just been handed over: it goes on to the next.
            if (at < 0) return leave(sessionId)
            waiting.splice(at, 1)
            return Effect.void
          })
        })
      })

    return { enter, leave }
  })
}
