/**
 * Judges a connector: what it must answer to a gateway, and what it must do with messages that are not acknowledged. Each
 * check has a connection of its own; they run one after the other, because a newer one takes over from the one before.
 */
import { randomBytes } from "node:crypto"
import { Effect, Result, type Scope } from "effect"
import { type ActionResult, decodeResult } from "../../Relay/OutboundAction.ts"
import { type Check, CheckFailed, type CheckSkipped, expect, judge, skip, until, type Verdict } from "./Check.ts"
import { type ConnectorOptions, dial, type KitGateway, unique } from "./KitGateway.ts"

type ConnectorCheck = Check<ConnectorOptions>
type Judging<A = void> = Effect.Effect<A, CheckFailed | CheckSkipped, Scope.Scope>

const check = (
  statement: string,
  name: string,
  about: string,
  run: (gateway: KitGateway, options: ConnectorOptions) => Judging
): ConnectorCheck => ({
  statement,
  name,
  about,
  run: (options) =>
    Effect.gen(function* () {
      const gateway = yield* dial(options)
      yield* gateway.greet(options)
      yield* run(gateway, options)
    })
})

const chatOf = ({ chat }: ConnectorOptions): Judging<string> =>
  chat === null ? skip("it needs a chat (--chat)") : Effect.succeed(chat)

const sayOf = ({ say }: ConnectorOptions): Judging<(text: string) => Effect.Effect<void, CheckFailed>> =>
  say === null ? skip("it needs somebody who writes (--say)") : Effect.succeed(say)

const resultOf = (result: unknown): Effect.Effect<ActionResult, CheckFailed> => {
  const decoded = decodeResult(result)
  return Result.isSuccess(decoded)
    ? Effect.succeed(decoded.success)
    : Effect.fail(new CheckFailed({ detail: `the result does not decode: ${JSON.stringify(result)}` }))
}

const act = (gateway: KitGateway, action: object) => Effect.flatMap(gateway.request(action), resultOf)

const succeeded = (result: ActionResult) => expect(result.success, () => `it was refused: ${JSON.stringify(result)}`)
const refused = (result: ActionResult) => expect(!result.success, () => "it succeeded")

const key = () => ({ idempotency_key: randomBytes(16).toString("hex") })
const described = (gateway: KitGateway) => gateway.of("descriptor").at(-1)!.descriptor
const offers = (gateway: KitGateway, op: string): Judging => {
  const ops = described(gateway).supported_ops ?? ["send", "edit", "typing", "follow_up"]
  return ops.includes(op) ? Effect.void : skip(`it does not offer ${op}`)
}

const survives = (gateway: KitGateway, options: ConnectorOptions) =>
  Effect.andThen(
    gateway.greet(options),
    Effect.suspend(() => expect(gateway.isOpen, () => "the connection was lost"))
  )

const handshake: ReadonlyArray<ConnectorCheck> = [
  {
    statement: "H2",
    name: "no-bearer",
    about: "an upgrade without a bearer, or with a false one, is refused",
    run: (options) =>
      Effect.gen(function* () {
        if (options.token === null) return yield* skip("it needs credentials (--token, or --id and --secret)")
        for (const token of [null, "bm90aGluZw"]) {
          const gateway = yield* dial(options, token)
          yield* until("the end of it", () => gateway.closed !== null)
          yield* expect(
            gateway.refused === 401 || gateway.refused === 403 || gateway.closed === 4401,
            () => `status ${gateway.refused}, close code ${gateway.closed}`
          )
        }
      })
  },
  {
    statement: "H3",
    name: "silence",
    about: "nothing comes before hello",
    run: (options) =>
      Effect.gen(function* () {
        const gateway = yield* dial(options)
        yield* gateway.opened
        yield* Effect.sleep("300 millis")
        yield* expect(gateway.frames.length === 0, () => `${gateway.frames[0]?.type} came first`)
      })
  },
  check("H3", "descriptor", "every hello has its descriptor", (gateway, options) => gateway.greet(options)),
  check(
    "H4",
    "descriptor-fields",
    "the descriptor is of this version and of the platform that said hello",
    (gateway, options) => {
      const { contract_version, platform } = described(gateway)
      return expect(
        contract_version === 1 && platform === options.platform,
        () => `version ${contract_version}, platform ${platform}`
      )
    }
  )
]

