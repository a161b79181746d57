/**
 * What a gateway must do on a link that is up: framing, delivery, actions. In the order in which they run on one process;
 * each leaves the link as it found it.
 */
import { Effect } from "effect"
import { verify } from "../../Relay/UpgradeToken.ts"
import { type Check, expect, skip, until } from "./Check.ts"
import { gatewayId, type GatewayStage, once, secret } from "./GatewayStage.ts"
import type { Asked } from "./KitConnector.ts"

type GatewayCheck = Check<GatewayStage>

const MiB = 1024 * 1024

const check = (
  statement: string,
  name: string,
  about: string,
  run: (stage: GatewayStage) => ReturnType<GatewayCheck["run"]>
): GatewayCheck => ({
  statement,
  name,
  about,
  run: (stage) =>
    Effect.andThen(
      stage.ready,
      Effect.suspend(() => run(stage))
    )
})

/** Lines that no connector may send; none of them may cost more than itself. */
const badLines: ReadonlyArray<string> = [
  "{",
  "[]",
  "null",
  '"text"',
  "{}",
  '{"type":7}',
  '{"type":"inbound"}',
  '{"type":"inbound","event":[]}',
  '{"type":"inbound","event":{"text":5,"source":{}}}',
  '{"type":"outbound_result"}',
  '{"type":"descriptor","descriptor":{"platform":"relay"}}',
  '{"type":"descriptor"}',
  '{"type":"interrupt_inbound","session_key":{},"chat_id":[]}',
  '{"type":"passthrough_forward","forward":{"platform":"x","bodyB64":"*"}}',
  "[".repeat(2000)
]

const sameLink = (stage: GatewayStage, before: number) =>
  expect(stage.connector.links.length === before, () => "the connection was lost")

/** Actions of a chat, in order. */
const askedIn = (stage: GatewayStage, chatId: string): ReadonlyArray<Asked> =>
  stage.connector.asked.filter(({ action }) => "chat_id" in action && action.chat_id === chatId)

const saidIn = (stage: GatewayStage, chatId: string) =>
  askedIn(stage, chatId).filter(({ action }) => action.op === "send")

/** Keeps the answers to the sends of these chats back while the effect runs. */
const withholding = <A, E, R>(
  stage: GatewayStage,
  withheld: (asked: Asked) => boolean,
  effect: Effect.Effect<A, E, R>
) => {
  const { script } = stage.connector
  const before = script.answer
  return Effect.acquireUseRelease(
    Effect.sync(() => {
      script.answer = (asked) => (asked.action.op === "send" && withheld(asked) ? undefined : before(asked))
    }),
    () => effect,
    () =>
      Effect.sync(() => {
        script.answer = before
      })
  )
}

const chatOf = ({ action }: Asked): string => ("chat_id" in action ? action.chat_id : "")

const handshake: ReadonlyArray<GatewayCheck> = [
  check("H1", "dial-path", "it dials /relay below the URL", ({ connector }) =>
    expect(connector.dials[0]?.path === "/relay", () => `it dialled ${connector.dials[0]?.path}`)
  ),
  check("H2", "bearer", "the upgrade carries a bearer signed with the secret, good for 300 s", ({ connector }) => {
    const { at, authorization } = connector.dials.at(-1)!
    const token = /^Bearer ([\w-]+)$/.exec(authorization ?? "")?.[1] ?? ""
    const expiry = Number(Buffer.from(token, "base64url").toString().split(":").at(-2))
    return Effect.andThen(
      expect(verify(token, [secret], at / 1000) === gatewayId, () => `the bearer is not genuine: ${authorization}`),
      expect(
        expiry === 0 || Math.abs(expiry - at / 1000 - 300) < 30,
        () => `it ends ${expiry - at / 1000} s after the dial`
      )
    )
  }),
  check("H3", "hello", "one hello for each identity comes first", ({ connector }) =>
    Effect.gen(function* () {
      yield* until("hello", () => connector.link?.hellos.length === connector.identities.length)
      const got = connector.link?.hellos.map(({ botId, platform }) => `${platform}:${botId}`).join(", ")
      const wanted = connector.identities.map(({ botId, platform }) => `${platform}:${botId}`).join(", ")
      yield* expect(got === wanted, () => `hello for ${got ?? "nobody"}, wanted ${wanted}`)
    })
  )
]

