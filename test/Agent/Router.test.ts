/** Several agents behind one service: who answers a turn. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Agent, type AgentTurn, noChoices } from "../../src/Agent/Agent.ts"
import type { Rule } from "../../src/Agent/AgentSettings.ts"
import * as Router from "../../src/Agent/Router.ts"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { reply, turn } from "./Turns.ts"

const forgotten: Array<string> = []

/** Says who it is, what it heard, and what was chosen. */
const named = (name: string): Router.Named => ({
  name,
  layer: Layer.succeed(Agent, {
    name,
    start: ({ choices, text }) =>
      Effect.succeed({
        events: Stream.succeed({
          _tag: "Final" as const,
          text: [name, text, choices.model, choices.provider].filter((part) => part !== null).join(": ")
        }),
        answer: () => Effect.void,
        steer: () => Effect.succeed(false)
      }),
    models: Effect.succeed([{ id: "m", label: "M", provider: name === "main" ? "host" : null }]),
    commands: () => [{ name: `of-${name}`, description: "", hint: null }],
    forget: (key) => Effect.sync(() => void forgotten.push(`${name} ${key}`))
  })
})

const rules: ReadonlyArray<Rule> = [
  { command: "code", agent: "coder" },
  { command: "/code-chat", chat: 7, agent: "main" },
  { platform: "Slack", user: "ada", agent: "coder" },
  { chat: 42, agent: "coder" }
]

const withRouter = <A, E>(effect: Effect.Effect<A, E, Agent>) =>
  Effect.provide(effect, Router.layer([named("main"), named("coder")], rules))

const from = (source: Partial<Source.Source>, text: string, more: Partial<AgentTurn> = {}) =>
  turn(text, {
    event: MessageEvent.text(Source.make({ platform: "test", chatId: "1", ...source }), text),
    sessionKey: JSON.stringify(source),
    ...more
  })

describe("the router", () => {
  it.effect("goes by platform, chat and user; the first agent answers elsewhere", () =>
    withRouter(
      Effect.gen(function* () {
        assert.strictEqual(yield* reply(from({}, "x")), "main: x")
        assert.strictEqual(yield* reply(from({ chatId: "42" }, "x")), "coder: x")
        assert.strictEqual(yield* reply(from({ platform: "slack", userId: "ada" }, "x")), "coder: x")
        assert.strictEqual(yield* reply(from({ platform: "slack", userId: "bob" }, "x")), "main: x")
      })
    )
  )

  it.effect("a command chooses for the rest of its conversation, also before that has an id", () =>
    withRouter(
      Effect.gen(function* () {
        assert.strictEqual(yield* reply(from({}, "/code fix it", { sessionId: "" })), "coder: fix it")
        assert.strictEqual(yield* reply(from({}, "and then?", { sessionId: "one" })), "coder: and then?")
        assert.strictEqual(yield* reply(from({}, "again", { sessionId: "one" })), "coder: again")
        assert.strictEqual(yield* reply(from({ chatId: "2" }, "elsewhere", { sessionId: "one" })), "main: elsewhere")
        assert.strictEqual(yield* reply(from({}, "after a boundary", { sessionId: "two" })), "main: after a boundary")
        assert.include(yield* reply(from({}, "/code", { sessionId: "two" })), "coder answers")
        assert.strictEqual(yield* reply(from({}, "hi", { sessionId: "two" })), "coder: hi")
        assert.strictEqual(yield* reply(from({}, "/codex x", { sessionId: "three" })), "main: /codex x")
        assert.strictEqual(yield* reply(from({}, "/code-chat x", { sessionId: "three" })), "main: /code-chat x")
      })
    )
  )

  it.effect("lists the models of all, and a choice reaches the one it was made for", () =>
    withRouter(
      Effect.gen(function* () {
        const agent = yield* Agent
        const models = yield* agent.models!
        assert.deepStrictEqual(
          models.map(({ provider }) => provider),
          ["main/host", "coder"]
        )
        const chosen = (chatId: string, provider: string) =>
          reply(from({ chatId }, "x", { choices: { ...noChoices, model: "m", provider } }))
        assert.strictEqual(yield* chosen("1", "main/host"), "main: x: m: host")
        assert.strictEqual(yield* chosen("42", "main/host"), "coder: x")
        assert.strictEqual(yield* chosen("42", "coder"), "coder: x: m")
      })
    )
  )

  it.effect("offers its commands and those of the agent that answers; a boundary reaches all", () =>
    withRouter(
      Effect.gen(function* () {
        const agent = yield* Agent
        const names = () => agent.commands!(from({}, "").sessionKey).map(({ name }) => name)
        assert.deepStrictEqual(names(), ["code", "code-chat", "of-main"])
        yield* reply(from({}, "/code x"))
        assert.deepStrictEqual(names(), ["code", "code-chat", "of-coder"])
        yield* agent.forget!("key", "id")
        assert.deepStrictEqual(forgotten, ["main key", "coder key"])
      })
    )
  )
})
