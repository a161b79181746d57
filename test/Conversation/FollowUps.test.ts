import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Stream } from "effect"
import { Agent, type AgentEvent } from "../../src/Agent/Agent.ts"
import * as Texts from "../../src/Conversation/Texts.ts"
import type { Media } from "../../src/Message/MessageEvent.ts"
import { pass } from "../support/Passing.ts"
import { keyed } from "../support/ScriptedOutlet.ts"
import { make } from "./Chat.ts"

const queueing = { settings: { "display.busy_input_mode": "queue" } }
const picture = (ref: string): Media => ({
  ref,
  kind: "image",
  mime: "image/jpeg",
  size: null,
  filename: null,
  caption: null
})
const photo = (ref: string) => ({ type: "photo" as const, media: [picture(ref)] })

/** Works for a minute, takes what it is handed meanwhile, and answers with all of it. */
const steerable = Layer.succeed(Agent, {
  name: "steerable",
  start: (turn) =>
    Effect.sync(() => {
      const heard = [turn.event.text]
      const final = (): AgentEvent => ({ _tag: "Final", text: heard.join(" | ") })
      return {
        events: Stream.fromEffect(Effect.andThen(Effect.sleep("1 minute"), Effect.sync(final))),
        answer: () => Effect.void,
        steer: (text) => Effect.sync(() => heard.push(text) > 0)
      }
    })
})

/** Tells how many files each turn was given. */
const counting = Layer.succeed(Agent, {
  name: "counting",
  start: (turn) =>
    Effect.gen(function* () {
      const wait = yield* Deferred.make<void>()
      if (turn.event.text !== "wait") yield* Deferred.succeed(wait, undefined)
      const text = `${turn.event.text}: ${turn.media.map(({ ref }) => ref).join(" ")}`
      return {
        events: Stream.fromEffect(
          Effect.as(Effect.raceFirst(Deferred.await(wait), Effect.sleep("10 seconds")), {
            _tag: "Final" as const,
            text
          })
        ),
        answer: () => Effect.void,
        steer: () => Effect.succeed(false)
      }
    })
})

describe("a message while a turn runs", () => {
  it.effect("three photos are one follow-up with three pictures, and do not interrupt", () =>
    Effect.gen(function* () {
      const chat = yield* make({ agent: counting })
      yield* chat.say("wait")
      for (const ref of ["a", "b", "c"]) yield* chat.say("sea", photo(ref))
      yield* pass("30 seconds", "1 second")
      assert.deepStrictEqual(chat.texts(), ["wait: ", "sea: a b c"])
      assert.deepStrictEqual(yield* chat.inbox, ["wait: done", "sea: done", "sea: done", "sea: done"])
    })
  )

  it.effect("an album that was cut off by a kill runs again whole", () =>
    Effect.gen(function* () {
      const chat = yield* make({ agent: counting })
      yield* chat.say("wait")
      yield* chat.say("wait", photo("a"))
      yield* chat.say("wait", photo("b"))
      yield* pass("12 seconds", "1 second")
      yield* chat.kill
      yield* chat.start
      yield* chat.say("x", photo("c"))
      yield* pass("30 seconds", "1 second")
      assert.deepStrictEqual(chat.texts(), ["wait: ", "wait: a b", "x: c"])
    })
  )

  it.effect("texts typed in one go behind a turn are one message", () =>
    Effect.gen(function* () {
      const chat = yield* make({
        settings: { ...queueing.settings, SWITCHBOARD_GATEWAY_BUSY_TEXT_DEBOUNCE_SECONDS: 0.35 }
      })
      yield* chat.say("!sleep 5000 long")
      yield* chat.say("one")
      yield* pass("300 millis", "50 millis")
      yield* chat.say("two")
      yield* pass("1 second", "50 millis")
      yield* chat.say("three")
      yield* pass("10 seconds")
      assert.deepStrictEqual(chat.texts(), ["long", "one\ntwo", "three"])
    })
  )

  it.effect("what the agent took ends with its turn, and is said so", () =>
    Effect.gen(function* () {
      const chat = yield* make({
        agent: steerable,
        settings: { "display.busy_input_mode": "steer", "display.busy_ack_enabled": true }
      })
      yield* chat.say("work")
      yield* chat.say("faster")
      assert.deepStrictEqual(chat.texts(), [Texts.notices.steered])
      assert.deepStrictEqual(yield* chat.inbox, ["work: running", "faster: waiting"])
      yield* pass("2 minutes", "5 seconds")
      assert.deepStrictEqual(chat.texts().slice(1), ["work | faster"])
      assert.deepStrictEqual(yield* chat.inbox, ["work: done", "faster: done"])
      assert.deepStrictEqual(yield* chat.transcript, ["user: work", "user: faster", "assistant: work | faster"])
    })
  )

  it.effect("what the agent took is not lost when the process dies with it", () =>
    Effect.gen(function* () {
      const chat = yield* make({ agent: steerable, settings: { "display.busy_input_mode": "steer" } })
      yield* chat.say("work")
      yield* chat.say("faster")
      yield* chat.kill
      yield* chat.start
      yield* pass("4 minutes", "5 seconds")
      assert.deepStrictEqual(chat.texts(), ["work", "faster"])
    })
  )

  it.effect("/stop ends what the agent took with its turn", () =>
    Effect.gen(function* () {
      const chat = yield* make({ agent: steerable, settings: { "display.busy_input_mode": "steer" } })
      yield* chat.say("work")
      yield* chat.say("faster")
      yield* chat.say("/stop")
      yield* pass("2 minutes", "5 seconds")
      assert.deepStrictEqual(chat.texts(), [Texts.stopped])
      assert.deepStrictEqual(
        (yield* chat.inbox).filter((row) => !/: (done|dropped)$/.test(row)),
        []
      )
    })
  )

  it.effect("one that an operator dropped while it waited does not run", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!sleep 20000 long")
      yield* chat.say("unwanted")
      yield* chat.say("wanted")
      yield* chat.query("UPDATE inbox SET state = 'dropped' WHERE event LIKE '%unwanted%'")
      yield* pass("30 seconds", "1 second")
      assert.deepStrictEqual(chat.texts(), ["long", "wanted"])
    })
  )

  it.effect("the thousandth that waits is the last: the next is given up, and told so", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!sleep 60000 long")
      for (let n = 0; n < 1000; n++) yield* chat.hand(`m${n}`)
      yield* pass("1 second")
      yield* chat.say("one too many")
      assert.include(chat.texts(), Texts.tooManyWaiting)
      assert.strictEqual((yield* chat.inbox).at(-1), "one too many: dropped")
    })
  )
})

describe("a preview that a killed turn left on the screen", () => {
  const capabilities = keyed
  const begun = Effect.gen(function* () {
    const chat = yield* make({ capabilities })
    yield* chat.say("!stream 10 500 one two three four five six seven eight nine ten")
    yield* pass("3 seconds", "100 millis")
    assert.match(chat.texts()[0]!, /^one.* ▉$/)
    yield* chat.kill
    return chat
  })

  it.effect("ends without its cursor when the second run is stopped", () =>
    Effect.gen(function* () {
      const chat = yield* begun
      yield* chat.start
      yield* pass("500 millis", "50 millis")
      yield* chat.say("/stop")
      yield* pass("2 seconds")
      assert.notInclude(chat.texts().join(), "▉")
      assert.deepStrictEqual(yield* chat.query("SELECT key FROM outbox WHERE state = 'preview'"), [])
    })
  )
})