const framing: ReadonlyArray<GatewayCheck> = [
  check("W1", "reassembly", "lines are put together from pieces, and several may share a message", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      const lines = [1, 2, 3, 4].map((n) => connector.line("pieces", `${n} 你好 👩‍🚀`))
      const bytes = Buffer.from(`\n${lines.map(({ line }) => line).join("")}`)
      for (let at = 0; at < bytes.length; at += 7) connector.raw(bytes.subarray(at, at + 7))
      const together = [5, 6].map((n) => connector.line("pieces", `${n} 你好 👩‍🚀`))
      connector.raw(together.map(({ line }) => line).join(""))
      for (const { bufferId } of [...lines, ...together]) yield* stage.acknowledged(bufferId)
      yield* stage.echo
      yield* stage.shows("pieces", "4 你好 👩‍🚀")
      yield* stage.shows("pieces", "6 你好 👩‍🚀")
    })
  ),
  check("W2", "unknown-types", "unknown frames and fields are ignored", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      const before = connector.links.length
      connector.say({ type: "frame-of-the-future", x: [1] })
      const id = connector.deliver("future", "fine", { event: { field_of_the_future: 1 }, source: { other: {} } })
      yield* stage.acknowledged(id)
      yield* sameLink(stage, before)
    })
  ),
  check("W3", "bad-lines", "a line that cannot be read costs that line, never the connection", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      const before = connector.links.length
      for (const line of badLines) connector.raw(`${line}\n`)
      connector.raw(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d, 0x0a]))
      yield* stage.acknowledged(connector.deliver("bad", "fine after bad lines"))
      yield* sameLink(stage, before)
    })
  ),
  check("W3", "long-line", "so does a line above 4 MiB", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      const before = connector.links.length
      for (let n = 0; n < 5; n++) connector.raw("x".repeat(MiB))
      connector.raw("\n")
      yield* stage.acknowledged(connector.deliver("bad", "fine after a long line"))
      yield* sameLink(stage, before)
    })
  )
]

const inbound: ReadonlyArray<GatewayCheck> = [
  check("I1", "sparse-event", "an event of an unknown type and with few fields is answered", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      connector.expectAck("sparse")
      connector.say({
        type: "inbound",
        bufferId: "sparse",
        event: { text: "sparse text", message_type: "hologram", source: { platform: "relay", chat_id: "sparse" } }
      })
      yield* stage.acknowledged("sparse")
    })
  ),
  check("I3", "redelivery", "what comes again is acknowledged again, and not run again", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      yield* stage.echo
      const id = connector.deliver("twice", "said once", { messageId: "twice-1" })
      yield* stage.shows("twice", "said once")
      connector.deliver("twice", "said once", { messageId: "twice-1", bufferId: id })
      const other = connector.deliver("twice", "said once", { messageId: "twice-1" })
      yield* stage.acknowledged(id, 2)
      yield* stage.acknowledged(other)
      yield* stage.answers("twice", "after it")
      yield* once(stage, "twice", "said once")
    })
  ),
  check("I3a", "burial", "a delivery that does not decode is acknowledged, or it would come for ever", (stage) =>
    Effect.gen(function* () {
      stage.connector.expectAck("buried")
      stage.connector.raw(`{"type":"inbound","event":{"text":5,"source":[]},"bufferId":"buried"}\n`)
      yield* stage.acknowledged("buried")
    })
  ),
  check("I4", "reading-goes-on", "a turn that cannot end does not hold up what others say", (stage) =>
    withholding(
      stage,
      (asked) => chatOf(asked) === "stuck",
      Effect.gen(function* () {
        const { connector } = stage
        yield* stage.echo
        connector.deliver("stuck", "never answered")
        yield* until("the action", () => saidIn(stage, "stuck").length === 1)
        for (let n = 0; n < 20; n++) yield* stage.acknowledged(connector.deliver(`free-${n}`, "free"))
        for (let n = 0; n < 20; n++) yield* stage.shows(`free-${n}`, "free")
        for (const asked of saidIn(stage, "stuck")) connector.reply(asked, connector.show(asked))
      })
    )
  ),
  check("I6", "interrupt", "interrupt_inbound stops that session's turn, and its chat goes on", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      yield* stage.echo
      yield* stage.acknowledged(connector.deliver("stopped", "!sleep 4000 never said"))
      // Where a turn shows that it runs, it is waited for; the next message proves the stop in any case.
      yield* Effect.ignore(until("typing", () => askedIn(stage, "stopped").length > 0, { seconds: 3 }))
      connector.say({ type: "interrupt_inbound", session_key: "agent:main:relay:dm:nobody", chat_id: "nobody" })
      connector.say({ type: "interrupt_inbound", session_key: "agent:main:relay:dm:stopped", chat_id: "stopped" })
      yield* stage.answers("stopped", "said after the stop")
      yield* expect(connector.count("stopped", "never said") === 0, () => "the turn was not stopped")
    })
  ),
  check("L9", "unsaid", "without is_bot and message_is_edit a message runs all the same", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      yield* stage.echo
      connector.expectAck("unsaid")
      const source = { platform: "relay", chat_id: "unsaid", chat_type: "dm", user_id: "u" }
      connector.say({ type: "inbound", bufferId: "unsaid", event: { text: "unsaid", message_id: "unsaid-1", source } })
      yield* stage.shows("unsaid", "unsaid")
    })
  )
]

