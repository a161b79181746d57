/** Forwarded webhook requests (`relay` P1 to P4), on a test clock and a fake wire. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scope, Exit } from "effect"
import * as Source from "../../src/Message/Source.ts"
import { text } from "../../src/Message/MessageEvent.ts"
import type { ForwardedRequest } from "../../src/Platforms/ForwardedRequests.ts"
import * as DiscordInteraction from "../../src/Relay/DiscordInteraction.ts"
import { descriptorLine, resultLine } from "./FakeConnector.ts"
import { open, say } from "./SimulatedAdapter.ts"
import { elapse, settle } from "./SimulatedLink.ts"

const forwardLine = (platform: string, body: unknown, bufferId: string | null = null) =>
  `${JSON.stringify({
    type: "passthrough_forward",
    forward: {
      platform,
      botId: "b",
      method: "POST",
      path: "/hook",
      headers: [
        ["X-A", "1"],
        ["X-A", "2"]
      ],
      bodyB64: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)).toString("base64")
    },
    ...(bufferId === null ? {} : { bufferId })
  })}\n`

const interaction = (type: number, data: unknown, more: Record<string, unknown> = {}) => ({
  id: "int-1",
  type,
  channel_id: "chan",
  guild_id: "guild",
  member: { user: { id: "u1", username: "ann" } },
  data,
  ...more
})
const textOf = (type: number, data: unknown) =>
  DiscordInteraction.decode(Buffer.from(JSON.stringify(interaction(type, data))), "discord")?.event.text

describe("a Discord interaction (P2)", () => {
  it("is a command with its options as people would type them", () => {
    assert.strictEqual(
      textOf(2, {
        name: "ask",
        options: [
          { name: "question", type: 3, value: "hello" },
          { name: "deep", type: 5, value: false },
          { name: "n", type: 4, value: 0 }
        ]
      }),
      "/ask question: hello deep: false n: 0"
    )
    const nested = [
      { name: "group", type: 2, options: [{ name: "sub", type: 1, options: [{ name: "a", value: "b" }] }] }
    ]
    assert.strictEqual(textOf(2, { name: "ask", options: nested }), "/ask group sub a: b")
    // The option that our own manifest declares is what follows the command's name.
    assert.strictEqual(textOf(2, { name: "model", options: [{ name: "args", value: "gpt 5" }] }), "/model gpt 5")
    assert.strictEqual(textOf(2, { name: "Report", target_id: "77" }), "/Report target: 77")
  })

  it("is a press, which answers one of our prompts when it says so", () => {
    const press = (custom_id: string) =>
      DiscordInteraction.decode(
        Buffer.from(JSON.stringify(interaction(3, { custom_id }, { message: { id: "m9" } }))),
        "discord"
      )?.event
    assert.deepInclude(press("more"), { text: "more", promptResponse: null })
    assert.deepStrictEqual(press("hp1:0011aabb.00000001:once")?.promptResponse, {
      promptId: "0011aabb.00000001",
      optionId: "once",
      label: null,
      promptMessageId: "m9"
    })
  })

  it("is a form with its fields, and files that were given as an option", () => {
    const row = (custom_id: string, value: string) => ({ type: 1, components: [{ type: 4, custom_id, value }] })
    assert.strictEqual(
      textOf(5, {
        custom_id: "form",
        components: [
          row("Name", "Ann"),
          { type: 18, label: "Colours", component: { custom_id: "c", values: ["a", "b"] } }
        ]
      }),
      "Name: Ann\nColours: a, b"
    )
    const event = DiscordInteraction.decode(
      Buffer.from(
        JSON.stringify(
          interaction(2, {
            name: "see",
            options: [{ name: "file", type: 11, value: "5" }],
            resolved: {
              attachments: { "5": { url: "https://cdn/x.png", filename: "x.png", content_type: "image/png" } }
            }
          })
        )
      ),
      "discord"
    )?.event
    assert.deepInclude(event?.media[0], { ref: "https://cdn/x.png", kind: "image", filename: "x.png" })
  })

  it.effect("is stored before it is acknowledged, with a person as its author", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open()
      intake.gate.closeUnsafe()
      connector.wire.send(forwardLine("discord", interaction(2, { name: "new" }), "f1"))
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, [])
      intake.gate.openUnsafe()
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, ["f1"])
      const [taken] = intake.taken
      assert.deepStrictEqual(taken?.provenance, { viaRelay: true, isBot: false, roleAuthorized: false })
      assert.deepInclude(taken?.event, { text: "/new", messageId: null, followUp: "discord.interaction_token" })
      assert.deepInclude(taken?.event.source, {
        platform: "discord",
        chatId: "chan",
        chatType: "channel",
        userId: "u1",
        scopeId: "guild",
        messageId: "int-1"
      })
    })
  )

  it.effect("that nobody said is only acknowledged; one that cannot be read is kept", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open()
      connector.wire.send(
        forwardLine("discord", interaction(1, null), "ping"),
        forwardLine("discord", interaction(4, { name: "as" }), "half-typed"),
        forwardLine("discord", "not json", "bad"),
        forwardLine("discord", "not json")
      )
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, ["ping", "half-typed", "bad"])
      assert.deepStrictEqual(intake.log, ["bury bad"])
    })
  )
})

describe("the reply to an interaction (P3)", () => {
  const followUp = { kind: "discord.interaction_token", sessionKey: "agent:main:discord:channel:chan" }

  it.effect("goes out as a follow-up of its session", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* open()
      const sending = yield* Effect.forkChild(outlet.send({ ...say("hi"), followUp, replyTo: "x" }))
      yield* settle
      const [frame] = connector.wire.ofType("outbound")
      assert.deepStrictEqual(frame?.action, {
        op: "follow_up",
        session_key: followUp.sessionKey,
        kind: followUp.kind,
        content: "hi",
        metadata: { idempotency_key: "key-hi", notify: true }
      })
      connector.wire.send(resultLine(frame!.requestId!, { success: true, message_id: "m" }))
      assert.deepStrictEqual(yield* Fiber.join(sending), { messageId: "m" })
    })
  )

  it.effect("is sent the ordinary way when the capability is gone, and only then", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* open()
      const sending = yield* Effect.forkChild(outlet.send({ ...say("hi"), followUp }))
      yield* settle
      connector.wire.send(
        resultLine(connector.wire.ofType("outbound")[0]!.requestId!, { success: false, error: "Unknown interaction" })
      )
      yield* settle
      const second = connector.wire.ofType("outbound")[1]
      assert.deepInclude(second?.action, { op: "send", chat_id: "chat", content: "hi" })
      assert.strictEqual(second?.action?.metadata?.idempotency_key, "key-hi")
      connector.wire.send(resultLine(second!.requestId!, { success: true }))
      yield* Fiber.join(sending)
      const limited = yield* Effect.forkChild(Effect.flip(outlet.send({ ...say("again"), followUp })))
      yield* settle
      const third = connector.wire.ofType("outbound")[2]
      connector.wire.send(resultLine(third!.requestId!, { success: false, error: "Too Many Requests: retry after 3" }))
      assert.strictEqual((yield* Fiber.join(limited)).kind, "rate_limited")
      assert.strictEqual(connector.wire.ofType("outbound").length, 3)
    })
  )

  it.effect("is sent the ordinary way where the connector knows no follow-up", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* open(
        (connector) => (connector.greeting = [descriptorLine({ supported_ops: ["send"] })])
      )
      yield* Effect.forkChild(outlet.send({ ...say("hi"), followUp }))
      yield* settle
      assert.deepStrictEqual(
        connector.wire.ofType("outbound").map(({ action }) => action?.op),
        ["send"]
      )
    })
  )
})

describe("a request of another platform (P4)", () => {
  const inbound = (said: string) => ({
    event: text(Source.make({ platform: "sms", chatId: "+1" }), said, said),
    provenance: Source.untrusted,
    link: "sms:",
    bufferId: null
  })

  it.effect("goes to the adapter that takes them: its messages are stored, then it is acknowledged", () =>
    Effect.gen(function* () {
      const { connector, forwarded, intake } = yield* open()
      const seen: Array<ForwardedRequest> = []
      yield* forwarded.register("sms", (request) =>
        Effect.sync(() => {
          seen.push(request)
          return [inbound("one"), inbound("two")]
        })
      )
      intake.gate.closeUnsafe()
      connector.wire.send(forwardLine("sms", "From=%2B1&Body=hi\u0000", "f"))
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, [])
      intake.gate.openUnsafe()
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, ["f"])
      assert.deepStrictEqual(intake.texts, ["one", "two"])
      assert.deepStrictEqual(
        { ...seen[0], body: Buffer.from(seen[0]!.body).toString() },
        {
          platform: "sms",
          botId: "b",
          method: "POST",
          path: "/hook",
          headers: [
            ["X-A", "1"],
            ["X-A", "2"]
          ],
          body: "From=%2B1&Body=hi\u0000"
        }
      )
    })
  )

  it.effect("is kept and acknowledged when nobody takes it, or whoever does cannot read it", () =>
    Effect.gen(function* () {
      const { connector, forwarded, intake } = yield* open()
      const scope = yield* Scope.make()
      yield* forwarded.register("sms", () => Effect.die("no")).pipe(Effect.provideService(Scope.Scope, scope))
      yield* forwarded.register("line", () => Effect.never)
      connector.wire.send(forwardLine("sms", "a", "dies"), forwardLine("line", "b", "hangs"))
      yield* elapse("10 seconds")
      yield* Scope.close(scope, Exit.void)
      connector.wire.send(forwardLine("sms", "c", "nobody"), forwardLine("sms", "d"))
      yield* settle
      assert.deepStrictEqual(connector.wire.acks, ["dies", "hangs", "nobody"])
      assert.deepStrictEqual(intake.log, ["bury dies", "bury hangs", "bury nobody"])
    })
  )
})
