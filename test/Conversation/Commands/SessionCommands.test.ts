import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Agent, AgentError, type AgentTurn } from "../../../src/Agent/Agent.ts"
import { dispatch, session } from "../../../src/Conversation/Commands/CommandTexts.ts"
import { wishOf } from "../../../src/Conversation/Commands/Compress.ts"
import * as Texts from "../../../src/Conversation/Texts.ts"
import { pass, until } from "../../support/Passing.ts"
import { make } from "../Chat.ts"

const photo = { ref: "https://files.test/1.png", kind: "image", mime: null, size: null, filename: null, caption: null }

/** Says what it was told, remembers its turns and what it was to forget, and shortens to one line. */
const shortening = (heard: Array<AgentTurn>, forgot: Array<string> = [], fails = false) =>
  Layer.succeed(Agent, {
    name: "shortening",
    start: (turn) =>
      Effect.sync(() => {
        heard.push(turn)
        return {
          events: Stream.make({ _tag: "Final" as const, text: `re: ${turn.event.text}` }),
          answer: () => Effect.void,
          steer: () => Effect.succeed(false)
        }
      }),
    compress: (history, focus) =>
      fails
        ? Effect.fail(new AgentError({ category: "overloaded", message: "scripted", retryable: true }))
        : Effect.succeed(`In short: ${history.length} messages${focus === null ? "" : ` about ${focus}`}.`),
    forget: (_, sessionId) => Effect.sync(() => void forgot.push(sessionId))
  })

