/**
 * What one bot account may send, and who is next (law 9, `delivery O11`): so many at once, so many a second, none while the
 * platform told it to wait. Finals go before everything else, within a rank the one that has waited longest; what is only
 * chrome never waits here, it is dropped. A release costs the same however many wait.
 */
import { type Clock, Effect } from "effect"
import { SendError } from "../Message/SendError.ts"
import type { OutboxKind } from "../Storage/Outbox.ts"
import * as Meter from "./Meter.ts"
import type { Pace, Target } from "./Outlet.ts"

/** Order of service. */
const ranks: ReadonlyArray<OutboxKind> = ["final", "prompt", "notice", "scheduled", "commentary", "tool"]
/** Chats whose meter is remembered; one that is forgotten may send at once. */
const chatBound = 10_000
/** Waited on top of what the platform asks for (`delivery O3`). */
const slackMillis = 1000
const defaultRetryAfterSeconds = 60

interface Waiter {
  readonly resume: () => void
  state: "waiting" | "granted" | "gone"
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

interface Chat {
  readonly meter: Meter.Meter
  /** Rows that wait for this chat: chrome does not go before them. */
  waiting: number
}

export interface SendBudget {
  /** Runs the effect when it is its turn. */
  readonly within: <A, E>(kind: OutboxKind, target: Target, send: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Runs chrome if it may leave at once; else it fails as `rate_limited`, surely not carried out. */
  readonly spare: <A>(target: Target, send: Effect.Effect<A, SendError>) => Effect.Effect<A, SendError>
  /** The platform asked for a pause, in seconds; `null` = it did not say how long. */
  readonly slowed: (target: Target, retryAfter: number | null) => void
  /** The platform asked for a pause that is not over. */
  readonly isAsleep: (target: Target) => boolean
}

const unlimited: Pace = { bot: null, chat: () => null, flood: "chat" }

export const make = (options: {
  readonly sendsInFlight: number
  readonly pace: Pace | undefined
  readonly clock: Clock.Clock
  /** Owner of the fiber that waits for the next second. */
  readonly fork: (effect: Effect.Effect<void>) => void
}): SendBudget => {
  const { clock, fork, sendsInFlight } = options
  const pace = options.pace ?? unlimited
  const bot = Meter.make(pace.bot)
  const chats = new Map<string, Chat>()
  const waiting = ranks.map((): Array<Waiter> => [])
  let waiters = 0
  let taken = 0
  /** When the pump will run; `null` = it is not wound up. */
  let pumpAt: number | null = null
  const now = () => clock.currentTimeMillisUnsafe()

  const chatOf = (target: Target): Chat => {
    const key = `${target.platform}:${target.chatId}`
    let chat = chats.get(key)
    if (chat === undefined) {
      chat = { meter: Meter.make(pace.chat(target)), waiting: 0 }
      if (chats.size >= chatBound) forgetOne()
    } else chats.delete(key)
    chats.set(key, chat)
    return chat
  }

  const forgetOne = (): void => {
    for (const [key, chat] of chats) {
      if (chat.waiting > 0 || chat.meter.isAsleep(now())) continue
      chats.delete(key)
      return
    }
  }

  /** Who waits gets what is free, in order of rank; those that were interrupted meanwhile are passed over. */
  const grant = (): void => {
    while (waiters > 0 && taken < sendsInFlight) {
      const at = now()
      const ready = bot.readyAt(at)
      if (ready > at) return pump(ready)
      const next = first()
      if (next === null) return
      taken++
      bot.take(at)
      next.state = "granted"
      next.resume()
    }
  }

  const first = (): Waiter | null => {
    for (const rank of waiting) {
      while (rank.length > 0) {
        const next = rank.shift()!
        waiters--
        if (next.state === "waiting") return next
      }
    }
    return null
  }

  const pump = (at: number): void => {
    if (pumpAt !== null && pumpAt <= at) return
    pumpAt = at
    fork(
      Effect.andThen(
        Effect.sleep(Math.max(0, at - now())),
        Effect.sync(() => {
          if (pumpAt === at) pumpAt = null
          grant()
        })
      )
    )
  }

  const release = (): void => {
    taken--
    grant()
  }

  const queue = (kind: OutboxKind): Effect.Effect<void> =>
    Effect.suspend(() => {
      let waiter: Waiter | null = null
      return Effect.callback<void>((resume) => {
        waiter = { resume: () => resume(Effect.void), state: "waiting" }
        waiting[ranks.indexOf(kind)]?.push(waiter)
        waiters++
        grant()
      }).pipe(
        Effect.onInterrupt(() =>
          Effect.sync(() => {
            if (waiter?.state === "granted") release()
            else if (waiter !== null) waiter.state = "gone"
          })
        )
      )
    })

  const acquire = (kind: OutboxKind): Effect.Effect<void> =>
    Effect.suspend(() => {
      const at = now()
      if (waiters > 0 || taken >= sendsInFlight || bot.readyAt(at) > at) return queue(kind)
      taken++
      bot.take(at)
      return Effect.void
    })

  /** The chat's own rate first, without holding anything meanwhile; then a place among all sends of the bot. */
  const enter = (kind: OutboxKind, chat: Chat, restore: Restore): Effect.Effect<void> =>
    Effect.suspend(() => {
      const at = now()
      const ready = chat.meter.readyAt(at)
      if (ready > at) return Effect.andThen(restore(Effect.sleep(ready - at)), enter(kind, chat, restore))
      return Effect.flatMap(restore(acquire(kind)), () => {
        const later = now()
        if (chat.meter.readyAt(later) <= later) {
          chat.meter.take(later)
          return Effect.void
        }
        // Another queue of the same chat was quicker.
        bot.giveBack()
        release()
        return enter(kind, chat, restore)
      })
    })

  return {
    within: (kind, target, send) =>
      Effect.uninterruptibleMask((restore) => {
        const chat = chatOf(target)
        chat.waiting++
        return enter(kind, chat, restore).pipe(
          Effect.ensuring(Effect.sync(() => chat.waiting--)),
          Effect.flatMap(() => Effect.ensuring(restore(send), Effect.sync(release)))
        )
      }),
    spare: (target, send) =>
      Effect.uninterruptibleMask((restore) => {
        const at = now()
        const chat = chatOf(target)
        const ready = Math.max(bot.readyAt(at), chat.meter.readyAt(at))
        if (waiters > 0 || chat.waiting > 0 || taken >= sendsInFlight || ready > at) {
          return Effect.fail(
            new SendError({
              kind: "rate_limited",
              message: "what matters more goes first",
              retryAfter: Math.max(0, ready - at) / 1000
            })
          )
        }
        taken++
        bot.take(at)
        chat.meter.take(at)
        return Effect.ensuring(restore(send), Effect.sync(release))
      }),
    slowed: (target, retryAfter) => {
      const until = now() + (retryAfter ?? defaultRetryAfterSeconds) * 1000 + slackMillis
      if (pace.flood === "bot") bot.sleepUntil(until)
      else chatOf(target).meter.sleepUntil(until)
    },
    isAsleep: (target) => bot.isAsleep(now()) || chatOf(target).meter.isAsleep(now())
  }
}
