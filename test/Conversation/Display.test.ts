import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Agent, type AgentEvent } from "../../src/Agent/Agent.ts"
import { keyed } from "../support/ScriptedOutlet.ts"
import * as Chat from "./Chat.ts"

const capabilities = { ...keyed, streaming: false }

const telling = (...events: ReadonlyArray<AgentEvent>) =>
  Layer.succeed(Agent, {
    name: "telling",
    start: () =>
      Effect.succeed({
        events: Stream.fromIterable<AgentEvent>([...events, { _tag: "Final", text: "done" }]),
        answer: () => Effect.void,
        steer: () => Effect.succeed(false)
      })
  })

const tool = (name: string, preview = "x".repeat(60)): AgentEvent => ({ _tag: "ToolStarted", tool: name, preview })

const shown = Effect.fnUntraced(function* (
  display: Readonly<Record<string, unknown>>,
  ...events: ReadonlyArray<AgentEvent>
) {
  const given = { tool_progress_grouping: "separate", ...display }
  const settings = Object.fromEntries(Object.entries(given).map(([key, value]) => [`display.${key}`, value]))
  const chat = yield* Chat.make({ capabilities, settings, agent: telling(...events) })
  yield* chat.say("go")
  return chat.platform.texts()
})

describe("what a chat sees of a turn", () => {
  it.effect("tool lines as the settings say: all, new, none, and how much of them", () =>
    Effect.gen(function* () {
      const [a, b] = [tool("read"), tool("write")]
      const line = (name: string, length: number) => `⚙️ ${name}: "${"x".repeat(length - 3)}..."`
      assert.deepStrictEqual(yield* shown({}, a, a), [line("read", 40), line("read", 40), "done"])
      assert.deepStrictEqual(yield* shown({ tool_progress: "new" }, a, a, b, a), [
        line("read", 40),
        line("write", 40),
        line("read", 40),
        "done"
      ])
      assert.deepStrictEqual(yield* shown({ tool_progress: "off" }, a, b), ["done"])
      const platforms = { test: { tool_progress: true, tool_preview_length: 12 } }
      assert.deepStrictEqual(yield* shown({ tool_progress: "off", platforms }, a), [line("read", 12), "done"])
    })
  )

  it.effect("interim texts unless they are switched off", () =>
    Effect.gen(function* () {
      const said: AgentEvent = { _tag: "Commentary", text: "looking" }
      assert.deepStrictEqual(yield* shown({}, said), ["looking", "done"])
      assert.deepStrictEqual(yield* shown({ interim_assistant_messages: false }, said), ["done"])
    })
  )

  it.effect("nothing of an answer that only says it is silent, unless that is switched off", () =>
    Effect.gen(function* () {
      const silent = yield* Chat.make({ capabilities })
      yield* silent.say("*(silent)*")
      assert.deepStrictEqual(silent.platform.texts(), [])
      assert.deepStrictEqual(yield* silent.transcript, ["user: *(silent)*", "assistant: *(silent)*"])
      const loud = yield* Chat.make({ capabilities, settings: { "gateway.filter_silence_narration": false } })
      yield* loud.say("*(silent)*")
      assert.deepStrictEqual(loud.platform.texts(), ["*(silent)*"])
    })
  )

  it.effect("a footer where it is wanted, with the latest figures, below the answer and not in the transcript", () =>
    Effect.gen(function* () {
      const usage = (contextTokens: number): AgentEvent => ({
        _tag: "Usage",
        usage: { model: "house/m1", contextTokens, contextWindow: 1000 }
      })
      assert.deepStrictEqual(yield* shown({}, usage(10)), ["done"])
      const settings = { "display.runtime_footer": { enabled: true } }
      const chat = yield* Chat.make({ capabilities, settings, agent: telling(usage(10), usage(420)) })
      yield* chat.say("go")
      assert.deepStrictEqual(chat.platform.texts(), ["done\n\nm1 · 42%"])
      assert.deepStrictEqual(yield* chat.transcript, ["user: go", "assistant: done"])
    })
  )
})
