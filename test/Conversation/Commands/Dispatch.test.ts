import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Agent } from "../../../src/Agent/Agent.ts"
import { commandLimits, dispatch, missing, skill, turn } from "../../../src/Conversation/Commands/CommandTexts.ts"
import { commands } from "../../../src/Conversation/Commands/Registry.ts"
import * as Texts from "../../../src/Conversation/Texts.ts"
import { pass, quiet } from "../../support/Passing.ts"
import { make } from "../Chat.ts"

const home = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "commands-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const writeSkill = (home: string, name: string, head: string, text: string) => {
  mkdirSync(join(home, "skills", name), { recursive: true })
  writeFileSync(join(home, "skills", name, "SKILL.md"), `---\n${head}\n---\n${text}\n`)
}

/** Answers with what it heard, and has two commands of its own. */
const announcing = Layer.succeed(Agent, {
  name: "announcing",
  start: ({ text }) =>
    Effect.succeed({
      events: Stream.fromEffect(
        Effect.delay(Effect.succeed({ _tag: "Final" as const, text: `heard ${text}` }), "1 second")
      ),
      answer: () => Effect.void,
      steer: () => Effect.succeed(false)
    }),
  commands: () => [
    { name: "moa", description: "Mixture", hint: "TEXT" },
    { name: "web", description: "Looks it up", hint: null }
  ]
})

