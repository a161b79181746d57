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
import { Inbox } from "../../src/Storage/Inbox.ts"
import { Installation } from "../../src/Storage/Installation.ts"
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
  const edits: Array<string> = []
  const lanes = Layer.succeed(Lanes, {
    ring: (row, previous) => void rings.push({ key: row.sessionKey, id: row.id, previous }),
    interrupt: (key, reason) =>
      Effect.sync(() => (rings.push({ key: `${reason} ${key}`, id: 0, previous: null }), true)),
    edited: (change) => void edits.push(`${change.sessionKey} ${change.id} ${change.event.text}`),
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
      Layer.provideMerge(Layer.mergeAll(Journal.layer, Outbox.layer, Inbox.layer, Installation.layer)),
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
  return {
    nonce: Context.get(context, Installation).promptNonce,
    database,
    edits,
    faults,
    rings,
    intake: Context.get(context, Intake),
    rows,
    close
  }
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

  it.effect(
    "a press on another gateway's prompt is consumed without a word, one on ours reaches its session (relay L1)",
    () =>
      Effect.gen(function* () {
        const { intake, nonce, rings, rows } = yield* make()
        assert.match(nonce, /^[0-9a-f]{8}$/)
        const press = (promptId: string, buffer: string) => {
          const base = inbound({ id: null, buffer, text: "/once" })
          const promptResponse = { promptId, optionId: "once", label: null, promptMessageId: null }
          return { ...base, event: { ...base.event, promptResponse } }
        }
        const foreign = ["ffffffff.00000001", "", nonce, `${nonce}x.00000001`]
        const outcomes = yield* take(intake, ...foreign.map((id, n) => press(id, `f${n}`)), press(`${nonce}.0`, "own"))
        assert.deepStrictEqual(outcomes, ["refused", "refused", "refused", "refused", "taken"])
        assert.lengthOf(yield* rows, 1)
        assert.lengthOf(rings, 1)
      })
  )

  describe("the edit of a message", () => {
    const edit = (text: string, more: { readonly buffer?: string; readonly id?: string } = {}) => {
      const base = inbound({ text, ...more })
      return { ...base, event: { ...base.event, isEdit: true } }
    }

    it.effect("that still waits replaces its text, on disk and in its session (relay I3a)", () =>
      Effect.gen(function* () {
        const { edits, intake, rings, rows } = yield* make()
        yield* take(intake, inbound({ text: "frist" }))
        assert.deepStrictEqual(yield* take(intake, edit("first", { buffer: "e1" })), ["taken"])
        const [original, recorded] = yield* rows
        assert.deepInclude(original, { id: 1, state: "waiting" })
        assert.include(String(original!["event"]), '"text":"first"')
        assert.deepInclude(recorded, { state: "done", note: "an edit" })
        assert.deepStrictEqual(edits, ["agent:main:test:dm:1 1 first"])
        assert.lengthOf(rings, 1)
      })
    )

    it.effect("that has run, or was never seen, is recorded and not answered", () =>
      Effect.gen(function* () {
        const { database, edits, intake, rings, rows } = yield* make()
        yield* take(intake, inbound({ text: "first" }))
        yield* database.execute("UPDATE inbox SET state = 'running' WHERE id = 1", [])
        assert.deepStrictEqual(yield* take(intake, edit("second")), ["taken"])
        assert.deepStrictEqual(yield* take(intake, edit("of nothing", { id: "unseen" })), ["taken"])
        assert.include(String((yield* rows)[0]!["event"]), '"text":"first"')
        assert.deepStrictEqual(
          (yield* rows).map(({ state }) => state),
          ["running", "done", "done"]
        )
        assert.deepStrictEqual(edits, [])
        assert.lengthOf(rings, 1)
      })
    )

    it.effect("that comes again is a duplicate and changes nothing, another text is another edit", () =>
      Effect.gen(function* () {
        const { edits, intake, rows } = yield* make()
        const outcomes = yield* take(
          intake,
          inbound({ text: "a" }),
          edit("b", { buffer: "1" }),
          edit("c", { buffer: "2" }),
          edit("b", { buffer: "3" }),
          edit("d", { buffer: "2" }),
          inbound({ id: "m2", text: "next" })
        )
        assert.deepStrictEqual(outcomes, ["taken", "taken", "taken", "duplicate", "duplicate", "taken"])
        assert.include(String((yield* rows)[0]!["event"]), '"text":"c"')
        assert.lengthOf(edits, 2)
      })
    )

    it.effect("of whom nobody may listen to is refused like any message (access D5)", () =>
      Effect.gen(function* () {
        const { edits, intake } = yield* make({ TEST_ALLOWED_USERS: "u" })
        yield* take(intake, inbound({ text: "a" }))
        const stranger = edit("b")
        const source = { ...stranger.event.source, userId: "stranger" }
        assert.deepStrictEqual(yield* take(intake, { ...stranger, event: { ...stranger.event, source } }), ["refused"])
        assert.deepStrictEqual(edits, [])
      })
    )
  })
})
