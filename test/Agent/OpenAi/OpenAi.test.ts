/** The OpenAI-compatible agent against a strict server over real sockets (`conversation T2`, H, X1). */
import { mkdtempSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Agent, type AgentEvent, noChoices } from "../../../src/Agent/Agent.ts"
import type { Media } from "../../../src/Message/MessageEvent.ts"
import { eventually } from "../../support/Eventually.ts"
import { events, finalOf, history, reply, turn } from "../Turns.ts"
import * as Server from "./CompletionServer.ts"
import { withServers } from "./Stage.ts"

const media = (ref: string, mime: string | null, filename: string | null = null): Media => ({
  ref,
  kind: "document",
  mime,
  size: null,
  filename,
  caption: null
})

describe("an answer", () => {
  it.live("is streamed, ends with the whole text, and tells what it cost", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        server.script(Server.says("Good ", "morning", " ☀️"))
        const all = yield* events(turn("hello", { context: "You are in a chat." }))
        assert.deepStrictEqual(all, [
          { _tag: "TextDelta", text: "Good " },
          { _tag: "TextDelta", text: "morning" },
          { _tag: "TextDelta", text: " ☀️" },
          {
            _tag: "Usage",
            usage: {
              model: "served",
              inputTokens: 12,
              contextTokens: 12,
              outputTokens: 3,
              cacheReadTokens: 8,
              costUsd: 0.002,
              contextWindow: 32_000
            }
          },
          { _tag: "Final", text: "Good morning ☀️" }
        ])
        const [seen] = server.seen
        assert.strictEqual(seen?.headers.authorization, "Bearer key-of-server-0")
        assert.deepStrictEqual(seen?.body.messages, [
          { role: "system", content: "You are in a chat." },
          { role: "user", content: "hello" }
        ])
      })
    )
  )

  it.live("arrives whole however its bytes are cut", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        server.script((response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          const bytes = Buffer.from(
            `: keep alive\r\n\r\n${Server.event({ choices: [{ delta: { content: "größer 😀" } }] })}` +
              `event: x\ndata: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`
          )
          const write = (at: number): void => {
            if (at >= bytes.length) return void response.end()
            response.write(bytes.subarray(at, at + 1))
            setImmediate(() => write(at + 1))
          }
          write(0)
        })
        assert.strictEqual(yield* reply(turn("x")), "größer 😀")
      })
    )
  )

  it.live("of a server that does not stream is taken too", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        server.script((response) => {
          response.writeHead(200, { "content-type": "application/json" })
          response.end(
            JSON.stringify({
              model: "m",
              choices: [{ message: { role: "assistant", content: "whole" }, finish_reason: "stop" }]
            })
          )
        })
        assert.strictEqual(yield* reply(turn("x")), "whole")
      })
    )
  )

  it.live("brings thoughts of either field, and tool calls in pieces", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        server.script((response) => {
          const stream = Server.open(response)
          stream.delta({ reasoning_content: "hm" })
          stream.delta({ reasoning: "aha" })
          stream.delta({ content: "Let me look. " })
          stream.delta({ tool_calls: [{ index: 0, id: "a", function: { name: "search", arguments: "" } }] })
          stream.delta({ tool_calls: [{ index: 0, function: { arguments: '{"query":' } }] })
          stream.delta({ tool_calls: [{ index: 0, function: { arguments: '"cats"}' } }] })
          stream.delta({ tool_calls: [{ index: 1, id: "b", function: { name: "read", arguments: "{}" } }] })
          stream.delta({ content: "Found." })
          stream.delta({}, "stop")
          stream.end()
        })
        const all = yield* events(turn("x"))
        assert.deepStrictEqual(all, [
          { _tag: "Reasoning", text: "hm" },
          { _tag: "Reasoning", text: "aha" },
          { _tag: "TextDelta", text: "Let me look. " },
          { _tag: "ToolStarted", tool: "search", preview: "cats", callId: "a" },
          { _tag: "ToolStarted", tool: "read", preview: "{}", callId: "b" },
          { _tag: "ToolFinished", tool: "search", ok: true, callId: "a" },
          { _tag: "ToolFinished", tool: "read", ok: true, callId: "b" },
          { _tag: "TextDelta", text: "Found." },
          { _tag: "Final", text: "Let me look. Found." }
        ] satisfies ReadonlyArray<AgentEvent>)
      })
    )
  )

  it.live("survives events that do not decode", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        server.script((response) => {
          const stream = Server.open(response)
          stream.delta({ content: "one " })
          stream.raw('data: {broken\n\ndata: 17\n\ndata: {"choices":"no"}\n\nnonsense\n\n: comment\n\n')
          stream.delta({ content: "two" })
          stream.delta({}, "stop")
          stream.end()
        })
        assert.strictEqual(yield* reply(turn("x")), "one two")
      })
    )
  )

  it.live("that breaks off is delivered as far as it came", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        server.script((response) => {
          Server.open(response).delta({ content: "half an ans" })
          setImmediate(() => response.destroy())
        })
        assert.strictEqual(yield* reply(turn("x")), "half an ans")
        assert.lengthOf(server.seen, 1)
      })
    )
  )
})

