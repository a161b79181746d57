/** The tools as official clients of the Model Context Protocol use them: over HTTP, over pipes, and with bad manners. */
import { request as httpRequest } from "node:http"
import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Schema, Scope } from "effect"
import { WebSocket } from "ws"
import { decodeServerMessage } from "../../src/Connector/PageProtocol.ts"
import { eventually } from "../support/Eventually.ts"
import * as GatewayProcess from "../support/GatewayProcess.ts"

const key = "a-long-enough-admin-key"
const names = [
  "ask_user",
  "get_answer",
  "get_delivery",
  "list_sessions",
  "list_targets",
  "react",
  "read_history",
  "search_history",
  "send_message"
]

const Result = Schema.Struct({
  isError: Schema.optionalKey(Schema.Boolean),
  content: Schema.Array(Schema.Struct({ type: Schema.String, text: Schema.String })),
  structuredContent: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))
})
const decodeResult = Schema.decodeUnknownSync(Result)

const connect = (transport: Transport) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "test", version: "1.0.0" })
      await client.connect(transport)
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

const call = (client: Client, name: string, args: Record<string, unknown> = {}) =>
  Effect.promise(async () => decodeResult(await client.callTool({ name, arguments: args })))

const succeed = (client: Client, name: string, args: Record<string, unknown> = {}) =>
  Effect.map(call(client, name, args), (result) => {
    assert.notStrictEqual(result.isError, true, JSON.stringify(result))
    return result.structuredContent ?? {}
  })

const fail = (client: Client, name: string, args: Record<string, unknown> = {}) =>
  Effect.map(call(client, name, args), (result) => {
    assert.strictEqual(result.isError, true, JSON.stringify(result))
    return Schema.decodeUnknownSync(Schema.Struct({ error: Schema.String, happened: Schema.String }))(
      JSON.parse(result.content[0]?.text ?? "null")
    )
  })

/** A port that was free a moment ago, so that a gateway can come back on it. */
const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** A gateway with a web chat that a person has open. */
const start = Effect.fnUntraced(function* (env: Readonly<Record<string, string>> = { SWITCHBOARD_ADMIN_KEY: key }) {
  const home = yield* GatewayProcess.makeHome
  const scope = yield* Effect.scope
  const launch = Effect.gen(function* () {
    const gateway = yield* Scope.provide(GatewayProcess.start({ home, env }), scope)
    yield* gateway.awaitReady()
    return gateway
  })
  let gateway = yield* launch
  let url = yield* gateway.httpUrl
  const headers: Record<string, string> =
    env.SWITCHBOARD_ADMIN_KEY === undefined ? {} : { authorization: `Bearer ${env.SWITCHBOARD_ADMIN_KEY}` }
  const texts: Array<string> = []
  const page = Effect.gen(function* () {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => new WebSocket(`${url.replace("http", "ws")}/chat/socket`, { origin: url, headers })),
      (socket) => Effect.sync(() => socket.terminate())
    )
    socket.on("message", (data) => {
      const message = decodeServerMessage(String(data))
      if (message?.type === "messages") for (const { role, text } of message.messages) texts.push(`${role}: ${text}`)
    })
    yield* Effect.callback<void>((resume) => {
      socket.once("open", () => resume(Effect.void))
    })
    socket.send(JSON.stringify({ type: "hello", seen: 0 }))
    let n = 0
    return (text: string) =>
      Effect.sync(() =>
        socket.send(JSON.stringify({ type: "send", id: `m${process.pid}-${n++}-${Date.now()}`, chatId: "c1", text }))
      )
  })
  return {
    home,
    url: () => url,
    texts,
    page,
    shows: (text: string) =>
      eventually(`the chat shows ${text}`, () => texts.some((line) => line.includes(text)), {
        seconds: 20,
        seen: () => texts.join("\n")
      }),
    client: (given: Record<string, string> = headers) =>
      Effect.suspend(() =>
        connect(
          new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers: given } }) as Transport
        )
      ),
    stdio: (more: Record<string, string>) =>
      connect(
        new StdioClientTransport({
          command: process.execPath,
          args: [GatewayProcess.mainFile, "mcp"],
          env: { PATH: process.env.PATH ?? "", SWITCHBOARD_HOME: home, ...more }
        })
      ),
    restart: Effect.gen(function* () {
      yield* gateway.kill("SIGKILL")
      gateway = yield* launch
      url = yield* gateway.httpUrl
    })
  }
})

