import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Agent, AgentError, type AgentTurn } from "../../../src/Agent/Agent.ts"
import { configuration, information, missing } from "../../../src/Conversation/Commands/CommandTexts.ts"
import { pass } from "../../support/Passing.ts"
import { make } from "../Chat.ts"

const home = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "settings-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)
const configOf = (home: string) => readFileSync(join(home, "config.yaml"), "utf8")

/** Has models of two providers and levels of reasoning. */
const choosy = (heard: Array<AgentTurn>, fails = false) =>
  Layer.succeed(Agent, {
    name: "choosy",
    start: (turn) =>
      Effect.sync(() => {
        heard.push(turn)
        return {
          events: Stream.make({ _tag: "Final" as const, text: "x" }),
          answer: () => Effect.void,
          steer: () => Effect.succeed(false)
        }
      }),
    models: fails
      ? Effect.fail(new AgentError({ category: "provider", message: "scripted", retryable: true }))
      : Effect.succeed([
          ...Array.from({ length: 7 }, (_, i) => ({ id: `small-${i}`, label: `Small ${i}`, provider: "one" })),
          { id: "large", label: "The large one", provider: "two" }
        ]),
    reasoningLevels: ["low", "high"]
  })

describe("commands about settings", () => {
  it.effect("/model lists, chooses for this conversation, is reset by /new, and a failed switch changes nothing", () =>
    Effect.gen(function* () {
      const heard: Array<AgentTurn> = []
      const chat = yield* make({ agent: choosy(heard) })
      yield* chat.say("/model")
      assert.strictEqual(
        chat.texts()[0],
        "Model: the agent's default\none:\n  small-0\n  small-1\n  small-2\n  small-3\n  small-4\n  … and 2 more\ntwo:\n  large"
      )
      yield* chat.say("/model the LARGE one")
      yield* chat.say("/model smal-3")
      yield* chat.say("/model large --provider one")
      yield* chat.say("/model large --global")
      assert.deepStrictEqual(chat.texts().slice(1), [
        configuration.modelSet("large", "two"),
        configuration.modelUnknown("smal-3", "small-3"),
        configuration.modelUnknown("large", null),
        configuration.modelGlobal
      ])
      yield* chat.say("hello")
      yield* chat.restart
      yield* chat.say("hello")
      assert.deepStrictEqual(
        heard.map(({ choices }) => [choices.model, choices.provider]),
        [
          ["large", "two"],
          ["large", "two"]
        ]
      )
      yield* pass("1 second")
      yield* chat.say("/new")
      assert.include(chat.texts().at(-1), "/model chooses again")
      yield* chat.say("hello")
      assert.isNull(heard.at(-1)!.choices.model)
      const failing = yield* make({ agent: choosy([], true) })
      yield* failing.say("/model large")
      const plain = yield* make()
      yield* plain.say("/model large")
      assert.deepStrictEqual(
        [failing.texts(), plain.texts()],
        [[configuration.modelsFailed], [configuration.oneModel("echo")]]
      )
    })
  )

  it.effect("/reasoning and /yolo hold for this conversation", () =>
    Effect.gen(function* () {
      const heard: Array<AgentTurn> = []
      const chat = yield* make({ agent: choosy(heard) })
      yield* chat.say("/reasoning high")
      yield* chat.say("/reasoning most")
      yield* chat.say("/reasoning")
      yield* chat.say("/yolo")
      yield* chat.say("/status")
      yield* chat.say("hello")
      assert.strictEqual(heard[0]!.choices.reasoning, "high")
      yield* chat.say("/reasoning reset")
      yield* chat.say("/yolo")
      const texts = chat.texts()
      assert.deepStrictEqual(texts.slice(0, 4), [
        configuration.reasoningSet("high"),
        configuration.reasoningUnknown(["low", "high"]),
        configuration.reasoningIs("high", ["low", "high"]),
        configuration.yoloOn
      ])
      assert.include(texts[4], "reasoning high, asks for no approvals")
      assert.deepStrictEqual(texts.slice(6), [configuration.reasoningReset, configuration.yoloOff])
      const plain = yield* make()
      yield* plain.say("/reasoning high")
      yield* plain.say("/fast")
      assert.deepStrictEqual(plain.texts(), [configuration.noReasoning("echo"), missing["fast"]!])
    })
  )

  it.effect("/busy, /footer, /verbose and /sethome change the file, keep its comments, and say what was changed", () =>
    Effect.gen(function* () {
      const folder = yield* home
      writeFileSync(join(folder, "config.yaml"), "# mine\ndisplay:\n  busy_ack_enabled: true # keep\n")
      const chat = yield* make({
        settings: { SWITCHBOARD_HOME: folder, "display.tool_progress_command": true }
      })
      yield* chat.say("/busy queue")
      yield* chat.say("/busy sideways")
      yield* chat.say("/footer on")
      yield* chat.say("/footer status")
      yield* chat.say("/verbose")
      yield* chat.say("/sethome")
      assert.deepStrictEqual(chat.texts(), [
        configuration.saved("display.busy_input_mode", "queue"),
        "Usage: /busy [queue, steer, interrupt, status]",
        `${configuration.footerIs(true)} ${configuration.footerExample}`,
        configuration.footerIs(false),
        configuration.saved("display.platforms.test.tool_progress", "verbose"),
        configuration.home("test", "This chat")
      ])
      assert.strictEqual(
        configOf(folder),
        "# mine\ndisplay:\n  busy_ack_enabled: true # keep\n  busy_input_mode: queue\n  runtime_footer:\n    enabled: true\n" +
          "  platforms:\n    test:\n      tool_progress: verbose\nplatforms:\n  test:\n    home_channel:\n" +
          '      chat_id: "1"\n      name: This chat\n'
      )
      writeFileSync(join(folder, "config.yaml"), "a: [b\n")
      yield* chat.say("/busy steer")
      assert.match(chat.texts().at(-1)!, /^⚠️ The configuration was not changed/)
      assert.strictEqual(configOf(folder), "a: [b\n")
    })
  )

  it.effect("/verbose is off unless it is switched on", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/verbose")
      yield* chat.say("/help verbose")
      assert.deepStrictEqual(chat.texts(), [configuration.verboseOff, information.nothingMatches("verbose")])
    })
  )

  it.effect("/debug writes a report and uploads nothing; /usage, /profile, /whoami, /start and /commands answer", () =>
    Effect.gen(function* () {
      const folder = yield* home
      const chat = yield* make({ settings: { SWITCHBOARD_HOME: folder } })
      yield* chat.say("/start")
      yield* chat.say("hello")
      yield* chat.say("/start")
      yield* chat.say("/debug")
      yield* chat.say("/usage")
      yield* chat.say("/usage reset")
      yield* chat.say("/profile")
      yield* chat.say("/whoami")
      yield* chat.say("/commands 99")
      const [greeting, , debug, usage, reset, profile, whoami, page] = chat.texts()
      assert.strictEqual(greeting, information.started("Switchboard"))
      assert.match(debug!, /^🧾 The report is in .*debug-.*\.txt[^]*agent: echo/)
      assert.strictEqual(usage, information.usage(2, 0))
      assert.strictEqual(reset, information.noReset)
      assert.strictEqual(profile, "Profile: default")
      assert.strictEqual(whoami, "Platform: test (dm)\nUser: u\nTier: unrestricted\nCommands: all")
      assert.match(page!, /^Commands, page 2 of 2 \(there is no page 99\)/)
    })
  )
})
