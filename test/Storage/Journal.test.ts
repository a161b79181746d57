import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as BatchStatement from "../../src/Storage/BatchStatement.ts"
import type { Write } from "../../src/Storage/BatchStatement.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { Faults, layer as faultyDatabase, unreachable } from "../support/FaultyDatabase.ts"
import { pass, quiet } from "../support/Passing.ts"

const columns = [
  ["key", "text"],
  ["value", "text"]
] as const
const insert = BatchStatement.insert({
  name: "test.insert",
  rank: 10,
  columns,
  identity: "key",
  returning: "key",
  into: "meta",
  values: BatchStatement.asGiven("key", "value"),
  onConflict: "ON CONFLICT DO NOTHING RETURNING key, value"
})
const update = BatchStatement.update({
  name: "test.update",
  rank: 20,
  columns,
  identity: "key",
  table: "meta",
  set: "value = r.value",
  where: "meta.key = r.key"
})
/** Fails on a NULL value, which the table refuses. */
const put = (key: string, value: string | null = key): Write => ({ statement: insert, row: [key, value] })
const set = (key: string, value: string): Write => ({ statement: update, row: [key, value] })

const values = Effect.flatMap(Database, (database) =>
  Effect.map(
    database.execute("SELECT key, value FROM meta WHERE key NOT IN ('installation', 'pseudonym_key') ORDER BY key", []),
    (rows) => Object.fromEntries(rows.map((row) => [String(row["key"]), String(row["value"])]))
  )
)

const withJournal =
  <A, E>(test: (faults: Faults) => Effect.Effect<A, E, Database | Journal | Scope.Scope>) =>
  () => {
    const faults = new Faults()
    return Effect.provide(test(faults), Journal.layer.pipe(Layer.provideMerge(faultyDatabase(faults))))
  }
const numbered = (n: number): ReadonlyArray<string> =>
  Array.from({ length: n }, (_, i) => `k${String(i).padStart(4, "0")}`)