const everyTool = Effect.fnUntraced(function* (client: Client, say: (text: string) => Effect.Effect<void>) {
  const listed = yield* Effect.promise(() => client.listTools())
  assert.deepStrictEqual(listed.tools.map(({ name }) => name).toSorted(), names)

  const { targets } = Schema.decodeUnknownSync(
    Schema.Struct({ targets: Schema.Array(Schema.Struct({ target: Schema.String, running: Schema.Boolean })) })
  )(yield* succeed(client, "list_targets"))
  assert.strictEqual(targets.length, 1)
  const target = targets[0]!.target

  const Sent = Schema.Struct({
    delivery: Schema.Struct({ id: Schema.String, state: Schema.String, message_ids: Schema.Array(Schema.String) })
  })
  const send = { target, text: "from a tool", idempotency_key: "k", wait_seconds: 20 }
  const sent = Schema.decodeUnknownSync(Sent)(yield* succeed(client, "send_message", send))
  assert.strictEqual(sent.delivery.state, "sent")
  const again = Schema.decodeUnknownSync(Sent)(yield* succeed(client, "send_message", send))
  assert.strictEqual(again.delivery.id, sent.delivery.id)
  assert.strictEqual((yield* fail(client, "send_message", { ...send, text: "other" })).error, "key_in_use")
  const told = yield* succeed(client, "get_delivery", { delivery_id: sent.delivery.id })
  assert.strictEqual(Schema.decodeUnknownSync(Sent)(told).delivery.state, "sent")

  const emoji = yield* call(client, "react", { target, message_id: sent.delivery.message_ids[0] ?? "x", emoji: "👍" })
  assert.include(["done", "unsupported"], emoji.isError === true ? JSON.parse(emoji.content[0]!.text).error : "done")

  const { sessions } = Schema.decodeUnknownSync(
    Schema.Struct({ sessions: Schema.Array(Schema.Struct({ session_id: Schema.String })) })
  )(yield* succeed(client, "list_sessions"))
  const session_id = sessions[0]!.session_id
  assert.include(JSON.stringify(yield* succeed(client, "read_history", { session_id })), "first words")
  assert.include(JSON.stringify(yield* succeed(client, "search_history", { query: "words" })), ">>>words<<<")

  const Question = Schema.Struct({
    question_id: Schema.String,
    status: Schema.String,
    answer: Schema.NullOr(Schema.String)
  })
  const asked = Schema.decodeUnknownSync(Question)(
    yield* succeed(client, "ask_user", { target, question: "Red or blue?", choices: ["red", "blue"], wait_seconds: 0 })
  )
  assert.strictEqual(asked.status, "waiting")
  assert.strictEqual((yield* fail(client, "ask_user", { target, question: "And more?" })).error, "busy")
  yield* say("2")
  const answer = Schema.decodeUnknownSync(Question)(
    yield* succeed(client, "get_answer", { question_id: asked.question_id, wait_seconds: 20 })
  )
  assert.deepStrictEqual([answer.status, answer.answer], ["answered", "blue"])

  assert.deepStrictEqual(yield* fail(client, "send_message", { target: "web:stranger", text: "x" }), {
    error: "not_allowed",
    happened: "no"
  })
  assert.strictEqual((yield* fail(client, "get_answer", { question_id: "none" })).error, "not_found")
})

