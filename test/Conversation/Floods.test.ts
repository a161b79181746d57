import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { pass } from "../support/Passing.ts"
import { discord, FloodingChats, telegram } from "../support/FloodingChats.ts"
import { make } from "./Chat.ts"

const chats = 50
const answer = (chat: number) => `answer ${chat} ${"word ".repeat(40)}end`

const stream = Effect.fnUntraced(function* (flooding: FloodingChats, chatType: string) {
  const chat = yield* make({ outlet: flooding.outlet() })
  for (let n = 0; n < chats; n++) {
    yield* chat.hand(`!stream 40 200 ${answer(n)}`, { chat: `c${n}`, chatType, user: `u${n}` })
  }
  const begun = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
  yield* pass("9 seconds", "50 millis")
  yield* pass("2 minutes", "250 millis")
  const ended = Array.from({ length: chats }, (_, n) => {
    assert.deepStrictEqual(flooding.texts(`c${n}`), [answer(n)])
    return flooding.screen.find((message) => message.chat === `c${n}`)!.at - begun
  })
  return Math.max(...ended)
})

describe("fifty chats that stream at once", () => {
  // The agents end after 8 s. From then on finals alone: 50 of them at 30 a second, each chat a second behind its last edit.
  it.effect("under Telegram's limits: every final once, in the least time and a fifth, and no refusal (Z3)", () =>
    Effect.gen(function* () {
      const flooding = new FloodingChats(telegram)
      const last = yield* stream(flooding, "dm")
      assert.isAtMost(last, 8000 + (1000 + (chats / 30) * 1000) * 1.2)
      assert.strictEqual(flooding.refused, 0)
    })
  )

  it.effect("under Telegram's limits for groups: 20 a minute, and still every final once", () =>
    Effect.gen(function* () {
      const flooding = new FloodingChats(telegram)
      const last = yield* stream(flooding, "group")
      assert.isAtMost(last, 8000 + (3000 + (chats / 30) * 1000) * 1.2)
      assert.strictEqual(flooding.refused, 0)
    })
  )

  it.effect("under Discord's buckets of five in five seconds", () =>
    Effect.gen(function* () {
      const flooding = new FloodingChats(discord)
      const last = yield* stream(flooding, "dm")
      assert.isAtMost(last, 8000 + (1000 + (chats / 50) * 1000) * 1.2)
      assert.strictEqual(flooding.refused, 0)
    })
  )

  it.effect("a platform that is stricter than it says refuses some, none of them twice at once, and shows all", () =>
    Effect.gen(function* () {
      const flooding = new FloodingChats({ ...telegram, chat: () => [{ most: 1, millis: 3000 }] })
      const last = yield* stream(flooding, "dm")
      assert.isAtMost(last, 60_000)
      // After a refusal the whole bot waits as long as it was told, so there are few.
      assert.isAtMost(flooding.refused, chats)
    })
  )
})
