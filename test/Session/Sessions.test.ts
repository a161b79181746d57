import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Source from "../../src/Message/Source.ts"
import { type Asker, type Plan, Sessions } from "../../src/Session/Sessions.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { SessionStore } from "../../src/Storage/SessionStore.ts"
import { type Chat, make } from "../Conversation/Chat.ts"

const asked = Effect.fnUntraced(function* (
  chat: Chat,
  more: Partial<Asker> & { readonly from?: Partial<Source.Source> } = {}
) {
  const { from, ...rest } = more
  const source = Source.make({ platform: "test", chatId: "1", userId: "u", ...from })
  const sessionKey = more.sessionKey ?? `agent:main:test:${source.chatType}:${source.chatId}`
  yield* chat.get(Journal).flush
  const { route } = yield* chat.get(SessionStore).known(sessionKey, source)
  const asker: Asker = { sessionKey, route, source, scope: "own", now: 5_000, ...rest }
  return asker
})

const commit = (chat: Chat, plan: Plan) => chat.get(Journal).commit(plan.writes)

const live = (chat: Chat) => chat.query("SELECT id FROM sessions WHERE ended_at IS NULL ORDER BY id")
const routeOf = (chat: Chat, chatId = "1") =>
  Effect.map(
    chat.query(`SELECT session_id FROM session_routes WHERE chat_id = '${chatId}'`),
    ([row]) => row?.session_id as string
  )

