/** What the Inbox table must do on every storage. Tests share one database: each works in a session of its own. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { Database } from "../../src/Storage/Database.ts"
import {
  buried,
  edited,
  ended,
  Inbox,
  type NewInboxRow,
  recorded,
  refused,
  started,
  taken,
  waiting,
  waitingDropped
} from "../../src/Storage/Inbox.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { pruned, type Storage } from "./Tables.ts"

const source = Source.make({ platform: "test", chatId: "1", userId: "u" })
let keys = 0
const row = (session: string, more: Partial<NewInboxRow> = {}): NewInboxRow => ({
  messageKey: `m${++keys}`,
  bufferKey: null,
  link: "test:",
  sessionKey: session,
  event: MessageEvent.text(source, `text ${keys}`),
  provenance: Source.untrusted,
  takenAt: 1_900_000_000_000,
  ...more
})
const take = (...rows: ReadonlyArray<NewInboxRow>) =>
  Effect.map(
    Effect.flatMap(Journal, (journal) => journal.commit(rows.map(taken))),
    (receipt) => receipt.map((found) => (found === undefined ? null : Number(found["id"])))
  )
const write = (...writes: Parameters<Journal["Service"]["commit"]>[0]) =>
  Effect.flatMap(Journal, (journal) => journal.commit(writes))
const undone = (session: string, limit = 100) => Effect.flatMap(Inbox, (inbox) => inbox.undoneOf(session, limit))
const states = (session: string) =>
  Effect.flatMap(Database, (database) =>
    Effect.map(database.execute(`SELECT state FROM inbox WHERE session_key = '${session}' ORDER BY id`, []), (rows) =>
      rows.map(({ state }) => state)
    )
  )

export const inboxContract = (it: Vitest.MethodsNonLive<Storage>): void => {
  it.effect(
    "rows are found by either key, and a waiting one gets another text, one that runs does not (relay I3a)",
    () =>
      Effect.gen(function* () {
        const inbox = yield* Inbox
        const [first, second] = [row("edited", { bufferKey: "buffer-e" }), row("edited")]
        const [a, b] = yield* take(first, second)
        yield* write(started(b!, 1))
        const byKeys = yield* inbox.byKeys([first.messageKey, null], "buffer-e")
        assert.deepStrictEqual(byKeys, [
          {
            id: a!,
            messageKey: first.messageKey,
            bufferKey: "buffer-e",
            sessionKey: "edited",
            state: "waiting",
            event: first.event
          }
        ])
        assert.lengthOf(yield* inbox.byKeys([first.messageKey, second.messageKey], null), 2)
        assert.deepStrictEqual(yield* inbox.byKeys([null, "nobody's"], "nobody's"), [])
        const text = (found: MessageEvent.MessageEvent) => ({ ...found, text: "\u0000 changed" })
        yield* write(edited(a!, text(first.event)), edited(b!, text(second.event)))
        yield* write(recorded(row("edited"), "an edit"))
        assert.deepStrictEqual(
          (yield* undone("edited")).map(({ event }) => event.text),
          ["\u0000 changed", second.event.text]
        )
        assert.deepStrictEqual(yield* states("edited"), ["waiting", "running", "done"])
      })
  )

  it.effect("a message comes back as it was taken, with what our own intake found out about it", () =>
    Effect.gen(function* () {
      const given = row("whole", {
        provenance: { viaRelay: true, isBot: false, roleAuthorized: true },
        event: {
          ...MessageEvent.text(
            { ...source, chatName: "\u0000 \ud800 'q' \"d\" \\ 😀", threadId: "" },
            "\u0000 \udc00 \n\t\u2028 ' \" \\u0000 😀"
          ),
          media: [{ ref: "r", kind: "photo", mime: null, size: 1.5, filename: null, caption: "\ud800" }],
          timestamp: -5
        }
      })
      const [id] = yield* take(given)
      const [found] = yield* undone("whole")
      assert.deepStrictEqual(found, {
        id: id!,
        link: "test:",
        sessionKey: "whole",
        state: "waiting",
        event: given.event,
        provenance: given.provenance,
        starts: 0,
        takenAt: given.takenAt
      })
    })
  )

  it.effect("isBot has three values", () =>
    Effect.gen(function* () {
      for (const isBot of [true, false, null]) yield* take(row("bots", { provenance: { ...Source.untrusted, isBot } }))
      assert.deepStrictEqual(
        (yield* undone("bots")).map(({ provenance }) => provenance.isBot),
        [true, false, null]
      )
    })
  )

  it.effect("either key makes a duplicate, earlier or in the same commit; ids ascend in the order of the rows", () =>
    Effect.gen(function* () {
      const a = row("dup", { messageKey: "dup-m", bufferKey: "dup-b" })
      const ids = yield* take(
        a,
        row("dup", { messageKey: "dup-m" }),
        row("dup", { messageKey: "dup-m2", bufferKey: "dup-b" }),
        row("dup")
      )
      assert.deepStrictEqual(
        ids.map((id) => id !== null),
        [true, false, false, true]
      )
      assert.isBelow(ids[0]!, ids[3]!)
      assert.deepStrictEqual(yield* take(row("dup", { messageKey: null, bufferKey: "dup-b" })), [null])
      assert.lengthOf(yield* undone("dup"), 2)
    })
  )

  it.effect("512 rows in one commit get ascending ids in their order", () =>
    Effect.gen(function* () {
      const ids = yield* take(...Array.from({ length: 512 }, () => row("many")))
      assert.isTrue(ids.every((id, at) => id !== null && (at === 0 || id > ids[at - 1]!)))
      assert.lengthOf(yield* undone("many", 40), 40)
      assert.deepStrictEqual(
        (yield* undone("many", 40)).map(({ id }) => id),
        ids.slice(0, 40) as Array<number>
      )
    })
  )

  it.effect("the states of a row, one after the other", () =>
    Effect.gen(function* () {
      const [id] = yield* take(row("states"))
      for (const [change, state] of [
        [refused(id!), "refused"],
        [waiting(id!), "waiting"],
        [started(id!, 1), "running"],
        [started(id!, 2), "running"]
      ] as const) {
        yield* write(change)
        assert.deepStrictEqual(
          (yield* undone("states")).map((found) => found.state),
          [state]
        )
      }
      assert.strictEqual((yield* undone("states"))[0]!.starts, 2)
      yield* write(ended(id!, "done", 5, "an answer"))
      assert.deepStrictEqual(yield* undone("states"), [])
    })
  )

  it.effect("all states of a row in one commit: the last counts", () =>
    Effect.gen(function* () {
      const [id] = yield* take(row("in one"))
      yield* write(started(id!, 1), refused(id!), ended(id!, "done", 5))
      assert.deepStrictEqual(yield* states("in one"), ["done"])
    })
  )

  it.effect("dropping what waits takes refused rows too; not the running one, not the later, not another session", () =>
    Effect.gen(function* () {
      const ids = yield* take(row("drop"), row("drop"), row("drop"), row("drop"), row("drop"), row("drop other"))
      yield* write(started(ids[0]!, 1), refused(ids[2]!), ended(ids[1]!, "done", 1))
      yield* write(waitingDropped("drop", ids[3]!, 7, "/stop"), ended(ids[3]!, "done", 7))
      assert.deepStrictEqual(yield* states("drop"), ["running", "done", "dropped", "done", "waiting"])
      assert.deepStrictEqual(yield* states("drop other"), ["waiting"])
    })
  )

  it.effect("the turn that ends in the commit that drops what waits is done", () =>
    Effect.gen(function* () {
      const ids = yield* take(row("drop late"), row("drop late"))
      yield* write(
        waitingDropped("drop late", ids[1]!, 7, "/stop"),
        ended(ids[1]!, "done", 7),
        ended(ids[0]!, "done", 7)
      )
      assert.deepStrictEqual(yield* states("drop late"), ["done", "done"])
    })
  )

  it.effect("a process that starts finds what ran when the last one ended, as waiting, starts counted", () =>
    Effect.gen(function* () {
      const inbox = yield* Inbox
      const ids = yield* take(row("recover"), row("recover"))
      yield* write(started(ids[0]!, 1))
      assert.isAtLeast(yield* inbox.recoverRunning, 1)
      assert.deepStrictEqual(
        (yield* undone("recover")).map(({ starts, state }) => [state, starts]),
        [
          ["waiting", 1],
          ["waiting", 0]
        ]
      )
      assert.strictEqual(yield* inbox.recoverRunning, 0)
    })
  )

  it.effect(
    "sessions with undone rows come in the order of their keys, behind the given one, as far as a row is old enough",
    () =>
      Effect.gen(function* () {
        const inbox = yield* Inbox
        const [, , done] = yield* take(
          row("order b", { takenAt: 10 }),
          row("order a", { takenAt: 11 }),
          row("order c", { takenAt: 9 }),
          row("order b", { takenAt: 99 })
        )
        yield* write(ended(done!, "done", 1))
        const ordered = (keys: ReadonlyArray<string>) => keys.filter((key) => key.startsWith("order"))
        assert.deepStrictEqual(ordered(yield* inbox.sessionsWithUndone(100, "", 1000)), ["order a", "order b"])
        assert.deepStrictEqual(ordered(yield* inbox.sessionsWithUndone(11, "", 1000)), ["order b"])
        assert.deepStrictEqual(yield* inbox.sessionsWithUndone(100, "order a", 1), ["order b"])
        assert.lengthOf(yield* inbox.sessionsWithUndone(2_000_000_000_000, "", 2), 2)
      })
  )

  it.effect("a row that no longer decodes is dead, and the others load", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const ids = yield* take(row("corrupt"), row("corrupt"), row("corrupt"))
      yield* database.execute(`UPDATE inbox SET event = '{' WHERE id = ${ids[1]}`, [])
      assert.deepStrictEqual(
        (yield* undone("corrupt")).map(({ id }) => id),
        [ids[0]!, ids[2]!]
      )
      assert.deepStrictEqual(yield* states("corrupt"), ["waiting", "dead", "waiting"])
      const [dead] = yield* database.execute(`SELECT ended_at FROM inbox WHERE id = ${ids[1]}`, [])
      assert.isNotNull(dead!["ended_at"])
    })
  )

  it.effect("what was buried is dead, never undone, and its buffer id is taken", () =>
    Effect.gen(function* () {
      const dead = buried({
        bufferKey: "buried-b",
        link: "test:",
        raw: "{\u0000\ud800",
        reason: "\u0000\ud800 no JSON",
        at: 1
      })
      yield* write(dead)
      yield* write(dead)
      assert.deepStrictEqual(yield* take(row("buried", { messageKey: "buried-m", bufferKey: "buried-b" })), [null])
      assert.deepStrictEqual(yield* undone(""), [])
    })
  )

  it.effect("identifiers of any content are stored, and do not spoil the commit of others", () =>
    Effect.gen(function* () {
      const odd = "odd \u0000 \ud800 ' \\ 😀"
      const ids = yield* take(
        row("plain"),
        row(odd, {
          link: odd,
          messageKey: JSON.stringify(odd),
          event: MessageEvent.text({ ...source, platform: odd, chatId: odd }, odd)
        })
      )
      assert.isNotNull(ids[0])
      assert.isNotNull(ids[1])
    })
  )

  it.effect("pruning deletes what ended before the time, and nothing that is undone or younger", () =>
    Effect.gen(function* () {
      const inbox = yield* Inbox
      const ids = yield* take(row("prune"), row("prune"), row("prune"), row("prune", { messageKey: "prune-again" }))
      yield* write(ended(ids[0]!, "done", 100), ended(ids[1]!, "done", 300), ended(ids[3]!, "dropped", 199))
      yield* pruned(inbox.prune, 200)
      assert.deepStrictEqual(yield* states("prune"), ["done", "waiting"])
      assert.deepStrictEqual(
        (yield* take(row("prune", { messageKey: "prune-again" }))).map((id) => id !== null),
        [true]
      )
    })
  )
}