describe("dispatch of commands", () => {
  it.effect("an unknown name gets the nearest known one, and never reaches the agent", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/stauts")
      assert.deepStrictEqual(chat.texts(), [dispatch.unknown("stauts", "status")])
      assert.deepStrictEqual(yield* chat.transcript, [])
    })
  )

  it.effect("no name of the registry reaches an agent that does not have it, idle or busy", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const deaf = Layer.succeed(Agent, {
        name: "deaf",
        start: ({ text }) =>
          Effect.sync(() => {
            heard.push(text)
            return {
              events: Stream.fromEffect(
                Effect.delay(Effect.succeed({ _tag: "Final" as const, text: "x" }), "1 second")
              ),
              answer: () => Effect.void,
              steer: () => Effect.succeed(false)
            }
          })
      })
      const chat = yield* make({ agent: deaf })
      for (const { name } of commands) {
        yield* chat.say(`/${name}`)
        yield* chat.say("work")
        yield* chat.say(`/${name}`)
        yield* pass("3 seconds", "1 second")
      }
      assert.deepStrictEqual([...new Set(heard)], ["work"])
      assert.isTrue((yield* chat.inbox).every((line) => /: (done|dropped)$/.test(line)))
    })
  )

  it.effect("what is the terminal's says so, and what has no ground here says what is missing", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/statusbar")
      yield* chat.say("/exit")
      yield* chat.say("/goal be good")
      yield* chat.say("/topic")
      yield* chat.say("/moa sing")
      assert.deepStrictEqual(chat.texts(), [
        dispatch.terminalOnly("statusbar"),
        dispatch.terminalOnly("quit"),
        missing["goal"]!,
        dispatch.otherPlatform("topic", ["telegram"]),
        dispatch.notOfThisAgent("moa", "echo")
      ])
    })
  )

  it.effect("what may not run during a turn is refused while one runs, with a text of its own", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 5000 one")
      yield* chat.say("/bundles")
      assert.deepStrictEqual(chat.texts(), [dispatch.notDuringTurn("bundles")])
      yield* pass("6 seconds", "1 second")
      yield* chat.say("/bundles")
      assert.deepStrictEqual(chat.texts().slice(1), ["one", skill.noBundles])
    })
  )

  it.effect("on Slack and Matrix a known name may be typed with !, and texts say it that way", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { SLACK_ALLOW_ALL_USERS: "true", TELEGRAM_ALLOW_ALL_USERS: "true" } })
      yield* chat.say("!stop", { platform: "slack" })
      yield* chat.say("!sleepy or not", { platform: "slack" })
      yield* chat.say("!help new conv", { platform: "slack" })
      assert.deepStrictEqual(chat.texts().slice(0, 2), [Texts.nothingToStop, "!sleepy or not"])
      assert.match(chat.texts()[2]!, /^Session\n!new \[title\]/)
      yield* chat.say("!stop", { chat: "2" })
      assert.deepStrictEqual(chat.texts("2"), ["!stop"])
      yield* chat.say("/help reload", { chat: "3", platform: "telegram" })
      assert.include(chat.texts("3")[0], "/reload_skills")
    })
  )

  it.effect("plain words that ask for a restart are the command, in a direct message", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("please restart the gateway")
      assert.deepStrictEqual(chat.texts(), [dispatch.notHere("restart")])
    })
  )

  it.effect("an alias is dispatched as if typed, one step deep; a missing target is said", () =>
    Effect.gen(function* () {
      const chat = yield* make({
        settings: {
          quick_commands: {
            h: { type: "alias", target: "/help" },
            later: { type: "alias", target: "queue first" },
            lost: { type: "alias", target: "nowhere" },
            twice: { type: "alias", target: "h" },
            stop: { type: "alias", target: "help" }
          }
        }
      })
      yield* chat.say("/h restart")
      yield* chat.say("/later then second")
      yield* chat.say("/lost")
      yield* chat.say("/twice")
      yield* chat.say("/stop")
      assert.match(chat.texts()[0]!, /^Information and operation\n\/restart/)
      assert.deepStrictEqual(chat.texts().slice(1), [
        "first then second",
        commandLimits.aliasMissing("lost", "nowhere"),
        commandLimits.aliasChain("twice", "h"),
        Texts.nothingToStop
      ])
    })
  )

  it.effect("a skill becomes a message that holds it, stacked up to five; a disabled one is refused", () =>
    Effect.gen(function* () {
      const folder = yield* home
      writeSkill(folder, "a", "name: Write Well\ndescription: Good prose", "Short sentences.")
      writeSkill(folder, "b", "name: be_brief", "Few words.")
      writeSkill(folder, "c", "name: noisy\ndisabled_on: [test]", "Shout.")
      const chat = yield* make({ settings: { SWITCHBOARD_HOME: folder } })
      yield* chat.say("/write_well a letter")
      yield* chat.say("/write-well /be-brief a letter")
      yield* chat.say("/noisy x")
      yield* chat.say("/write-well /noisy x")
      yield* chat.say(`${"/be-brief ".repeat(6)}x`)
      assert.deepStrictEqual(chat.texts(), [
        "[Skill: write-well]\nShort sentences.\n[End of skill: write-well]\n\na letter",
        "[Skill: write-well]\nShort sentences.\n[End of skill: write-well]\n\n[Skill: be-brief]\nFew words.\n[End of skill: be-brief]\n\na letter",
        skill.disabled("noisy"),
        skill.disabled("noisy"),
        skill.tooMany(5)
      ])
      yield* chat.say("/help skills")
      assert.strictEqual(chat.texts().at(-1), "Skills\n/be-brief [TEXT]\n/write-well [TEXT]: Good prose")
      writeSkill(folder, "d", "name: new-one", "New.")
      rmSync(join(folder, "skills", "b"), { recursive: true })
      yield* chat.say("/reload-skills")
      assert.strictEqual(chat.texts().at(-1), skill.reloaded({ added: ["new-one"], removed: ["be-brief"], total: 3 }))
    })
  )

  it.effect("a skill sent during a turn runs after it", () =>
    Effect.gen(function* () {
      const folder = yield* home
      writeSkill(folder, "a", "name: calm", "Breathe.")
      const chat = yield* make({ settings: { SWITCHBOARD_HOME: folder } })
      yield* chat.say("!sleep 2000 one")
      yield* chat.say("/calm down")
      assert.deepStrictEqual(chat.texts(), [turn.queued(1)])
      yield* pass("4 seconds", "1 second")
      assert.deepStrictEqual(chat.texts().slice(1), ["one", "[Skill: calm]\nBreathe.\n[End of skill: calm]\n\ndown"])
    })
  )

  it.effect("the agent's own commands are passed on as text, idle or after the running turn", () =>
    Effect.gen(function* () {
      const chat = yield* make({ agent: announcing })
      yield* chat.say("hello")
      yield* pass("2 seconds")
      yield* chat.say("/web the weather")
      yield* pass("2 seconds")
      yield* chat.say("/moa sing")
      yield* chat.say("/web now")
      yield* pass("4 seconds", "1 second")
      assert.deepStrictEqual(chat.texts().slice(1), [
        "heard /web the weather",
        turn.queued(1),
        "heard /moa sing",
        "heard /web now"
      ])
      yield* chat.say("/help")
      assert.match(chat.texts().at(-1)!, /\/moa TEXT[^]*Of the agent\n\/web: Looks it up$/)
    })
  )

  it.effect("a command that waits for the start of a turn is not one in disguise", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/queue /stop is a word")
      yield* quiet
      assert.deepStrictEqual(chat.texts(), ["/stop is a word"])
    })
  )
})
