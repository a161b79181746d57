/** The connector's core without sockets, over a real database: what a gateway and a person get for what they do. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import { ChatStore } from "../../src/Connector/ChatStore.ts"
import * as ConnectorCore from "../../src/Connector/ConnectorCore.ts"
import type { Handled } from "../../src/Connector/Exchange.ts"
import * as GatewayFrames from "../../src/Connector/GatewayFrames.ts"
import { ack, fresh, hello, linesOf, Memory, said, stateOf } from "./Core.ts"

describe("the handshake", () => {
  it.effect("answers each hello with one descriptor and is live when nothing waits", () =>
    Effect.gen(function* () {
      const { core, greeting } = yield* fresh
      assert.deepStrictEqual(
        linesOf(greeting).map(({ type }) => type),
        ["descriptor"]
      )
      assert.deepStrictEqual(
        linesOf(yield* core.onFrame(1, hello)).map(({ type }) => type),
        ["descriptor"]
      )
      assert.isTrue(core.isGatewayConnected())
    }).pipe(Effect.provide(Memory))
  )

  it.effect("delivers nothing before the hello, and answers nobody on a connection that was taken over", () =>
    Effect.gen(function* () {
      const core = yield* ConnectorCore.make(yield* ChatStore)
      yield* core.onConnect(1)
      assert.deepStrictEqual((yield* core.deliver(said("a"))).lines, [])
      yield* core.onConnect(2)
      assert.deepStrictEqual((yield* core.onFrame(1, hello)).lines, [])
      yield* core.onDisconnect(1)
      assert.deepStrictEqual(
        linesOf(yield* core.onFrame(2, hello)).map(({ type }) => type),
        ["descriptor", "inbound"]
      )
    }).pipe(Effect.provide(Memory))
  )
})

describe("a person's message", () => {
  it.effect("is stored, delivered with a bufferId and its source, and taken when acknowledged", () =>
    Effect.gen(function* () {
      const { core, store } = yield* fresh
      const handled = yield* core.deliver(said("m1", "/status now"))
      const line = linesOf(handled)[0]!
      assert.strictEqual(line.bufferId, "web:m1")
      assert.strictEqual(line.event!.message_type, "command")
      assert.deepStrictEqual(line.event!.source, {
        platform: "relay",
        chat_id: "chat",
        chat_type: "dm",
        chat_name: "/status now",
        user_id: "web",
        user_name: "You",
        message_id: "m1",
        is_bot: false,
        message_is_edit: false
      })
      assert.strictEqual(yield* stateOf(store, "m1"), "sent")
      yield* core.onFrame(1, ack("m1"))
      assert.strictEqual(yield* stateOf(store, "m1"), "taken")
    }).pipe(Effect.provide(Memory))
  )

  it.effect("sent again under the same id is confirmed again and neither stored nor delivered twice", () =>
    Effect.gen(function* () {
      const { core, store } = yield* fresh
      yield* core.deliver(said("m1", "once"))
      const again = yield* core.deliver(said("m1", "once"))
      assert.deepStrictEqual(again.lines, [])
      assert.strictEqual(again.replies[0]?._tag, "Stored")
      assert.lengthOf(yield* store.changedSince(0, 10), 1)
    }).pipe(Effect.provide(Memory))
  )

  it.effect("is refused when it is empty or longer than 64 KiB, and holds neither NUL nor half a character", () =>
    Effect.gen(function* () {
      const { core, store } = yield* fresh
      assert.deepStrictEqual((yield* core.deliver(said("e", " \n"))).replies, [{ _tag: "Refused", reason: "empty" }])
      assert.deepStrictEqual((yield* core.deliver(said("l", "é".repeat(32_769)))).replies, [
        { _tag: "Refused", reason: "too_long" }
      ])
      yield* core.deliver(said("n", "a\0b\ud800"))
      assert.strictEqual((yield* store.byId("n"))?.text, "a\ufffdb\ufffd")
    }).pipe(Effect.provide(Memory))
  )

  it.effect("is refused when a thousand wait in its chat already", () =>
    Effect.gen(function* () {
      const { core } = yield* fresh
      yield* core.onDisconnect(1)
      const full = yield* core.handle(
        Array.from({ length: 1001 }, (_, n) => ({ _tag: "Said" as const, said: said(`m${n}`) }))
      )
      assert.strictEqual(full.replies[999]?._tag, "Stored")
      assert.deepStrictEqual(full.replies[1000], { _tag: "Refused", reason: "chat_full" })
    }).pipe(Effect.provide(Memory))
  )
})

describe("what is not acknowledged", () => {
  it.effect("is replayed after a reconnect in order, one by one, before what is said meanwhile", () =>
    Effect.gen(function* () {
      const { core, store } = yield* fresh
      for (const id of ["a", "b", "c"]) yield* core.deliver(said(id))
      yield* core.onFrame(1, ack("a"))
      yield* core.onDisconnect(1)
      yield* core.deliver(said("d"))
      yield* core.onConnect(2)
      const texts = (handled: Handled) => linesOf(handled).flatMap((line) => line.event?.text ?? [])
      assert.deepStrictEqual(texts(yield* core.onFrame(2, hello)), ["b"])
      assert.deepStrictEqual(texts(yield* core.deliver(said("e"))), [])
      assert.deepStrictEqual(texts(yield* core.onFrame(2, ack("b"))), ["c"])
      assert.deepStrictEqual(texts(yield* core.onFrame(2, ack("c"))), ["d"])
      assert.deepStrictEqual(texts(yield* core.onFrame(2, ack("d"))), ["e"])
      assert.deepStrictEqual(texts(yield* core.onFrame(2, ack("e"))), [])
      assert.deepStrictEqual(texts(yield* core.deliver(said("f"))), ["f"])
      assert.deepStrictEqual(texts(yield* core.deliver(said("g"))), ["g"])
      assert.strictEqual(yield* stateOf(store, "e"), "taken")
    }).pipe(Effect.provide(Memory))
  )

  it.effect("survives a restart of the connector", () =>
    Effect.gen(function* () {
      const { core, store } = yield* fresh
      yield* core.deliver(said("a"))
      const second = yield* ConnectorCore.make(store)
      yield* second.onConnect(1)
      assert.deepStrictEqual(
        linesOf(yield* second.onFrame(1, hello)).map(({ bufferId }) => bufferId),
        [undefined, "web:a"]
      )
    }).pipe(Effect.provide(Memory))
  )

  it.effect("is delivered again on the same connection after 30 s, under the same bufferId", () =>
    Effect.gen(function* () {
      const { core } = yield* fresh
      yield* core.deliver(said("a"))
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual((yield* core.handle([{ _tag: "Tick" }])).lines, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        linesOf(yield* core.handle([{ _tag: "Tick" }])).map(({ bufferId }) => bufferId),
        ["web:a"]
      )
    }).pipe(Effect.provide(Memory))
  )

  it.effect("waits after going_idle until the gateway is back, while acknowledgements still count", () =>
    Effect.gen(function* () {
      const { core, store } = yield* fresh
      yield* core.deliver(said("a"))
      assert.deepStrictEqual(
        linesOf(yield* core.onFrame(1, `{"type":"going_idle"}`)).map(({ type }) => type),
        ["going_idle_ack"]
      )
      assert.isFalse(core.isGatewayConnected())
      assert.deepStrictEqual((yield* core.deliver(said("b"))).lines, [])
      yield* core.onFrame(1, ack("a"))
      assert.strictEqual(yield* stateOf(store, "a"), "taken")
      yield* core.onConnect(2)
      assert.deepStrictEqual(
        linesOf(yield* core.onFrame(2, hello)).flatMap((line) => line.event?.text ?? []),
        ["b"]
      )
    }).pipe(Effect.provide(Memory))
  )

  it.effect.prop(
    "whatever is said, acknowledged and cut: every message reaches the gateway, first deliveries in order",
    { steps: Schema.Array(Schema.Literals(["say", "ack", "cut"])).check(Schema.isMaxLength(40)) },
    ({ steps }) =>
      Effect.gen(function* () {
        const core = yield* ConnectorCore.make(yield* ChatStore)
        const delivered: Array<string> = []
        const waiting: Array<string> = []
        let link = 0
        let count = 0
        const take = (handled: Handled) => {
          for (const line of linesOf(handled)) {
            if (line.type !== "inbound") continue
            const id = line.bufferId!.slice(4)
            if (!delivered.includes(id)) delivered.push(id)
            waiting.push(id)
          }
        }
        const connect = Effect.gen(function* () {
          waiting.length = 0
          yield* core.onConnect(++link)
          take(yield* core.onFrame(link, hello))
        })
        const acknowledge = Effect.gen(function* () {
          const id = waiting.shift()
          if (id !== undefined) take(yield* core.onFrame(link, ack(id)))
        })
        yield* connect
        for (const step of steps) {
          if (step === "say") take(yield* core.deliver(said(`m${count++}`)))
          else yield* step === "ack" ? acknowledge : connect
        }
        for (let n = 0; n <= count; n++) yield* acknowledge
        assert.deepStrictEqual(
          delivered,
          Array.from({ length: count }, (_, n) => `m${n}`)
        )
      }).pipe(Effect.provide(Memory)),
    { arbitrary: { runs: 40 } }
  )
})

describe("while storage refuses", () => {
  it.effect("a person and the gateway are told that nothing happened, and later attempts succeed", () =>
    Effect.gen(function* () {
      const store = yield* ChatStore
      let broken = false
      const failing = new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause: new Error("disk full") }) })
      const core = yield* ConnectorCore.make({
        ...store,
        transaction: (effect) => (broken ? Effect.fail(failing) : store.transaction(effect))
      })
      yield* core.onConnect(1)
      yield* core.onFrame(1, hello)
      yield* core.deliver(said("m1"))
      broken = true
      const send = JSON.stringify({
        type: "outbound",
        requestId: "r",
        action: { op: "send", chat_id: "chat", content: "x" }
      })
      const handled = yield* core.handle([
        { _tag: "Said", said: said("m2") },
        { _tag: "Frame", link: 1, line: send },
        { _tag: "Frame", link: 1, line: ack("m1") },
        { _tag: "Frame", link: 1, line: hello }
      ])
      assert.deepStrictEqual(handled.replies[0], { _tag: "Refused", reason: "storage" })
      assert.deepStrictEqual(
        linesOf(handled).map(({ result, type }) => [type, result?.success]),
        [
          ["outbound_result", false],
          ["descriptor", undefined]
        ]
      )
      broken = false
      assert.strictEqual((yield* core.deliver(said("m2"))).replies[0]?._tag, "Stored")
      yield* core.onFrame(1, ack("m1"))
      assert.strictEqual(yield* stateOf(store, "m1"), "taken")
    }).pipe(Effect.provide(Memory))
  )
})

describe("the oldest messages of a chat", () => {
  it.effect("go beyond the bound, but never those the gateway has not taken", () =>
    Effect.gen(function* () {
      const { core, store } = yield* fresh
      yield* core.deliver(said("waiting"))
      for (let n = 0; n < 9; n++) {
        yield* core.deliver(said(`m${n}`))
        yield* core.onFrame(1, ack(`m${n}`))
      }
      yield* store.prune("chat", 4)
      assert.deepStrictEqual(
        (yield* store.before("chat", 1e9, 100)).map(({ id }) => id),
        ["waiting", "m5", "m6", "m7", "m8"]
      )
    }).pipe(Effect.provide(Memory))
  )
})

it("the descriptor is the one the contract asks for", () => {
  assert.include(GatewayFrames.descriptor, {
    contract_version: 1,
    platform: "relay",
    label: "Web chat",
    max_message_length: 4096,
    len_unit: "utf16",
    supports_edit: true,
    supports_idempotency: true,
    supports_threads: false,
    supports_draft_streaming: false
  })
})
