import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as PairingCode from "../../src/Access/PairingCode.ts"
import * as PairingStore from "../../src/Access/PairingStore.ts"
import { noAliases } from "../../src/Message/WhatsAppIdentity.ts"
import { Database } from "../../src/Storage/Database.ts"
import * as Postgres from "../support/Postgres.ts"

const memory = Layer.orDie(Database.layer({ storage: "memory", filename: "" }))
const telegram = { profile: "", platform: "telegram" }
const whatsapp = { profile: "", platform: "whatsapp" }
const phones: Readonly<Record<string, ReadonlyArray<string>>> = { "111": ["900"], "900": ["111"] }
const aliases = (id: string) => phones[id] ?? []

const fresh = Effect.map(Database, (database) =>
  PairingStore.make(database, (platform) => (platform === "whatsapp" ? aliases : noAliases))
)
const ask = (store: PairingStore.Store, userId: string, place = telegram) =>
  store.request({ ...place, userId, userName: `Name of ${userId}` })
const codeOf = (request: PairingStore.Request): string => {
  if (request._tag !== "Issued") throw new Error(`no code: ${request._tag}`)
  return request.code
}
const wrong = "AAAAAAAA"

describe("pairing code", () => {
  it("is 8 characters of 32 that are not mistaken for each other, drawn evenly", () => {
    const counts = new Map<string, number>()
    for (let i = 0; i < 4000; i++) {
      const code = PairingCode.make()
      assert.match(code, /^[A-HJ-NP-Z2-9]{8}$/)
      for (const char of code) counts.set(char, (counts.get(char) ?? 0) + 1)
    }
    assert.strictEqual(counts.size, 32)
    for (const count of counts.values()) assert.isTrue(count > 800 && count < 1200)
  })

  it("is compared by its salted digest, as typed in any case", () => {
    const code = PairingCode.make()
    const digest = PairingCode.digest(code)
    assert.match(digest.salt, /^[0-9a-f]{32}$/)
    assert.match(digest.hash, /^[0-9a-f]{64}$/)
    assert.isTrue(PairingCode.matches(PairingCode.normalize(`  ${code.toLowerCase()} `), digest))
    assert.isFalse(PairingCode.matches(PairingCode.make(), digest))
    assert.notStrictEqual(PairingCode.digest(code).hash, digest.hash)
  })
})

