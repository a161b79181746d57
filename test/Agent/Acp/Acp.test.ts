/** Agents over the Agent Client Protocol as real processes (`conversation T2`, A11; `commands K4`). */
import { symlinkSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Agent, type AgentEvent, type AgentTurn, noChoices } from "../../../src/Agent/Agent.ts"
import { eventually } from "../../support/Eventually.ts"
import { events, failure, finalOf, history, reply, turn } from "../Turns.ts"
import { answering, children, inChat, withAgent } from "./Stage.ts"

describe("a prompt", () => {
  for (const script of ["SdkAgent", "RawAgent"] as const) {
    it.live(`of the ${script} is answered, turn after turn, in one session`, () =>
      withAgent(script, () =>
        Effect.gen(function* () {
          assert.strictEqual(yield* reply(inChat("a", "hello world")), "hello world")
          assert.strictEqual(yield* reply(inChat("a", "again")), "again")
        })
      )
    )
  }

  it.live("brings thoughts, plan, tools with their diffs, usage, and the text in paragraphs", () =>
    withAgent("SdkAgent", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* events(inChat("a", "tool")), [
          { _tag: "Reasoning", text: "hm" },
          { _tag: "Plan", entries: [{ text: "edit", status: "running" }] },
          { _tag: "TextDelta", text: "Let me see." },
          { _tag: "ToolStarted", tool: "edit", preview: "Edit a.txt", callId: "1" },
          { _tag: "ToolFinished", tool: "edit", ok: true, callId: "1", summary: "/w/a.txt (+2 −1)" },
          {
            _tag: "Usage",
            usage: { model: "small", contextTokens: 100, contextWindow: 1000, costUsd: 0.5 }
          },
          { _tag: "TextDelta", text: "\n\nDone." },
          { _tag: "Final", text: "Let me see.\n\nDone." }
        ] satisfies ReadonlyArray<AgentEvent>)
      })
    )
  )

  it.live("tells context and history once, the files by value or place, and a command alone", () =>
    withAgent("SdkAgent", ({ cache }) =>
      Effect.gen(function* () {
        writeFileSync(join(cache, "cat.png"), "cat")
        const media = [
          { ref: "cat.png", kind: "photo", mime: null, size: null, filename: null, caption: null },
          { ref: "notes.txt", kind: "document", mime: "text/plain", size: null, filename: "notes", caption: null }
        ]
        const more = { context: "In a chat.", history: Effect.succeed(history("q", "a")) }
        const blocks = (text: string, also: Partial<AgentTurn> = {}) =>
          Effect.map(reply(inChat("a", text, { ...more, ...also })), (said): ReadonlyArray<unknown> =>
            JSON.parse(said ?? "")
          )
        assert.strictEqual(yield* reply(inChat("a", "/review it", more)), "/review it")
        assert.deepStrictEqual(yield* blocks("blocks", { media }), [
          {
            type: "text",
            text: "<context>\nIn a chat.\n</context>\n\n<conversation-so-far>\nUser: q\n\nAssistant: a\n</conversation-so-far>"
          },
          { type: "text", text: "blocks" },
          { type: "image", data: btoa("cat"), mimeType: "image/png" },
          { type: "resource_link", uri: `file://${cache}/notes.txt`, name: "notes", mimeType: "text/plain" }
        ])
        assert.deepStrictEqual(yield* blocks("blocks"), [{ type: "text", text: "blocks" }])
      })
    )
  )

  it.live("survives what is no message, no update, or another's", () =>
    withAgent("RawAgent", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* reply(inChat("a", "garbage")), "still here")
        assert.strictEqual(yield* reply(inChat("a", "fast")), "all in one")
      })
    )
  )

  it.live("that ends with the process is still answered", () =>
    withAgent("RawAgent", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* reply(inChat("a", "last words")), "gone")
        yield* eventually("the end of the process", () => children().length === 0)
        assert.strictEqual(yield* reply(inChat("a", "next")), "next")
      })
    )
  )

  it.live("may bring a flood: text is merged, none is lost, and the rest is bounded", () =>
    withAgent("SdkAgent", () =>
      Effect.gen(function* () {
        const all = yield* events(inChat("a", "flood 20000"))
        assert.strictEqual(finalOf(all)?.replaceAll(/\s/g, ""), "x".repeat(20_021))
        const said = all.flatMap((event) => (event._tag === "TextDelta" ? [event.text] : [])).join("")
        assert.strictEqual(said, finalOf(all))
        assert.isAtMost(all.filter(({ _tag }) => _tag === "ToolStarted").length, 1000)
      })
    )
  )
})

