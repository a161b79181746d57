/** kill -9 and lost connections at the worst moments: the answer comes, once (laws 2 and 3). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Eventually.ts"
import * as Scene from "../support/Scene.ts"

describe("kill -9", () => {
  it.live(
    "in the middle of a turn: the message is answered once after the start",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.say("ada", "!sleep 3000 hello")
        yield* scene.runs("ada")
        yield* scene.gateway().kill("SIGKILL")
        assert.deepStrictEqual(scene.answers("ada"), [])
        yield* scene.restart()
        yield* scene.shows("ada", "hello", 20)
        scene.say("ada", "next")
        yield* scene.shows("ada", "next")
        assert.deepStrictEqual(scene.answers("ada"), ["hello", "next"])
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )

  it.live(
    "with five follow-ups waiting: all six are answered, in order",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make({ env: { SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE: "queue" } })
        scene.say("ada", "!sleep 2000 zero")
        yield* scene.runs("ada")
        const texts = ["one", "two", "three", "four", "five"]
        for (const text of texts) scene.say("ada", text)
        yield* eventually("the acknowledgements", () => scene.connector.waiting === 0)
        yield* scene.gateway().kill("SIGKILL")
        yield* scene.restart()
        yield* eventually("six answers", () => texts.every((text) => scene.answers("ada").join("\n").includes(text)), {
          seconds: 20
        })
        assert.deepStrictEqual(scene.answers("ada").join("\n").split("\n"), ["zero", ...texts])
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )

  it.live(
    "while an answer is under way: a connector that knows keys shows it once",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.connector.faults.dropResult(1)
        scene.say("ada", "said and not confirmed")
        yield* scene.shows("ada", "said and not confirmed")
        yield* scene.gateway().kill("SIGKILL")
        yield* scene.restart()
        yield* eventually("the repeat", () => scene.connector.chat("ada").shown[0]?.suppressed === 1, { seconds: 15 })
        assert.deepStrictEqual(scene.answers("ada"), ["said and not confirmed"])
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )

  it.live(
    "while an answer is under way: a connector that knows no keys is told that it may be a repeat",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make({ descriptor: { supports_idempotency: false } })
        scene.connector.faults.dropResult(1)
        scene.say("ada", "said and not confirmed")
        yield* scene.shows("ada", "said and not confirmed")
        yield* scene.gateway().kill("SIGKILL")
        yield* scene.restart()
        const { shown } = scene.connector.chat("ada")
        yield* eventually("the repeat", () => shown.length === 2, { seconds: 15 })
        assert.strictEqual(shown[1]?.repeatOf, shown[0]?.messageId, JSON.stringify(shown))
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )
})

describe("a lost connection", () => {
  it.live(
    "between send and result: the same key is sent again and shown once",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.connector.faults.dropResult(1)
        scene.say("ada", "cut")
        yield* scene.shows("ada", "cut")
        scene.connector.faults.cutSocket()
        yield* eventually("the repeat", () => scene.connector.chat("ada").shown[0]?.suppressed === 1, { seconds: 15 })
        scene.say("ada", "next")
        yield* scene.shows("ada", "next")
        assert.deepStrictEqual(scene.answers("ada"), ["cut", "next"])
        assert.isAtLeast(scene.connector.counts.handshakes, 2)
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "that is merely silent is found by its missing pong and dialled anew",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.connector.faults.freeze()
        yield* eventually("another connection", () => scene.connector.counts.handshakes === 2, { seconds: 60 })
        scene.say("ada", "awake again")
        yield* scene.shows("ada", "awake again")
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )
})
