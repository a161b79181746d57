import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Access } from "../../src/Access/Access.ts"
import { Pairing } from "../../src/Access/Pairing.ts"
import { Strangers } from "../../src/Access/Strangers.ts"
import { Settings } from "../../src/Config/Settings.ts"
import { SendQueues } from "../../src/Delivery/SendQueues.ts"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { Intake, type Inbound } from "../../src/Session/Intake.ts"
import * as IntakeLive from "../../src/Session/IntakeLive.ts"
import { Lanes } from "../../src/Session/Lanes.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { Outbox } from "../../src/Storage/Outbox.ts"
import { Faults, layer as faultyDatabase, unreachable } from "../support/FaultyDatabase.ts"
import { pass, quiet } from "../support/Passing.ts"

interface Ring {
  readonly key: string
  readonly id: number
  readonly previous: number | null
}

/** The intake with lanes that only write down who rang. */
const make = Effect.fnUntraced(function* (
  settings: Readonly<Record<string, unknown>> = { TEST_ALLOW_ALL_USERS: "true" }
) {
  const faults = new Faults()
  const rings: Array<Ring> = []
  const lanes = Layer.succeed(Lanes, {
    ring: (row, previous) => void rings.push({ key: row.sessionKey, id: row.id, previous }),
    interrupt: (key, reason) =>
      Effect.sync(() => (rings.push({ key: `${reason} ${key}`, id: 0, previous: null }), true)),
    drain: () => Effect.succeed(0),
    hold: () => Effect.void,
    stopAll: Effect.void,
    oldestWaiting: () => null,
    turns: () => [],
    runningRows: () => [],
    view: () => ({ resident: 0, running: 0, queued: 0 })
  })
  const scope = yield* Scope.make()
  const context = yield* Layer.build(
    IntakeLive.layer.pipe(
      Layer.provideMerge(Layer.mergeAll(lanes, Strangers.layer)),
      Layer.provideMerge(Access.layer),
      Layer.provideMerge(Layer.mergeAll(Pairing.layer, SendQueues.layer)),
      Layer.provideMerge(Layer.mergeAll(Journal.layer, Outbox.layer)),
      Layer.provideMerge(faultyDatabase(faults)),
      Layer.provide(Settings.layerFrom(settings)),
      Layer.orDie
    )
  ).pipe(Effect.provideService(Scope.Scope, scope))
  const close = Scope.close(scope, Exit.void)
  yield* Effect.addFinalizer(() => close)
  const database = Context.get(context, Database)
  const rows = Effect.map(
    Effect.orDie(database.execute("SELECT id, state, event, note, message_key, via_relay FROM inbox ORDER BY id", [])),
    (found) => found.map((row) => ({ ...row }))
  )
  return { faults, rings, intake: Context.get(context, Intake), rows, close }
})

const inbound = (
  more: Partial<Source.Source> & {
    readonly text?: string
    readonly id?: string | null
    readonly buffer?: string | null
    readonly link?: string
    readonly provenance?: Source.Provenance
  } = {}
): Inbound => ({
  event: MessageEvent.text(
    Source.make({ platform: "test", chatId: "1", userId: "u", ...more }),
    more.text ?? "hello",
    more.id === undefined ? "m1" : more.id
  ),
  provenance: more.provenance ?? Source.untrusted,
  link: more.link ?? "test:",
  bufferId: more.buffer ?? null
})
const take = (intake: Intake["Service"], ...batch: ReadonlyArray<Inbound>) => intake.take(batch)