describe("sessions", () => {
  it.live("of many chats live in one process, and know nothing of each other", () =>
    withAgent("SdkAgent", ({ log }) =>
      Effect.gen(function* () {
        const chats = Array.from({ length: 30 }, (_, i) => `chat ${i}`)
        const said = yield* Effect.forEach(chats, (chat) => reply(inChat(chat, "session")), {
          concurrency: "unbounded"
        })
        const parts = said.map((one) => one?.split(" ") ?? [])
        assert.strictEqual(new Set(parts.map(([id]) => id)).size, 30)
        assert.strictEqual(new Set(parts.map(([, pid]) => pid)).size, 1)
        assert.lengthOf(log("initialize"), 1)
        assert.isTrue(log("new").every(({ mcp }) => mcp === 0))
      })
    )
  )

  it.live("of an agent that holds one at a time get a process each, and the idle make room", () =>
    withAgent(
      "SdkAgent",
      ({ log }) =>
        Effect.gen(function* () {
          for (const chat of ["a", "b", "c"]) yield* reply(inChat(chat, "hello"))
          assert.lengthOf(log("initialize"), 3)
          assert.strictEqual(yield* reply(inChat("c", "still here")), "still here")
          assert.lengthOf(log("initialize"), 3)
          yield* eventually("two processes", () => children().length === 2)
        }),
      { limits: { processes: 2, sessions: 1 } }
    )
  )

  it.live("end at a boundary: the agent is told, and knows nothing of before", () =>
    withAgent(
      "SdkAgent",
      ({ log }) =>
        Effect.gen(function* () {
          const first = yield* reply(turn("session", { sessionId: "" }))
          const second = yield* reply(turn("session", { sessionId: "one" }))
          assert.strictEqual(first?.split(" ")[0], second?.split(" ")[0])
          const third = yield* reply(turn("session", { sessionId: "two" }))
          assert.notStrictEqual(third?.split(" ")[0], second?.split(" ")[0])
          yield* eventually("the close", () => log("close").length === 1)
          yield* (yield* Agent).forget!(turn("").sessionKey, "two")
          yield* eventually("the other close", () => log("close").length === 2)
        }),
      { environment: { ACP_FEATURES: "close" } }
    )
  )

  it.live("follow what the conversation chose, and go back to the agent's own choice", () =>
    withAgent("SdkAgent", () =>
      Effect.gen(function* () {
        const agent = yield* Agent
        assert.deepStrictEqual(
          (yield* agent.models!).map(({ id, label }) => `${id} ${label}`),
          ["small Small", "large Large", "mode:code Mode: Code", "mode:plan Mode: Plan"]
        )
        assert.deepStrictEqual(agent.reasoningLevels, ["low", "high"])
        const chosen = (choices: Partial<AgentTurn["choices"]>) =>
          Effect.map(reply(inChat("a", "session", { choices: { ...noChoices, ...choices } })), (said) =>
            said?.split(" ").slice(3).join(" ")
          )
        assert.strictEqual(yield* chosen({ model: "large", reasoning: "high" }), "large high code")
        assert.strictEqual(yield* chosen({ model: "mode:plan" }), "large low plan")
        assert.strictEqual(yield* chosen({ model: "no such model" }), "large low plan")
        assert.strictEqual(yield* chosen({}), "small low plan")
      })
    )
  )

  it.live("offer the agent's commands, also to chats that have not spoken", () =>
    withAgent("SdkAgent", () =>
      Effect.gen(function* () {
        const agent = yield* Agent
        assert.deepStrictEqual(agent.commands!("a"), [])
        yield* reply(inChat("a", "hello"))
        const commands = [{ name: "review", description: "Reviews the change", hint: "what" }]
        assert.deepStrictEqual(agent.commands!("a"), commands)
        assert.deepStrictEqual(agent.commands!("b"), commands)
      })
    )
  )
})