describe("pairing", () => {
  it.effect("a code lets its user in, once", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      const code = codeOf(yield* ask(store, "7"))
      const approval = yield* store.approve(telegram, ` ${code.toLowerCase()} `)
      assert.strictEqual(approval._tag, "Approved")
      assert.deepStrictEqual(
        (yield* store.approved).map(({ platform, userId, userName }) => [platform, userId, userName]),
        [["telegram", "7", "Name of 7"]]
      )
      assert.deepStrictEqual(yield* store.pending(""), [])
      assert.strictEqual((yield* store.approve(telegram, code))._tag, "NotFound")
      assert.strictEqual((yield* ask(store, "7"))._tag, "AlreadyApproved")
    }).pipe(Effect.provide(memory))
  )

  it.effect("the code stands in no row", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      const code = codeOf(yield* ask(store, "7"))
      const database = yield* Database
      for (const table of [
        "pairing_pending",
        "pairing_approved",
        "pairing_limits",
        "access_revision",
        "inbox",
        "outbox"
      ]) {
        const rows = yield* database.execute(`SELECT * FROM ${table}`, [])
        assert.notInclude(JSON.stringify(rows), code)
      }
    }).pipe(Effect.provide(memory))
  )

  it.effect("a code of one platform is none of another", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      const code = codeOf(yield* ask(store, "7"))
      assert.strictEqual((yield* store.approve({ ...telegram, platform: "slack" }, code))._tag, "NotFound")
      assert.strictEqual((yield* store.approve({ ...telegram, profile: "work" }, code))._tag, "NotFound")
      assert.strictEqual((yield* store.approve(telegram, code))._tag, "Approved")
    }).pipe(Effect.provide(memory))
  )

  it.effect("a code is good for an hour", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      const code = codeOf(yield* ask(store, "7"))
      yield* TestClock.adjust("3600 seconds")
      assert.deepStrictEqual(yield* store.pending(""), [])
      assert.strictEqual((yield* store.approve(telegram, code))._tag, "NotFound")
    }).pipe(Effect.provide(memory))
  )

  it.effect("one request per person and ten minutes, also under another id of his", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      codeOf(yield* ask(store, "111@s.whatsapp.net", whatsapp))
      assert.strictEqual((yield* ask(store, "900@lid", whatsapp))._tag, "Limited")
      yield* TestClock.adjust("599 seconds")
      assert.strictEqual((yield* ask(store, "111:4@s.whatsapp.net", whatsapp))._tag, "Limited")
      yield* TestClock.adjust("1 second")
      codeOf(yield* ask(store, "900@lid", whatsapp))
      assert.lengthOf(yield* store.pending(""), 1)
    }).pipe(Effect.provide(memory))
  )

  it.effect("three wait per platform; the fourth gets no code, until the oldest is ten minutes old", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      const first = codeOf(yield* ask(store, "1"))
      codeOf(yield* ask(store, "2"))
      codeOf(yield* ask(store, "3"))
      codeOf(yield* ask(store, "1", { ...telegram, platform: "slack" }))
      assert.strictEqual((yield* ask(store, "4"))._tag, "Full")
      assert.strictEqual((yield* ask(store, "4"))._tag, "Limited")
      yield* TestClock.adjust("601 seconds")
      codeOf(yield* ask(store, "5"))
      assert.strictEqual((yield* store.approve(telegram, first))._tag, "NotFound")
    }).pipe(Effect.provide(memory))
  )

  it.effect(
    "five wrong codes in a row lock approvals and new codes for an hour; a right one in between starts over",
    () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const good = codeOf(yield* ask(store, "1"))
        const later = codeOf(yield* ask(store, "2"))
        for (let i = 0; i < 4; i++)
          assert.deepStrictEqual(yield* store.approve(telegram, wrong), { _tag: "NotFound", locksNow: false })
        assert.strictEqual((yield* store.approve(telegram, good))._tag, "Approved")
        for (let i = 0; i < 4; i++) yield* store.approve(telegram, wrong)
        assert.deepStrictEqual(yield* store.approve(telegram, wrong), { _tag: "NotFound", locksNow: true })
        assert.strictEqual((yield* store.approve(telegram, later))._tag, "Locked")
        assert.strictEqual((yield* ask(store, "3"))._tag, "Full")
        assert.strictEqual((yield* store.approve({ ...telegram, platform: "slack" }, wrong))._tag, "NotFound")
        yield* TestClock.adjust("3601 seconds")
        codeOf(yield* ask(store, "4"))
        assert.deepStrictEqual(yield* store.approve(telegram, wrong), { _tag: "NotFound", locksNow: false })
      }).pipe(Effect.provide(memory))
  )

  it.effect("a request id approves too, is not counted, and a lockout does not stop it", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      codeOf(yield* ask(store, "1"))
      for (let i = 0; i < 5; i++) yield* store.approve(telegram, wrong)
      const [pending] = yield* store.pending("")
      assert.match(pending!.requestId, /^[0-9a-f]{16}$/)
      assert.deepStrictEqual(yield* store.approve(telegram, "0123456789abcdef"), { _tag: "NotFound", locksNow: false })
      assert.strictEqual((yield* store.approve(telegram, pending!.requestId))._tag, "Approved")
    }).pipe(Effect.provide(memory))
  )

  it.effect("who is paired once more under another id is one entry, and is revoked under any", () =>
    Effect.gen(function* () {
      const database = yield* Database
      yield* database.execute(
        "INSERT INTO pairing_approved (profile, platform, user_id, approved_at) VALUES ('', 'whatsapp', '900', 1)",
        []
      )
      const unaware = PairingStore.make(database, () => noAliases)
      const code = codeOf(yield* unaware.request({ ...whatsapp, userId: "111", userName: null }))
      const store = yield* fresh
      assert.strictEqual((yield* store.approve(whatsapp, code))._tag, "Approved")
      assert.lengthOf(yield* store.approved, 1)
      assert.isTrue(yield* store.revoke(whatsapp, "900@lid"))
      assert.deepStrictEqual(yield* store.approved, [])
      assert.isFalse(yield* store.revoke(whatsapp, "900@lid"))
    }).pipe(Effect.provide(memory))
  )

  it.effect("what is no id gets no code: nothing, ten KiB, or what storage would change", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      for (const odd of ["", "  ", "x".repeat(10 * 1024), "a\0b", "\ud800"]) {
        assert.strictEqual((yield* ask(store, odd))._tag, "Limited", JSON.stringify(odd.slice(0, 20)))
      }
      assert.deepStrictEqual(yield* store.pending(""), [])
    }).pipe(Effect.provide(memory))
  )

  it.effect("old marks are removed", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      const database = yield* Database
      for (let i = 0; i < 20; i++) yield* ask(store, `u${i}`)
      yield* TestClock.adjust("2 hours")
      yield* ask(store, "last")
      const [row] = yield* database.execute("SELECT COUNT(*) AS n FROM pairing_limits", [])
      assert.strictEqual(Number(row!["n"]), 1)
    }).pipe(Effect.provide(memory))
  )
})

const server = Layer.unwrap(
  Effect.map(Postgres.makeDatabase, ({ url }) => Database.layer({ storage: { url }, filename: "" }))
)
layer(server, { excludeTestServices: true, timeout: "90 seconds" })("pairing on PostgreSQL", (it) => {
  it.effect("a request, its approval, the revision and a revocation, also from two processes at once", () =>
    Effect.gen(function* () {
      const store = yield* fresh
      const before = yield* store.revision
      const requests = yield* Effect.forEach(["1", "2", "3", "4", "5"], (id) => ask(store, id), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(requests.map(({ _tag }) => _tag).toSorted(), [
        "Full",
        "Full",
        "Issued",
        "Issued",
        "Issued"
      ])
      assert.strictEqual(yield* store.revision, before + 5)
      const code = codeOf(requests.find(({ _tag }) => _tag === "Issued")!)
      const approvals = yield* Effect.forEach([code, code], (typed) => store.approve(telegram, typed), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(approvals.map(({ _tag }) => _tag).toSorted(), ["Approved", "NotFound"])
      const [user] = yield* store.approved
      assert.isTrue(yield* store.revoke(telegram, user!.userId))
      assert.strictEqual(yield* store.clear("", null), 2)
      assert.strictEqual(
        yield* store.learn("whatsapp", [
          ["1", "2"],
          ["1", "2"]
        ]),
        1
      )
      assert.deepStrictEqual(yield* store.aliases("whatsapp"), [["1", "2"]])
    })
  )
})