const promptIn = (stage: GatewayStage, chatId: string) =>
  askedIn(stage, chatId).flatMap(({ action }) => (action.op === "prompt" ? [action] : []))

const outbound: ReadonlyArray<GatewayCheck> = [
  check("O2", "odd-results", "results that fit no request, or nothing, do no harm", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      const before = connector.links.length
      connector.say({ type: "outbound_result", requestId: "f".repeat(32), result: { success: true } })
      connector.say({ type: "outbound_result", requestId: "x", result: [] })
      connector.raw(`{"type":"outbound_result","requestId":7,"result":{"success":true}}\n`)
      yield* stage.answers("odd", "after odd results")
      const [asked] = saidIn(stage, "odd")
      connector.say({ type: "outbound_result", requestId: asked!.requestId, result: { success: true } })
      yield* stage.answers("odd", "after a second result")
      yield* sameLink(stage, before)
    })
  ),
  check(
    "O3",
    "lost-connection",
    "what was under way when the connection was lost is said once, under the same key",
    (stage) =>
      Effect.gen(function* () {
        const { connector } = stage
        yield* stage.echo
        yield* withholding(
          stage,
          (asked) => asked === saidIn(stage, "lost")[0],
          Effect.gen(function* () {
            connector.deliver("lost", "said over two links")
            yield* until("the action", () => saidIn(stage, "lost").length > 0)
            connector.show(saidIn(stage, "lost")[0]!)
            yield* stage.cut
            yield* until("the same action again", () => saidIn(stage, "lost").length > 1)
          })
        )
        const keys = new Set(saidIn(stage, "lost").map(({ key }) => key))
        yield* expect(keys.size === 1 && !keys.has(null), () => `keys ${[...keys].join(", ")}`)
        yield* stage.answers("lost", "after it")
        yield* once(stage, "lost", "said over two links")
      })
  ),
  check("O4", "scope", "the scope of a chat comes back in the metadata of its actions", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      yield* stage.echo
      connector.deliver("scoped", "in a scope", { source: { scope_id: "scope-7", guild_id: "scope-7" } })
      yield* stage.shows("scoped", "in a scope")
      const metadata = saidIn(stage, "scoped")[0]?.action.metadata
      yield* expect(metadata?.["scope_id"] === "scope-7", () => `metadata is ${JSON.stringify(metadata)}`)
    })
  ),
  check("O6", "in-flight", "at most 256 requests are open, and all are made in the end", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      yield* stage.echo
      const held: Array<Asked> = []
      const chats = Array.from({ length: 300 }, (_, n) => `many-${n}`)
      let last = 0
      let grown = performance.now()
      const isSettled = () => {
        if (held.length > last) grown = performance.now()
        last = held.length
        return held.length >= 256 || (held.length > 0 && performance.now() - grown > 1500)
      }
      yield* withholding(
        stage,
        (asked) => chatOf(asked).startsWith("many-") && held.push(asked) > 0,
        Effect.gen(function* () {
          for (const chat of chats) connector.deliver(chat, "one of many")
          yield* until("as many requests as it opens", isSettled, { seen: () => `${held.length} are open` })
        })
      )
      for (const asked of held) connector.reply(asked, connector.show(asked))
      yield* until("all answers", () => chats.every((chat) => connector.count(chat, "one of many") === 1), {
        seconds: 30
      })
      yield* expect(!connector.complaints.has("O6"), () => "more than 256 requests were open")
    })
  ),
  check("L1", "sibling", "a press on another gateway's prompt is acknowledged, and nothing is said to it", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      const press = { prompt_id: "00000000.00000000", option_id: "help" }
      yield* stage.acknowledged(connector.deliver("sibling", "/help", { event: { prompt_response: press } }))
      yield* stage.answers("sibling", "after the press")
      yield* expect(connector.texts("sibling").length === 1, () => JSON.stringify(connector.texts("sibling")))
    })
  ),
  check("L1", "prompt", "a question has buttons, and a press answers it", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      yield* stage.echo
      connector.deliver("pressed", "!ask Which? | Red | Green")
      yield* until("a question", () => connector.texts("pressed").length > 0)
      const [prompt] = promptIn(stage, "pressed")
      if (prompt === undefined) {
        connector.deliver("pressed", "Green")
        yield* stage.answers("pressed", "after the question")
        return yield* skip("the question came in words, without buttons")
      }
      yield* expect(/^[\w-]{8}\.[0-9a-f]{8}$/.test(prompt.prompt_id), () => `prompt_id is ${prompt.prompt_id}`)
      yield* expect(prompt.options.length >= 2 && prompt.options.length <= 10, () => `${prompt.options.length} options`)
      const option = prompt.options.find(({ label }) => label.includes("Green")) ?? prompt.options[0]!
      const before = connector.texts("pressed").length
      const press = { prompt_id: prompt.prompt_id, option_id: option.id, label: option.label }
      yield* stage.acknowledged(connector.deliver("pressed", `/${option.id}`, { event: { prompt_response: press } }))
      const after = () => connector.texts("pressed").slice(before)
      yield* until("the choice as the answer", () => after().some((text) => text.includes("Green")), {
        seen: () => JSON.stringify(after())
      })
    })
  )
]

