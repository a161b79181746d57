/** How turns and processes of agents end: stops, crashes, errors, and the end of the gateway (`conversation S3`, E1). */
import { existsSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { eventually } from "../../support/Eventually.ts"
import { events, failure, finalOf, history, reply } from "../Turns.ts"
import { children, inChat, isAlive, withAgent } from "./Stage.ts"

describe("a stop", () => {
  it.live("reaches the agent as session/cancel, and the session goes on", () =>
    withAgent("SdkAgent", ({ log }) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(events(inChat("a", "wait")))
        yield* eventually("the prompt", () => log("prompt").length === 1)
        yield* Fiber.interrupt(fiber)
        yield* eventually("the cancel", () => log("cancel").length === 1, { seconds: 2 })
        const said = yield* reply(inChat("a", "session"))
        assert.strictEqual(said?.split(" ")[2], "2")
        assert.lengthOf(log("initialize"), 1)
      })
    )
  )

  it.live("that the agent does not obey costs it the process, when nobody else is using it", () =>
    withAgent("SdkAgent", ({ log }) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(events(inChat("a", "stubborn")))
        yield* eventually("the prompt", () => log("prompt").length === 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* reply(inChat("a", "next")), "next")
        assert.lengthOf(log("initialize"), 2)
      })
    )
  )

  it.live("that the agent does not obey costs it the session, when others are", () =>
    withAgent("SdkAgent", ({ log }) =>
      Effect.gen(function* () {
        const other = yield* Effect.forkChild(events(inChat("b", "wait")))
        yield* eventually("the prompt", () => log("prompt").length === 1)
        const fiber = yield* Effect.forkChild(events(inChat("a", "stubborn")))
        yield* eventually("the other prompt", () => log("prompt").length === 2)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* reply(inChat("a", "next")), "next")
        assert.lengthOf(log("initialize"), 1)
        assert.isUndefined(other.pollUnsafe())
      })
    )
  )
})

describe("a crash", () => {
  it.live("of the process is one clear error; the next turn works in the same session, and no zombie stays", () =>
    withAgent(
      "SdkAgent",
      ({ log }) =>
        Effect.gen(function* () {
          const before = yield* reply(inChat("a", "session"))
          const pid = Number(log("new")[0]?.["pid"])
          assert.isTrue(isAlive(pid))
          const error = yield* failure(inChat("a", "crash"))
          assert.deepInclude(error, { category: "provider", retryable: true })
          assert.include(error.message, "SIGKILL")
          const said = yield* events(inChat("a", "session"))
          assert.strictEqual(finalOf(said)?.split(" ")[0], before?.split(" ")[0])
          assert.lengthOf(log("load"), 1)
          yield* eventually("the end of the process", () => !existsSync(`/proc/${pid}`))
          assert.lengthOf(children(), 1)
        }),
      { environment: { ACP_FEATURES: "load" } }
    )
  )

  it.live("by kill -9 from outside, in the middle of turns: each turn hears of it once", () =>
    withAgent("SdkAgent", ({ log }) =>
      Effect.gen(function* () {
        const fibers = yield* Effect.forEach(["a", "b", "c"], (chat) => Effect.forkChild(failure(inChat(chat, "wait"))))
        yield* eventually("the prompts", () => log("prompt").length === 3)
        process.kill(Number(log("new")[0]?.["pid"]), "SIGKILL")
        for (const error of yield* Fiber.joinAll(fibers)) assert.include(error.message, "SIGKILL")
        const rows = Effect.succeed(history("before", "crash"))
        const said = yield* reply(inChat("a", "blocks", { history: rows }))
        assert.include(said, "Assistant: crash")
      })
    )
  )

  it.live("in the middle of a line is no different", () =>
    withAgent("RawAgent", () =>
      Effect.gen(function* () {
        assert.include((yield* failure(inChat("a", "half"))).message, "ended with code 1")
        assert.strictEqual(yield* reply(inChat("a", "next")), "next")
      })
    )
  )

  it.live("takes with it what the agent began", () =>
    withAgent("RawAgent", () =>
      Effect.gen(function* () {
        const pid = Number(yield* reply(inChat("a", "children")))
        assert.isTrue(isAlive(pid))
        yield* failure(inChat("a", "half"))
        yield* eventually("the end of its child", () => !isAlive(pid))
      })
    )
  )

  for (const [mode, words, retryable] of [
    ["dies", "no licence found", true],
    ["future", "speaks version 99", false]
  ] as const) {
    it.live(`at the start (${mode}) says why`, () =>
      withAgent(
        "RawAgent",
        () =>
          Effect.gen(function* () {
            const error = yield* failure(inChat("a", "hello"))
            assert.include(error.message, words)
            assert.strictEqual(error.retryable, retryable)
          }),
        { environment: { RAW_MODE: mode } }
      )
    )
  }

  it.live("of a command that does not exist says so", () =>
    withAgent(
      "RawAgent",
      () =>
        Effect.gen(function* () {
          assert.include((yield* failure(inChat("a", "hello"))).message, "ENOENT")
        }),
      { command: "no-such-agent" }
    )
  )
})

describe("an error of the agent", () => {
  for (const [text, category] of [
    ["limit", "rate_limit"],
    ["login", "no_credentials"]
  ] as const) {
    it.live(`"${text}" is ${category}`, () =>
      withAgent("RawAgent", () =>
        Effect.gen(function* () {
          assert.strictEqual((yield* failure(inChat("a", text))).category, category)
          assert.strictEqual(yield* reply(inChat("a", "next")), "next")
        })
      )
    )
  }

  it.live("a refusal is a matter of policy", () =>
    withAgent("SdkAgent", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* failure(inChat("a", "refuse"))).category, "policy")
      })
    )
  )
})

it.live("the end of the gateway ends every process, also one that never answered", () =>
  Effect.gen(function* () {
    yield* withAgent("SdkAgent", () => reply(inChat("a", "hello")))
    yield* withAgent(
      "RawAgent",
      () =>
        Effect.gen(function* () {
          yield* Effect.forkChild(events(inChat("a", "hello")))
          yield* eventually("the process", () => children().length > 0)
        }),
      { environment: { RAW_MODE: "silent" } }
    )
    yield* eventually("the end of all", () => children().length === 0)
  })
)