describe("what is sent", () => {
  it.live("is the conversation so far, alternating, within the budget of tokens", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        yield* reply(turn("new", { history: Effect.succeed(history("a", "b", "c")) }))
        assert.deepStrictEqual(server.seen[0]?.body.messages, [
          { role: "user", content: "a" },
          { role: "assistant", content: "b" },
          { role: "user", content: "c\n\nnew" }
        ])
      })
    )
  )

  it.live("holds a summary of what does not fit, made once and grown later", () =>
    withServers(
      1,
      (server) =>
        Effect.gen(function* () {
          const long = (name: string) => `${name} ${"x".repeat(2000)}`
          const rows = history(...Array.from({ length: 7 }, (_, i) => long(`message ${i}`)))
          server.script(Server.says("They spoke of x."))
          yield* reply(turn("new", { history: Effect.succeed(rows) }))
          assert.lengthOf(server.seen, 2)
          assert.include(JSON.stringify(server.seen[0]?.body.messages), "message 0")
          const sent = server.seen[1]!.body.messages
          assert.deepStrictEqual(sent[0], {
            role: "system",
            content: "Summary of the earlier conversation:\nThey spoke of x."
          })
          assert.notInclude(JSON.stringify(sent), "message 0")
          assert.include(JSON.stringify(sent), "message 6")
          yield* reply(turn("again", { history: Effect.succeed(rows) }))
          assert.lengthOf(server.seen, 3)
        }),
      { contextWindow: 5600 }
    )
  )

  it.live("follows what the conversation chose, and falls back to what is configured", () =>
    withServers(2, (first, second) =>
      Effect.gen(function* () {
        const choices = { model: "other", provider: "server 1", reasoning: "high" }
        second.script(Server.refuses(401, "Incorrect API key"))
        assert.strictEqual(yield* reply(turn("x", { choices })), "x")
        assert.deepInclude(second.seen[0]?.body, { model: "other", reasoning_effort: "high" })
        assert.strictEqual(first.seen[0]?.body.model, "model-0")
      })
    )
  )

  it.live("leaves away for good what the endpoint does not take", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        const choices = { ...noChoices, reasoning: "high" }
        server.script(
          Server.refuses(400, "Unrecognized request argument supplied: reasoning_effort"),
          Server.refuses(422, "stream_options: extra fields not permitted")
        )
        assert.strictEqual(yield* reply(turn("x", { choices })), "x")
        assert.strictEqual(yield* reply(turn("y", { choices })), "y")
        assert.lengthOf(server.seen, 4)
        for (const { body } of server.seen.slice(2)) {
          assert.notProperty(body, "reasoning_effort")
          assert.notProperty(body, "stream_options")
        }
      })
    )
  )

  it.live("holds images and documents of the media cache, and nothing else of this machine", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "switchboard-media-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const cache = join(folder, "cache")
      mkdirSync(cache)
      writeFileSync(join(cache, "cat.png"), "cat")
      writeFileSync(join(cache, "paper.pdf"), "paper")
      writeFileSync(join(folder, "secret.png"), "secret")
      symlinkSync(join(folder, "secret.png"), join(cache, "link.png"))
      yield* withServers(
        1,
        (server) =>
          Effect.gen(function* () {
            const files = [
              media(join(cache, "cat.png"), null),
              media("https://example.org/dog.jpg", "image/jpeg"),
              media("paper.pdf", "application/pdf"),
              media(join(folder, "secret.png"), "image/png", "secret.png"),
              media(join(cache, "link.png"), "image/png"),
              media(join(cache, "..", "secret.png"), "image/png")
            ]
            yield* reply(turn("look", { media: files }))
            assert.deepStrictEqual(server.seen[0]?.body.messages[0]?.content, [
              { type: "text", text: "look\n\n[Attached, but not readable for you: secret.png, link.png, secret.png]" },
              { type: "image_url", image_url: { url: `data:image/png;base64,${btoa("cat")}` } },
              { type: "image_url", image_url: { url: "https://example.org/dog.jpg" } },
              {
                type: "file",
                file: { filename: "paper.pdf", file_data: `data:application/pdf;base64,${btoa("paper")}` }
              }
            ])
            server.script(Server.refuses(400, "messages[0].content must be a string"))
            yield* reply(turn("look", { media: files.slice(0, 1) }))
            assert.strictEqual(
              server.seen[2]?.body.messages[0]?.content,
              "look\n\n[Attached, but not readable for you: cat.png]"
            )
          }),
        { mediaCache: cache }
      )
    }).pipe(Effect.scoped)
  )
})

