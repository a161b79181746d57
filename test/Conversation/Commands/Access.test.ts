import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { dispatch } from "../../../src/Conversation/Commands/CommandTexts.ts"
import * as Texts from "../../../src/Conversation/Texts.ts"
import * as MessageEvent from "../../../src/Message/MessageEvent.ts"
import * as Source from "../../../src/Message/Source.ts"
import { Intake } from "../../../src/Session/Intake.ts"
import { pass, quiet } from "../../support/Passing.ts"
import { make } from "../Chat.ts"

const split = {
  "platforms.test.allow_admin_from": "boss",
  "platforms.test.user_allowed_commands": "/Queue, status",
  quick_commands: {
    disk: { type: "exec", command: "echo disk" },
    q2: { type: "alias", target: "queue" },
    wipe: { type: "alias", target: "new" }
  }
}
const denied = (name: string) => Texts.adminOnly(name, { names: ["help", "whoami", "queue", "status"], more: false })

describe("who may give which command", () => {
  it.effect("only listed commands and the floor are open to users; refusals say which", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: split })
      yield* chat.say("/new")
      yield* chat.say("/reset")
      yield* chat.say("/disk")
      yield* chat.say("/q hello")
      yield* chat.say("/whoami")
      yield* chat.say("/wipe")
      yield* chat.say("/q2 hello")
      assert.deepStrictEqual(chat.texts(), [
        denied("new"),
        denied("new"),
        denied("disk"),
        "hello",
        "Platform: test (dm)\nUser: u\nTier: user\nCommands: /queue, /help, /status, /whoami",
        denied("new"),
        denied("queue")
      ])
      yield* chat.say("/help")
      assert.notInclude(chat.texts().at(-1), "/new")
      yield* chat.say("/new", { user: "boss" })
      assert.strictEqual(chat.texts().at(-1), Texts.freshSession)
    })
  )

  it.effect("a refused command stops no turn and drops nothing", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: split })
      yield* chat.say("!sleep 3000 first")
      yield* chat.say("/queue second")
      yield* chat.say("/stop")
      yield* chat.say("/new")
      yield* pass("10 seconds", "1 second")
      assert.deepStrictEqual(chat.texts().slice(1), [denied("stop"), denied("new"), "first", "second"])
    })
  )

  it.effect("/status is answered to everybody while a turn runs", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { "platforms.test.allow_admin_from": "boss" } })
      yield* chat.say("/status")
      yield* chat.say("!sleep 3000 x")
      yield* chat.say("/status")
      assert.match(chat.texts()[0]!, /^⛔/)
      assert.include(chat.texts()[1], "Running: yes")
    })
  )

  it.effect("what acts on the host is closed in groups without a configured admin, quick commands too", () =>
    Effect.gen(function* () {
      const settings = { quick_commands: { disk: { type: "exec", command: "echo disk" } } }
      const inGroup = { chatType: "group" }
      const chat = yield* make({ settings })
      yield* chat.say("/debug", inGroup)
      yield* chat.say("/disk", inGroup)
      yield* chat.say("/help debug", inGroup)
      assert.deepStrictEqual(chat.texts().slice(0, 2), [dispatch.hostInGroup("debug"), dispatch.hostInGroup("disk")])
      assert.notInclude(chat.texts()[2], "/debug")
      const admin = yield* make({ settings: { ...settings, "platforms.test.group_allow_admin_from": "u" } })
      yield* admin.say("/debug", inGroup)
      assert.notInclude(admin.texts()[0], "⛔")
      const open = yield* make({ settings: { ...settings, "gateway.open_host_commands": true } })
      yield* open.say("/debug", inGroup)
      assert.notInclude(open.texts()[0], "⛔")
    })
  )

  it.effect("somebody who is no admin sees only the turns of their own chat", () =>
    Effect.gen(function* () {
      const chat = yield* make({
        settings: { "platforms.test.allow_admin_from": "boss", "platforms.test.user_allowed_commands": "agents" }
      })
      yield* chat.say("!sleep 60000 theirs", { chat: "2", user: "boss" })
      yield* chat.say("/agents")
      assert.deepStrictEqual(chat.texts(), ["Nothing is running."])
      yield* chat.say("/agents", { chat: "2", user: "boss" })
      assert.match(chat.texts("2")[0]!, /^Running: 1/)
    })
  )

  it.effect(
    "a flood of commands is bounded; its rows stay in the inbox and are all answered, and /stop works at once",
    () =>
      Effect.gen(function* () {
        const chat = yield* make()
        yield* chat.say("!sleep 600000 long")
        const flood = [...Array.from({ length: 400 }, () => "/bundles"), "/stop"]
        yield* Effect.orDie(
          chat.get(Intake).take(
            flood.map((text, n) => ({
              event: MessageEvent.text(Source.make({ platform: "test", chatId: "1", userId: "u" }), text, `f${n}`),
              provenance: Source.untrusted,
              link: "test:",
              bufferId: null
            }))
          )
        )
        yield* quiet
        yield* pass("1 second")
        assert.include(yield* chat.inbox, "!sleep 600000 long: done")
        assert.isBelow(chat.texts().length, 401)
        yield* pass("2 minutes", "1 second")
        assert.lengthOf(chat.texts(), 401)
        assert.include(chat.texts(), Texts.nothingToStop)
        assert.isTrue((yield* chat.inbox).every((line) => line.endsWith(": done")))
      })
  )
})
