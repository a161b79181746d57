/** How a completion ends otherwise than with its answer: failures, further attempts, stops (`conversation E1`, S3). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as OpenAi from "../../../src/Agent/OpenAi/OpenAi.ts"
import { eventually } from "../../support/Eventually.ts"
import { events, failure, history, reply, turn } from "../Turns.ts"
import * as Server from "./CompletionServer.ts"
import { optionsFor, withServers } from "./Stage.ts"

describe("a failure", () => {
  for (const [status, message, category] of [
    [401, "Incorrect API key provided", "auth"],
    [402, "Payment required", "balance"],
    [429, "You exceeded your current quota", "balance"],
    [400, "This model's maximum context length is 8192 tokens", "context"],
    [413, "too large", "context"],
    [400, "The request was rejected by our content policy", "policy"],
    [404, "The model does not exist", "bad_request"]
  ] as const) {
    it.live(`${status} "${message}" is ${category}`, () =>
      withServers(1, (server) =>
        Effect.gen(function* () {
          server.script(...Array.from({ length: 3 }, () => Server.refuses(status, message)))
          const error = yield* failure(turn("x"))
          assert.strictEqual(error.category, category)
          assert.isFalse(error.retryable)
        })
      )
    )
  }

  it.live("that passes is waited out, for as long as the server asks", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        server.script(
          Server.refuses(503, "overloaded", { "retry-after-ms": "5" }),
          Server.refuses(429, "Rate limit reached", { "retry-after": "0" })
        )
        assert.strictEqual(yield* reply(turn("x")), "x")
        assert.lengthOf(server.seen, 3)
      })
    )
  )

  it.live("a rate limit longer than a moment is told with its time", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        server.script(Server.refuses(429, "Rate limit reached", { "retry-after": "3600" }))
        const error = yield* failure(turn("x"))
        assert.deepInclude(error, { category: "rate_limit", retryable: true, retryAfter: 3600 })
        assert.lengthOf(server.seen, 1)
      })
    )
  )

  it.live("of one endpoint is not seen when the next one answers", () =>
    withServers(3, (first, second, third) =>
      Effect.gen(function* () {
        first.script(Server.refuses(429, "Rate limit reached", { "retry-after": "3600" }))
        second.script(
          (response) => {
            Server.open(response).raw(Server.event({ error: { message: "overloaded", code: 529 } }))
            response.end()
          },
          ...Array.from({ length: 2 }, () => Server.refuses(502, "bad gateway", { "retry-after": "0" }))
        )
        assert.strictEqual(yield* reply(turn("x")), "x")
        assert.deepStrictEqual(
          [first, second, third].map((server) => server.seen.length),
          [1, 3, 1]
        )
      })
    )
  )

  it.live("after a part of the answer was shown is the end: nothing is said twice", () =>
    withServers(2, (first, second) =>
      Effect.gen(function* () {
        first.script((response) => {
          const stream = Server.open(response)
          stream.delta({ content: "so far" })
          stream.raw(Server.event({ error: { message: "The server is overloaded", code: null } }))
          stream.end()
        })
        assert.strictEqual((yield* failure(turn("x"))).category, "overloaded")
        assert.lengthOf(second.seen, 0)
      })
    )
  )

  it.live("a conversation that is too long is sent again by half", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        const rows = history(...Array.from({ length: 16 }, (_, i) => `${i} ${"x".repeat(4000)}`))
        server.script(Server.refuses(400, "context_length_exceeded"), Server.says("a summary"))
        assert.strictEqual(yield* reply(turn("x", { history: Effect.succeed(rows) })), "x")
        const sizes = server.seen.map(({ body }) => JSON.stringify(body.messages).length)
        assert.isBelow(sizes[2]!, sizes[0]! / 2)
      })
    )
  )

  it.live("an endpoint that is not there is a provider failure, without its key in the words", () =>
    Effect.gen(function* () {
      const error = yield* failure(turn("x")).pipe(
        Effect.provide(OpenAi.layer(optionsFor([{ url: "http://127.0.0.1:1/v1" } as Server.CompletionServer])))
      )
      assert.strictEqual(error.category, "provider")
      assert.isTrue(error.retryable)
      assert.notInclude(error.message, "key-of-server")
    })
  )

  it.live("an answer in another language than ours is one error", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        const page: Server.Script = (response) => {
          response.writeHead(200, { "content-type": "text/html" })
          response.end("<html>log in first</html>")
        }
        server.script(page, page, page)
        assert.strictEqual((yield* failure(turn("x"))).category, "provider")
      })
    )
  )
})

describe("a stop", () => {
  for (const [name, script] of [
    ["before the first byte", () => {}],
    ["in the middle of a stream", (response) => Server.open(response).delta({ content: "…" })]
  ] as ReadonlyArray<readonly [string, Server.Script]>) {
    it.live(`${name} closes the connection, seen from the server`, () =>
      withServers(1, (server) =>
        Effect.gen(function* () {
          server.script(script)
          const fiber = yield* Effect.forkChild(events(turn("x")))
          yield* eventually("the request", () => server.seen.length === 1)
          yield* Fiber.interrupt(fiber)
          yield* eventually("the client to go away", () => server.aborted() === 1, { seconds: 2 })
        })
      )
    )
  }

  it.live("closes connections of two hundred turns, and leaves nothing behind", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        const count = 200
        server.script(
          ...Array.from(
            { length: count },
            (): Server.Script => (response) => Server.open(response).delta({ content: "…" })
          )
        )
        const fibers = yield* Effect.forEach(Array.from({ length: count }), () => Effect.forkChild(events(turn("x"))))
        yield* eventually("the requests", () => server.seen.length === count, { seconds: 10 })
        yield* Fiber.interruptAll(fibers)
        yield* eventually("the clients to go away", () => server.aborted() === count, { seconds: 5 })
        assert.strictEqual(yield* reply(turn("still there")), "still there")
      })
    )
  )
})
