/** Access as a chat shows it: strangers, people who were let in, and people who no longer are. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as PairingStore from "../../src/Access/PairingStore.ts"
import { noAliases } from "../../src/Message/WhatsAppIdentity.ts"
import { pass } from "../support/Passing.ts"
import { type Chat, make } from "./Chat.ts"

const closed = { TEST_ALLOW_ALL_USERS: "no" }
const place = { profile: "", platform: "test" }

const storeOf = (chat: Chat) => PairingStore.make(chat.database, () => noAliases)
const letIn = (chat: Chat, userId: string) =>
  storeOf(chat)
    .adopt({ approved: [{ ...place, userId, userName: null, approvedAt: 0 }], pending: [] })
    .pipe(Effect.andThen(pass("1 second")))
const codeIn = (text: string | undefined) => /`([A-Z2-9]{8})`/.exec(text ?? "")?.[1] ?? "no code"

describe("a stranger", () => {
  it.effect("is shown a code, once; nothing he says is kept; approved, he is heard from the next message on", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: closed })
      assert.strictEqual(yield* chat.hand("my secret plan"), "refused")
      yield* chat.say("and more of it")
      assert.lengthOf(chat.texts(), 1)
      const code = codeIn(chat.texts()[0])
      assert.include(chat.texts()[0], `switchboard pairing approve test ${code}`)
      for (const table of ["inbox", "outbox", "messages", "sessions"]) {
        assert.deepStrictEqual(yield* chat.query(`SELECT * FROM ${table}`), [], table)
      }
      for (const table of ["pairing_pending", "pairing_limits"]) {
        const kept = JSON.stringify(yield* chat.query(`SELECT * FROM ${table}`))
        assert.notInclude(kept, "plan")
        assert.notInclude(kept, code)
      }
      assert.strictEqual((yield* storeOf(chat).approve(place, code))._tag, "Approved")
      // No time passes: the very next message counts.
      yield* chat.say("hello")
      assert.deepStrictEqual(chat.texts().slice(1), ["hello"])
      assert.deepStrictEqual(yield* chat.inbox, ["hello: done"])
    })
  )

  it.effect("gets no answer in a group, nor where a list is set, nor where strangers are ignored", () =>
    Effect.gen(function* () {
      for (const settings of [
        closed,
        { ...closed, TEST_ALLOWED_USERS: "owner" },
        { ...closed, GATEWAY_ALLOWED_USERS: "owner" },
        { ...closed, unauthorized_dm_behavior: "ignore" },
        { ...closed, "platforms.test": { unauthorized_dm_behavior: "ignore" } },
        { ...closed, "platforms.test": { dm_policy: "disabled" } }
      ]) {
        const chat = yield* make({ settings })
        yield* chat.say("hello", { chatType: settings === closed ? "group" : "dm" })
        yield* pass("1 minute", "10 seconds")
        assert.deepStrictEqual(chat.platform.calls, [], JSON.stringify(settings))
      }
    })
  )

  it.effect("is shown a code beside a list where the platform says so", () =>
    Effect.gen(function* () {
      const settings = {
        ...closed,
        TEST_ALLOWED_USERS: "owner",
        "platforms.test": { unauthorized_dm_behavior: "pair" }
      }
      const chat = yield* make({ settings })
      yield* chat.say("hello")
      assert.lengthOf(chat.texts(), 1)
    })
  )

  it.effect("the fourth is told that there are too many, once in ten minutes", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: closed })
      for (const user of ["1", "2", "3", "4", "4"]) yield* chat.say("hello", { user, chat: user })
      for (const user of ["1", "2", "3"]) assert.match(codeIn(chat.texts(user)[0]), /^[A-Z2-9]{8}$/)
      assert.lengthOf(chat.texts("4"), 1)
      assert.include(chat.texts("4")[0], "too many pairing requests")
    })
  )

  it.effect("a notice that cannot be delivered is not sent again", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: closed })
      chat.platform.script = () => "hang"
      yield* chat.say("hello")
      yield* pass("5 minutes", "10 seconds")
      assert.lengthOf(chat.platform.sent, 1)
    })
  )

  it.effect("a flood of strangers costs a bounded number of notices", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: closed })
      for (let i = 0; i < 300; i++) yield* chat.hand("hello", { user: `u${i}`, chat: `u${i}` })
      yield* pass("1 second")
      assert.isAtMost(chat.platform.sent.length, 60)
    })
  )
})

describe("somebody who loses access", () => {
  it.effect("his running turn is stopped, and what he still said is set aside", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { ...closed, "display.busy_input_mode": "queue" } })
      yield* letIn(chat, "u")
      yield* chat.say("!sleep 600000 long")
      yield* chat.say("behind it")
      yield* pass("2 seconds")
      assert.deepStrictEqual(yield* chat.inbox, ["!sleep 600000 long: running", "behind it: waiting"])
      yield* storeOf(chat).revoke(place, "u")
      yield* pass("2 seconds")
      assert.deepStrictEqual(yield* chat.inbox, ["!sleep 600000 long: revoked", "behind it: revoked"])
      assert.deepStrictEqual(chat.texts(), [])
    })
  )

  it.effect("another's turn goes on", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { ...closed, TEST_ALLOWED_USERS: "owner" } })
      yield* letIn(chat, "u")
      yield* chat.say("!sleep 5000 mine", { user: "owner", chat: "2" })
      yield* storeOf(chat).revoke(place, "u")
      yield* pass("10 seconds")
      assert.deepStrictEqual(chat.texts("2"), ["mine"])
    })
  )

  it.effect("what waited for a start of the gateway is decided again", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: closed })
      yield* letIn(chat, "u")
      yield* chat.say("!sleep 5000 hello")
      yield* chat.kill
      yield* storeOf(chat).revoke(place, "u")
      yield* chat.start
      yield* pass("10 seconds", "1 second")
      assert.deepStrictEqual(yield* chat.inbox, ["!sleep 5000 hello: revoked"])
      assert.deepStrictEqual(chat.texts(), [])
    })
  )

  it.effect("while pairings cannot be read nothing runs, and nothing is set aside for it", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: closed })
      yield* letIn(chat, "u")
      yield* chat.say("!sleep 5000 hello")
      yield* chat.kill
      yield* chat.query("ALTER TABLE access_revision RENAME TO away")
      yield* chat.start
      yield* pass("20 seconds", "1 second")
      assert.deepStrictEqual(yield* chat.inbox, ["!sleep 5000 hello: waiting"])
      yield* chat.query("ALTER TABLE away RENAME TO access_revision")
      yield* pass("20 seconds", "1 second")
      assert.deepStrictEqual(chat.texts(), ["hello"])
    })
  )
})

describe("commands for admins", () => {
  const split = { "platforms.test": { group_allow_admin_from: "boss", group_user_allowed_commands: ["status"] } }
  const inGroup = (user: string) => ({ user, chatType: "group" })

  it.effect("what somebody may not run touches no turn, and he is told what he may", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { ...split, group_sessions_per_user: false } })
      yield* chat.say("!sleep 60000 long", inGroup("boss"))
      yield* chat.say("/stop", inGroup("u"))
      assert.lengthOf(chat.texts(), 1)
      assert.match(chat.texts()[0]!, /^⛔ \/stop is for admins here\.\nYou can use \/help, \/whoami, \/status\./)
      yield* chat.say("/status", inGroup("u"))
      assert.include(chat.texts()[1], "Running: yes")
      yield* chat.say("/reset", inGroup("u"))
      assert.match(chat.texts()[2]!, /^⛔ \/new /)
      yield* chat.say("/stop", inGroup("boss"))
      yield* pass("1 second")
      assert.deepStrictEqual((yield* chat.inbox)[0], "!sleep 60000 long: done")
    })
  )

  it.effect("another scope is not split", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: split })
      yield* chat.say("/new")
      assert.notInclude(chat.texts()[0], "⛔")
    })
  )

  it.effect("a configured admin may answer another's question, another member may not", () =>
    Effect.gen(function* () {
      const chat = yield* make({
        settings: { ...split, group_sessions_per_user: false, "display.busy_input_mode": "queue" }
      })
      yield* chat.say("!approve rm -rf /tmp/x", inGroup("owner"))
      yield* chat.say("yes", inGroup("u"))
      assert.notInclude(chat.texts(), "once")
      yield* chat.say("yes", inGroup("boss"))
      assert.include(chat.texts(), "once")
    })
  )
})
