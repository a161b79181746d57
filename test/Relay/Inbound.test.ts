/** What becomes of inbound frames: stored, then acknowledged, whatever storage does in the meantime. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Metric } from "effect"
import { TestClock } from "effect/testing"
import * as WebSocketTransport from "../../src/Relay/WebSocketTransport.ts"
import { JournalError } from "../../src/Storage/Journal.ts"
import { descriptorLine, FakeConnector, inboundLine, resultLine } from "./FakeConnector.ts"
import { IntakeDouble } from "./IntakeDouble.ts"

const settle = Effect.repeat(Effect.yieldNow, { times: 60 })
const elapse = (duration: Parameters<typeof TestClock.adjust>[0]) => Effect.andThen(TestClock.adjust(duration), settle)

const open = Effect.gen(function* () {
  const connector = new FakeConnector()
  const intake = new IntakeDouble()
  const transport = yield* WebSocketTransport.make({
    url: "http://c",
    identities: [{ platform: "discord", botId: "" }],
    id: null,
    secret: null,
    link: "relay:"
  }).pipe(Effect.provide([connector.layer, intake.layer]))
  yield* Effect.addFinalizer(() => Effect.sync(() => intake.gate.openUnsafe()))
  yield* settle
  return { connector, intake, transport }
})

const interruptLine = (sessionKey: string, chatId: string) =>
  `${JSON.stringify({ type: "interrupt_inbound", session_key: sessionKey, chat_id: chatId })}\n`
const send = {
  action: { op: "send", chat_id: "chat", content: "x" } as const,
  platform: "discord",
  rank: "final" as const
}
const refused = (reason: "Rejected" | "Closed") => new JournalError({ reason, message: "by the test" })
const range = (count: number) => Array.from({ length: count }, (_, n) => n)

describe("a delivery (I3, I4, L8, L9)", () => {
  it.effect("is acknowledged only after the Intake has returned, a batch in one message", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      intake.gate.closeUnsafe()
      connector.wire.send(
        range(50)
          .map((n) => inboundLine(`b${n}`, `t${n}`))
          .join(""),
        inboundLine(null, "no id")
      )
      yield* settle
      assert.strictEqual(intake.batches.flat().length, 51)
      assert.deepStrictEqual(connector.wire.acks, [])
      const before = connector.wire.messages.length
      intake.gate.openUnsafe()
      yield* settle
      assert.deepStrictEqual(
        connector.wire.acks,
        range(50).map((n) => `b${n}`)
      )
      assert.strictEqual(connector.wire.messages.length, before + 1)
      assert.strictEqual(intake.texts.at(-1), "no id")
      assert.deepStrictEqual(intake.taken[0], {
        event: intake.taken[0]!.event,
        provenance: { viaRelay: true, isBot: null, roleAuthorized: false },
        link: "relay:",
        scope: "relay:",
        bufferId: "b0"
      })
    })
  )

  it.effect("carries what later connectors add: names, scope, reply, files, context, a press (I1, I2, I7)", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      const event = {
        text: "/once",
        media_urls: ["https://c/1", "https://c/2"],
        media: [{ kind: "voice", mime: "audio/ogg", size: 5, filename: "v.ogg", caption: "c" }],
        message_type: "photo",
        reply_to_message_id: "m0",
        reply_to: { text: "quoted", author: "Bo", is_own: true },
        context: [{ author: "Ann", text: "before" }],
        context_error: "rate limited",
        prompt_response: { prompt_id: "0011aabb.1", option_id: "once", label: "Once", prompt_message_id: "m9" },
        source: {
          platform: "discord",
          chat_id: "chat",
          user_name: "login",
          user_display_name: "Display",
          scope_id: "new",
          guild_id: "old",
          is_bot: false,
          message_is_edit: false,
          one_to_one_verified: true,
          auto_thread_created: true,
          auto_thread_initial_name: "hi",
          prospective_thread_id: "t"
        }
      }
      connector.wire.send(`${JSON.stringify({ type: "inbound", event, bufferId: "b" })}\n`)
      yield* settle
      const [taken] = intake.taken
      assert.deepInclude(taken?.event, {
        replyTo: { messageId: "m0", text: "quoted", author: "Bo", isOwn: true },
        context: [{ author: "Ann", text: "before" }],
        promptResponse: { promptId: "0011aabb.1", optionId: "once", label: "Once", promptMessageId: "m9" },
        isEdit: false
      })
      assert.deepStrictEqual(taken?.event.media, [
        { ref: "https://c/1", kind: "voice", mime: "audio/ogg", size: 5, filename: "v.ogg", caption: "c" },
        { ref: "https://c/2", kind: "image", mime: null, size: null, filename: null, caption: null }
      ])
      assert.deepInclude(taken?.event.source, { userName: "Display", scopeId: "new" })
      assert.deepStrictEqual(taken?.provenance, { viaRelay: true, isBot: false, roleAuthorized: false })
    })
  )

  it.effect("is held and handed over again while storage refuses; the connection lives", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      intake.refuse = () => refused("Closed")
      connector.wire.send(inboundLine("one", "one"), inboundLine("two", "two"))
      yield* settle
      yield* elapse("10 minutes")
      assert.deepStrictEqual(connector.wire.acks, [])
      assert.isAbove(intake.batches.length, 50)
      intake.refuse = () => null
      connector.wire.send(inboundLine("three", "three"))
      yield* elapse("10 seconds")
      assert.deepStrictEqual(intake.texts, ["one", "two", "three"])
      assert.deepStrictEqual(connector.wire.acks, ["one", "two", "three"])
      assert.strictEqual(connector.dials.length, 1)
    })
  )

  it.effect("is the same batch again on the first refusals", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      let refusals = 3
      intake.refuse = () => (refusals-- > 0 ? refused("Rejected") : null)
      connector.wire.send(inboundLine("one", "one") + inboundLine("two", "two"))
      yield* elapse("1 minute")
      assert.deepStrictEqual(
        intake.batches,
        range(4).map(() => ["one", "two"])
      )
      assert.deepStrictEqual(connector.wire.acks, ["one", "two"])
    })
  )

  it.effect("that storage can never take is buried alone and holds up no other", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      intake.refuse = (batch) => (batch.some(({ event }) => event.text === "poison") ? refused("Rejected") : null)
      connector.wire.send(["one", "poison", "two"].map((text) => inboundLine(text, text)).join(""))
      yield* elapse("5 minutes")
      assert.deepStrictEqual(intake.texts, ["one", "two"])
      assert.deepStrictEqual(
        intake.buried.map(({ bufferId }) => bufferId),
        ["poison"]
      )
      assert.deepStrictEqual(
        [...connector.wire.acks].toSorted((a, b) => String(a).localeCompare(String(b))),
        ["one", "poison", "two"]
      )
    })
  )

  it.effect("survives a defect of the Intake", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      let defects = 2
      intake.refuse = () => {
        if (defects-- > 0) throw new Error("a bug")
        return null
      }
      connector.wire.send(inboundLine("one", "one"))
      yield* elapse("1 minute")
      assert.deepStrictEqual(connector.wire.acks, ["one"])
    })
  )

  it.effect("read before the connection was lost is stored, and acknowledged when it comes again", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      intake.gate.closeUnsafe()
      connector.wire.send(inboundLine("b", "text"), inboundLine(null, "unbuffered"))
      yield* settle
      connector.wire.end(1006)
      yield* settle
      intake.gate.openUnsafe()
      yield* settle
      assert.deepStrictEqual(intake.texts, ["text", "unbuffered"])
      yield* elapse("1 second")
      assert.strictEqual(connector.wires.length, 2)
      assert.deepStrictEqual(connector.wire.acks, [])
      connector.wire.send(inboundLine("b", "text"))
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, ["b"])
    })
  )
})

describe("a connector that kept messages for us (L6)", () => {
  it.effect("replays them before what is live, and all keep their order", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      connector.wire.send(inboundLine("1", "one"))
      yield* settle
      connector.greeting = [descriptorLine(), ...["2", "3", "4"].map((id) => inboundLine(id, id))]
      connector.wire.end(1006)
      yield* elapse("1 minute")
      connector.wire.send(inboundLine("5", "5"))
      yield* settle
      assert.deepStrictEqual(intake.texts, ["one", "2", "3", "4", "5"])
      assert.deepStrictEqual(connector.wire.acks, ["2", "3", "4", "5"])
    })
  )
})

describe("while storage stalls (I4, I6)", () => {
  it.effect("answers to requests and interrupts still get through, and reading stops when the buffer is full", () =>
    Effect.gen(function* () {
      const { connector, intake, transport } = yield* open
      intake.gate.closeUnsafe()
      connector.wire.send(
        range(1000)
          .map((n) => inboundLine(`b${n}`, `t${n}`))
          .join("")
      )
      yield* settle
      const asking = yield* Effect.forkChild(transport.request(send))
      yield* settle
      connector.wire.send(
        resultLine(connector.wire.ofType("outbound")[0]!.requestId!, { success: true, message_id: "m" })
      )
      assert.strictEqual((yield* Fiber.join(asking)).message_id, "m")
      connector.wire.send(interruptLine("key", "elsewhere"))
      yield* settle
      assert.deepStrictEqual(intake.log, ["interrupt key"])
      for (const n of range(20))
        connector.wire.send(
          range(500)
            .map((m) => inboundLine(`c${n}.${m}`, `u${n}.${m}`))
            .join("")
        )
      yield* settle
      const { pulls } = connector.wire
      connector.wire.send(inboundLine("last", "last"))
      yield* elapse("1 minute")
      assert.strictEqual(connector.wire.pulls, pulls)
      intake.gate.openUnsafe()
      for (const _ of range(20)) yield* settle
      assert.strictEqual(intake.taken.length, 11_001)
      assert.strictEqual(connector.wire.acks.length, 11_001)
      assert.isAtMost(Math.max(...intake.batches.map((batch) => batch.length)), 512)
    })
  )
})

describe("interrupt_inbound (I6)", () => {
  it.effect("comes after the messages that came before it and before those that came later", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      connector.wire.send(
        inboundLine("a", "a") +
          interruptLine("k1", "chat") +
          inboundLine("b", "b") +
          inboundLine("c", "c") +
          interruptLine("k2", "chat")
      )
      yield* settle
      assert.deepStrictEqual(intake.log, ["a", "interrupt k1", "b", "c", "interrupt k2"])
      assert.deepStrictEqual(connector.wire.acks, ["a", "b", "c"])
    })
  )
})

describe("what cannot be decoded (W3, I3a)", () => {
  it.effect("is buried and acknowledged when it tells its delivery, and never acknowledged unburied", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      let refusals = 2
      intake.refuse = () => (refusals-- > 0 ? refused("Closed") : null)
      const bad = `{"type":"inbound","event":{"text":["no text"]},"bufferId":"dead"}\n`
      connector.wire.send(bad, '{"type":"inbound","event":7}\n', "garbage\n")
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, [])
      yield* elapse("10 seconds")
      assert.deepStrictEqual(connector.wire.acks, ["dead"])
      assert.strictEqual(intake.buried.length, 1)
      assert.strictEqual(intake.buried[0]!.link, "relay:")
      assert.strictEqual(`${intake.buried[0]!.raw}\n`, bad)
      assert.match(intake.buried[0]!.reason, /InvalidFields/)
    })
  )

  it.effect("keeps the order of acknowledgements", () =>
    Effect.gen(function* () {
      const { connector } = yield* open
      connector.wire.send(
        inboundLine("a", "a") + `{"type":"inbound","event":7,"bufferId":"b"}\n` + inboundLine("c", "c")
      )
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, ["a", "b", "c"])
    })
  )

  it.effect("is logged ten times a second for each reason, then summed up, and counted in full", () =>
    Effect.gen(function* () {
      const { connector } = yield* open
      connector.wire.send("{\n".repeat(500) + "[]\n".repeat(300), inboundLine("b", "after"))
      for (const _ of range(5)) yield* settle
      yield* elapse("1 second")
      const snapshots = yield* Metric.snapshot
      const count = (reason: string) =>
        snapshots.find((s) => s.id === "relay_frames_invalid_total" && s.attributes?.reason === reason)?.state as {
          count: number
        }
      assert.isAtLeast(count("InvalidJson").count, 500)
      assert.isAtLeast(count("NotAnObject").count, 300)
      assert.deepStrictEqual(connector.wire.acks, ["b"])
      assert.strictEqual(warnings.filter((text) => text.includes("InvalidJson: ")).length, 10)
      assert.strictEqual(warnings.filter((text) => text.includes("NotAnObject: ")).length, 10)
      assert.isTrue(warnings.some((text) => text.includes("490 more of InvalidJson")))
      assert.isTrue(warnings.some((text) => text.includes("290 more of NotAnObject")))
    }).pipe(
      Effect.provide(
        Logger.layer([
          Logger.make(({ message }) => {
            warnings.push(String(message))
          })
        ])
      )
    )
  )
})

const warnings: Array<string> = []

describe("passthrough_forward (P4)", () => {
  const forward = (more: Record<string, unknown>) =>
    `${JSON.stringify({ type: "passthrough_forward", forward: { platform: "twilio", method: "POST", path: "/sms", bodyB64: "QQ==" }, ...more })}\n`

  it.effect("is kept as a dead row and acknowledged; without a delivery id only counted", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open
      intake.gate.closeUnsafe()
      connector.wire.send(forward({ bufferId: "f" }), forward({}))
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, [])
      intake.gate.openUnsafe()
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, ["f"])
      assert.deepStrictEqual(
        intake.buried.map(({ raw }) => JSON.parse(raw).forward.path),
        ["/sms"]
      )
    })
  )
})
