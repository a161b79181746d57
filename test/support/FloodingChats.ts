/**
 * A platform that enforces limits as Telegram and Discord do: what comes too fast is refused with `retry_after`, and counted.
 * Messages are kept as people see them; nothing is deduplicated but by key.
 */
import { Clock, Effect, Latch } from "effect"
import type { Rate } from "../../src/Delivery/Meter.ts"
import type { Outlet, Pace, SendRequest, Target } from "../../src/Delivery/Outlet.ts"
import { SendError } from "../../src/Message/SendError.ts"
import { keyed } from "./ScriptedOutlet.ts"

/** So many in so many milliseconds, counted in a sliding window. */
interface Window {
  readonly most: number
  readonly millis: number
}

export interface Rules {
  readonly bot: Window | null
  readonly chat: (target: Target) => ReadonlyArray<Window>
  /** Refused calls count as well, as they do on Telegram. */
  readonly pace: Pace
}

const isGroup = (target: Target): boolean => target.chatType !== "dm"
const rate = (perSecond: number, burst = 1): Rate => ({ perSecond, burst })

/** 30 a second over all, one a second in a chat, 20 a minute in a group. */
export const telegram: Rules = {
  bot: { most: 30, millis: 1000 },
  chat: (target) => (isGroup(target) ? [{ most: 20, millis: 60_000 }] : [{ most: 1, millis: 1000 }]),
  pace: { bot: rate(30), chat: (target) => (isGroup(target) ? rate(20 / 60) : rate(1)), flood: "bot" }
}

/** Five in five seconds in a channel, fifty a second over all. */
export const discord: Rules = {
  bot: { most: 50, millis: 1000 },
  chat: () => [{ most: 5, millis: 5000 }],
  pace: { bot: rate(50), chat: () => rate(1), flood: "chat" }
}

export interface Message {
  readonly id: string
  readonly chat: string
  text: string
  /** When it last changed. */
  at: number
}

export class FloodingChats {
  readonly screen: Array<Message> = []
  refused = 0
  calls = 0
  /** Whole texts as they were sent or edited to, in order. */
  readonly shown: Array<{
    readonly at: number
    readonly chat: string
    readonly text: string
    readonly final: boolean
  }> = []
  private readonly times = new Map<string, Array<number>>()
  private readonly keys = new Map<string, Message>()
  private readonly rules: Rules

  constructor(rules: Rules) {
    this.rules = rules
  }

  texts(chat: string): ReadonlyArray<string> {
    return this.screen.filter((message) => message.chat === chat).map(({ text }) => text)
  }

  /** Milliseconds until it may come; 0 = it was taken. */
  private admit(name: string, windows: ReadonlyArray<Window>, at: number): number {
    const times = this.times.get(name) ?? []
    this.times.set(name, times)
    let wait = 0
    for (const { millis, most } of windows) {
      const recent = times.filter((time) => time > at - millis)
      if (recent.length >= most) wait = Math.max(wait, recent.at(-most)! + millis - at)
    }
    return wait
  }

  private limited<A>(target: Target, act: (at: number) => A): Effect.Effect<A, SendError> {
    return Effect.flatMap(Clock.currentTimeMillis, (at) => {
      this.calls++
      const bot = this.rules.bot === null ? [] : [this.rules.bot]
      const wait = Math.max(this.admit("", bot, at), this.admit(target.chatId, this.rules.chat(target), at))
      if (wait > 0) {
        this.refused++
        const retryAfter = Math.ceil(wait / 1000)
        return Effect.fail(new SendError({ kind: "rate_limited", message: "Too Many Requests", retryAfter }))
      }
      for (const name of ["", target.chatId]) this.times.get(name)!.push(at)
      return Effect.sync(() => act(at))
    })
  }

  private take({ key, notify, target, text }: SendRequest, at: number): { readonly messageId: string } {
    const known = this.keys.get(key)
    if (known !== undefined) return { messageId: known.id }
    const message: Message = { id: `m${this.screen.length}`, chat: target.chatId, text, at }
    this.keys.set(key, message)
    this.screen.push(message)
    this.shown.push({ at, chat: target.chatId, text, final: notify })
    return { messageId: message.id }
  }

  readonly outlet = (): Outlet => ({
    link: "test:",
    isUp: () => true,
    awaitUp: Latch.makeUnsafe(true).await,
    capabilities: () => keyed,
    settle: () => "key",
    pace: this.rules.pace,
    send: (request) => this.limited(request.target, (at) => this.take(request, at)),
    edit: ({ final, messageId, target, text }) =>
      this.limited(target, (at) => {
        const message = this.screen.find(({ id }) => id === messageId)
        if (message !== undefined) Object.assign(message, { text, at })
        this.shown.push({ at, chat: target.chatId, text, final })
      }),
    typing: () => Effect.void
  })
}
