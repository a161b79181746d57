import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, Stream } from "effect"
import { Agent, type AgentEvent, noChoices } from "../../src/Agent/Agent.ts"
import * as Echo from "../../src/Agent/Echo.ts"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { pass, quiet } from "../support/Passing.ts"

const turn = (text: string) => ({
  sessionKey: "s",
  sessionId: "i",
  turnId: "1",
  event: MessageEvent.text(Source.make({ platform: "test", chatId: "1" }), text),
  text,
  media: [],
  context: "",
  choices: noChoices,
  history: Effect.succeed([])
})
const start = (text: string) =>
  Effect.flatMap(Agent, (agent) => agent.start(turn(text))).pipe(Effect.provide(Echo.layer))
const events = (text: string) => Effect.flatMap(start(text), ({ events }) => Stream.runCollect(events))
const final = (text: string): AgentEvent => ({ _tag: "Final", text })
const tags = (all: ReadonlyArray<AgentEvent>) => all.map(({ _tag }) => _tag)

describe("the echo agent", () => {
  for (const text of ["hello", "", "!", "! sleep", "!unknown word", " !sleep 5 x", "hello !silent"]) {
    it.effect(`answers ${JSON.stringify(text)} with itself`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* events(text), [final(text)])
      })
    )
  }

  it.effect("!sleep waits, at most an hour, and a number it cannot read is no wait", () =>
    Effect.gen(function* () {
      for (const [word, hours] of [
        ["99999999999", 1],
        ["Infinity", 0],
        ["-5", 0],
        ["soon", 0],
        ["", 0]
      ] as const) {
        const fiber = yield* Effect.forkChild(events(`!sleep ${word} done`))
        if (hours > 0) {
          yield* pass("59 minutes", "10 minutes")
          assert.isUndefined(fiber.pollUnsafe())
          yield* pass("1 minute", "1 minute")
        }
        yield* quiet
        assert.deepStrictEqual(tags(yield* Fiber.join(fiber)), ["Final"])
      }
    })
  )

  it.effect("!stream streams pieces that make up the answer", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(events("!stream 3 100 one two three"))
      yield* pass("1 second", "100 millis")
      const all = yield* Fiber.join(fiber)
      assert.deepStrictEqual(tags(all), ["TextDelta", "TextDelta", "TextDelta", "Final"])
      assert.strictEqual(all.map((event) => (event._tag === "TextDelta" ? event.text : "")).join(""), "one two three")
      assert.deepStrictEqual(all.at(-1), final("one two three"))
    })
  )

  it.prop(
    "pieces are at most n, none empty, whole code points, and joined they are the text",
    [Schema.String, Schema.Int],
    ([text, n]) => {
      const count = n % 40
      const all = Echo.pieces(text, count)
      assert.strictEqual(all.join(""), text)
      assert.isAtMost(all.length, Math.max(1, count))
      for (const piece of all) assert.isTrue(piece.length > 0 && (!text.isWellFormed() || piece.isWellFormed()))
    }
  )

  it("an unreadable number of pieces is one", () => assert.deepStrictEqual(Echo.pieces("abc", Number.NaN), ["abc"]))

  it.effect("!silent, !tool, !media say what the table says", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* events("!silent x"), [final("[SILENT]")])
      assert.deepStrictEqual(yield* events("!tool search for cats"), [
        { _tag: "ToolStarted", tool: "search", preview: "for cats" },
        { _tag: "ToolFinished", tool: "search", ok: true },
        final("for cats")
      ])
      assert.deepStrictEqual(yield* events("!media https://x.org/a.png"), [
        { _tag: "Attachment", ref: "https://x.org/a.png", caption: null },
        final("")
      ])
    })
  )

  it.effect("!ask and !approve wait for the answer to their own prompt, once", () =>
    Effect.gen(function* () {
      for (const [text, answer, said] of [
        ["!ask Which? | A | B", { _tag: "Text", text: "B" }, "B"],
        ["!approve ls", { _tag: "Decision", choice: "session" }, "session"],
        ["!ask Which?", { _tag: "None", why: "timeout" }, "no answer (timeout)"]
      ] as const) {
        const run = yield* start(text)
        const seen: Array<AgentEvent> = []
        const fiber = yield* Effect.forkChild(
          Stream.runForEach(run.events, (event) => Effect.sync(() => void seen.push(event)))
        )
        yield* quiet
        assert.lengthOf(seen, 1)
        const promptId = "promptId" in seen[0]! ? seen[0].promptId : ""
        yield* run.answer("another prompt", { _tag: "Text", text: "no" })
        yield* quiet
        assert.lengthOf(seen, 1)
        yield* run.answer(promptId, answer)
        yield* run.answer(promptId, { _tag: "Text", text: "too late" })
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(seen.at(-1), final(said))
      }
    })
  )

  it.effect("!fail fails with its category; crash dies; what it does not know is a provider's failure", () =>
    Effect.gen(function* () {
      for (const [kind, category] of [
        ["rate_limit", "rate_limit"],
        ["auth", "auth"],
        ["context", "context"],
        ["overloaded", "overloaded"],
        ["x", "provider"],
        ["", "provider"],
        ["constructor", "provider"],
        ["__proto__", "provider"]
      ] as const) {
        const error = yield* Effect.flip(Effect.asVoid(events(`!fail ${kind}`)))
        assert.strictEqual(error.category, category)
        assert.strictEqual(error.retryable, kind !== "auth")
      }
      const crash = yield* Effect.exit(events("!fail crash"))
      assert.isTrue(Exit.isFailure(crash) && crash.cause.reasons.some((reason) => reason._tag === "Die"))
    })
  )

  it.effect("it cannot be steered", () =>
    Effect.gen(function* () {
      assert.isFalse(yield* (yield* start("!sleep 1000 x")).steer("y"))
    })
  )
})
