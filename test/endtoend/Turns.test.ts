/** `/v1/messages` and `/v1/turns` as a client uses them: over HTTP, with kills, replays and bad manners. */
import { request as httpRequest } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Scope } from "effect"
import { TurnView } from "../../src/Operations/Turns/TurnView.ts"
import { eventuallyAsync } from "../support/Eventually.ts"
import * as GatewayProcess from "../support/GatewayProcess.ts"

const decodeView = Schema.decodeUnknownSync(TurnView)
const decodeTaken = Schema.decodeUnknownSync(Schema.Struct({ turn: Schema.String, duplicate: Schema.Boolean }))
const decodeProblem = Schema.decodeUnknownSync(
  Schema.Struct({ error: Schema.String, message: Schema.String, happened: Schema.String })
)

const start = Effect.gen(function* () {
  const home = yield* GatewayProcess.makeHome
  const scope = yield* Effect.scope
  let gateway = yield* GatewayProcess.start({ home })
  yield* gateway.awaitReady()
  let url = yield* gateway.httpUrl
  const post = (body: string, headers: Record<string, string> = {}) =>
    Effect.promise(() =>
      fetch(`${url}/v1/messages`, { method: "POST", body, headers: { "content-type": "application/json", ...headers } })
    )
  const say = (message: object) =>
    Effect.promise(async () => {
      const response = await Effect.runPromise(post(JSON.stringify(message)))
      return decodeTaken(await response.json())
    })
  const turn = async (id: string) => decodeView(await (await fetch(`${url}/v1/turns/${id}`)).json())
  const awaitState = (id: string, state: string) => {
    let seen = ""
    return eventuallyAsync(
      `turn ${id} is ${state}`,
      async () => {
        seen = JSON.stringify(await turn(id))
        return seen.includes(`"state":"${state}"`) && JSON.parse(seen).state === state
      },
      { seconds: 20, seen: () => seen }
    )
  }
  return {
    url: () => url,
    post,
    say,
    turn: (id: string) => Effect.promise(() => turn(id)),
    awaitState,
    events: (id: string, after?: string) =>
      Effect.promise(async () => {
        const headers: Record<string, string> = after === undefined ? {} : { "last-event-id": after }
        const response = await fetch(`${url}/v1/turns/${id}/events`, { headers, signal: AbortSignal.timeout(20_000) })
        assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
        const body = await response.text()
        return [...body.matchAll(/^id: (\d+)\nevent: (\w+)$/gm)].map(([, id, event]) => ({ id: id ?? "", event }))
      }),
    crash: Effect.gen(function* () {
      yield* gateway.kill("SIGKILL")
      gateway = yield* Effect.provideService(GatewayProcess.start({ home }), Scope.Scope, scope)
      yield* gateway.awaitReady()
      url = yield* gateway.httpUrl
    })
  }
})

describe("a message without a chat platform", () => {
  it.live(
    "is answered with its turn, and the turn tells the reply and where it went",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start
        const { turn } = yield* gateway.say({ text: "hello there", chat: "notes", user: "ada" })
        yield* gateway.awaitState(turn, "delivered")
        const view = yield* gateway.turn(turn)
        assert.strictEqual(view.reply, "hello there")
        assert.strictEqual(view.over, true)
        const [delivery] = view.deliveries
        assert.strictEqual(delivery?.chat, "notes")
        assert.strictEqual(delivery?.platform, "api_server")
        assert.strictEqual(delivery?.message_ids.length, 1)
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "sent twice under one key is one turn; another text under that key is refused",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start
        const first = yield* gateway.say({ text: "once", idempotency_key: "k1" })
        const second = yield* gateway.say({ text: "once", idempotency_key: "k1" })
        assert.deepStrictEqual(second, { turn: first.turn, duplicate: true })
        const other = yield* gateway.post(JSON.stringify({ text: "twice", idempotency_key: "k1" }))
        assert.strictEqual(other.status, 409)
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "that fails says why, one in silence is answered with nothing",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start
        const { turn } = yield* gateway.say({ text: "!fail auth", chat: "a" })
        yield* gateway.awaitState(turn, "failed")
        assert.strictEqual((yield* gateway.turn(turn)).reason, "failed: auth")
        const silent = yield* gateway.say({ text: "!silent", chat: "b" })
        yield* gateway.awaitState(silent.turn, "answered")
        const view = yield* gateway.turn(silent.turn)
        assert.deepStrictEqual([view.over, view.reply], [true, null])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})

describe("a turn", () => {
  it.live(
    "tells the truth after kill -9 between taking and answering",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start
        const { turn } = yield* gateway.say({ text: "!sleep 2000 late" })
        yield* gateway.awaitState(turn, "running")
        yield* gateway.crash
        yield* gateway.awaitState(turn, "delivered")
        const view = yield* gateway.turn(turn)
        assert.deepStrictEqual([view.reply, view.starts, view.deliveries.length], ["late", 2, 1])
        const events = yield* gateway.events(turn)
        assert.deepStrictEqual(
          events.map(({ event }) => event),
          ["taken", "running", "running", "answered", "delivered"]
        )
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "is told live, and replayed from any event on",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start
        const { turn } = yield* gateway.say({ text: "!sleep 500 hello" })
        const events = yield* gateway.events(turn)
        assert.deepStrictEqual(
          events.map(({ event }) => event),
          ["taken", "running", "answered", "delivered"]
        )
        for (const [i, { id }] of events.entries()) {
          assert.deepStrictEqual(yield* gateway.events(turn, id), events.slice(i + 1))
        }
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})

describe("a client with bad manners", () => {
  it.live(
    "is told what to do, and nothing is stored",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start
        for (const body of [
          "",
          "{",
          "[]",
          "{}",
          '{"text":""}',
          '{"text":"  "}',
          '{"text":1}',
          '{"text":"x","chat":"a b"}'
        ]) {
          const response = yield* gateway.post(body)
          assert.strictEqual(response.status, 400, body)
          const told = decodeProblem(yield* Effect.promise(() => response.json()))
          assert.deepStrictEqual([told.error, told.happened], ["bad_request", "no"])
        }
        const large = yield* gateway.post(JSON.stringify({ text: "x".repeat(10 * 1024 * 1024) }))
        assert.strictEqual(large.status, 413)
        const foreign = yield* gateway.post('{"text":"x"}', { origin: "https://evil.example" })
        assert.strictEqual(foreign.status, 403)
        const rebound = yield* withHost(gateway.url(), "evil.example")
        assert.strictEqual(rebound, 403)
        for (const [path, status] of [
          ["/v1/turns/nonsense", 400],
          ["/v1/turns/-1", 400],
          ["/v1/turns/1e3", 400],
          ["/v1/turns/999999", 404],
          ["/v1/turns/1", 404],
          ["/v1/turns/999999/events", 404],
          ["/v1/nothing", 404]
        ] as const) {
          const response = yield* Effect.promise(() => fetch(`${gateway.url()}${path}`))
          assert.strictEqual(response.status, status, path)
        }
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})

/** `fetch` sets no Host of its own. */
const withHost = (url: string, host: string) =>
  Effect.callback<number>((resume) => {
    const request = httpRequest(`${url}/v1/turns/1`, { headers: { host } }, (response) => {
      response.resume()
      resume(Effect.succeed(response.statusCode ?? 0))
    })
    request.end()
  })
