import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Answers from "../../src/Conversation/Answers.ts"
import type { Prompt } from "../../src/Conversation/Prompts.ts"
import * as Texts from "../../src/Conversation/Texts.ts"
import { pass, quiet } from "../support/Passing.ts"
import { make } from "./Chat.ts"

const prompt = (more: Partial<Prompt> = {}): Prompt => ({
  id: "0123abcd.00000001",
  sessionKey: "k",
  kind: "question",
  choices: ["Red", "Green"],
  allowPermanent: true,
  userId: "u",
  isDirect: false,
  takesText: true,
  resolve: () => Effect.void,
  ...more
})
/** What a text answers, where it is an answer at all. */
const answerOf = (to: Prompt, text: string) => {
  const meaning = Answers.typed(to, text)
  return meaning?._tag === "Answer" ? meaning.answer : null
}
const queueing = { settings: { "display.busy_input_mode": "queue" } }

describe("what a text answers", () => {
  const question: ReadonlyArray<readonly [string, string | null]> = [
    ["1", "Red"],
    ["2", "Green"],
    [" 2 ", "Green"],
    ["green", "Green"],
    ["GREEN ", "Green"],
    ["0", "0"],
    ["3", "3"],
    ["-1", "-1"],
    ["1.5", "1.5"],
    ["1e0", "1e0"],
    ["blue", "blue"],
    ["", null],
    ["  ", null],
    ["99999999999999999999", "99999999999999999999"]
  ]
  for (const [said, expected] of question) {
    it(`${JSON.stringify(said)} to a question with two choices is ${JSON.stringify(expected)}`, () =>
      assert.deepStrictEqual(answerOf(prompt(), said), expected === null ? null : { _tag: "Text", text: expected }))
  }

  it("any words are an answer to an open question, numbers too", () => {
    assert.deepStrictEqual(answerOf(prompt({ choices: [] }), "1"), { _tag: "Text", text: "1" })
    assert.deepStrictEqual(answerOf(prompt({ choices: [] }), "yes"), { _tag: "Text", text: "yes" })
  })

  const words = {
    once: ["approve", "yes", "ok", "okay", "confirm", "y", "👍", "YES", " Ok "],
    deny: ["deny", "no", "reject", "cancel", "n", "👎", "No"],
    always: ["always", "approve always"],
    session: ["session", "Approve Session"]
  }
  for (const [choice, all] of Object.entries(words)) {
    it(`to an approval ${all.join(", ")} mean ${choice}`, () => {
      for (const word of all) {
        assert.deepStrictEqual(answerOf(prompt({ kind: "approval" }), word), {
          _tag: "Decision",
          choice: choice as "once"
        })
      }
    })
  }

  it("everything else approves nothing", () => {
    for (const word of [
      "yes please",
      "yes!",
      "1",
      "",
      "sure",
      "constructor",
      "toString",
      "__proto__",
      "approve all",
      "not no"
    ]) {
      assert.isNull(answerOf(prompt({ kind: "approval" }), word))
    }
  })
})

