import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Stream } from "effect"
import { Agent, type AgentEvent, type Answer } from "../../src/Agent/Agent.ts"
import * as Texts from "../../src/Conversation/Texts.ts"
import { pass } from "../support/Passing.ts"
import { keyed } from "../support/ScriptedOutlet.ts"
import { make } from "./Chat.ts"

const capabilities = { ...keyed, streaming: false, prompt: true }
const queueing = { capabilities, settings: { "display.busy_input_mode": "queue" } }

/** Asks approval for the words of its message, and tells in full what it was answered. */
const asking = (more: Partial<Extract<AgentEvent, { readonly _tag: "Approval" }>> = {}) =>
  Layer.succeed(Agent, {
    name: "asking",
    start: (turn) =>
      Effect.map(Deferred.make<Answer>(), (answered) => ({
        events: Stream.concat(
          Stream.succeed<AgentEvent>({
            _tag: "Approval",
            promptId: "p",
            command: turn.event.text,
            description: null,
            ...more
          }),
          Stream.fromEffect(
            Effect.map(Deferred.await(answered), (answer): AgentEvent => ({
              _tag: "Final",
              text: JSON.stringify(answer)
            }))
          )
        ),
        answer: (_, answer) => Effect.asVoid(Deferred.succeed(answered, answer)),
        steer: () => Effect.succeed(false)
      }))
  })
const decision = (choice: string) => JSON.stringify({ _tag: "Decision", choice })

describe("a prompt with buttons", () => {
  it.effect("is answered by a press, once", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities })
      yield* chat.say("!ask Which? | Red | Green")
      assert.deepStrictEqual(
        chat.platform.prompts[0]!.options.map(({ id, label }) => [id, label]),
        [
          ["1", "Red"],
          ["2", "Green"],
          ["other", "Something else"]
        ]
      )
      yield* chat.press("2")
      yield* chat.press("1")
      assert.deepStrictEqual(chat.texts().slice(1), ["Green"])
      assert.isTrue((yield* chat.inbox).every((row) => row.endsWith(": done")))
    })
  )

  it.effect("takes one's own words only after 'something else'", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities })
      yield* chat.say("!ask Which? | Red | Green")
      yield* chat.press("other")
      yield* chat.say("blue")
      assert.deepStrictEqual(chat.texts().slice(1), [Texts.inOwnWords, "blue"])
      assert.deepStrictEqual(yield* chat.transcript, ["user: !ask Which? | Red | Green", "assistant: blue"])
    })
  )

  it.effect("other words withdraw the question and are a follow-up; a number out of range keeps it open", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!ask Which? | Red | Green")
      yield* chat.say("7")
      yield* chat.say("never mind that")
      yield* pass("1 second")
      assert.deepStrictEqual(chat.texts().slice(1), [Texts.noSuchChoice(2), "no answer (cancelled)", "never mind that"])
    })
  )

  it.effect("an eleventh choice makes it a numbered list", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities })
      yield* chat.say(`!ask Which? | ${Array.from({ length: 11 }, (_, i) => `c${i}`).join(" | ")}`)
      assert.lengthOf(chat.platform.prompts, 0)
      yield* chat.say("11")
      assert.strictEqual(chat.texts().at(-1), "c10")
    })
  )

  it.effect("of a turn that died says so, and the turn that runs again asks under a new name (A12)", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities })
      yield* chat.say("!approve rm -rf /tmp/x")
      const dead = chat.platform.prompts[0]!.promptId
      yield* chat.kill
      yield* chat.start
      yield* pass("6 seconds", "1 second")
      assert.lengthOf(chat.platform.prompts, 2)
      assert.notStrictEqual(chat.platform.prompts[1]!.promptId, dead)
      yield* chat.say("/once", { press: [dead, "once"] })
      assert.strictEqual(chat.texts().at(-1), Texts.promptOver)
      yield* chat.press("once")
      assert.strictEqual(chat.texts().at(-1), "once")
    })
  )

  it.effect("of somebody else is consumed and answers nothing (A8)", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities })
      yield* chat.say("!approve x", { user: "owner", chatType: "group" })
      // Sessions are per user here: the press comes in under another session key.
      yield* chat.press("once", { user: "stranger", chatType: "group" })
      assert.lengthOf(chat.texts(), 1)
      yield* chat.press("deny", { user: "owner", chatType: "group" })
      assert.deepStrictEqual(chat.texts().slice(1), ["deny"])
    })
  )

  it.effect("that reaches nobody within 15 s is denied, and does not come up later (A3)", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities })
      chat.platform.down()
      yield* chat.say("!approve x")
      yield* pass("14 seconds", "1 second")
      assert.deepStrictEqual(chat.texts(), [])
      yield* pass("3 seconds", "1 second")
      chat.platform.again()
      yield* pass("5 seconds", "1 second")
      assert.deepStrictEqual(chat.texts(), ["no answer (undeliverable)"])
    })
  )
})

describe("what was allowed for longer than once", () => {
  it.effect("'once' is once (A5)", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities, agent: asking() })
      yield* chat.say("ls")
      yield* chat.press("once")
      yield* chat.say("ls")
      assert.lengthOf(chat.platform.prompts, 2)
    })
  )

  it.effect("'session' holds until the boundary, also over a restart, and for nothing else", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities, agent: asking() })
      yield* chat.say("ls")
      yield* chat.press("session")
      yield* chat.say("ls")
      yield* chat.restart
      yield* chat.say("ls")
      assert.deepStrictEqual(chat.texts().slice(1), [decision("session"), decision("session"), decision("session")])
      yield* chat.say("rm")
      assert.lengthOf(chat.platform.prompts, 2)
      yield* chat.press("deny")
      yield* chat.say("/new")
      yield* chat.say("ls")
      assert.lengthOf(chat.platform.prompts, 3)
    })
  )

  it.effect("'always' holds in every conversation; where it is not allowed it counts for this one", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities, agent: asking() })
      yield* chat.say("ls")
      yield* chat.press("always")
      yield* chat.say("ls", { chat: "2" })
      assert.deepStrictEqual(chat.texts("2"), [decision("always")])
      const strict = yield* make({ capabilities, agent: asking({ allowPermanent: false }) })
      yield* strict.say("ls")
      assert.deepStrictEqual(
        strict.platform.prompts[0]!.options.map(({ id }) => id),
        ["once", "session", "deny"]
      )
      yield* strict.say("always")
      assert.deepStrictEqual(strict.texts().slice(1), [decision("session")])
    })
  )

  it.effect("with approvals off nobody is asked", () =>
    Effect.gen(function* () {
      const chat = yield* make({ capabilities, agent: asking(), settings: { "approvals.mode": "off" } })
      yield* chat.say("ls")
      assert.deepStrictEqual(chat.texts(), [decision("once")])
    })
  )
})
