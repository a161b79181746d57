import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Agent } from "../../../src/Agent/Agent.ts"
import { turn } from "../../../src/Conversation/Commands/CommandTexts.ts"
import * as Texts from "../../../src/Conversation/Texts.ts"
import type { MessageEvent } from "../../../src/Message/MessageEvent.ts"
import { pass } from "../../support/Passing.ts"
import { make } from "../Chat.ts"

const photo = { ref: "https://files.test/1.png", kind: "image", mime: null, size: null, filename: null, caption: null }

/** Answers with what it was given, after a second, and takes steering. */
const listening = (heard: Array<MessageEvent>, steered: Array<string>) =>
  Layer.succeed(Agent, {
    name: "listening",
    start: ({ event, text }) =>
      Effect.sync(() => {
        heard.push(event)
        return {
          events: Stream.fromEffect(Effect.delay(Effect.succeed({ _tag: "Final" as const, text }), "1 second")),
          answer: () => Effect.void,
          steer: (text: string) => Effect.sync(() => steered.push(text) > 0)
        }
      })
  })

describe("commands about turns", () => {
  it.effect("/queue: one turn of its own each, in order, and the running one is left alone in every mode", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 5000 first")
      yield* chat.say("/queue second")
      yield* chat.say("/q third")
      assert.deepStrictEqual(chat.texts(), [turn.queued(1), turn.queued(2)])
      yield* pass("10 seconds", "1 second")
      assert.deepStrictEqual(chat.texts().slice(2), ["first", "second", "third"])
      assert.include((yield* chat.transcript).join("\n"), "user: second")
    })
  )

  it.effect("/queue without a turn is an ordinary message; with nothing it tells its usage", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/queue hello")
      yield* chat.say("/queue")
      assert.deepStrictEqual(chat.texts(), ["hello", "Usage: /queue TEXT"])
    })
  )

  it.effect("/queue keeps the files of its message, and then needs no text", () =>
    Effect.gen(function* () {
      const heard: Array<MessageEvent> = []
      const chat = yield* make({ agent: listening(heard, []) })
      yield* chat.say("/queue", { media: [photo] })
      yield* pass("2 seconds")
      assert.deepStrictEqual(
        heard.map(({ media, text, type }) => [text, type, media.length]),
        [["", "photo", 1]]
      )
    })
  )

  it.effect("what /queue put in survives the death of the process, and /stop clears it", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 5000 first")
      yield* chat.say("/queue second")
      yield* chat.kill
      yield* chat.start
      yield* pass("10 seconds", "1 second")
      assert.deepStrictEqual(
        chat.texts().filter((text) => !text.startsWith("⏳")),
        ["first", "second"]
      )
      yield* chat.say("!sleep 5000 third")
      yield* chat.say("/queue fourth")
      yield* chat.say("/stop")
      yield* pass("10 seconds", "1 second")
      assert.notInclude(chat.texts(), "fourth")
      assert.strictEqual(chat.texts().at(-1), Texts.stopped)
    })
  )

  it.effect("/steer hands text to an agent that takes it, and queues it for one that does not", () =>
    Effect.gen(function* () {
      const steered: Array<string> = []
      const chat = yield* make({ agent: listening([], steered) })
      yield* chat.say("one")
      yield* chat.say("/steer to the left")
      assert.deepStrictEqual(steered, ["to the left"])
      assert.deepStrictEqual(chat.texts(), [turn.steered("to the left")])
      yield* pass("2 seconds")
      const deaf = yield* make()
      yield* deaf.say("!sleep 2000 one")
      yield* deaf.say("/steer two")
      assert.deepStrictEqual(deaf.texts(), [turn.steerQueued])
      yield* pass("4 seconds", "1 second")
      assert.deepStrictEqual(deaf.texts().slice(1), ["one", "two"])
      yield* deaf.say("/steer three")
      yield* deaf.say("/steer")
      assert.deepStrictEqual(deaf.texts().slice(3), ["three", "Usage: /steer TEXT"])
    })
  )

  it.effect("/steer with a file is queued whole", () =>
    Effect.gen(function* () {
      const heard: Array<MessageEvent> = []
      const steered: Array<string> = []
      const chat = yield* make({ agent: listening(heard, steered) })
      yield* chat.say("one")
      yield* chat.say("/steer look", { media: [photo] })
      yield* pass("4 seconds", "1 second")
      assert.deepStrictEqual(steered, [])
      assert.deepStrictEqual(
        heard.map(({ media, text }) => [text, media.length]),
        [
          ["one", 0],
          ["look", 1]
        ]
      )
    })
  )

  it.effect("/background works beside the conversation, says what it was about, and at most four per chat", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 1000 here")
      yield* chat.say("/background !sleep 3000 beside")
      assert.match(chat.texts()[0]!, /^🔄 bg_\d{6}_[0-9a-f]{6} works on it: "!sleep 3000 beside"$/)
      yield* pass("5 seconds", "1 second")
      assert.deepStrictEqual(chat.texts().slice(1), ["here", '✅ "!sleep 3000 beside"\n\nbeside'])
      const [route] = yield* chat.query("SELECT session_id FROM session_routes WHERE session_key NOT LIKE '%#bg%'")
      const [own] = yield* chat.query("SELECT session_id FROM messages WHERE content = 'beside'")
      assert.notStrictEqual(own!["session_id"], route!["session_id"])
      for (let n = 0; n < 5; n++) yield* chat.say(`/bg !sleep 60000 ${n}`)
      assert.strictEqual(chat.texts().at(-1), turn.backgroundFull(4, "per chat"))
      yield* chat.say("/background")
      assert.strictEqual(chat.texts().at(-1), "Usage: /background TEXT")
    })
  )

  it.effect("/agents shows what runs, in this chat and in others", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/agents")
      assert.deepStrictEqual(chat.texts(), ["Nothing is running."])
      yield* chat.say("!sleep 60000 one")
      yield* chat.say("!sleep 60000 two", { chat: "2" })
      yield* pass("3 seconds")
      yield* chat.say("/tasks")
      const [head, mine, other] = chat.texts()[1]!.split("\n")
      assert.strictEqual(head, "Running: 2")
      assert.match(mine!, /^1\. .*: running, 3 s, \d{8}_\d{6}_[0-9a-f]{8}, echo \(this chat\)$/)
      assert.match(other!, /^2\. .*: running, 3 s, \d{8}_\d{6}_[0-9a-f]{8}, echo$/)
    })
  )
})