describe("Intake", () => {
  it.effect("an event is on disk when take succeeds, and its session is rung", () =>
    Effect.gen(function* () {
      const { intake, rings, rows } = yield* make()
      assert.deepStrictEqual(yield* take(intake, inbound()), ["taken"])
      assert.deepStrictEqual(
        (yield* rows).map(({ state }) => state),
        ["waiting"]
      )
      assert.deepStrictEqual(rings, [{ key: "agent:main:test:dm:1", id: 1, previous: null }])
    })
  )

  it.effect("outcomes are in the order of the batch, one each", () =>
    Effect.gen(function* () {
      const { intake, rings } = yield* make({ TEST_ALLOWED_USERS: "u" })
      const outcomes = yield* take(
        intake,
        inbound({ id: "a" }),
        inbound({ id: "b", userId: "stranger" }),
        inbound({ id: "a" }),
        inbound({ id: "c" }),
        inbound({ id: null })
      )
      assert.deepStrictEqual(outcomes, ["taken", "refused", "duplicate", "taken", "taken"])
      assert.lengthOf(rings, 3)
      assert.deepStrictEqual(yield* take(intake), [])
    })
  )

  it.effect(
    "the same message again is a duplicate, whatever its text; in another chat or link it is another message",
    () =>
      Effect.gen(function* () {
        const { intake } = yield* make()
        yield* take(intake, inbound())
        assert.deepStrictEqual(yield* take(intake, inbound({ text: "other" })), ["duplicate"])
        assert.deepStrictEqual(yield* take(intake, inbound({ chatId: "2" }), inbound({ link: "other:" })), [
          "taken",
          "taken"
        ])
      })
  )

  it.effect("the same buffer id again is a duplicate, with or without a message id; of another link it is not", () =>
    Effect.gen(function* () {
      const { intake } = yield* make()
      yield* take(intake, inbound({ buffer: "b1" }))
      assert.deepStrictEqual(yield* take(intake, inbound({ id: "m2", buffer: "b1" })), ["duplicate"])
      assert.deepStrictEqual(yield* take(intake, inbound({ id: null, buffer: "b1" })), ["duplicate"])
      assert.deepStrictEqual(yield* take(intake, inbound({ id: "m1", buffer: "b2" })), ["duplicate"])
      assert.deepStrictEqual(yield* take(intake, inbound({ id: "m3", buffer: "b1", link: "other:" })), ["taken"])
    })
  )

  it.effect("both ids repeated within one batch are found too", () =>
    Effect.gen(function* () {
      const { intake, rows } = yield* make()
      assert.deepStrictEqual(
        yield* take(
          intake,
          inbound({ id: "a", buffer: "x" }),
          inbound({ id: "b", buffer: "x" }),
          inbound({ id: "a", buffer: "y" })
        ),
        ["taken", "duplicate", "duplicate"]
      )
      assert.lengthOf(yield* rows, 1)
    })
  )

  it.effect("ids cannot be forged by what they hold", () =>
    Effect.gen(function* () {
      const { intake } = yield* make()
      const odd = ["a", 'a","b', '["m"]', "x:0:0", "", " ", "a\u0000b", "\ud800"]
      const batch = odd.flatMap((id) => odd.map((chatId) => inbound({ id, chatId })))
      assert.deepStrictEqual([...new Set(yield* intake.take(batch))], ["taken"])
      assert.deepStrictEqual([...new Set(yield* intake.take(batch))], ["duplicate"])
    })
  )

  it.effect("events without any id are rows of their own each time", () =>
    Effect.gen(function* () {
      const { intake } = yield* make()
      const anonymous = inbound({ id: null })
      assert.deepStrictEqual(yield* take(intake, anonymous, anonymous, anonymous), ["taken", "taken", "taken"])
    })
  )

  it.effect("nobody may speak by default; what came over the relay may", () =>
    Effect.gen(function* () {
      const { intake, rings, rows } = yield* make({})
      assert.deepStrictEqual(yield* take(intake, inbound()), ["refused"])
      assert.deepStrictEqual(yield* rows, [])
      assert.deepStrictEqual(rings, [])
      assert.deepStrictEqual(yield* take(intake, inbound({ provenance: { ...Source.untrusted, viaRelay: true } })), [
        "taken"
      ])
      assert.strictEqual((yield* rows)[0]!["via_relay"], 1)
    })
  )

  it.effect("a refused message leaves no trace, and is judged anew when it comes again", () =>
    Effect.gen(function* () {
      const { intake } = yield* make({ TEST_ALLOWED_USERS: "u" })
      assert.deepStrictEqual(yield* take(intake, inbound({ userId: "stranger" })), ["refused"])
      assert.deepStrictEqual(yield* take(intake, inbound()), ["taken"])
    })
  )

  it.effect("each doorbell names the row before it in its session", () =>
    Effect.gen(function* () {
      const { intake, rings } = yield* make()
      yield* take(
        intake,
        inbound({ id: "a" }),
        inbound({ id: "b", chatId: "2" }),
        inbound({ id: "c" }),
        inbound({ id: "c" })
      )
      yield* take(intake, inbound({ id: "d" }), inbound({ id: "e", chatId: "2" }))
      assert.lengthOf(rings, 5)
      rings.forEach(({ key, previous }, at) =>
        assert.strictEqual(previous, rings.slice(0, at).findLast((earlier) => earlier.key === key)?.id ?? null)
      )
    })
  )

  it.effect("after very many sessions the oldest are forgotten: their doorbell says that it does not know", () =>
    Effect.gen(function* () {
      const { intake, rings } = yield* make()
      yield* take(intake, inbound({ id: "a" }))
      for (let n = 0; n < 10; n++) {
        yield* intake.take(Array.from({ length: 1000 }, (_, i) => inbound({ id: "a", chatId: `c${n}-${i}` })))
      }
      yield* take(intake, inbound({ id: "b" }))
      assert.isNull(rings.at(-1)!.previous)
    })
  )

  it.effect("while the storage fails nothing is acknowledged; a gateway that ends acknowledges nothing either", () =>
    Effect.gen(function* () {
      const { close, faults, intake, rings } = yield* make()
      faults.refuse = unreachable()
      const taking = yield* Effect.forkChild(Effect.flip(take(intake, inbound())))
      yield* pass("1 minute", "1 second")
      assert.isUndefined(taking.pollUnsafe())
      const closing = yield* Effect.forkChild(close)
      yield* pass("3 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual((yield* Fiber.join(taking)).reason, "Closed")
      assert.deepStrictEqual(rings, [])
      assert.strictEqual((yield* Effect.flip(take(intake, inbound()))).reason, "Closed")
    })
  )

  it.effect("a caller that was interrupted gets duplicates when it comes again", () =>
    Effect.gen(function* () {
      const { faults, intake } = yield* make()
      faults.writers.closeUnsafe()
      const taking = yield* Effect.forkChild(take(intake, inbound()))
      yield* quiet
      yield* Fiber.interrupt(taking)
      faults.writers.openUnsafe()
      assert.deepStrictEqual(yield* take(intake, inbound()), ["duplicate"])
    })
  )

  it.effect("bury keeps what could not be read as a dead row, once, at most 64 KiB of it", () =>
    Effect.gen(function* () {
      const { intake, rings, rows } = yield* make()
      const dead = { link: "test:", bufferId: "b1", raw: "\ud800\u0000{".repeat(50_000), reason: "no\u0000 JSON" }
      yield* intake.bury(dead)
      yield* intake.bury(dead)
      const [row, ...more] = yield* rows
      assert.deepStrictEqual(more, [])
      assert.strictEqual(row!["state"], "dead")
      assert.isAtMost(Buffer.byteLength(JSON.parse(String(row!["event"])).raw), 64 * 1024 * 3)
      assert.deepStrictEqual(rings, [])
      // The connector may deliver the same buffer entry again, readable or not: it was dealt with.
      assert.deepStrictEqual(yield* take(intake, inbound({ buffer: "b1" })), ["duplicate"])
    })
  )

  it.effect("interrupt passes on to the session's lane", () =>
    Effect.gen(function* () {
      const { intake, rings } = yield* make()
      assert.isTrue(yield* intake.interrupt("agent:main:test:dm:1", "1"))
      assert.deepStrictEqual(
        rings.map(({ key }) => key),
        ["connector agent:main:test:dm:1"]
      )
    })
  )
})
