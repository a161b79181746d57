import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Agent, type AgentEvent } from "../../src/Agent/Agent.ts"
import { pass } from "../support/Passing.ts"
import { keyed } from "../support/ScriptedOutlet.ts"
import { make } from "./Chat.ts"

const tool = (tool: string, preview: string | null = null): AgentEvent => ({ _tag: "ToolStarted", tool, preview })
const final = (text: string): AgentEvent => ({ _tag: "Final", text })
const delta = (text: string): AgentEvent => ({ _tag: "TextDelta", text })

/** An agent that reports these, each so many milliseconds after the one before. */
const says = (events: ReadonlyArray<AgentEvent>, gap = 1000) =>
  Layer.succeed(Agent, {
    name: "scripted",
    start: () =>
      Effect.succeed({
        events: Stream.mapEffect(Stream.fromIterable(events), (event) => Effect.as(Effect.sleep(gap), event)),
        answer: () => Effect.void,
        steer: () => Effect.succeed(false)
      })
  })

const shown = Effect.fnUntraced(function* (
  events: ReadonlyArray<AgentEvent>,
  settings: Readonly<Record<string, unknown>> = {},
  gap = 1000
) {
  const chat = yield* make({ capabilities: keyed, settings, agent: says(events, gap) })
  yield* chat.say("go")
  yield* pass("40 seconds", "100 millis")
  return chat
})

describe("what is seen of an agent's tools", () => {
  it.effect("one message that grows, equal lines counted", () =>
    Effect.gen(function* () {
      const chat = yield* shown([tool("a"), tool("b", "x"), tool("b", "x"), tool("c"), final("done")])
      assert.deepStrictEqual(chat.texts(), ['⚙️ a...\n⚙️ b: "x" (×2)\n⚙️ c...', "done"])
      const edits = chat.platform.sent.filter(({ op }) => op === "edit").map(({ at }) => at)
      for (let i = 1; i < edits.length; i++) assert.isAtLeast(edits[i]! - edits[i - 1]!, 1500)
    })
  )

  it.effect("one message each, where it is asked for", () =>
    Effect.gen(function* () {
      const chat = yield* shown([tool("a"), tool("b"), final("done")], {
        "display.tool_progress_grouping": "separate"
      })
      assert.deepStrictEqual(chat.texts(), ["⚙️ a...", "⚙️ b...", "done"])
    })
  )

  for (const [mode, expected] of [
    ["off", ["done"]],
    ["new", ["⚙️ a...\n⚙️ b...", "done"]],
    ["all", ["⚙️ a... (×2)\n⚙️ b...", "done"]]
  ] as const) {
    it.effect(`in mode ${mode}`, () =>
      Effect.gen(function* () {
        const chat = yield* shown([tool("a"), tool("a"), tool("b"), final("done")], { "display.tool_progress": mode })
        assert.deepStrictEqual(chat.texts(), expected)
      })
    )
  }

  it.effect("verbose shows a long preview whole", () =>
    Effect.gen(function* () {
      const chat = yield* shown([tool("a", "y".repeat(200)), final("done")], { "display.tool_progress": "verbose" })
      assert.deepStrictEqual(chat.texts(), [`⚙️ a: "${"y".repeat(200)}"`, "done"])
    })
  )

  it.effect("text, tools and text stand in the order of the agent, and no word is there twice (Z18)", () =>
    Effect.gen(function* () {
      const chat = yield* shown([
        delta("I look that up."),
        tool("search", "x"),
        { _tag: "Commentary", text: "Half way." },
        delta("\n\nFound: it is "),
        delta("blue."),
        tool("check"),
        final("I look that up.\n\nFound: it is blue.")
      ])
      assert.deepStrictEqual(chat.texts(), [
        "I look that up.",
        '⚙️ search: "x"',
        "Half way.",
        "Found: it is blue.",
        "⚙️ check..."
      ])
    })
  )

  it.effect("the same when everything comes at once: the order holds, and the text is there once", () =>
    Effect.gen(function* () {
      const chat = yield* shown(
        [delta("I look that up."), tool("search", "x"), delta(" Found: blue."), final("I look that up. Found: blue.")],
        {},
        0
      )
      assert.strictEqual(chat.texts().filter((text) => text.includes("Found: blue.")).length, 1)
      assert.strictEqual(chat.texts().join("\n").split("I look that up.").length, 2)
    })
  )

  it.effect("commentary that was streamed already is not said again (B13)", () =>
    Effect.gen(function* () {
      const chat = yield* shown([
        delta("I look that up."),
        { _tag: "Commentary", text: "I look that up." },
        final("Blue.")
      ])
      assert.deepStrictEqual(chat.texts().join("\n").split("I look that up.").length, 1)
      assert.strictEqual(chat.texts().at(-1), "Blue.")
    })
  )

  it.effect("a plan is one message, as it stands", () =>
    Effect.gen(function* () {
      const plan = (status: "pending" | "done"): AgentEvent => ({ _tag: "Plan", entries: [{ text: "dig", status }] })
      const chat = yield* shown([
        plan("pending"),
        tool("dig"),
        tool("rest"),
        plan("done"),
        tool("x"),
        tool("y"),
        final("ok")
      ])
      assert.strictEqual(chat.texts()[0], "📋 Plan\n☑ dig")
    })
  )

  it.effect("thoughts only where they are asked for, before the answer (N3)", () =>
    Effect.gen(function* () {
      const events: ReadonlyArray<AgentEvent> = [{ _tag: "Reasoning", text: "Hm." }, final("Blue.")]
      assert.deepStrictEqual((yield* shown(events)).texts(), ["Blue."])
      assert.deepStrictEqual((yield* shown(events, { "display.show_reasoning": true })).texts(), [
        "💭\n```\nHm.\n```\n\nBlue."
      ])
    })
  )

  it.effect("interim texts only where the chat bears them", () =>
    Effect.gen(function* () {
      const chat = yield* shown([{ _tag: "Commentary", text: "Half way." }, final("done")], {
        "display.interim_assistant_messages": false
      })
      assert.deepStrictEqual(chat.texts(), ["done"])
    })
  )
})