describe("beside turns", () => {
  it.live("the models of all endpoints are listed, once", () =>
    withServers(2, (first) =>
      Effect.gen(function* () {
        const agent = yield* Agent
        const models = yield* agent.models!
        assert.deepStrictEqual(
          models.map(({ id, provider }) => `${provider}: ${id}`),
          ["server 0: served", "server 0: other", "server 1: served", "server 1: other"]
        )
        first.models.push("later")
        assert.lengthOf(yield* agent.models!, 4)
      })
    )
  )

  it.live("a conversation is compressed with a focus", () =>
    withServers(1, (server) =>
      Effect.gen(function* () {
        server.script(Server.says("short"))
        const agent = yield* Agent
        assert.strictEqual(yield* agent.compress!(history("long", "story"), "the story"), "short")
        assert.include(JSON.stringify(server.seen[0]?.body.messages), "Pay most attention to: the story")
      })
    )
  )

  it.live("a proxied gateway gets the session's id, and text alone", () =>
    withServers(
      1,
      (server) =>
        Effect.gen(function* () {
          const files = [media("https://example.org/dog.jpg", "image/jpeg")]
          yield* reply(turn("x", { media: files }))
          assert.strictEqual(server.seen[0]?.headers["x-hermes-session-id"], "s1")
          assert.strictEqual(server.seen[0]?.body.messages[0]?.content, "x")
        }),
      { isProxy: true }
    )
  )

  it.live("no event of one turn reaches another", () =>
    withServers(1, () =>
      Effect.gen(function* () {
        const texts = Array.from({ length: 50 }, (_, i) => `message ${i}`)
        const answers = yield* Effect.forEach(texts, (text) => Effect.map(events(turn(text)), finalOf), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(answers, texts)
      })
    )
  )
})

it.live("a stream can be taken piece by piece", () =>
  withServers(1, (server) =>
    Effect.gen(function* () {
      server.script((response) => {
        Server.open(response).delta({ content: "first" })
      })
      const agent = yield* Agent
      const run = yield* agent.start(turn("x"))
      const taken = yield* Stream.runCollect(Stream.take(run.events, 1))
      assert.deepStrictEqual(taken, [{ _tag: "TextDelta", text: "first" }])
      yield* eventually("the client to go away", () => server.aborted() === 1, { seconds: 2 })
    }).pipe(Effect.scoped)
  )
)