const framing: ReadonlyArray<ConnectorCheck> = [
  check("W1", "reassembly", "lines are put together from pieces, and several may share a message", (gateway, options) =>
    Effect.gen(function* () {
      const before = gateway.of("descriptor").length
      const line = `${JSON.stringify({ type: "hello", platform: options.platform, botId: options.botId })}\n`
      const bytes = Buffer.from(`\n${line}`)
      for (let at = 0; at < bytes.length; at += 5) gateway.raw(bytes.subarray(at, at + 5))
      gateway.raw(line + line)
      yield* until("three descriptors", () => gateway.of("descriptor").length >= before + 3)
    })
  ),
  check("W2", "unknown-types", "unknown frames and fields are ignored", (gateway, options) => {
    gateway.say({ type: "frame-of-the-future", x: [1] })
    return survives(gateway, options)
  }),
  check("W3", "bad-lines", "a line that cannot be read costs that line, never the connection", (gateway, options) => {
    for (const line of [
      "{",
      "[]",
      "null",
      '{"type":7}',
      '{"type":"hello"}',
      '{"type":"outbound"}',
      '{"type":"inbound_ack"}'
    ]) {
      gateway.raw(`${line}\n`)
    }
    gateway.raw(Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 0x0a]))
    return survives(gateway, options)
  }),
  check("C3", "pong", "it answers a ping", (gateway) => {
    gateway.ping()
    return until("a pong", () => gateway.pongs > 0)
  })
]

const actions: ReadonlyArray<ConnectorCheck> = [
  check("O1", "send", "a message is shown, and has an id", (gateway, options) =>
    Effect.gen(function* () {
      const chat_id = yield* chatOf(options)
      const result = yield* act(gateway, { op: "send", chat_id, content: unique("shown"), metadata: key() })
      yield* succeeded(result)
      yield* expect((result.message_id ?? "") !== "", () => "there is no message_id")
    })
  ),
  check("O1", "parallel", "each of many requests has its own answer", (gateway, options) =>
    Effect.gen(function* () {
      const chat_id = yield* chatOf(options)
      yield* Effect.forEach(Array.from({ length: 20 }), () => act(gateway, { op: "typing", chat_id }), {
        concurrency: "unbounded"
      })
    })
  ),
  check(
    "O2",
    "bad-actions",
    "an action that it does not know, or cannot read, is answered with success: false",
    (gateway) =>
      Effect.gen(function* () {
        yield* refused(yield* act(gateway, { op: "levitate", chat_id: "x" }))
        yield* refused(yield* act(gateway, { op: "send", chat_id: 7 }))
        yield* refused(yield* act(gateway, {}))
      })
  ),
  check("O2", "unknown-chat", "so is a message to a chat that is not there", (gateway) =>
    Effect.flatMap(act(gateway, { op: "send", chat_id: unique("nowhere"), content: "x", metadata: key() }), refused)
  ),
  check("O5", "idempotency", "a key is shown once, and answered with the same message_id", (gateway, options) =>
    Effect.gen(function* () {
      const chat_id = yield* chatOf(options)
      if (!described(gateway).supports_idempotency) return yield* skip("it does not take keys")
      const action = { op: "send", chat_id, content: unique("once"), metadata: key() }
      const first = yield* act(gateway, action)
      const second = yield* act(gateway, action)
      const third = yield* act(gateway, { ...action, metadata: key() })
      yield* expect(
        first.success && second.success && first.message_id === second.message_id,
        () => `${JSON.stringify(first)}, then ${JSON.stringify(second)}`
      )
      yield* expect(third.message_id !== first.message_id, () => "another key has the same message_id")
    })
  ),
  check("H4", "limit", "a message of the greatest length is shown", (gateway, options) =>
    Effect.gen(function* () {
      const chat_id = yield* chatOf(options)
      const { max_message_length } = described(gateway)
      const content = "x".repeat(max_message_length >= 1 ? max_message_length : 4096)
      yield* succeeded(yield* act(gateway, { op: "send", chat_id, content, metadata: key() }))
    })
  ),
  check("O1", "edit", "a message can be edited, and one that is not there cannot", (gateway, options) =>
    Effect.gen(function* () {
      const chat_id = yield* chatOf(options)
      yield* offers(gateway, "edit")
      const sent = yield* act(gateway, { op: "send", chat_id, content: unique("to edit"), metadata: key() })
      const edit = { op: "edit", chat_id, content: unique("edited"), metadata: key() }
      yield* succeeded(yield* act(gateway, { ...edit, message_id: sent.message_id }))
      yield* refused(yield* act(gateway, { ...edit, message_id: unique("nothing") }))
    })
  ),
  check("O1", "typing", "typing is answered", (gateway, options) =>
    Effect.gen(function* () {
      yield* offers(gateway, "typing")
      yield* succeeded(yield* act(gateway, { op: "typing", chat_id: yield* chatOf(options) }))
    })
  ),
  check("P3", "follow-up", "a follow_up reaches the session's chat, or is refused", (gateway, options) =>
    Effect.gen(function* () {
      const chat = yield* chatOf(options)
      yield* offers(gateway, "follow_up")
      const session_key = `agent:main:${options.platform}:dm:${chat}`
      const action = { op: "follow_up", session_key, kind: "discord.interaction_token", metadata: key() }
      yield* act(gateway, { ...action, content: unique("follow-up") })
    })
  ),
  check("L1", "prompt", "a prompt is shown", (gateway, options) =>
    Effect.gen(function* () {
      const chat_id = yield* chatOf(options)
      yield* offers(gateway, "prompt")
      const buttons = [
        { id: "red", label: "Red" },
        { id: "green", label: "Green" }
      ]
      const prompt = { prompt_kind: "choice", prompt_id: "0a1b2c3d.4e5f6071", content: "Which?", options: buttons }
      yield* succeeded(yield* act(gateway, { op: "prompt", chat_id, ...prompt, metadata: key() }))
    })
  )
]