describe("the official client", () => {
  it.live(
    "lists and calls every tool over streamable HTTP",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start()
        const say = yield* gateway.page
        yield* say("first words")
        yield* gateway.shows("assistant: first words")
        yield* everyTool(yield* gateway.client(), say)
        assert.isFalse(gateway.texts.includes("assistant: 2"), "an answer begins no turn")
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )

  it.live(
    "lists and calls every tool over the pipes of `mcp`, also after the gateway was started anew",
    () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const gateway = yield* start({
          SWITCHBOARD_MCP_TOKEN: "a-token-of-its-own-for-tools",
          SWITCHBOARD_HTTP_PORT: String(port)
        })
        const say = yield* gateway.page
        yield* say("first words")
        yield* gateway.shows("assistant: first words")
        const client = yield* gateway.stdio({ SWITCHBOARD_MCP_TOKEN: "a-token-of-its-own-for-tools" })
        yield* everyTool(client, say)
        yield* gateway.restart
        yield* succeed(client, "list_targets")
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )
})

describe("a question", () => {
  it.live(
    "outlives its caller and a restart, and is answered later",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start()
        const say = yield* gateway.page
        yield* say("first words")
        yield* gateway.shows("assistant: first words")
        const asked = yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* gateway.client()
            const { targets } = Schema.decodeUnknownSync(
              Schema.Struct({ targets: Schema.Array(Schema.Struct({ target: Schema.String })) })
            )(yield* succeed(client, "list_targets"))
            return yield* succeed(client, "ask_user", {
              target: targets[0]!.target,
              question: "Your name?",
              wait_seconds: 0
            })
          })
        )
        yield* gateway.shows("Your name?")
        yield* gateway.restart
        const sayAgain = yield* gateway.page
        yield* sayAgain("Ada")
        const client = yield* gateway.client()
        const answer = yield* succeed(client, "get_answer", { question_id: asked.question_id, wait_seconds: 20 })
        assert.deepStrictEqual([answer.status, answer.answer], ["answered", "Ada"])
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )
})

describe("a hostile client", () => {
  it.live(
    "is refused: wrong token, foreign page, foreign name, bad JSON, a large body",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start()
        const bearer = { authorization: `Bearer ${key}` }
        const post = (body: string, headers: Record<string, string>) =>
          Effect.promise(async () => {
            const response = await fetch(`${gateway.url()}/mcp`, {
              method: "POST",
              body,
              headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers }
            })
            await response.text()
            return response.status
          })
        const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
        assert.strictEqual(yield* post(ping, {}), 401)
        assert.strictEqual(yield* post(ping, { authorization: "Bearer wrong" }), 401)
        assert.strictEqual(yield* post(ping, { authorization: "Bearer sbs_YWJj.short" }), 401)
        assert.strictEqual(yield* post(ping, { ...bearer, origin: "https://evil.example" }), 403)
        for (const body of ["", "{", "[", "nonsense"]) assert.strictEqual(yield* post(body, bearer), 400, body)
        assert.strictEqual(yield* post("x".repeat(10 * 1024 * 1024), bearer), 413)
        assert.isBelow(yield* post(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }), bearer), 500)
        const client = yield* gateway.client()
        yield* Effect.promise(() => client.ping().then(() => undefined))
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "that makes its name resolve to this machine is refused where no key is asked",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start({})
        const status = yield* Effect.callback<number>((resume) => {
          const request = httpRequest(
            `${gateway.url()}/mcp`,
            { method: "POST", headers: { host: "evil.example", "content-type": "application/json" } },
            (response) => {
              response.resume()
              resume(Effect.succeed(response.statusCode ?? 0))
            }
          )
          request.end("{}")
        })
        assert.strictEqual(status, 403)
        const wrong = yield* Effect.promise(() =>
          fetch(`${gateway.url()}/mcp`, { method: "POST", headers: { authorization: "Bearer guess" }, body: "{}" })
        )
        assert.strictEqual(wrong.status, 401)
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})
