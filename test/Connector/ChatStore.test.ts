/** The store's contract, the same on SQLite and on PostgreSQL. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ChatStore, type NewMessage } from "../../src/Connector/ChatStore.ts"
import { Database } from "../../src/Storage/Database.ts"
import * as Postgres from "../support/Postgres.ts"

const Sqlite = ChatStore.layer.pipe(Layer.provide(Database.layer({ storage: "memory", filename: "" })))
const PostgreSql = ChatStore.layer.pipe(
  Layer.provide(
    Layer.unwrap(Effect.map(Postgres.PostgresUrl, ({ url }) => Database.layer({ storage: { url }, filename: "" })))
  ),
  Layer.provide(Postgres.layerUrl)
)

const message = (id: string, more: Partial<NewMessage> = {}): NewMessage => ({
  chatId: "c",
  id,
  role: "user",
  text: id,
  replyTo: null,
  idempotencyKey: null,
  bufferId: `web:${id}`,
  state: "sent",
  at: 1000,
  revision: 1,
  ...more
})

for (const [name, Live] of [
  ["SQLite", Sqlite],
  ["PostgreSQL", PostgreSql]
] as const) {
  layer(Live, { excludeTestServices: true, timeout: "60 seconds" })(`the chat store on ${name}`, (it) => {
    describe("messages", () => {
      it.effect("are stored once per id and once per idempotency key, in order, and changed in place", () =>
        Effect.gen(function* () {
          const store = yield* ChatStore
          assert.strictEqual(yield* store.lastRevision, 0)
          const chat = { chatId: "c", title: "First", createdAt: 1 }
          yield* store.addChat(chat)
          yield* store.addChat({ ...chat, title: "Not this" })
          assert.deepStrictEqual(yield* store.chats, [chat])
          const a = yield* store.insert(message("a", { revision: 1_700_000_000_001 }))
          assert.isNull(yield* store.insert(message("a")))
          const b = yield* store.insert(
            message("b", { role: "assistant", state: "shown", idempotencyKey: "k", revision: 1_700_000_000_002 })
          )
          assert.isNull(yield* store.insert(message("other", { idempotencyKey: "k" })))
          assert.isBelow(a!.seq, b!.seq)
          assert.deepStrictEqual(yield* store.byKey("k"), b)
          assert.deepStrictEqual(
            (yield* store.undelivered(0, 10)).map(({ message, title }) => [message.id, title]),
            [["a", "First"]]
          )
          assert.strictEqual(yield* store.waitingCount("c"), 1)
          const taken = yield* store.change("a", { state: "taken", at: 2000, revision: 1_700_000_000_003 })
          assert.deepStrictEqual(taken, { ...a!, state: "taken", updatedAt: 2000, revision: 1_700_000_000_003 })
          const edited = yield* store.change("b", { text: "B", at: 3000, revision: 1_700_000_000_004 })
          assert.deepInclude(edited!, { text: "B", state: "shown" })
          assert.isNull(yield* store.change("none", { text: "x", at: 1, revision: 1 }))
          assert.deepStrictEqual(
            (yield* store.open("c")).map(({ id }) => id),
            ["a"]
          )
          assert.deepStrictEqual(
            (yield* store.changedSince(1_700_000_000_003, 10)).map(({ id }) => id),
            ["b"]
          )
          assert.strictEqual(yield* store.lastRevision, 1_700_000_000_004)
          yield* store.renameChat("c", "Second")
          assert.strictEqual((yield* store.chat("c"))?.title, "Second")
          assert.strictEqual(yield* store.chatCount, 1)
          assert.isNull(yield* store.chat("none"))
        })
      )

      it.effect("are pruned from the oldest, except what still waits", () =>
        Effect.gen(function* () {
          const store = yield* ChatStore
          for (let n = 0; n < 6; n++)
            yield* store.insert(message(`p${n}`, { chatId: "p", state: n === 1 ? "sent" : "taken" }))
          yield* store.prune("p", 10)
          assert.lengthOf(yield* store.before("p", Number.MAX_SAFE_INTEGER, 100), 6)
          yield* store.prune("p", 3)
          assert.deepStrictEqual(
            (yield* store.before("p", Number.MAX_SAFE_INTEGER, 100)).map(({ id }) => id),
            ["p1", "p3", "p4", "p5"]
          )
          assert.deepStrictEqual(
            (yield* store.before("p", Number.MAX_SAFE_INTEGER, 2)).map(({ id }) => id),
            ["p4", "p5"]
          )
        })
      )

      it.effect("of a transaction that fails are not there", () =>
        Effect.gen(function* () {
          const store = yield* ChatStore
          yield* Effect.exit(store.transaction(Effect.andThen(store.insert(message("t")), Effect.fail("no"))))
          assert.isNull(yield* store.byId("t"))
        })
      )
    })
  })
}
