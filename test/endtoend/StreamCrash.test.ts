/** kill -9 while an answer grows over several messages: it is complete and there once, whatever was shown before. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { eventually } from "../support/Eventually.ts"
import { makeDatabase } from "../support/Postgres.ts"
import * as Scene from "../support/Scene.ts"

const words = Array.from({ length: 120 }, (_, n) => `word${n}`).join(" ")
const env = { SWITCHBOARD_RELAY_STREAMING: "true" }
const descriptor = { max_message_length: 300 }

const joined = (scene: Scene.Scene, chat: string) =>
  scene
    .answers(chat)
    .map((text) => text.replace(/\s*\(\d+\/\d+\)$/, ""))
    .join(" ")

const killed = Effect.fnUntraced(function* (scene: Scene.Scene) {
  // While the first message grows, when a second has begun, and in the moment the answer ends.
  for (const [chat, messages] of [
    ["ada", 1],
    ["bob", 2],
    ["eve", 3]
  ] as const) {
    scene.say(chat, `!stream 60 100 ${words}`)
    yield* eventually(`${messages} messages of ${chat}`, () => scene.answers(chat).length >= messages, { seconds: 20 })
    yield* scene.gateway().kill("SIGKILL")
    yield* scene.restart()
    yield* eventually(`the whole answer of ${chat}`, () => joined(scene, chat) === words, {
      seconds: 40,
      seen: () => JSON.stringify(scene.answers(chat).map((text) => [text.length, text.slice(0, 12), text.slice(-20)]))
    })
  }
  assert.deepStrictEqual(scene.connector.violations, [])
})

describe("kill -9 while an answer grows", () => {
  it.live(
    "is shown whole and once (SQLite)",
    () =>
      Effect.scoped(Effect.flatMap(Scene.make({ env, descriptor, config: "streaming:\n  enabled: true\n" }), killed)),
    { timeout: 180_000 }
  )

  it.live(
    "is shown whole and once (PostgreSQL)",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* makeDatabase
          const options = { env, descriptor, storage: Redacted.value(url), config: "streaming:\n  enabled: true\n" }
          yield* killed(yield* Scene.make(options))
        })
      ),
    { timeout: 180_000 }
  )
})
