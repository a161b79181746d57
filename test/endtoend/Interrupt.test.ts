/** What stops a running turn, and what a message does while one runs (`relay I6`, `conversation S1`, `Y`). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Eventually.ts"
import * as Scene from "../support/Scene.ts"

const aMinute = "!sleep 60000 never"

/** Stops of a minute's sleep are seen by the next answer coming long before the minute is over. */
const soon = 8

describe("a running turn", () => {
  it.live(
    "is stopped by the connector's interrupt, and the next message is answered",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make({ env: { SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE: "queue" } })
        scene.say("ada", aMinute)
        yield* scene.runs("ada")
        scene.connector.interruptInbound("agent:main:relay:dm:ada", "ada")
        scene.say("ada", "next")
        yield* scene.shows("ada", "next", soon)
        assert.deepStrictEqual(scene.answers("ada"), ["next"])
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "of another session goes on when one is interrupted",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.say("ada", aMinute)
        scene.say("bob", "!sleep 1500 untouched")
        yield* scene.runs("ada")
        yield* scene.runs("bob")
        scene.connector.interruptInbound("agent:main:relay:dm:ada", "ada")
        scene.connector.interruptInbound("agent:main:relay:dm:nobody", "nobody")
        yield* scene.shows("bob", "untouched", soon)
        assert.deepStrictEqual(scene.answers("ada"), [])
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "is stopped by /stop, which is answered at once and clears the queue",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make({ env: { SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE: "queue" } })
        const { connector } = scene
        scene.say("ada", aMinute)
        yield* scene.runs("ada")
        scene.say("ada", "dropped by the stop")
        yield* eventually("the acknowledgement", () => connector.waiting === 0)
        const before = connector.chat("ada").shown.length
        scene.say("ada", "/stop")
        yield* eventually(
          "an answer to /stop",
          () =>
            connector
              .chat("ada")
              .shown.slice(before)
              .some(({ text }) => text.startsWith("⚡")),
          { seconds: soon }
        )
        scene.say("ada", "next")
        yield* scene.shows("ada", "next", soon)
        assert.deepStrictEqual(scene.answers("ada"), ["next"])
        assert.deepStrictEqual(connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "finishes in queue mode before the next message has its turn",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make({ env: { SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE: "queue" } })
        scene.say("ada", "!sleep 1000 first")
        yield* scene.runs("ada")
        scene.say("ada", "second")
        yield* scene.shows("ada", "second", soon)
        assert.deepStrictEqual(scene.answers("ada"), ["first", "second"])
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "gives way to the next message in interrupt mode",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make({ env: { SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE: "interrupt" } })
        scene.say("ada", aMinute)
        yield* scene.runs("ada")
        scene.say("ada", "instead")
        yield* scene.shows("ada", "instead", soon)
        assert.deepStrictEqual(scene.answers("ada"), ["instead"])
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})