describe("plans", () => {
  it.effect("a title is cleaned, bounded and unique, and works before the first message", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      const sessions = chat.get(Sessions)
      const first = yield* sessions.setTitle(yield* asked(chat), "  my\u200b \n trip\u202e ")
      assert.strictEqual(first.title, "my trip")
      yield* commit(chat, first)
      assert.strictEqual(yield* sessions.title(yield* asked(chat)), "my trip")

      const other = yield* asked(chat, { from: { chatId: "2" } })
      const taken = yield* Effect.flip(sessions.setTitle(other, "my trip"))
      assert.strictEqual(taken._tag === "SessionRefused" && taken.reason, "title_taken")
      assert.strictEqual(taken._tag === "SessionRefused" && taken.sessionId, first.route.sessionId)
      const long = yield* Effect.flip(sessions.setTitle(other, "x".repeat(101)))
      assert.deepInclude(long, { reason: "title_too_long", count: 101, limit: 100 })
      const empty = yield* Effect.flip(sessions.setTitle(other, "\u200b"))
      assert.deepInclude(empty, { reason: "title_empty" })

      yield* chat.say("hello")
      assert.strictEqual(yield* routeOf(chat), first.route.sessionId)
      assert.lengthOf(yield* live(chat), 1)
    })
  )

  it.effect("two that take one title at once: one has it, the other is refused by storage and wholly undone", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      const sessions = chat.get(Sessions)
      const one = yield* sessions.setTitle(yield* asked(chat), "same")
      const two = yield* sessions.setTitle(yield* asked(chat, { from: { chatId: "2" } }), "same")
      const results = yield* Effect.all([Effect.result(commit(chat, one)), Effect.result(commit(chat, two))], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        results.map((result) => result._tag),
        ["Success", "Failure"]
      )
      assert.lengthOf(yield* chat.query("SELECT session_key FROM session_routes"), 1)
      assert.lengthOf(yield* chat.query("SELECT id FROM sessions"), 1)
    })
  )

  it.effect("a fresh start ends the old conversation; a title that will not do is reported and left out", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      const sessions = chat.get(Sessions)
      yield* chat.say("hello")
      const old = yield* routeOf(chat)
      const plan = yield* sessions.startFresh(yield* asked(chat), "y".repeat(200))
      assert.isNull(plan.title)
      assert.strictEqual(plan.titleRefused?.reason, "title_too_long")
      yield* commit(chat, plan)
      assert.strictEqual(yield* routeOf(chat), plan.route.sessionId)
      assert.deepStrictEqual(yield* live(chat), [{ id: plan.route.sessionId }])
      assert.deepStrictEqual(yield* chat.query(`SELECT end_reason FROM sessions WHERE id = '${old}'`), [
        { end_reason: "session_reset" }
      ])
    })
  )

  it.effect("takes back the last messages: hidden from replay, kept for audit, and given back with their media", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      const sessions = chat.get(Sessions)
      for (const text of ["one", "two", "three"]) yield* chat.say(text)
      const plan = yield* sessions.undo(yield* asked(chat), 2)
      assert.deepInclude(plan, { turns: 2, messages: 4, text: "two" })
      yield* commit(chat, plan)
      assert.deepStrictEqual(yield* chat.query("SELECT content FROM messages WHERE active = 1 ORDER BY id"), [
        { content: "one" },
        { content: "one" }
      ])
      assert.lengthOf(yield* chat.query("SELECT id FROM messages"), 6)
      assert.deepInclude(yield* sessions.undo(yield* asked(chat), 99), { turns: 1, text: "one" })
      const again = yield* sessions.retry(yield* asked(chat))
      assert.deepInclude(again, { text: "one", media: [] })
      yield* commit(chat, again)
      const none = yield* Effect.flip(sessions.undo(yield* asked(chat), 1))
      assert.deepInclude(none, { reason: "no_history" })
    })
  )

  it.effect("a branch copies what was said and is named after its lineage", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      const sessions = chat.get(Sessions)
      assert.deepInclude(yield* Effect.flip(sessions.branch(yield* asked(chat), null)), { reason: "no_session" })
      yield* chat.say("one")
      yield* commit(chat, yield* sessions.setTitle(yield* asked(chat), "plan"))
      const branch = yield* sessions.branch(yield* asked(chat), null)
      assert.deepInclude(branch, { title: "plan #2", messages: 2 })
      yield* commit(chat, branch)
      assert.deepStrictEqual(
        yield* chat.query(
          `SELECT role, content FROM messages WHERE session_id = '${branch.route.sessionId}' ORDER BY id`
        ),
        [
          { role: "user", content: "one" },
          { role: "assistant", content: "one" }
        ]
      )
      assert.deepStrictEqual(yield* live(chat), [{ id: branch.route.sessionId }])
      assert.strictEqual((yield* sessions.branch(yield* asked(chat), null)).title, "plan #3")
    })
  )

  it.effect("what a conversation chose for itself lasts, and ends with it", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      const sessions = chat.get(Sessions)
      yield* chat.say("hello")
      yield* commit(chat, yield* sessions.choose(yield* asked(chat), { model: "big", flags: { footer: "on" } }))
      yield* commit(chat, yield* sessions.choose(yield* asked(chat), { reasoning: "high" }))
      const { route } = yield* asked(chat)
      assert.deepInclude(route?.choices, { model: "big", reasoning: "high", flags: { footer: "on" } })
      yield* commit(chat, yield* sessions.startFresh(yield* asked(chat), null))
      assert.isNull((yield* asked(chat)).route!.choices.model)
    })
  )

  it.effect("a summary carries a conversation on: choices, title and place stay, every key follows", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      const sessions = chat.get(Sessions)
      for (const text of ["one", "two"]) yield* chat.say(text)
      yield* commit(chat, yield* sessions.setTitle(yield* asked(chat), "long talk"))
      yield* commit(chat, yield* sessions.choose(yield* asked(chat), { model: "big" }))
      const old = (yield* asked(chat)).route!
      const plan = yield* sessions.compress(yield* asked(chat), "we counted to two")
      assert.strictEqual(plan.messages, 4)
      yield* commit(chat, plan)
      const { route } = yield* asked(chat)
      assert.strictEqual(route!.sessionId, plan.route.sessionId)
      assert.strictEqual(route!.createdAt, old.createdAt)
      assert.strictEqual(route!.choices.model, "big")
      assert.strictEqual(yield* sessions.title(yield* asked(chat)), "long talk")
      assert.deepStrictEqual(yield* live(chat), [{ id: plan.route.sessionId }])
      const list = yield* sessions.list(yield* asked(chat), { titledOnly: false, query: null, limit: 10 })
      assert.deepStrictEqual(
        list.map(({ isCurrent, sessionId }) => [sessionId, isCurrent]),
        [[plan.route.sessionId, true]]
      )
      assert.deepInclude(
        yield* Effect.flip(sessions.resume(yield* asked(chat), old.sessionId)),
        { reason: "already_there" },
        "the old id stands for its continuation"
      )
    })
  )
})

