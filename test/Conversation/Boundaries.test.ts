/** Whatever is said, commanded, expired and killed: a key has one conversation, and nothing of it is lost or comes back. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { pass } from "../support/Passing.ts"
import { seeded } from "../support/Random.ts"
import { type Chat, make } from "./Chat.ts"

const steps = [
  "say",
  "say",
  "say",
  "say long",
  "/new",
  "/new trip",
  "/resume 1",
  "/branch",
  "/title name",
  "/undo",
  "wait",
  "restart",
  "kill",
  "kill at once"
] as const

const consistent = Effect.fnUntraced(function* (chat: Chat, trace: ReadonlyArray<string>) {
  const said = trace.join(" | ")
  const routes = yield* chat.query(
    `SELECT r.session_key, s.ended_at, s.id FROM session_routes r LEFT JOIN sessions s ON s.id = r.session_id`
  )
  for (const route of routes) {
    assert.isNotNull(route.id, said)
    assert.isNull(route.ended_at, said)
  }
  const live = yield* chat.query(
    "SELECT session_key, COUNT(*) AS n FROM sessions WHERE ended_at IS NULL GROUP BY session_key"
  )
  for (const { n } of live) assert.strictEqual(n, 1, said)
  assert.lengthOf(live, routes.length, said)
})

const play = Effect.fnUntraced(function* (seed: number) {
  const random = seeded(seed)
  yield* TestClock.setTime(Date.parse("2026-03-28T12:00:00Z"))
  const chat = yield* make({
    settings: {
      "session_reset.mode": "both",
      "session_reset.idle_minutes": 600,
      timezone: "Europe/Berlin",
      "display.busy_input_mode": "queue"
    }
  })
  const trace: Array<string> = []
  const texts: Array<string> = []
  let boundary: ReadonlyArray<string> = []
  for (let i = 0; i < 14; i++) {
    const step = random.pick(steps)
    trace.push(step)
    switch (step) {
      case "say":
      case "say long": {
        const text = step === "say" ? `text ${i}` : `!sleep 300 text ${i}`
        texts.push(text)
        yield* chat.say(text)
        break
      }
      case "wait":
        // Nobody is there meanwhile: a night of idle sweeps costs minutes of test.
        yield* chat.end
        yield* TestClock.adjust(`${1 + random.below(11)} hours`)
        yield* chat.start
        break
      case "restart":
        yield* chat.restart
        break
      case "kill":
        yield* pass("1 second")
        yield* chat.kill
        yield* chat.start
        break
      case "kill at once":
        yield* chat.kill
        yield* chat.start
        break
      default: {
        // A command is answered when nothing runs, so that what it is about is known.
        yield* pass("2 seconds")
        yield* chat.say(step)
        if (step === "/new") {
          boundary = (yield* chat.query("SELECT id FROM sessions WHERE ended_at IS NOT NULL")).map(({ id }) =>
            String(id)
          )
          yield* chat.kill
          yield* chat.start
          texts.push(`after ${i}`)
          yield* chat.say(`after ${i}`)
          yield* pass("2 seconds")
          const [route] = yield* chat.query("SELECT session_id FROM session_routes")
          assert.notInclude(boundary, String(route?.session_id), trace.join(" | "))
        }
      }
    }
    yield* pass("1 second")
    yield* consistent(chat, trace)
  }
  yield* pass("6 seconds")
  const stored = new Set(
    (yield* chat.query("SELECT content FROM messages WHERE role = 'user'")).map((row) => row.content)
  )
  for (const text of texts) assert.isTrue(stored.has(text), `${text} was lost: ${trace.join(" | ")}`)
})

describe("boundaries", () => {
  for (let from = 0; from < 5; from++) {
    it.effect(`hold for seeds ${from * 8 + 1} to ${from * 8 + 8}`, () =>
      Effect.forEach(
        Array.from({ length: 8 }, (_, i) => from * 8 + i + 1),
        (seed) => Effect.scoped(play(seed)),
        { discard: true }
      )
    )
  }
})