describe("permission", () => {
  for (const [choice, option] of [
    ["once", "a"],
    ["session", "a"],
    ["always", "b"],
    ["deny", "c"]
  ] as const) {
    it.live(`"${choice}" is the agent's option ${option}`, () =>
      withAgent("SdkAgent", () =>
        Effect.gen(function* () {
          const all = yield* answering(inChat("a", "ask rm -rf x"), () => ({ _tag: "Decision", choice }))
          assert.deepStrictEqual(all[0], {
            _tag: "Approval",
            promptId: "acp-1",
            command: "rm -rf x",
            description: "Run rm -rf x",
            allowPermanent: true
          })
          assert.strictEqual(finalOf(all), option)
          const again = yield* answering(inChat("a", "ask rm -rf x"), () => ({ _tag: "Decision", choice: "deny" }))
          const asked = again.some(({ _tag }) => _tag === "Approval")
          assert.strictEqual(asked, choice === "once" || choice === "deny")
        })
      )
    )
  }

  it.live("given for the session ends with it, and covers nothing else", () =>
    withAgent("SdkAgent", () =>
      Effect.gen(function* () {
        let asked = 0
        const ask = (text: string, sessionId: string) =>
          answering(inChat("a", text, { sessionId }), () => {
            asked++
            return { _tag: "Decision", choice: "session" }
          })
        yield* ask("ask ls", "one")
        yield* ask("ask ls", "one")
        assert.strictEqual(asked, 1)
        yield* ask("ask ls -a", "one")
        assert.strictEqual(asked, 2)
        yield* ask("ask ls", "two")
        assert.strictEqual(asked, 3)
      })
    )
  )

  it.live("that nobody gave is none; what cannot be had for good is not offered for good", () =>
    withAgent(
      "SdkAgent",
      () =>
        Effect.gen(function* () {
          const all = yield* answering(inChat("a", "ask ls"), () => ({ _tag: "None", why: "timeout" }))
          assert.strictEqual(finalOf(all), "c")
          assert.isFalse(all[0]?._tag === "Approval" && all[0].allowPermanent)
          const always = yield* answering(inChat("a", "ask ls"), () => ({ _tag: "Decision", choice: "always" }))
          assert.strictEqual(finalOf(always), "a")
        }),
      { environment: { ACP_FEATURES: "once-only" } }
    )
  )

  it.live("is withdrawn by a stop: the agent hears cancelled", () =>
    withAgent("SdkAgent", ({ log }) =>
      Effect.gen(function* () {
        const asked = yield* Effect.forkChild(answering(inChat("a", "ask ls"), () => null))
        yield* eventually("the prompt", () => log("prompt").length === 1)
        yield* Fiber.interrupt(asked)
        yield* eventually("the outcome", () => log("outcome")[0]?.["outcome"] === "cancelled")
        assert.strictEqual(yield* reply(inChat("a", "next")), "next")
      })
    )
  )
})

describe("the working folder", () => {
  it.live("holds what the agent reads and writes through us, and no link leads out", () =>
    withAgent("SdkAgent", ({ cache, folder, workspace }) =>
      Effect.gen(function* () {
        writeFileSync(join(folder, "secret"), "secret")
        writeFileSync(join(cache, "sent.txt"), "sent")
        yield* reply(inChat("a", "hello"))
        symlinkSync(folder, join(workspace, "out"))
        assert.strictEqual(yield* reply(inChat("a", `write ${workspace}/sub/a.txt content`)), "written")
        assert.strictEqual(yield* reply(inChat("a", `read ${workspace}/sub/a.txt`)), "content")
        assert.strictEqual(yield* reply(inChat("a", `read ${cache}/sent.txt`)), "sent")
        for (const path of [`${folder}/secret`, `${workspace}/../secret`, `${workspace}/out/secret`, "/etc/passwd"]) {
          assert.include((yield* failure(inChat("a", `read ${path}`))).message, "outside")
          assert.include((yield* failure(inChat("a", `write ${path} x`))).message, "outside")
        }
        assert.include((yield* failure(inChat("a", `write ${cache}/sent.txt x`))).message, "outside")
        assert.strictEqual(readFileSync(join(folder, "secret"), "utf8"), "secret")
      })
    )
  )

  it.live("is where terminals run; their output comes back", () =>
    withAgent("SdkAgent", ({ workspace }) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* reply(inChat("a", "run pwd; exit 3")), `3 ${workspace}\n`)
      })
    )
  )

  it.live("can be one for each conversation", () =>
    withAgent(
      "SdkAgent",
      () =>
        Effect.gen(function* () {
          const [a, b] = yield* Effect.all([reply(inChat("a", "run pwd; true")), reply(inChat("b", "run pwd; true"))])
          assert.notStrictEqual(a, b)
        }),
      { isolated: true }
    )
  )

  it.live("is all the agent gets: nothing of our environment", () =>
    withAgent("SdkAgent", () =>
      Effect.gen(function* () {
        process.env["A_TOKEN_OF_OURS"] = "x"
        const said = (yield* reply(inChat("a", "environment"))) ?? ""
        delete process.env["A_TOKEN_OF_OURS"]
        assert.deepStrictEqual(Object.keys(JSON.parse(said)).sort(), ["ACP_LOG", "PATH"])
      })
    )
  )
})