describe("resuming", () => {
  const two = Effect.gen(function* () {
    const chat = yield* make({ settings: { group_sessions_per_user: true } })
    yield* chat.say("old talk")
    const old = yield* routeOf(chat)
    yield* commit(chat, yield* chat.get(Sessions).setTitle(yield* asked(chat), "holiday"))
    yield* commit(chat, yield* chat.get(Sessions).startFresh(yield* asked(chat), null))
    return { chat, sessions: chat.get(Sessions), old }
  })

  it.effect("by number, id and title, whatever is around it", () =>
    Effect.gen(function* () {
      const { chat, old, sessions } = yield* two
      const current = yield* routeOf(chat)
      for (const target of ["1", old, "holiday", "<holiday>", '"holiday"', ` [${old}] `]) {
        const plan = yield* sessions.resume(yield* asked(chat), target)
        assert.strictEqual(plan.route.sessionId, old, target)
        assert.deepInclude(plan, { title: "holiday", userMessages: 1 })
      }
      yield* commit(chat, yield* sessions.resume(yield* asked(chat), "1"))
      assert.strictEqual(yield* routeOf(chat), old)
      assert.deepStrictEqual(yield* live(chat), [{ id: old }])
      assert.deepStrictEqual(yield* chat.query(`SELECT end_reason FROM sessions WHERE id = '${current}'`), [
        { end_reason: "session_switch" }
      ])
      for (const [target, reason] of [
        ["2", "out_of_range"],
        ["nowhere", "not_found"],
        ["../etc", "not_found"],
        ["holi%", "not_found"],
        [old, "already_there"]
      ] as const) {
        assert.deepInclude(yield* Effect.flip(sessions.resume(yield* asked(chat), target)), { reason }, target)
      }
    })
  )

  it.effect("never what was said in another chat, by another user, unless an admin asks (two users, two rooms)", () =>
    Effect.gen(function* () {
      const { chat, old, sessions } = yield* two
      for (const [from, sessionKey] of [
        [{ chatId: "2" }, "agent:main:test:dm:2"],
        [{ platform: "other" }, "agent:main:other:dm:1"]
      ] as const) {
        const stranger = yield* asked(chat, { from, sessionKey })
        assert.deepStrictEqual(yield* sessions.list(stranger, { titledOnly: false, query: null, limit: 10 }), [])
        assert.deepStrictEqual(yield* sessions.search(stranger, "talk", 10), [])
        for (const target of [old, "holiday"]) {
          assert.deepInclude(yield* Effect.flip(sessions.resume(stranger, target)), { reason: "not_allowed" })
        }
        const admin = { ...stranger, scope: "all" as const }
        assert.strictEqual((yield* sessions.resume(admin, "holiday")).route.sessionId, old)
        assert.lengthOf(yield* sessions.search(admin, "talk", 10), 2)
      }

      yield* chat.say("mine", { chat: "g", chatType: "group", user: "a" })
      yield* chat.say("his", { chat: "g", chatType: "group", user: "b" })
      const of = (user: string) =>
        asked(chat, {
          from: { chatId: "g", chatType: "group", userId: user },
          sessionKey: `agent:main:test:group:g:${user}`
        })
      const lists = yield* Effect.forEach(["a", "b"], (user) =>
        Effect.flatMap(of(user), (asker) => sessions.list(asker, { titledOnly: false, query: null, limit: 10 }))
      )
      assert.deepStrictEqual(
        lists.map((list) => list.map(({ preview }) => preview)),
        [["mine"], ["his"]]
      )
      assert.deepInclude(yield* Effect.flip(sessions.resume(yield* of("a"), lists[1]![0]!.sessionId)), {
        reason: "not_allowed"
      })
    })
  )

  it.effect("a conversation that two chats share goes on for the one when the other leaves it", () =>
    Effect.gen(function* () {
      const { chat, old, sessions } = yield* two
      yield* commit(chat, yield* sessions.resume(yield* asked(chat), old))
      const there = { from: { chatId: "2" }, scope: "all" as const }
      yield* commit(chat, yield* sessions.resume(yield* asked(chat, there), old))
      yield* commit(chat, yield* sessions.startFresh(yield* asked(chat, there), null))
      assert.strictEqual(yield* routeOf(chat), old)
      assert.lengthOf(yield* chat.query(`SELECT id FROM sessions WHERE id = '${old}' AND ended_at IS NULL`), 1)
    })
  )

  it.effect("not what is too long to be loaded in one piece", () =>
    Effect.gen(function* () {
      const chat = yield* make({ settings: { "sessions.max_resume_messages": 3 } })
      for (const text of ["one", "two"]) yield* chat.say(text)
      const old = yield* routeOf(chat)
      yield* commit(chat, yield* chat.get(Sessions).startFresh(yield* asked(chat), null))
      assert.deepInclude(yield* Effect.flip(chat.get(Sessions).resume(yield* asked(chat), old)), {
        reason: "too_long",
        count: 4,
        limit: 3
      })
    })
  )
})

describe("looking", () => {
  it.effect("lists, searches, sums up and exports the asker's conversations", () =>
    Effect.gen(function* () {
      const chat = yield* make()
      const sessions = chat.get(Sessions)
      assert.isNull(yield* sessions.summary(yield* asked(chat)))
      yield* chat.say("the quick brown fox")
      yield* chat.say("token ghp_0123456789abcdefghijABCDEFGHIJ012345 here")
      const asker = yield* asked(chat)
      const [only] = yield* sessions.list(asker, { titledOnly: false, query: "BROWN", limit: 10 })
      assert.deepInclude(only, { number: 1, preview: "the quick brown fox", messages: 4, isCurrent: true })
      const [hit] = yield* sessions.search(asker, "quick", 5)
      assert.include(hit!.snippet, "the >>>quick<<< brown fox")
      assert.deepInclude(yield* sessions.summary(asker), { messages: 4, title: null })
      const markdown = yield* sessions.export(asker, "markdown")
      assert.include(markdown, "the quick brown fox")
      assert.notInclude(markdown, "ghp_0123456789abcdefghijABCDEFGHIJ012345")
      assert.lengthOf((yield* sessions.export(asker, "jsonl")).split("\n"), 4)
    })
  )
})
