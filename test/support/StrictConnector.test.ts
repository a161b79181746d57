/** The connector of the tests is itself tested: what it demands, what its faults do, and that its memory is faithful. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { WebSocket } from "ws"
import { isMarkedRepeat } from "./ChatView.ts"
import { eventually } from "./Eventually.ts"
import * as RelayBearer from "./RelayBearer.ts"
import { checkAction, checkFrame } from "./RelayContract.ts"
import * as StrictConnector from "./StrictConnector.ts"
import { vectors } from "./Vectors.ts"

/** A client that says whatever the test wants and keeps what it hears. */
const client = (connector: StrictConnector.StrictConnector, headers: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.callback<{
      readonly heard: Array<Record<string, unknown>>
      readonly say: (frame: unknown) => void
      readonly socket: WebSocket
    }>((resume) => {
      const socket = new WebSocket(`${connector.url.replace("http", "ws")}/relay`, { headers })
      const heard: Array<Record<string, unknown>> = []
      let tail = Buffer.alloc(0)
      socket.on("message", (data) => {
        tail = Buffer.concat([tail, data as Buffer])
        for (let end = tail.indexOf(10); end >= 0; end = tail.indexOf(10)) {
          heard.push(JSON.parse(tail.subarray(0, end).toString("utf8")))
          tail = tail.subarray(end + 1)
        }
      })
      socket.on("error", () => resume(Effect.succeed({ heard, say: () => {}, socket })))
      socket.on("open", () => {
        const say = (frame: unknown) => socket.send(`${JSON.stringify(frame)}\n`)
        say({ type: "hello", platform: "relay", botId: "" })
        resume(Effect.succeed({ heard, say, socket }))
      })
    }),
    ({ socket }) => Effect.sync(() => socket.terminate())
  )

const send = (requestId: string, key: string, content: string) => ({
  type: "outbound",
  requestId: requestId.padStart(32, "0"),
  action: { op: "send", chat_id: "c", content, metadata: { idempotency_key: key } }
})

const texts = (heard: ReadonlyArray<Record<string, unknown>>) =>
  heard.filter(({ type }) => type === "inbound").map(({ event }) => (event as { text: string }).text)

interface TokenInput {
  readonly presented?: string
  readonly verify_now: number
  readonly verify_list: ReadonlyArray<string>
}