/** Under a descriptor of few operations and short messages. */
export const describedChecks: ReadonlyArray<GatewayCheck> = [
  check("H4", "limits", "texts are split where the descriptor says, in its unit", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      yield* stage.echo
      const long = Array.from({ length: 120 }, (_, n) => `wörd${n}👍`).join(" ")
      connector.deliver("long", `${long} the end`)
      yield* stage.shows("long", "the end")
      const complaints = connector.complaints.get("H4") ?? []
      yield* expect(complaints.length === 0, () => complaints.join("; "))
      yield* expect(connector.texts("long").length > 1, () => "it was shown in one piece")
    })
  ),
  check("H5", "operations", "an operation that is not listed is never asked for", (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      yield* stage.echo
      connector.deliver("plain", "!sleep 300 only sends")
      yield* stage.shows("plain", "only sends")
      const complaints = connector.complaints.get("H5") ?? []
      yield* expect(complaints.length === 0, () => complaints.join("; "))
    })
  )
]

/** What was looked at in every frame since the process began; these come last. */
const observed = (statement: string, name: string, about: string): GatewayCheck => ({
  statement,
  name,
  about,
  run: ({ connector }) => {
    const complaints = connector.complaints.get(statement) ?? []
    return expect(complaints.length === 0, () => complaints.slice(0, 3).join("; "))
  }
})

export const linkChecks: ReadonlyArray<GatewayCheck> = [...handshake, ...framing, ...inbound, ...outbound]

export const observedChecks: ReadonlyArray<GatewayCheck> = [
  observed("W1", "own-lines", "its own lines are whole and UTF-8"),
  observed("W2", "own-frames", "its own frames and actions have the fields of the contract"),
  observed("H3", "hello-first", "nothing goes out before the handshake, and no hello twice"),
  observed("I3", "known-acks", "it acknowledges only what was delivered"),
  observed("O1", "request-ids", "request ids are 32 hex characters, each used once; one identity is not named"),
  observed("O5", "keys", "every message has an idempotency key"),
  observed("O6", "limit", "never more than 256 requests were open"),
  observed("L4", "typing-clear", "only Slack is told that typing ended"),
  observed("L7", "format-hints", "format_hints only where the descriptor allows them")
]