/** Acknowledges everything that waits, so that the next connection begins with nothing. */
const clear = (gateway: KitGateway) =>
  Effect.sync(() => {
    for (const { bufferId } of gateway.of("inbound"))
      if (bufferId != null) gateway.say({ type: "inbound_ack", bufferId })
  })

const delivery: ReadonlyArray<ConnectorCheck> = [
  check(
    "I1",
    "event",
    "what a person writes comes as an event that says is_bot and message_is_edit",
    (gateway, options) =>
      Effect.gen(function* () {
        const say = yield* sayOf(options)
        const text = unique("said")
        yield* say(text)
        const { bufferId, event } = yield* gateway.inbound(text)
        yield* expect(gateway.unreadable.length === 0, () => gateway.unreadable.join("; "))
        yield* expect((bufferId ?? "") !== "", () => "there is no bufferId")
        const { source } = event
        yield* expect(source?.is_bot === false && source.message_is_edit === false, () => JSON.stringify(source))
        yield* clear(gateway)
      })
  ),
  check(
    "I3",
    "redelivery",
    "what is not acknowledged comes again on the next connection, under the same bufferId",
    (gateway, options) =>
      Effect.gen(function* () {
        const say = yield* sayOf(options)
        const text = unique("unacknowledged")
        yield* say(text)
        const first = yield* gateway.inbound(text)
        gateway.cut()
        const next = yield* dial(options)
        yield* next.greet(options)
        const second = yield* next.inbound(text)
        yield* expect(first.bufferId === second.bufferId, () => `${first.bufferId}, then ${second.bufferId}`)
        yield* clear(next)
      })
  ),
  check("I3", "acknowledged", "what is acknowledged does not come again", (gateway, options) =>
    Effect.gen(function* () {
      const say = yield* sayOf(options)
      const text = unique("acknowledged")
      yield* say(text)
      yield* gateway.inbound(text)
      yield* clear(gateway)
      yield* gateway.greet(options)
      gateway.cut()
      const next = yield* dial(options)
      yield* next.greet(options)
      const later = unique("later")
      yield* say(later)
      yield* next.inbound(later)
      yield* expect(
        next.of("inbound").every(({ event }) => event.text !== text),
        () => "it came again"
      )
      yield* clear(next)
    })
  ),
  check("L6", "replay", "what was said meanwhile is replayed in order", (gateway, options) =>
    Effect.gen(function* () {
      const say = yield* sayOf(options)
      gateway.cut()
      const texts = ["first", "second", "third"].map(unique)
      for (const text of texts) yield* say(text)
      const next = yield* dial(options)
      yield* next.greet(options)
      for (const text of texts) {
        yield* next.inbound(text)
        yield* clear(next)
      }
      const order = next
        .of("inbound")
        .map(({ event }) => event.text ?? "")
        .filter((text) => texts.includes(text))
      yield* expect([...new Set(order)].join() === texts.join(), () => `the order is ${order.join()}`)
    })
  ),
  check(
    "C4",
    "idle",
    "after going_idle, which is acknowledged, messages are kept for the next connection",
    (gateway, options) =>
      Effect.gen(function* () {
        gateway.say({ type: "going_idle" })
        yield* until("going_idle_ack", () => gateway.of("going_idle_ack").length > 0)
        if (options.say === null) return
        const text = unique("while idle")
        yield* options.say(text)
        yield* act(gateway, {})
        yield* expect(
          gateway.of("inbound").every(({ event }) => event.text !== text),
          () => "it was delivered"
        )
        const next = yield* dial(options)
        yield* next.greet(options)
        yield* next.inbound(text)
        yield* clear(next)
      })
  )
]

const checks: ReadonlyArray<ConnectorCheck> = [...handshake, ...framing, ...actions, ...delivery]

export const names: ReadonlyArray<string> = checks.map(({ name }) => name)

export const run = (
  options: ConnectorOptions,
  selection: { readonly only?: ReadonlyArray<string>; readonly onVerdict?: (verdict: Verdict) => void } = {}
): Effect.Effect<ReadonlyArray<Verdict>> =>
  Effect.forEach(
    checks.filter(({ name }) => selection.only?.includes(name) ?? true),
    (one) =>
      Effect.tap(judge(one, options), (verdict) =>
        Effect.sync(() => {
          selection.onVerdict?.(verdict)
        })
      )
  )
