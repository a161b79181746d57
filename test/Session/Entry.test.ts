import { assert, describe, it } from "@effect/vitest"
import * as Source from "../../src/Message/Source.ts"
import * as Entry from "../../src/Session/Entry.ts"
import type { Route } from "../../src/Storage/Routes.ts"
import type { Known, SessionRow } from "../../src/Storage/SessionStore.ts"

const source = Source.make({ platform: "test", chatId: "1", userId: "u" })
const now = 1_000_000_000
const minute = 60_000
const route = (more: Partial<Route> = {}): Route => ({
  ...Entry.fresh("k", "old", source, 10),
  updatedAt: now - minute,
  pending: [],
  ...more
})
const session = (id: string, more: Partial<SessionRow> = {}): SessionRow => ({
  id,
  session_key: "k",
  platform: "test",
  user_id: "u",
  chat_id: "1",
  chat_type: "dm",
  thread_id: null,
  parent_session_id: null,
  fork_kind: null,
  started_at: 10,
  last_activity_at: now - minute,
  ended_at: null,
  end_reason: null,
  title: null,
  ...more
})
const known = (more: Partial<Known>): Known => ({ route: null, earlier: [], isFirstEver: false, ...more })
const enter = (what: Partial<Known>, idleMinutes = Infinity) =>
  Entry.enter(
    known(what),
    { sessionKey: "k", source, now },
    { newId: () => "new", expiry: (_, last, at) => (at > last + idleMinutes * minute ? "idle" : null) }
  )
const statements = (entered: Entry.Entered) => entered.route.pending.map(({ statement }) => statement.name)

describe("the conversation of a message", () => {
  it("is the one its key points at, which was active now", () => {
    const entered = enter({ route: route() })
    assert.strictEqual(entered.route.sessionId, "old")
    assert.strictEqual(entered.route.updatedAt, now)
    assert.deepStrictEqual(entered.route.pending, [])
    assert.deepStrictEqual(entered.begun, { isNew: false, reset: null, isFirstEver: false })
  })

  it("is a new one when there is none, stored with whatever comes of it", () => {
    const entered = enter({ isFirstEver: true })
    assert.strictEqual(entered.route.sessionId, "new")
    assert.deepStrictEqual(entered.begun, { isNew: true, reset: null, isFirstEver: true })
    assert.deepStrictEqual(statements(entered), ["sessions.put", "routes.put"])
  })

  it("is new to the first message after a boundary, and only to that", () => {
    const fresh = Entry.fresh("k", "fresh", source, now)
    const first = enter({ route: fresh })
    assert.isTrue(first.begun.isNew)
    assert.isFalse(enter({ route: first.route }).begun.isNew)
  })

  it("replaces one that was stopped, whatever else holds, and one that has expired", () => {
    const stopped = enter(
      { route: route({ suspended: true, lastPromptTokens: 7, choices: { ...route().choices, yolo: true } }) },
      0
    )
    assert.deepStrictEqual(stopped.begun.reset, { reason: "suspended", previousId: "old", hadActivity: true })
    assert.strictEqual(stopped.route.sessionId, "new")
    assert.isFalse(stopped.route.choices.yolo)
    assert.deepStrictEqual(statements(stopped), ["sessions.end", "sessions.put", "routes.put"])
    const expired = enter({ route: route() }, 0.5)
    assert.deepStrictEqual(expired.begun.reset, { reason: "idle", previousId: "old", hadActivity: false })
  })

  it("is one that was ended by accident or lost its route, judged by its own last activity", () => {
    for (const earlier of [session("lost"), session("lost", { ended_at: now, end_reason: "agent_close" })]) {
      const entered = enter({ earlier: [earlier] })
      assert.strictEqual(entered.route.sessionId, "lost")
      assert.strictEqual(entered.route.createdAt, 10)
      assert.deepStrictEqual(statements(entered), ["sessions.reopen", "routes.put"])
    }
    const stale = enter({ earlier: [session("lost", { last_activity_at: now - 2 * 24 * 60 * minute })] }, 60)
    assert.strictEqual(stale.route.sessionId, "new")
    assert.strictEqual(stale.begun.reset?.reason, "idle")
  })

  it("is never one that lies behind a deliberate boundary", () => {
    for (const reason of ["session_reset", "session_switch", "pruned", "daily"]) {
      const boundary = session("boundary", { ended_at: now - 5, end_reason: reason, last_activity_at: now - 50 })
      const before = session("before", { ended_at: now - 90, end_reason: "agent_close", last_activity_at: now - 99 })
      const after = session("after", { last_activity_at: now - 2 })
      assert.strictEqual(enter({ earlier: [boundary, before] }).route.sessionId, "new", reason)
      assert.strictEqual(enter({ earlier: [boundary, before, after] }).route.sessionId, "after", reason)
    }
    const summarised = session("parent", { ended_at: now - 5, end_reason: "compression", last_activity_at: now - 50 })
    assert.strictEqual(
      enter({ earlier: [summarised, session("child", { last_activity_at: now - 20 })] }).route.sessionId,
      "child"
    )
  })
})