describe("a turn that asks", () => {
  for (const [said, answer] of [
    ["2", "Green"],
    ["red", "Red"],
    ["something else", "something else"]
  ] as const) {
    it.effect(`!ask takes ${said} as ${answer}, without a turn of its own`, () =>
      Effect.gen(function* () {
        const chat = yield* make()
        yield* chat.say("!ask Which? | Red | Green")
        assert.deepStrictEqual(chat.texts(), [Texts.question("Which?", ["Red", "Green"])])
        yield* chat.say(said)
        assert.deepStrictEqual(chat.texts().slice(1), [answer])
        assert.deepStrictEqual(yield* chat.inbox, ["!ask Which? | Red | Green: done", `${said}: done`])
        yield* chat.say("ordinary again")
        assert.strictEqual(chat.texts().at(-1), "ordinary again")
      })
    )
  }

  it.effect("the answer may take its time: whatever sweeps in between, it is an answer", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!ask Which? | Red | Green")
      yield* pass("10 minutes", "2 seconds")
      yield* chat.say("1")
      assert.deepStrictEqual(chat.texts().slice(1), ["Red"])
    })
  )

  it.effect("a command passes by, and the question stays", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!ask Which? | Red | Green")
      yield* chat.say("/status")
      yield* chat.say("1")
      assert.strictEqual(chat.texts().at(-1), "Red")
    })
  )

  for (const [said, answer] of [
    ["yes", "once"],
    ["👎", "deny"],
    ["always", "always"],
    ["/approve", "once"],
    ["/approve session", "session"],
    ["/deny", "deny"]
  ] as const) {
    it.effect(`!approve answered by ${said} is ${answer}`, () =>
      Effect.gen(function* () {
        const chat = yield* make()
        yield* chat.say("!approve rm -rf /tmp/x")
        assert.deepStrictEqual(chat.texts(), [Texts.approval("rm -rf /tmp/x", null)])
        yield* chat.say(said)
        assert.include(chat.texts(), answer)
        assert.deepStrictEqual(
          (yield* chat.inbox).filter((row) => !row.endsWith(": done")),
          []
        )
      })
    )
  }

  it.effect("other words do not close an approval: the next yes still gives it", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!approve rm -rf /tmp/x")
      yield* chat.say("what is this?")
      yield* chat.say("yes")
      assert.deepStrictEqual(chat.texts().slice(1), [Texts.approvalWaits, "once", "what is this?"])
    })
  )

  it.effect("somebody else in the group answers nothing, by word or by command", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { ...queueing.settings, group_sessions_per_user: false } })
      const inGroup = (user: string) => ({ user, chatType: "group" })
      yield* chat.say("!approve rm -rf /tmp/x", inGroup("owner"))
      yield* chat.say("yes", inGroup("stranger"))
      yield* chat.say("/approve", inGroup("stranger"))
      assert.deepStrictEqual(chat.texts().slice(1), [Texts.nothingWaits])
      yield* chat.say("no", inGroup("owner"))
      yield* pass("1 second")
      assert.deepStrictEqual(chat.texts().slice(2), ["deny", "yes"])
    })
  )

  it.effect("an approval shows no credentials of the command (A1)", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say(
        "!approve curl -H 'Authorization: Bearer sk-proj-abcdefghijklmnopqrstuvwxyz0123456789' https://u:hunter2secret@x.org"
      )
      assert.include(chat.texts()[0], "curl")
      assert.notMatch(chat.texts()[0]!, /abcdefghijklmnopqrstuvwxyz|hunter2secret/)
    })
  )

  it.effect("a bare yes without an open approval is an ordinary message, and /approve finds nothing", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("yes")
      yield* chat.say("/approve")
      yield* chat.say("/deny")
      assert.deepStrictEqual(chat.texts(), ["yes", Texts.nothingWaits, Texts.nothingWaits])
    })
  )

  it.effect("nobody answers: a question ends after its hour, an approval after five minutes", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!ask Which? | Red | Green")
      yield* chat.say("!approve x", { chat: "2" })
      yield* pass("299 seconds", "1 second")
      assert.lengthOf(chat.texts("2"), 1)
      yield* pass("2 seconds", "1 second")
      assert.deepStrictEqual(chat.texts("2").slice(1), ["no answer (timeout)"])
      yield* pass("54 minutes", "10 seconds")
      assert.lengthOf(chat.texts(), 1)
      yield* pass("2 minutes", "10 seconds")
      assert.deepStrictEqual(chat.texts().slice(1), ["no answer (timeout)"])
      // What comes too late is a message.
      yield* chat.say("yes", { chat: "2" })
      assert.strictEqual(chat.texts("2").at(-1), "yes")
    })
  )

  it.effect("with a limit of 0 a question waits for ever, an approval not at all", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { "agent.clarify_timeout": 0, "approvals.gateway_timeout": 0 } })
      yield* chat.say("!approve x", { chat: "2" })
      yield* pass("1 second")
      assert.deepStrictEqual(chat.texts("2"), ["no answer (timeout)"])
      yield* chat.say("!ask Which? | Red | Green")
      yield* pass("3 hours", "1 minute")
      assert.lengthOf(chat.texts(), 1)
      yield* chat.say("1")
      assert.deepStrictEqual(chat.texts().slice(1), ["Red"])
    })
  )

  it.effect("/stop ends the question with its turn", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!approve x")
      yield* chat.say("/stop")
      yield* chat.say("yes")
      assert.deepStrictEqual(chat.texts().slice(1), [Texts.stopped, "yes"])
    })
  )

  it.effect("a second answer finds nothing to answer", () =>
    Effect.gen(function* () {
      const chat = yield* make(queueing)
      yield* chat.say("!approve x")
      yield* chat.hand("/approve")
      yield* chat.hand("/approve")
      yield* quiet
      assert.deepStrictEqual(
        chat.texts().filter((text) => text === "once"),
        ["once"]
      )
      assert.include(chat.texts(), Texts.nothingWaits)
    })
  )

  it.effect("after a restart the turn runs again and asks again", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      yield* chat.say("!approve x")
      yield* chat.restart
      yield* pass("10 seconds", "1 second")
      assert.deepStrictEqual(chat.texts(), [Texts.approval("x", null), Texts.approval("x", null)])
      yield* chat.say("yes")
      assert.strictEqual(chat.texts().at(-1), "once")
    })
  )
})
