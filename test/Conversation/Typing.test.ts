import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { Typing } from "../../src/Conversation/Typing.ts"
import { pass } from "../support/Passing.ts"
import { ScriptedOutlet } from "../support/ScriptedOutlet.ts"
import { make } from "./Chat.ts"

const target = (chatId = "1") => ({ platform: "test", chatId, chatType: "dm", threadId: null, scopeId: null })
const times = (platform: ScriptedOutlet) => platform.calls.filter(({ op }) => op === "typing").map(({ at }) => at)

describe("Typing", () => {
  it.effect("begins soon, comes back every two seconds, and ends with its scope", () =>
    Effect.gen(function* () {
      const platform = new ScriptedOutlet()
      const scope = yield* Scope.make()
      yield* (yield* Typing).during(platform.outlet(), target()).pipe(Effect.provideService(Scope.Scope, scope))
      yield* pass("6500 millis", "50 millis")
      assert.deepStrictEqual(times(platform), [150, 2150, 4150, 6150])
      yield* Scope.close(scope, Exit.void)
      yield* pass("10 seconds", "50 millis")
      assert.lengthOf(times(platform), 4)
    }).pipe(Effect.provide(Typing.layer))
  )

  it.effect("is quiet while paused, and comes back at once", () =>
    Effect.gen(function* () {
      const platform = new ScriptedOutlet()
      const { pause, resume } = yield* (yield* Typing).during(platform.outlet(), target())
      pause()
      yield* pass("10 seconds", "50 millis")
      assert.deepStrictEqual(times(platform), [])
      resume()
      yield* pass("100 millis", "50 millis")
      assert.lengthOf(times(platform), 1)
    }).pipe(Effect.provide(Typing.layer))
  )

  it.effect("a call that never returns is abandoned, and holds up nobody", () =>
    Effect.gen(function* () {
      const platform = new ScriptedOutlet()
      let calls = 0
      const deaf = {
        ...platform.outlet(),
        typing: () =>
          Effect.andThen(
            Effect.sync(() => calls++),
            Effect.never
          )
      }
      const typing = yield* Typing
      yield* typing.during(deaf, target("deaf"))
      yield* typing.during(platform.outlet(), target())
      yield* pass("6500 millis", "50 millis")
      assert.lengthOf(times(platform), 4)
      assert.strictEqual(calls, 4)
    }).pipe(Effect.provide(Typing.layer))
  )

  it.effect("nothing is asked of a link that is down", () =>
    Effect.gen(function* () {
      const platform = new ScriptedOutlet()
      platform.down()
      yield* (yield* Typing).during(platform.outlet(), target())
      yield* pass("5 seconds", "50 millis")
      platform.again()
      yield* pass("100 millis", "50 millis")
      assert.lengthOf(times(platform), 1)
    }).pipe(Effect.provide(Typing.layer))
  )

  it.effect("a turn shows it while it works, not while it asks, and never after its answer", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 5000 answer")
      yield* pass("20 seconds", "50 millis")
      assert.deepStrictEqual(times(chat.platform), [150, 2150, 4150])
      assert.strictEqual(chat.platform.calls.at(-1)?.text, "answer")
      yield* chat.say("!ask Which?")
      yield* pass("20 seconds", "50 millis")
      assert.lengthOf(times(chat.platform), 3)
      yield* chat.say("this")
      yield* pass("10 seconds", "50 millis")
      assert.lengthOf(times(chat.platform), 3)
    })
  )
})
