/** A restart that is asked for in a chat: the task ends first, the exit asks for a restart, and the next process says so. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { operation } from "../../src/Conversation/Commands/CommandTexts.ts"
import { eventually } from "../support/Eventually.ts"
import * as Scene from "../support/Scene.ts"

const texts = (scene: Scene.Scene, chatId: string) => scene.connector.chat(chatId).texts()

describe("/restart", () => {
  it.live(
    "lets the running task end, exits with 75 under a manager, and is told to be over by the next process, once",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make({ env: { INVOCATION_ID: "of a service manager" } })
        scene.say("ada", "!sleep 1500 good night")
        yield* scene.runs("ada")
        scene.say("ada", "/restart")
        assert.deepStrictEqual(yield* scene.gateway().awaitExit(30), { code: 75, signal: null })
        assert.sameMembers([...texts(scene, "ada")], [operation.restarting(1), "good night"])
        yield* scene.restart()
        yield* eventually("the end of the restart", () => texts(scene, "ada").includes(operation.restarted))
        scene.say("ada", "still there")
        yield* scene.shows("ada", "still there")
        assert.strictEqual(texts(scene, "ada").filter((text) => text === operation.restarted).length, 1)
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )
})