describe("the strict connector", () => {
  it("verifies bearers as the vectors of H2 say", () => {
    const cases = vectors<TokenInput, { readonly verified_payload: string | null }>("relay_auth_token")
      // Padding is let through there and is a violation here: a gateway must not send it.
      .filter((one) => /^[\w-]+$/.test(one.in.presented ?? "") && !one.name.startsWith("lenient"))
    assert.isAbove(cases.length, 10)
    for (const one of cases) {
      const result = RelayBearer.verify(`Bearer ${one.in.presented}`, one.in.verify_list, one.in.verify_now)
      assert.strictEqual("payload" in result ? result.payload : null, one.out.verified_payload, one.name)
    }
  })

  it.live("refuses an upgrade without a valid bearer, and records it", () =>
    Effect.gen(function* () {
      const connector = yield* StrictConnector.make({ secrets: ["right"], gatewayId: "gw" })
      const expires = Math.floor(Date.now() / 1000) + 300
      yield* client(connector, { authorization: `Bearer ${RelayBearer.mint("gw", "wrong", expires)}` })
      yield* client(connector, { authorization: `Bearer ${RelayBearer.mint("gw", "right", expires - 600)}` })
      yield* client(connector)
      assert.strictEqual(connector.counts.refusedUpgrades, 3)
      assert.lengthOf(connector.violations, 3)
      yield* client(connector, { authorization: `Bearer ${RelayBearer.mint("gw", "right", expires)}` })
      yield* connector.awaitReady()
    }).pipe(Effect.scoped)
  )

  it.live("redelivers what was not acknowledged, in order, before what is new", () =>
    Effect.gen(function* () {
      const connector = yield* StrictConnector.make()
      for (const text of ["one", "two", "three"]) connector.deliver({ chatId: "c", text })
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const { heard, say } = yield* client(connector)
          yield* eventually("three deliveries", () => texts(heard).length === 3)
          const two = heard.find(({ event }) => (event as { text?: string } | undefined)?.text === "two")
          say({ type: "inbound_ack", bufferId: two?.bufferId })
          yield* eventually("the acknowledgement", () => connector.waiting === 2)
          return texts(heard)
        })
      )
      assert.deepStrictEqual(first, ["one", "two", "three"])
      connector.deliver({ chatId: "c", text: "four" })
      const { heard } = yield* client(connector)
      connector.deliver({ chatId: "c", text: "five" })
      yield* eventually("four deliveries", () => texts(heard).length === 4)
      assert.deepStrictEqual(texts(heard), ["one", "three", "four", "five"])
      assert.deepStrictEqual(connector.violations, [])
    }).pipe(Effect.scoped)
  )

  it.live("keeps what comes after going_idle for the next connection", () =>
    Effect.gen(function* () {
      const connector = yield* StrictConnector.make()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { heard, say } = yield* client(connector)
          yield* connector.awaitReady()
          say({ type: "going_idle" })
          yield* eventually("its acknowledgement", () => heard.some(({ type }) => type === "going_idle_ack"))
          connector.deliver({ chatId: "c", text: "later" })
          assert.deepStrictEqual(texts(heard), [])
        })
      )
      const { heard } = yield* client(connector)
      yield* eventually("the delivery", () => texts(heard).length === 1)
    }).pipe(Effect.scoped)
  )

  it.live("shows a key once across connections, and marks a headed repeat where keys are unknown", () =>
    Effect.gen(function* () {
      for (const knowsKeys of [true, false]) {
        const connector = yield* StrictConnector.make({ descriptor: { supports_idempotency: knowsKeys } })
        const chat = connector.chat("c")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { say } = yield* client(connector)
            say(send("1", "key-1", "hi"))
            yield* eventually("the message", () => chat.shown.length === 1)
          })
        )
        const { say } = yield* client(connector)
        say(send("2", "key-1", knowsKeys ? "hi" : "(perhaps again)\nhi"))
        say(send("3", "key-1", "hi"))
        yield* eventually("both repeats", () => connector.counts.actions === 3)
        assert.strictEqual(chat.shown.length, knowsKeys ? 1 : 3)
        assert.deepStrictEqual(chat.texts(), knowsKeys ? ["hi"] : ["hi", "hi"])
        assert.deepStrictEqual(connector.violations, [])
      }
    }).pipe(Effect.scoped)
  )

  it.live("complains about what only memory can see", () =>
    Effect.gen(function* () {
      const connector = yield* StrictConnector.make()
      connector.chat("scoped").scopeId = "guild"
      const { say, socket } = yield* client(connector)
      yield* connector.awaitReady()
      say(send("1", "key", "text"))
      say(send("1", "key", "another text"))
      say({ type: "inbound_ack", bufferId: "never-delivered" })
      say({
        ...send("2", "key2", "x"),
        action: { op: "edit", chat_id: "c", message_id: "nope", content: "x", metadata: { idempotency_key: "k" } }
      })
      say({
        ...send("3", "key3", "x"),
        action: { op: "send", chat_id: "scoped", content: "x", metadata: { idempotency_key: "key" } }
      })
      socket.send("not json\n")
      yield* eventually("the complaints", () => connector.violations.length >= 7)
      const all = connector.violations.join("\n")
      for (const part of [
        "used twice",
        "another text",
        "never delivered",
        "never showed",
        "scope",
        "is used in",
        "not JSON"
      ]) {
        assert.include(all, part)
      }
    }).pipe(Effect.scoped)
  )

  it("allows what the contract allows and complains about the rest", () => {
    const { descriptor } = new StrictConnector.StrictConnector({})
    const key = { metadata: { idempotency_key: "k" } }
    const fine = [
      { op: "send", chat_id: "", content: "x", reply_to: null, ...key },
      { op: "edit", chat_id: "c", message_id: "1", content: "x", ...key },
      { op: "typing", chat_id: "c" },
      { op: "follow_up", session_key: "s", kind: "discord.interaction_token", content: "x", ...key }
    ]
    for (const action of fine) assert.deepStrictEqual(checkAction(action, descriptor), [])
    const wrong = [
      { op: "send", chat_id: "c", content: "x" },
      { op: "send", chat_id: "c", content: " ", ...key },
      { op: "send", chat_id: 5, content: "x", ...key },
      { op: "send", chat_id: "c", content: "x".repeat(4097), ...key },
      { op: "send", chat_id: "c", content: "x", colour: "red", ...key },
      { op: "edit", chat_id: "c", content: "x", ...key },
      { op: "react", chat_id: "c", message_id: "1", emoji: "x" },
      { op: "typing", chat_id: "c", content: "" },
      { op: "dance", chat_id: "c" },
      { chat_id: "c" }
    ]
    for (const action of wrong) assert.isNotEmpty(checkAction(action, descriptor), JSON.stringify(action))
    const hello = { type: "hello", platform: "relay", botId: "" }
    assert.deepStrictEqual(checkFrame(hello, 1), [])
    assert.deepStrictEqual(checkFrame({ type: "interrupt", session_key: "s", reason: null }, 1), [])
    for (const frame of [[], null, "x", {}, { type: "hallo" }, { ...hello, botId: 1 }, { ...hello, extra: 1 }]) {
      assert.isNotEmpty(checkFrame(frame, 1), JSON.stringify(frame))
    }
    assert.isNotEmpty(checkFrame({ type: "outbound", requestId: "123", action: {} }, 1))
  })

  it.live("cuts lines anywhere, and they arrive whole", () =>
    Effect.gen(function* () {
      const connector = yield* StrictConnector.make({ seed: 99 })
      const { heard } = yield* client(connector)
      yield* connector.awaitReady()
      connector.faults.splitBytes(true)
      const sent = Array.from({ length: 200 }, (_, n) => `${n} grüße 你好 👩‍🚀 ${"é".repeat(n)}`)
      for (const text of sent) connector.deliver({ chatId: "c", text })
      yield* eventually("all of them", () => texts(heard).length === sent.length)
      assert.deepStrictEqual(texts(heard), sent)
      assert.isAbove(connector.faults.counts.split, 20)
    }).pipe(Effect.scoped)
  )

  it.live("drops, delays and refuses results, and is silent while frozen", () =>
    Effect.gen(function* () {
      const connector = yield* StrictConnector.make()
      const { heard, say } = yield* client(connector)
      const results = () => heard.filter(({ type }) => type === "outbound_result").map(({ result }) => result)
      yield* connector.awaitReady()
      connector.faults.dropResult(1)
      say(send("1", "k1", "carried out"))
      yield* eventually("the send", () => connector.counts.actions === 1)
      assert.deepStrictEqual(connector.chat("c").texts(), ["carried out"])
      connector.faults.rateLimit(1, 3)
      say(send("2", "k2", "refused"))
      yield* eventually("an answer", () => results().length === 1)
      assert.deepStrictEqual(results(), [{ success: false, error: "Too Many Requests: retry after 3" }])
      assert.deepStrictEqual(connector.chat("c").texts(), ["carried out"])
      connector.faults.delayResult(50)
      say(send("3", "k3", "late"))
      yield* eventually("the late answer", () => results().length === 2)
      connector.faults.freeze()
      connector.deliver({ chatId: "c", text: "held" })
      say(send("4", "k4", "unread"))
      assert.deepStrictEqual(texts(heard), [])
      assert.strictEqual(connector.counts.actions, 3)
      connector.faults.thaw()
      yield* eventually("both directions", () => texts(heard).length === 1 && connector.counts.actions === 4)
    }).pipe(Effect.scoped)
  )

  it("tells a marked repeat from other texts", () => {
    assert.isTrue(isMarkedRepeat("(may be a repeat)\nhello", "hello"))
    assert.isTrue(isMarkedRepeat("may be a repeat\n\nhello\nyou", "hello\nyou"))
    assert.isFalse(isMarkedRepeat("hello", "hello"))
    assert.isFalse(isMarkedRepeat("\nhello", "hello"))
    assert.isFalse(isMarkedRepeat("one\ntwo\nhello", "hello"))
    assert.isFalse(isMarkedRepeat("say hello", "hello"))
  })
})
