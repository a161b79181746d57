/** What the Outbox table must do on every storage. Tests share one database: each works on a link of its own. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import {
  Outbox,
  type OutboxRow,
  previewed,
  previewOf,
  progressed,
  restOfTurn,
  stored
} from "../../src/Storage/Outbox.ts"
import { pruned, type Storage } from "./Tables.ts"

let keys = 0
const row = (link: string, more: Partial<OutboxRow> = {}): OutboxRow => ({
  seq: 0,
  key: `o${++keys}`,
  link,
  queue: "test:1",
  sessionKey: null,
  turn: null,
  ordinal: 0,
  kind: "final",
  payload: {
    platform: "test",
    chatId: "1",
    chatType: "dm",
    threadId: null,
    scopeId: null,
    text: "hello",
    replyTo: null,
    notify: true,
    marked: false
  },
  state: "pending",
  attempts: 0,
  notBefore: 0,
  preview: null,
  createdAt: 1_900_000_000_000,
  ...more
})
const write = (...writes: Parameters<Journal["Service"]["commit"]>[0]) =>
  Effect.flatMap(Journal, (journal) => journal.commit(writes))
const put = (...rows: ReadonlyArray<OutboxRow>) => write(...rows.map(stored))
const open = (link: string, after = 0, limit = 100) =>
  Effect.flatMap(Outbox, (outbox) => outbox.openOf(link, after, limit))
const find = (key: string) => Effect.flatMap(Outbox, (outbox) => outbox.find(key))
const cells = (key: string, columns: string) =>
  Effect.flatMap(Database, (database) =>
    Effect.map(database.execute(`SELECT ${columns} FROM outbox WHERE key = '${key}'`, []), ([found]) => ({ ...found }))
  )
const odd = "\u0000 \ud800 ' \" \\ \n 😀"

export const outboxContract = (it: Vitest.MethodsNonLive<Storage>): void => {
  it.effect("a row comes back as it was stored", () =>
    Effect.gen(function* () {
      const given = row("whole", {
        sessionKey: "s",
        turn: "turn:1",
        ordinal: 3,
        kind: "prompt",
        payload: { ...row("x").payload, text: odd, chatId: odd, threadId: "", scopeId: odd, replyTo: "r" },
        preview: { text: odd, messageId: "p" }
      })
      const [receipt] = yield* put(given)
      assert.deepStrictEqual(yield* open("whole"), [{ ...given, seq: Number(receipt!["seq"]) }])
      assert.deepStrictEqual(yield* find(given.key), { ...given, seq: Number(receipt!["seq"]) })
    })
  )

  it.effect("a row that is there is left alone, and its receipt says so", () =>
    Effect.gen(function* () {
      const given = row("twice")
      yield* put(given)
      const again = { ...given, payload: { ...given.payload, text: "other" } }
      assert.deepStrictEqual(yield* put(again), [undefined])
      assert.strictEqual((yield* find(given.key))!.payload.text, "hello")
      const fresh = row("twice")
      const receipt = yield* put(fresh, { ...fresh, payload: { ...fresh.payload, text: "again" } })
      assert.deepStrictEqual(
        receipt.map((found) => found?.["key"]),
        [fresh.key, undefined]
      )
    })
  )

  it.effect("open rows are in order of commit; previews and ended ones are not among them", () =>
    Effect.gen(function* () {
      const rows = ["pending", "preview", "sending", "ambiguous", "sent", "held", "dead", "superseded"].map((state) =>
        row("open", { state: state as OutboxRow["state"] })
      )
      yield* put(...rows.slice(0, 4))
      yield* put(...rows.slice(4))
      const found = yield* open("open")
      assert.deepStrictEqual(
        found.map(({ state }) => state),
        ["pending", "sending", "ambiguous"]
      )
      assert.isTrue(found.every(({ seq }, at) => at === 0 || seq > found[at - 1]!.seq))
      assert.deepStrictEqual(
        (yield* open("open", found[0]!.seq, 1)).map(({ key }) => key),
        [found[1]!.key]
      )
      assert.deepStrictEqual(yield* open("another link"), [])
    })
  )

  it.effect("one send queue alone", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const [a, b, c] = [row("queues"), row("queues", { queue: "test:2" }), row("queues")]
      yield* put(a, b, c)
      assert.deepStrictEqual(
        (yield* outbox.openOfQueue("queues", "test:1", 0, 10)).map(({ key }) => key),
        [a.key, c.key]
      )
      assert.deepStrictEqual(
        (yield* outbox.openOfQueue("queues", "test:1", 0, 1)).map(({ key }) => key),
        [a.key]
      )
    })
  )

  it.effect("the text that ends a preview takes its place, and learns what is known to be shown", () =>
    Effect.gen(function* () {
      const begun = row("preview", { state: "preview", preview: { text: "half", messageId: null } })
      yield* put(begun)
      yield* write(previewed(begun.key, { text: "half", messageId: "id" }))
      const final = {
        ...begun,
        state: "pending" as const,
        preview: null,
        payload: { ...begun.payload, text: "whole" },
        createdAt: 5
      }
      const [receipt] = yield* put(final)
      assert.deepStrictEqual(previewOf(receipt!["preview"]), { text: "half", messageId: "id" })
      assert.strictEqual(Number(receipt!["created_at"]), begun.createdAt)
      const found = yield* find(begun.key)
      assert.deepStrictEqual(
        [found!.state, found!.payload.text, found!.preview],
        ["pending", "whole", { text: "half", messageId: "id" }]
      )
    })
  )

  it.effect("preview, confirmation and final in one transaction: the final counts, each has its receipt", () =>
    Effect.gen(function* () {
      const begun = row("one tx", { state: "preview", preview: { text: "half", messageId: null } })
      const final = { ...begun, state: "pending" as const, payload: { ...begun.payload, text: "whole" } }
      const journal = yield* Journal
      // What stands before them makes sure that the three gather.
      const [, first, , second] = yield* Effect.all(
        [
          journal.commit([stored(row("one tx", { state: "sent" }))]),
          journal.commit([stored(begun)]),
          journal.commit([previewed(begun.key, { text: "half", messageId: "id" })]),
          journal.commit([stored(final)])
        ],
        { concurrency: "unbounded" }
      )
      assert.strictEqual(first[0]?.["key"], begun.key)
      assert.strictEqual(second[0]?.["key"], begun.key)
      const found = yield* find(begun.key)
      assert.deepStrictEqual([found!.state, found!.payload.text], ["pending", "whole"])
      assert.deepStrictEqual(
        (yield* open("one tx")).map(({ key }) => key),
        [begun.key]
      )
    })
  )

  it.effect("a preview that surely shows nothing is forgotten", () =>
    Effect.gen(function* () {
      const begun = row("forget", { state: "preview", preview: { text: "half", messageId: null } })
      yield* put(begun)
      yield* write(previewed(begun.key, null))
      assert.isNull((yield* find(begun.key))!.preview)
    })
  )

  it.effect("progress is stored; what is sent or superseded stays so, whatever a late worker writes", () =>
    Effect.gen(function* () {
      const given = row("progress")
      yield* put(given)
      yield* write(
        progressed({
          row: { ...given, state: "ambiguous", attempts: 2, notBefore: 7 },
          error: `bad ${odd}`,
          errorKind: "ambiguous",
          at: 9
        })
      )
      const found = yield* find(given.key)
      assert.deepStrictEqual([found!.state, found!.attempts, found!.notBefore], ["ambiguous", 2, 7])
      yield* write(progressed({ row: { ...given, state: "sent", attempts: 3 }, messageIds: ["a", "b"], at: 10 }))
      yield* write(progressed({ row: { ...given, state: "pending" }, at: 11 }))
      assert.deepStrictEqual(yield* cells(given.key, "state, message_ids, error"), {
        state: "sent",
        message_ids: '["a","b"]',
        error: null
      })
    })
  )

  it.effect("a mark stays with its row", () =>
    Effect.gen(function* () {
      const given = row("mark")
      yield* put(given)
      const marked = { ...given.payload, text: "marked hello", marked: true }
      yield* write(progressed({ row: { ...given, state: "sending", payload: marked }, at: 1 }))
      yield* write(progressed({ row: { ...given, state: "pending" }, at: 2 }))
      assert.deepStrictEqual((yield* find(given.key))!.payload, marked)
    })
  )

  it.effect("the rest of a turn: later finals of that turn and queue that have not begun, nothing else", () =>
    Effect.gen(function* () {
      const of = (turn: string, ordinal: number, more: Partial<OutboxRow> = {}) =>
        row("rest", { turn, ordinal, ...more })
      const rows = [
        of("t1", 0, { state: "sent" }),
        of("t1", 1),
        of("t1", 2),
        of("t1", 3, { state: "preview" }),
        of("t1", 4, { kind: "tool" }),
        of("t1", 5, { state: "sending" }),
        of("t2", 6),
        row("rest", { ordinal: 9 })
      ]
      yield* put(...rows)
      yield* write(progressed({ row: { ...rows[1]!, state: "dead" }, at: 1 }), restOfTurn(rows[1]!, "dead", 1))
      const states = yield* Effect.forEach(rows, ({ key }) => Effect.map(find(key), (found) => found!.state))
      assert.deepStrictEqual(states, ["sent", "dead", "dead", "dead", "pending", "sending", "pending", "pending"])
    })
  )

  it.effect("a row that no longer decodes is dead, and the others load", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const rows = [row("corrupt"), row("corrupt"), row("corrupt")]
      yield* put(...rows)
      yield* database.execute(`UPDATE outbox SET payload = '{}' WHERE key = '${rows[1]!.key}'`, [])
      assert.deepStrictEqual(
        (yield* open("corrupt")).map(({ key }) => key),
        [rows[0]!.key, rows[2]!.key]
      )
      assert.deepStrictEqual(yield* cells(rows[1]!.key, "state"), { state: "dead" })
    })
  )

  it.effect("identifiers of any content are stored, and do not spoil the commit of others", () =>
    Effect.gen(function* () {
      const plain = row("odd")
      yield* put(plain, row("odd", { queue: odd, sessionKey: odd, turn: odd }))
      assert.lengthOf(yield* open("odd"), 2)
    })
  )

  it.effect("pruning deletes what ended before the time, and nothing that is open, held or younger", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const rows = (["sent", "dead", "superseded", "held", "pending"] as const).map((state) =>
        row("prune", { state, createdAt: 100 })
      )
      const young = row("prune", { state: "sent", createdAt: 300 })
      yield* put(...rows, young)
      yield* pruned(outbox.prune, 200)
      const left = yield* Effect.filter([...rows, young], ({ key }) => Effect.map(find(key), (found) => found !== null))
      assert.deepStrictEqual(
        left.map(({ state }) => state),
        ["held", "pending", "sent"]
      )
    })
  )
}
