import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Result, Schema } from "effect"
import { commandLimits } from "../../../src/Conversation/Commands/CommandTexts.ts"
import { QuickCommandsSetting } from "../../../src/Conversation/Commands/CommandSettings.ts"
import { exec, shown } from "../../../src/Conversation/Commands/QuickCommands.ts"
import { registerSecret } from "../../../src/Config/Redact.ts"
import { eventually } from "../../support/Eventually.ts"
import { quiet } from "../../support/Passing.ts"
import { make } from "../Chat.ts"

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe("quick commands", () => {
  it.live("what is written counts, else what was complained of, else that there was nothing", () =>
    Effect.gen(function* () {
      assert.strictEqual(shown(yield* exec("echo out; echo err >&2", "")), "out")
      assert.strictEqual(shown(yield* exec("echo err >&2; exit 3", "")), "err\n❌ Exit code 3.")
      assert.strictEqual(shown(yield* exec("true", "")), commandLimits.execAnswer("", "exit", 0))
    })
  )

  it.live("text of a user is never part of the line, and nothing of our environment reaches it", () =>
    Effect.gen(function* () {
      process.env["PLANTED_API_KEY"] = "sk-planted-secret-of-this-test"
      yield* Effect.addFinalizer(() => Effect.sync(() => delete process.env["PLANTED_API_KEY"]))
      const args = '$(echo hacked); `id` "; exit 7 #'
      assert.strictEqual(shown(yield* exec('printf %s "$SWITCHBOARD_ARGS"', args)), args)
      assert.notInclude(shown(yield* exec("env", "")), "PLANTED")
    })
  )

  it.live("a secret in the output is masked", () =>
    Effect.gen(function* () {
      registerSecret("a-secret-that-was-registered")
      assert.notInclude(shown(yield* exec("echo a-secret-that-was-registered", "")), "that-was-registered")
    })
  )

  it.live("at the limit of time or output the whole group ends, and so it does when nobody waits any more", () =>
    Effect.gen(function* () {
      const limits = { time: Duration.millis(300), bytes: 1000 }
      const slow = yield* exec("sleep 300 & echo $!; wait", "", limits)
      assert.strictEqual(slow.end, "time")
      yield* eventually("the child to be gone", () => !isAlive(Number(slow.output)))
      const loud = yield* exec("yes", "", { ...limits, time: Duration.seconds(20) })
      assert.deepStrictEqual([loud.end, loud.output.length < 1001], ["bytes", true])
      const left = yield* Effect.forkChild(exec("sleep 301", ""), { startImmediately: true })
      yield* Fiber.interrupt(left)
    })
  )

  it.effect("one is answered when it is done, also during a turn, and its row has ended before it acts", () =>
    Effect.gen(function* () {
      const chat = yield* make({
        settings: { quick_commands: { up: { type: "exec", command: 'echo "up $SWITCHBOARD_ARGS"' } } }
      })
      yield* chat.say("!sleep 60000 busy")
      yield* chat.say("/up and away")
      assert.include(yield* chat.inbox, "/up and away: done")
      for (let n = 0; n < 200 && chat.texts().length === 0; n++) {
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
        yield* quiet
      }
      assert.deepStrictEqual(chat.texts(), ["up and away"])
      yield* chat.say("/help of this gateway")
      assert.include(chat.texts()[1], "/up")
    })
  )

  it("what is neither exec nor alias, or has a bad name, is refused with the configuration", () => {
    const decode = Schema.decodeUnknownResult(QuickCommandsSetting.kind.schema)
    for (const good of [{}, { a: { type: "exec", command: "ls" } }, { "a-b": { type: "alias", target: "/help x" } }]) {
      assert.isTrue(Result.isSuccess(decode(good)), JSON.stringify(good))
    }
    for (const bad of [
      { a: { type: "shell", command: "ls" } },
      { a: { type: "exec" } },
      { a: { type: "exec", command: " " } },
      { A: { type: "exec", command: "ls" } },
      { "/a": { type: "alias", target: "b" } },
      "ls"
    ]) {
      assert.isTrue(Result.isFailure(decode(bad)), JSON.stringify(bad))
    }
  })
})
