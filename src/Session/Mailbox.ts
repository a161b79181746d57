/**
 * What waits for one actor, in order of arrival. Many may offer, from anywhere and without waiting; one fiber takes. It
 * holds no fiber, timer or scheduler of its own, so that an idle session costs next to nothing.
 */
import { Effect } from "effect"

export interface Mailbox<A> {
  readonly offer: (message: A) => void
  /** Before all that waits: for what must not stand behind a flood. */
  readonly offerFirst: (message: A) => void
  /** Waits for the next message. Only the actor calls it. */
  readonly take: Effect.Effect<A>
  readonly size: () => number
}

export const make = <A>(): Mailbox<A> => {
  const messages: Array<A> = []
  let wake: (() => void) | null = null

  const next = Effect.suspend((): Effect.Effect<A> => {
    const message = messages.shift()
    return message === undefined ? awaitNext : Effect.succeed(message)
  })
  const awaitNext: Effect.Effect<A> = Effect.callback<void>((resume) => {
    // The actor goes on in its own time, not inside whoever offers.
    wake = () => resume(Effect.yieldNow)
    return Effect.sync(() => {
      wake = null
    })
  }).pipe(Effect.andThen(next))

  const awake = (): void => {
    const waiting = wake
    wake = null
    waiting?.()
  }

  return {
    offer: (message) => {
      messages.push(message)
      awake()
    },
    offerFirst: (message) => {
      messages.unshift(message)
      awake()
    },
    take: next,
    size: () => messages.length
  }
}