describe("Journal", () => {
  it.effect(
    "groups what many callers hand over into few transactions, and gives each its own receipt",
    withJournal((faults) =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const keys = numbered(1000)
        const receipts = yield* Effect.forEach(keys, (key) => journal.commit([put(key)]), { concurrency: "unbounded" })
        assert.deepStrictEqual(
          receipts.map(([row]) => row?.["key"]),
          [...keys]
        )
        assert.isAtMost(faults.transactions, 5)
        assert.strictEqual(Object.keys(yield* values).length, 1000)
      })
    )
  )

  it.effect(
    "a receipt has a row for each write that was new, and none for duplicates, also within one commit",
    withJournal(() =>
      Effect.gen(function* () {
        const journal = yield* Journal
        yield* journal.commit([put("old")])
        const [first, second] = yield* Effect.all(
          [
            journal.commit([put("a"), set("a", "later"), put("old"), put("a", "again"), put("b")]),
            journal.commit([put("b", "theirs"), put("c")])
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          first.map((row) => row?.["key"]),
          ["a", undefined, undefined, undefined, "b"]
        )
        assert.deepStrictEqual(
          second.map((row) => row?.["key"]),
          [undefined, "c"]
        )
        assert.deepStrictEqual(yield* values, { a: "later", b: "b", c: "c", old: "old" })
      })
    )
  )

  it.effect(
    "of writes with the same identity the last one counts",
    withJournal(() =>
      Effect.gen(function* () {
        const journal = yield* Journal
        yield* journal.commit([put("a")])
        yield* Effect.all(
          ["1", "2", "3"].map((value) => journal.commit([set("a", value)])),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(yield* values, { a: "3" })
        yield* journal.append([set("a", "4")])
        yield* journal.append([set("a", "5")])
        yield* journal.commit([set("a", "6")])
        assert.deepStrictEqual(yield* values, { a: "6" })
      })
    )
  )

  it.effect(
    "a write that the storage rejects fails alone and whole, and spoils no other",
    withJournal(() =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const [before, bad, after] = yield* Effect.all(
          [
            Effect.exit(journal.commit([put("a")])),
            Effect.exit(journal.commit([put("x"), put("y", null)])),
            Effect.exit(journal.commit([put("b")]))
          ],
          { concurrency: "unbounded" }
        )
        assert.isTrue(Exit.isSuccess(before) && Exit.isSuccess(after))
        assert.isTrue(Exit.isFailure(bad))
        assert.strictEqual((yield* Effect.flip(journal.commit([put("y", null)]))).reason, "Rejected")
        assert.deepStrictEqual(yield* values, { a: "a", b: "b" })
        assert.isNull(journal.health().failingSince)
      })
    )
  )

  it.effect(
    "a driver that throws fails the write, not the journal",
    withJournal((faults) =>
      Effect.gen(function* () {
        const journal = yield* Journal
        Object.assign(faults, { failAt: 0, failWith: null, failures: 1 })
        assert.strictEqual((yield* Effect.flip(journal.commit([put("a")]))).reason, "Rejected")
        yield* journal.commit([put("b")])
        assert.deepStrictEqual(yield* values, { b: "b" })
      })
    )
  )

  it.effect(
    "while the storage fails callers wait, health says since when, and then all succeed in order",
    withJournal((faults) =>
      Effect.gen(function* () {
        const journal = yield* Journal
        yield* TestClock.setTime(1_000_000)
        faults.refuse = unreachable()
        const callers = yield* Effect.forEach(["a", "b"], (key) => Effect.forkChild(journal.commit([put(key)])))
        yield* pass("30 seconds")
        assert.deepStrictEqual(
          callers.map((caller) => caller.pollUnsafe()),
          [undefined, undefined]
        )
        assert.strictEqual(journal.health().failingSince, 1_000_000)
        assert.match(journal.health().error ?? "", /^ConnectionError/)
        yield* journal.append([set("a", "appended")])
        faults.refuse = null
        yield* pass("2 seconds")
        const receipts = yield* Effect.forEach(callers, Fiber.join)
        assert.deepStrictEqual(
          receipts.map(([row]) => row?.["key"]),
          ["a", "b"]
        )
        yield* journal.flush
        assert.deepStrictEqual(yield* values, { a: "appended", b: "b" })
        assert.isNull(journal.health().failingSince)
        assert.isNull(journal.health().error)
        assert.isAtLeast(journal.health().committedAt ?? 0, 1_030_000)
      })
    )
  )

  it.effect(
    "a transaction that fails halfway leaves nothing and is tried again whole",
    withJournal((faults) =>
      Effect.gen(function* () {
        const journal = yield* Journal
        Object.assign(faults, { failAt: 1, failures: 3 })
        const caller = yield* Effect.forkChild(journal.commit([put("a"), set("a", "set"), put("b")]))
        yield* pass("10 seconds")
        assert.deepStrictEqual(
          (yield* Fiber.join(caller)).map((row) => row?.["key"]),
          ["a", undefined, "b"]
        )
        assert.strictEqual(faults.transactions, 4)
        assert.deepStrictEqual(yield* values, { a: "set", b: "b" })
      })
    )
  )

  it.effect(
    "an interrupted caller takes nothing back and disturbs nobody",
    withJournal((faults) =>
      Effect.gen(function* () {
        const journal = yield* Journal
        faults.writers.closeUnsafe()
        const impatient = yield* Effect.forkChild(journal.commit([put("impatient")]))
        const patient = yield* Effect.forkChild(journal.commit([put("patient")]))
        yield* quiet
        yield* Fiber.interrupt(impatient)
        faults.writers.openUnsafe()
        assert.deepStrictEqual(
          (yield* Fiber.join(patient)).map((row) => row?.["key"]),
          ["patient"]
        )
        assert.deepStrictEqual(yield* values, { impatient: "impatient", patient: "patient" })
      })
    )
  )

  it.effect(
    "flush waits for what was appended before it",
    withJournal(() =>
      Effect.gen(function* () {
        const journal = yield* Journal
        yield* journal.append([put("a")])
        yield* journal.append([put("b")])
        yield* journal.flush
        assert.deepStrictEqual(yield* values, { a: "a", b: "b" })
      })
    )
  )

  it.effect(
    "append waits like everybody else once very much is waiting",
    withJournal((faults) =>
      Effect.gen(function* () {
        const journal = yield* Journal
        faults.writers.closeUnsafe()
        yield* Effect.forEach(numbered(16_384), (key) => journal.append([put(key)]), { discard: true })
        const oneMore = yield* Effect.forkChild(journal.append([put("one more")]))
        yield* quiet
        assert.isUndefined(oneMore.pollUnsafe())
        faults.writers.openUnsafe()
        yield* Fiber.join(oneMore)
        assert.strictEqual((yield* values)["one more"], "one more")
      })
    )
  )

  const closable = Effect.fnUntraced(function* (faults: Faults) {
    const scope = yield* Scope.make()
    const database = yield* Layer.build(faultyDatabase(faults))
    const context = yield* Layer.build(Journal.layer).pipe(
      Effect.provide(database),
      Effect.provideService(Scope.Scope, scope)
    )
    const journal = yield* Effect.provide(Journal, context)
    return { journal, stored: Effect.provide(values, database), close: Scope.close(scope, Exit.void) }
  })

  it.effect("closing stores what was handed over, and refuses what comes later", () =>
    Effect.gen(function* () {
      const faults = new Faults()
      const { close, journal, stored } = yield* closable(faults)
      yield* journal.append([put("appended")])
      const caller = yield* Effect.forkChild(journal.commit([put("a")]))
      yield* quiet
      yield* close
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(caller)))
      assert.deepStrictEqual(yield* stored, { a: "a", appended: "appended" })
      assert.strictEqual((yield* Effect.flip(journal.commit([put("late")]))).reason, "Closed")
      yield* journal.flush
      yield* journal.append([put("late")])
      assert.deepStrictEqual(yield* stored, { a: "a", appended: "appended" })
    })
  )

  it.effect("closing while the storage fails tells every caller that nothing was stored", () =>
    Effect.gen(function* () {
      const faults = new Faults()
      const { close, journal, stored } = yield* closable(faults)
      faults.refuse = unreachable()
      const callers = yield* Effect.forEach(["a", "b"], (key) =>
        Effect.forkChild(Effect.flip(journal.commit([put(key)])))
      )
      yield* pass("5 seconds")
      const late = yield* Effect.forkChild(Effect.flip(journal.commit([put("c")])))
      yield* quiet
      const closing = yield* Effect.forkChild(close)
      yield* pass("2 seconds")
      yield* Fiber.join(closing)
      const errors = yield* Effect.forEach([...callers, late], Fiber.join)
      assert.deepStrictEqual(
        errors.map(({ reason }) => reason),
        ["Closed", "Closed", "Closed"]
      )
      assert.deepStrictEqual(yield* stored, {})
    })
  )
})
