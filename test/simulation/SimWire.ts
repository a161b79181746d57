/**
 * A socket that exists only in simulated time: two directions, each in order, each chunk late by chance. Cutting it loses
 * what is under way in both directions, as a lost connection does.
 */
import { Cause, Clock, Effect, Queue, type Scope } from "effect"
import { type Wire, WireClosed } from "../../src/Relay/Dialer.ts"
import type { Random } from "../support/Random.ts"

export interface SimSocket {
  /** The gateway's end. */
  readonly wire: Wire
  /** The connector's end. */
  readonly send: (text: string) => void
  readonly cut: (code: number) => void
  readonly isOpen: () => boolean
}

const closed = (code: number) => new WireClosed({ code, message: "simulated" })

export const make = Effect.fnUntraced(function* (options: {
  readonly random: Random
  /** Longest delay of one chunk, milliseconds. */
  readonly latency: number
  /** A chunk from the gateway has arrived at the connector. */
  readonly onText: (text: string) => void
  readonly onClose: () => void
}): Effect.fn.Return<SimSocket, never, Scope.Scope> {
  const { latency, random } = options
  const clock = yield* Clock.Clock
  const toGateway = yield* Queue.unbounded<{ readonly at: number; readonly text: string }>()
  const toConnector = yield* Queue.unbounded<{ readonly at: number; readonly text: string }>()
  const arrived = yield* Queue.unbounded<string, WireClosed>()
  let open = true

  const late = () => clock.currentTimeMillisUnsafe() + random.below(latency + 1)

  const carry = (queue: Queue.Queue<{ readonly at: number; readonly text: string }>, deliver: (text: string) => void) =>
    Effect.forever(
      Effect.gen(function* () {
        const { at, text } = yield* Queue.take(queue)
        const wait = at - clock.currentTimeMillisUnsafe()
        if (wait > 0) yield* Effect.sleep(wait)
        if (open) deliver(text)
      })
    )
  yield* Effect.forkScoped(carry(toGateway, (text) => Queue.offerUnsafe(arrived, text)))
  yield* Effect.forkScoped(carry(toConnector, options.onText))

  const cut = (code: number) => {
    if (!open) return
    open = false
    Queue.failCauseUnsafe(arrived, Cause.fail(closed(code)))
    options.onClose()
  }
  yield* Effect.addFinalizer(() => Effect.sync(() => cut(1006)))

  const whileOpen = <A>(effect: () => A): Effect.Effect<A, WireClosed> =>
    Effect.suspend(() => (open ? Effect.sync(effect) : Effect.fail(closed(1006))))

  return {
    wire: {
      pull: Effect.map(Queue.takeAll(arrived), (texts) => texts),
      write: (text) => whileOpen(() => Queue.offerUnsafe(toConnector, { at: late(), text })),
      ping: Effect.suspend(() =>
        open
          ? Effect.andThen(
              Effect.sleep(random.below(latency + 1)),
              Effect.suspend(() => (open ? Effect.void : Effect.never))
            )
          : Effect.fail(closed(1006))
      ),
      close: (code) => Effect.sync(() => cut(code)),
      bufferedBytes: () => 0
    },
    send: (text) => {
      if (open) Queue.offerUnsafe(toGateway, { at: late(), text })
    },
    cut,
    isOpen: () => open
  }
})