describe("commands about conversations", () => {
  it.effect("/new TITLE names the conversation; a title that is taken is said, and the agent forgets the old one", () =>
    Effect.gen(function* () {
      const forgot: Array<string> = []
      const chat = yield* make({ agent: shortening([], forgot) })
      yield* chat.say("hello")
      yield* pass("1 second")
      yield* chat.say("/new My plans")
      assert.strictEqual(chat.texts().at(-1), `${Texts.freshSession}\n${session.freshTitle("My plans")}`)
      assert.lengthOf(forgot, 1)
      yield* pass("1 second")
      yield* chat.say("/new My plans")
      assert.match(chat.texts().at(-1)!, /That title belongs to \d{8}_/)
      yield* chat.say("/title")
      assert.match(chat.texts().at(-1)!, /^No title\. \(\d{8}_/)
    })
  )

  it.effect("/title sets and shows, and refuses what is too long", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/title")
      yield* chat.say("hello")
      yield* chat.say("/title  A   good name ")
      yield* chat.say("/title")
      yield* chat.say(`/title ${"x".repeat(101)}`)
      const [none, , set, shown, long] = chat.texts()
      assert.strictEqual(none, session.noSession)
      assert.strictEqual(set, session.titleSet("A good name"))
      assert.match(shown!, /^Title: A good name\. \(/)
      assert.strictEqual(long, session.titleTooLong(101, 100))
    })
  )

  it.effect("/undo takes turns back, shows what they began with, and they are no longer the agent's history", () =>
    Effect.gen(function* () {
      const heard: Array<AgentTurn> = []
      const chat = yield* make({ agent: shortening(heard) })
      yield* chat.say("/undo")
      for (const text of ["one", "two", "three"]) yield* chat.say(text)
      yield* chat.say("/undo 2")
      yield* chat.say("/undo x")
      assert.strictEqual(chat.texts()[0], session.noSession)
      assert.deepStrictEqual(chat.texts().slice(4), [session.undone(2, 4, "two"), "Usage: /undo [N]"])
      yield* chat.say("four")
      const history = yield* heard.at(-1)!.history
      assert.deepStrictEqual(
        history.map(({ content }) => content),
        ["one", "re: one", "four", "re: four"]
      )
      yield* chat.say("/undo -3")
      assert.strictEqual(chat.texts().at(-1), session.undone(1, 2, "four"))
    })
  )

  it.effect("/retry runs the last message again, with its files, once; without one it says so", () =>
    Effect.gen(function* () {
      const heard: Array<AgentTurn> = []
      const chat = yield* make({ agent: shortening(heard) })
      yield* chat.say("/retry")
      yield* chat.say("look", { media: [photo], type: "photo" })
      // Its file is looked for on a real disk.
      yield* until(() => chat.texts().length === 2)
      yield* chat.say("/retry", { messageId: "again" })
      yield* until(() => chat.texts().length === 3)
      yield* chat.say("/retry", { messageId: "again" })
      yield* chat.kill
      yield* chat.start
      yield* pass("10 seconds", "1 second")
      assert.deepStrictEqual(chat.texts(), [session.noSession, "re: look", "re: look"])
      assert.deepStrictEqual(
        heard.map(({ event }) => [event.text, event.type, event.media.length]),
        [
          ["look", "photo", 1],
          ["look", "photo", 1]
        ]
      )
      const live = yield* chat.query("SELECT content FROM messages WHERE active = 1 ORDER BY id")
      assert.deepStrictEqual(
        live.map(({ content }) => content),
        ["look", "re: look"]
      )
    })
  )

  it.effect(
    "/resume lists titled conversations and goes back by number, id or title; /sessions lists all and finds",
    () =>
      Effect.gen(function* () {
        const chat = yield* make()
        yield* chat.say("/resume")
        assert.strictEqual(chat.texts().at(-1), session.nothingListed)
        yield* chat.say("apples are red")
        yield* chat.say("/title Fruit")
        yield* pass("1 second")
        yield* chat.say("/new")
        yield* chat.say("bread is brown")
        yield* chat.say("/resume")
        assert.match(chat.texts().at(-1)!, /^1\. Fruit\n {4}apples are red\n/)
        yield* chat.say("/sessions")
        assert.match(chat.texts().at(-1)!, /📌 bread is brown/)
        yield* chat.say("/sessions full search apples")
        assert.match(chat.texts().at(-1)!, /^1\. Fruit\n {4}apples are red\n {4}\d{8}_\w+, 2 messages, /)
        yield* chat.say("/resume 7")
        assert.strictEqual(chat.texts().at(-1), session.outOfRange(1))
        yield* chat.say("/resume nothing like it")
        assert.strictEqual(chat.texts().at(-1), session.notFound)
        yield* chat.say('/resume "Fruit"')
        assert.strictEqual(chat.texts().at(-1), session.resumed("Fruit", 1))
        yield* chat.say("/sessions Fruit")
        assert.strictEqual(chat.texts().at(-1), session.alreadyThere)
        yield* chat.say("/status")
        assert.include(chat.texts().at(-1), "Title: Fruit")
        yield* chat.say("/sessions search")
        assert.strictEqual(chat.texts().at(-1), "Usage: /sessions search TEXT")
      })
  )

  it.effect(
    "another chat's conversation is neither listed nor entered; all of them are for configured admins only",
    () =>
      Effect.gen(function* () {
        const chat = yield* make({ settings: { "platforms.test.allow_admin_from": "boss" } })
        yield* chat.say("my secret plan", { user: "boss" })
        yield* chat.say("/title Secret", { user: "boss" })
        const other = { chat: "2", user: "boss" }
        yield* chat.say("/resume", other)
        yield* chat.say("/resume Secret", other)
        yield* chat.say("/resume --all Secret", other)
        assert.strictEqual(chat.texts("2")[0], session.nothingListed)
        assert.include([session.notAllowed, session.notFound], chat.texts("2")[1]!)
        assert.strictEqual(chat.texts("2")[2], session.resumed("Secret", 1))
        const open = yield* make()
        yield* open.say("/resume --all")
        yield* open.say("/sessions all")
        assert.deepStrictEqual(open.texts(), [session.allDenied, session.allDenied])
      })
  )

  it.effect("/branch goes on in a copy; without history it asks for a message", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("/branch")
      yield* chat.say("one")
      yield* chat.say("/fork Another way")
      assert.strictEqual(chat.texts()[0], session.noSession)
      assert.match(chat.texts()[2]!, /^⑂ "Another way" goes on from here with 2 messages: \d{8}_\w+ → \d{8}_\w+$/)
      const [count] = yield* chat.query("SELECT COUNT(*) AS n FROM messages")
      assert.strictEqual(Number(count!["n"]), 4)
    })
  )

  it.effect("/compress replaces what was said by a summary; a preview, too little and a failure change nothing", () =>
    Effect.gen(function* () {
      const heard: Array<AgentTurn> = []
      const chat = yield* make({ agent: shortening(heard) })
      yield* chat.say("one")
      yield* chat.say("/compress")
      assert.strictEqual(chat.texts().at(-1), session.compressTooShort)
      for (const text of ["two", "three"]) yield* chat.say(text)
      yield* chat.say("/compress --preview")
      assert.match(chat.texts().at(-1)!, /^🗜️ 6 messages, about \d+ tokens, would become/)
      yield* chat.say("/compress --aggressive")
      assert.strictEqual(chat.texts().at(-1), session.compressRefused)
      yield* chat.say("/compact here 1 fruit and bread")
      assert.match(chat.texts().at(-1)!, /^🗜️ 4 messages \(about \d+ tokens\) became one summary/)
      yield* chat.say("four")
      const history = (yield* heard.at(-1)!.history).map(({ content }) => content).join("\n")
      assert.include(history, "In short: 4 messages about fruit and bread.")
      assert.include(history, "user: three")
      assert.notInclude(history, "re: one")

      const failing = yield* make({ agent: shortening([], [], true) })
      for (const text of ["one", "two"]) yield* failing.say(text)
      yield* failing.say("/compress")
      assert.strictEqual(failing.texts().at(-1), session.compressFailed)
      const plain = yield* make()
      yield* plain.say("/compress")
      assert.strictEqual(plain.texts().at(-1), dispatch.notOfThisAgent("compress", "echo"))
    })
  )

  it("what /compress is to do is read from its words", () => {
    assert.deepStrictEqual(wishOf("here the plan --dry-run"), {
      preview: true,
      aggressive: false,
      keep: 2,
      focus: "the plan"
    })
    assert.deepStrictEqual(wishOf("here 5"), { preview: false, aggressive: false, keep: 5, focus: null })
    assert.deepStrictEqual(wishOf("here's what"), { preview: false, aggressive: false, keep: 0, focus: "here's what" })
  })

  it.effect("none of them runs during a turn", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!sleep 60000 long")
      for (const name of ["retry", "undo", "title", "resume", "sessions", "branch", "compress"]) {
        yield* chat.say(`/${name}`)
        assert.strictEqual(chat.texts().at(-1), dispatch.notDuringTurn(name))
      }
    })
  )
})
