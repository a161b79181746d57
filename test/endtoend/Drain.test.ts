/** Orderly ends: running turns finish or run again later, the connector is asked to wait, nothing is lost or said twice. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Eventually.ts"
import * as Scene from "../support/Scene.ts"

const once = (scene: Scene.Scene, chatId: string, text: string) => {
  assert.deepStrictEqual(
    scene.answers(chatId).filter((answer) => answer === text),
    [text]
  )
  assert.deepStrictEqual(scene.connector.violations, [])
}

describe("SIGTERM", () => {
  it.live(
    "lets the running turn finish, says its answer, closes with 1000 and exits with 0",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        const { connector } = scene
        scene.say("ada", "!sleep 1500 good night")
        yield* scene.runs("ada")
        scene.gateway().signal("SIGTERM")
        yield* eventually("going_idle", () => connector.counts.goingIdle === 1)
        assert.notInclude(scene.answers("ada"), "good night")
        const exit = yield* scene.gateway().awaitExit(30)
        assert.deepStrictEqual(exit, { code: 0, signal: null })
        once(scene, "ada", "good night")
        assert.strictEqual(connector.closes.at(-1)?.code, 1000)
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "leaves what comes meanwhile with the connector, and it is answered after the start",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.say("ada", "!sleep 1000 first")
        yield* scene.runs("ada")
        scene.gateway().signal("SIGTERM")
        yield* eventually("going_idle", () => scene.connector.counts.goingIdle === 1)
        scene.say("ada", "second")
        scene.say("bob", "third")
        yield* scene.gateway().awaitExit(30)
        yield* scene.restart()
        yield* scene.shows("ada", "second")
        yield* scene.shows("bob", "third")
        assert.deepStrictEqual(scene.answers("ada"), ["first", "second"])
        once(scene, "bob", "third")
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )

  it.live(
    "cuts the turn when the drain timeout has passed, and the message is answered once after the start",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make({ env: { SWITCHBOARD_RESTART_DRAIN_TIMEOUT: "1" } })
        scene.say("ada", "!sleep 8000 cut off")
        yield* scene.runs("ada")
        const exit = yield* scene.gateway().kill("SIGTERM", 20)
        assert.strictEqual(exit.code, 0)
        assert.notInclude(scene.answers("ada"), "cut off")
        yield* scene.restart()
        yield* scene.shows("ada", "cut off", 30)
        scene.say("ada", "and on")
        yield* scene.shows("ada", "and on")
        once(scene, "ada", "cut off")
      }).pipe(Effect.scoped),
    { timeout: 120_000 }
  )

  it.live(
    "does not wait for a turn of a minute when the drain timeout is a second",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make({ env: { SWITCHBOARD_RESTART_DRAIN_TIMEOUT: "1" } })
        scene.say("ada", "!sleep 60000 much too late")
        yield* scene.runs("ada")
        const before = performance.now()
        const exit = yield* scene.gateway().kill("SIGTERM", 20)
        assert.strictEqual(exit.code, 0)
        assert.isBelow(performance.now() - before, 15_000)
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "twice waits for no turn, and the message is answered once after the start",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.say("ada", "!sleep 8000 in a hurry")
        yield* scene.runs("ada")
        scene.gateway().signal("SIGTERM")
        yield* eventually("going_idle", () => scene.connector.counts.goingIdle === 1)
        scene.gateway().signal("SIGTERM")
        const exit = yield* scene.gateway().awaitExit(20)
        assert.strictEqual(exit.code, 0)
        assert.notInclude(scene.answers("ada"), "in a hurry")
        yield* scene.restart()
        yield* scene.shows("ada", "in a hurry", 30)
        scene.say("ada", "and on")
        yield* scene.shows("ada", "and on")
        once(scene, "ada", "in a hurry")
      }).pipe(Effect.scoped),
    { timeout: 120_000 }
  )
})
