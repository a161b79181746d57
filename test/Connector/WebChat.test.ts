/** The routes on a real HTTP listener: a `ws` client as the gateway, another as a page, and plain requests. */
import { request as httpRequest } from "node:http"
import { createConnection } from "node:net"
import { networkInterfaces } from "node:os"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { WebSocket } from "ws"
import { decodeServerMessage } from "../../src/Connector/PageProtocol.ts"
import * as WebChat from "../../src/Connector/WebChat.ts"
import type { ServerMessage } from "../../src/Connector/web/Wire.ts"
import { eventually } from "../support/Eventually.ts"
import * as RelayBearer from "../support/RelayBearer.ts"
import { ScriptedGateway } from "../support/ScriptedGateway.ts"
import * as WebChatServer from "../support/WebChatServer.ts"

const folder = Effect.gen(function* () {
  const assets = yield* WebChatServer.temporaryFolder
  WebChatServer.buildPage(assets)
  return assets
})

const open = Effect.gen(function* () {
  const assets = yield* folder
  const options = { assets, database: `${assets}/switchboard.db` }
  const server = yield* WebChatServer.start(options)
  return { ...options, server }
})

const gatewayAt = (port: number, options: { readonly token?: string | null } = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => new ScriptedGateway(port, options)),
    (gateway) => Effect.sync(() => gateway.cut())
  )

/** A page without a browser. */
class BarePage {
  readonly messages: Array<ServerMessage> = []
  refused: number | null = null
  closed: number | null = null
  readonly socket: WebSocket

  constructor(port: number, headers: Record<string, string> = { origin: `http://127.0.0.1:${port}` }) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/chat/socket`, { headers })
    this.socket.on("message", (data) => this.messages.push(decodeServerMessage(String(data))!))
    this.socket.on("unexpected-response", (_request, response) => {
      this.refused = response.statusCode ?? 0
      response.resume()
      this.socket.terminate()
    })
    this.socket.on("error", () => undefined)
    this.socket.on("close", (code) => {
      this.closed = code
    })
  }

  say(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message))
  }

  of<T extends ServerMessage["type"]>(type: T): ReadonlyArray<Extract<ServerMessage, { readonly type: T }>> {
    return this.messages.filter(
      (message): message is Extract<ServerMessage, { readonly type: T }> => message.type === type
    )
  }

  /** Everything it was told about messages, latest word of each. */
  get known(): ReadonlyMap<string, string> {
    const known = new Map<string, string>()
    for (const message of this.messages) {
      if (message.type !== "messages" && message.type !== "history") continue
      for (const { id, state } of message.messages) known.set(id, state)
    }
    return known
  }

  readonly greet = (seen = 0) =>
    Effect.gen({ self: this }, function* () {
      yield* eventually("the page's socket opens", () => this.socket.readyState === WebSocket.OPEN)
      this.say({ type: "hello", seen })
      yield* eventually("it is welcomed", () => this.of("welcome").length > 0)
    })
}

const pageAt = (port: number, headers?: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync(() => new BarePage(port, headers)),
    (page) => Effect.sync(() => page.socket.terminate())
  )

interface Answer {
  readonly status: number
  readonly headers: Record<string, string | ReadonlyArray<string> | undefined>
  readonly body: string
}

/** `fetch` does not let a test set `Host`. */
const get = (
  port: number,
  path: string,
  headers: Record<string, string> = {},
  way: { readonly host?: string; readonly localAddress?: string } = {}
) =>
  Effect.promise(
    () =>
      new Promise<Answer>((resolve, reject) => {
        httpRequest({ port, path, host: "127.0.0.1", headers, agent: false, ...way }, (response) => {
          let body = ""
          response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
          response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
        })
          .on("error", reject)
          .end()
      })
  )

describe("the relay's socket", () => {
  it.live("answers a hello, delivers, takes the acknowledgement and shows an answer once per key", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { server } = yield* open
        const gateway = yield* gatewayAt(server.port)
        yield* gateway.greet
        assert.strictEqual(gateway.of("descriptor")[0]?.descriptor?.["label"], "Web chat")
        const page = yield* pageAt(server.port)
        yield* page.greet()
        assert.isTrue(page.of("welcome")[0]?.gateway)
        page.say({ type: "send", id: "m1", chatId: "c1", text: "hi" })
        gateway.ack(yield* gateway.inbound("hi"))
        yield* eventually("it is taken", () => page.known.get("m1") === "taken")
        const send = { op: "send", chat_id: "c1", content: "ho", reply_to: "m1", metadata: { idempotency_key: "k" } }
        const first = yield* gateway.request(send)
        const again = yield* gateway.request(send)
        assert.deepStrictEqual(again, first)
        yield* eventually("it is answered", () => page.known.get("m1") === "answered")
        assert.strictEqual(page.known.size, 2)
        yield* gateway.request({ op: "edit", chat_id: "c1", message_id: first.message_id, content: "ho ho" })
        yield* eventually("the page is told of the edit", () =>
          page.of("messages").some(({ messages }) => messages.some(({ text }) => text === "ho ho"))
        )
      })
    )
  )

  it.live("refuses a missing, foreign or expired bearer with 401 before the upgrade", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { server } = yield* open
        const now = Math.floor(Date.now() / 1000)
        const tokens = [
          null,
          "x",
          RelayBearer.mint("gw", "another secret", now + 300),
          RelayBearer.mint("gw", WebChatServer.secret, now - 10)
        ]
        for (const token of tokens) {
          const gateway = yield* gatewayAt(server.port, { token })
          yield* eventually("it is refused", () => gateway.refused !== null)
          assert.strictEqual(gateway.refused, 401)
        }
        const good = { authorization: `Bearer ${RelayBearer.mint("gw", WebChatServer.secret, 0)}` }
        assert.strictEqual((yield* get(server.port, "/relay", good)).status, 426)
      })
    )
  )

  it.live("admits the gateway's own machine under whatever address, and no other", () =>
    Effect.scoped(
      Effect.gen(function* () {
        assert.isTrue(WebChat.isFromHere("127.0.0.1", "127.0.0.1"))
        assert.isTrue(WebChat.isFromHere("192.0.2.2", "192.0.2.2"))
        assert.isTrue(WebChat.isFromHere("fd00::2", "fd00::2"))
        assert.isFalse(WebChat.isFromHere("192.0.2.3", "192.0.2.2"))
        assert.isFalse(WebChat.isFromHere("192.0.2.3", undefined))
        const { assets, database, server } = yield* open
        yield* server.stop
        const { port } = yield* WebChatServer.start({ assets, database, host: "0.0.0.0" })
        // A machine without a network has only loopback, where both ends are at home.
        const own = Object.values(networkInterfaces())
          .flatMap((addresses) => addresses ?? [])
          .find(({ family, internal }) => family === "IPv4" && !internal)?.address
        const status = (host: string, from: string) =>
          Effect.map(get(port, "/relay", {}, { host, localAddress: from }), (answer) => answer.status)
        assert.strictEqual(yield* status("127.0.0.1", "127.0.0.1"), 401)
        if (own === undefined) return
        assert.strictEqual(yield* status(own, own), 401, "as our own link dials")
        assert.strictEqual(yield* status("127.0.0.1", own), 403, "from an address that is not the one it was made to")
      })
    )
  )

  it.live("buffers while no gateway is there and redelivers in order after a cut, also over a restart", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { assets, database, server } = yield* open
        const page = yield* pageAt(server.port)
        yield* page.greet()
        for (const id of ["a", "b", "c"]) page.say({ type: "send", id, chatId: "c1", text: id })
        yield* eventually("all are stored", () => page.known.size === 3)
        const first = yield* gatewayAt(server.port)
        yield* first.greet
        yield* first.inbound("a")
        first.cut()
        yield* server.stop
        const again = yield* WebChatServer.start({ assets, database, port: server.port })
        const second = yield* gatewayAt(again.port)
        second.onInbound = (frame) => second.ack(frame)
        yield* second.greet
        yield* eventually("all are delivered", () => second.texts.length === 3)
        assert.deepStrictEqual(second.texts, ["a", "b", "c"])
      })
    )
  )

  it.live("hands the link to the gateway that dials last", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { server } = yield* open
        const first = yield* gatewayAt(server.port)
        yield* first.greet
        const second = yield* gatewayAt(server.port)
        yield* second.greet
        yield* first.ended
        assert.strictEqual(first.closed, 4000)
        yield* server.connector.submit({ _tag: "Said", said: { id: "m", chatId: "c", text: "to the second" } })
        yield* second.inbound("to the second")
      })
    )
  )

  it.live("acknowledges going_idle and keeps what is said until the next connection", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { server } = yield* open
        const gateway = yield* gatewayAt(server.port)
        yield* gateway.greet
        gateway.say({ type: "going_idle" })
        yield* eventually("it is acknowledged", () => gateway.of("going_idle_ack").length === 1)
        yield* server.connector.submit({ _tag: "Said", said: { id: "m", chatId: "c", text: "asleep" } })
        yield* gateway.request({ op: "get_chat_info", chat_id: "c" })
        assert.deepStrictEqual(gateway.texts, [])
        const second = yield* gatewayAt(server.port)
        yield* second.greet
        yield* second.inbound("asleep")
      })
    )
  )

  it.live("reads lines however they are cut, and goes on after bad ones", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { server } = yield* open
        const gateway = yield* gatewayAt(server.port)
        yield* gateway.opened
        gateway.raw(`{"type":"hel`)
        gateway.raw(
          `lo","platform":"relay","botId":""}\n\n{"type":"hello","platform":"relay","botId":""}\nnot json\n[]\n`
        )
        yield* eventually("both hellos are answered", () => gateway.of("descriptor").length === 2)
        yield* gateway.request({ op: "get_chat_info", chat_id: "nowhere" })
      })
    )
  )
})

describe("the page's socket", () => {
  it.live("catches a page up from the last revision it saw, and only with that", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { server } = yield* open
        const first = yield* pageAt(server.port)
        yield* first.greet()
        first.say({ type: "send", id: "a", chatId: "c1", text: "a" })
        yield* eventually("it is told", () =>
          first.of("messages").some(({ messages, seen }) => messages.length === 1 && seen > 0)
        )
        const seen = Math.max(...first.of("messages").map((message) => message.seen))
        first.socket.terminate()
        yield* server.connector.submit({ _tag: "Said", said: { id: "b", chatId: "c1", text: "b" } })
        const second = yield* pageAt(server.port)
        yield* second.greet(seen)
        yield* eventually("it catches up", () => second.known.has("b"))
        assert.deepStrictEqual([...second.known.keys()], ["b"])
        const third = yield* pageAt(server.port)
        yield* third.greet(0)
        yield* eventually("a fresh page gets everything", () => third.known.size === 2)
      })
    )
  )

  it.live("confirms a repeated message without storing it twice", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { server } = yield* open
        const page = yield* pageAt(server.port)
        yield* page.greet()
        for (let n = 0; n < 3; n++) page.say({ type: "send", id: "a", chatId: "c1", text: "once" })
        yield* eventually(
          "each is confirmed",
          () => page.of("messages").filter(({ messages }) => messages[0]?.id === "a").length >= 3
        )
        assert.lengthOf(yield* server.store.changedSince(0, 10), 1)
      })
    )
  )

  it.live("tells a page what it cannot take, slows one that talks too fast, and keeps both connected", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { server } = yield* open
        const page = yield* pageAt(server.port)
        yield* page.greet()
        page.say("no json")
        page.say({ type: "send", id: "no such thing!", chatId: "c", text: "x" })
        page.say({ type: "send", id: "long", chatId: "c", text: "x".repeat(65_537) })
        yield* eventually("all three are refused", () => page.of("refused").length === 3)
        assert.deepStrictEqual(
          page.of("refused").map(({ id, reason }) => [id, reason]),
          [
            [null, "bad_request"],
            [null, "bad_request"],
            ["long", "too_long"]
          ]
        )
        for (let n = 0; n < 40; n++) page.say({ type: "send", id: `m${n}`, chatId: "c", text: "x" })
        yield* eventually("some are too fast", () => page.of("refused").some(({ reason }) => reason === "rate_limited"))
        assert.isAbove(page.of("refused").at(-1)!.retryAfter!, 0)
        assert.strictEqual(page.socket.readyState, WebSocket.OPEN)
      })
    )
  )

  it.live("refuses the 65th page and takes one again when another has gone", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { server } = yield* open
        const pages = yield* Effect.forEach(Array.from({ length: 64 }), () => pageAt(server.port))
        yield* Effect.forEach(pages, (page) => page.greet(), { concurrency: "unbounded" })
        const refused = yield* pageAt(server.port)
        yield* eventually("it is closed", () => refused.closed !== null)
        assert.strictEqual(refused.closed, 1013)
        pages[0]!.socket.terminate()
        yield* Effect.gen(function* () {
          const next = yield* pageAt(server.port)
          yield* eventually("it opens", () => next.socket.readyState === WebSocket.OPEN)
          next.say({ type: "hello", seen: 0 })
          yield* eventually("it is welcomed", () => next.of("welcome").length > 0 || next.closed !== null)
          if (next.closed !== null) return yield* Effect.fail("still full")
        }).pipe(Effect.retry({ times: 20 }))
      })
    )
  )

  it.live("sends older messages on request", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { server } = yield* open
        for (let n = 0; n < 130; n++) {
          yield* server.connector.submit({ _tag: "Said", said: { id: `m${n}`, chatId: "c", text: "x" } })
        }
        const page = yield* pageAt(server.port)
        yield* page.greet()
        yield* eventually("the last hundred come", () => page.known.size === 100)
        const oldest = page.of("history")[0]!
        assert.isTrue(oldest.more)
        page.say({ type: "history", chatId: "c", before: oldest.messages[0]!.seq })
        yield* eventually("the rest comes", () => page.known.size === 130)
        assert.isFalse(page.of("history").at(-1)!.more)
      })
    )
  )
})

describe("who may come in", () => {
  it.live("only loopback names and the page's own origin, WebSockets only with an origin", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const {
          server: { port }
        } = yield* open
        assert.strictEqual((yield* get(port, "/")).status, 200)
        assert.strictEqual((yield* get(port, "/", { host: `localhost:${port}` })).status, 200)
        assert.strictEqual((yield* get(port, "/", { host: "rebound.example" })).status, 403)
        assert.strictEqual((yield* get(port, "/", { origin: "http://evil.example" })).status, 403)
        assert.strictEqual((yield* get(port, "/assets/Page.js", { host: "rebound.example" })).status, 403)
        assert.strictEqual((yield* get(port, "/chat/socket")).status, 426)
        const foreign: ReadonlyArray<Record<string, string>> = [
          {},
          { origin: "http://evil.example" },
          { origin: "null" },
          { origin: `http://127.0.0.1:${port + 1}` },
          { origin: "http://rebound.example", host: "rebound.example" }
        ]
        for (const headers of foreign) {
          const page = yield* pageAt(port, headers)
          yield* eventually("it is refused", () => page.refused !== null)
          assert.strictEqual(page.refused, 403)
        }
      })
    )
  )

  it.live("with a key: a login first, for the page, its files and its socket", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const assets = yield* folder
        const { port } = yield* WebChatServer.start({
          assets,
          database: `${assets}/a.db`,
          adminKey: "0123456789abcdef"
        })
        assert.strictEqual((yield* get(port, "/")).status, 401)
        assert.strictEqual((yield* get(port, "/assets/Page.js")).status, 401)
        const stranger = yield* pageAt(port)
        yield* eventually("it is refused", () => stranger.refused !== null)
        assert.strictEqual(stranger.refused, 401)
        const origin = `http://127.0.0.1:${port}`
        const login = yield* Effect.promise(() =>
          fetch(`${origin}/login`, {
            method: "POST",
            redirect: "manual",
            headers: { origin },
            body: new URLSearchParams({ key: "0123456789abcdef", next: "/" })
          })
        )
        assert.strictEqual(login.status, 303)
        const cookie = login.headers.getSetCookie()[0]!.split(";")[0]!
        assert.strictEqual((yield* get(port, "/", { cookie })).status, 200)
        const page = yield* pageAt(port, { origin, cookie })
        yield* page.greet()
      })
    )
  )
})

describe("the page's files", () => {
  it.live("come with type, policy and ETag, and nothing outside their table does", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const {
          server: { port }
        } = yield* open
        const index = yield* get(port, "/")
        assert.strictEqual(index.headers["content-type"], "text/html; charset=utf-8")
        assert.match(String(index.headers["content-security-policy"]), /^default-src 'self';/)
        assert.strictEqual(index.headers["x-content-type-options"], "nosniff")
        const references = [...index.body.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((match) => match[1]!)
        assert.isAtLeast(references.length, 3)
        const types = new Map([
          ["js", "text/javascript; charset=utf-8"],
          ["css", "text/css; charset=utf-8"],
          ["svg", "image/svg+xml"]
        ])
        for (const path of [...references, "/assets/markdown-it.mjs"]) {
          const asset = yield* get(port, path)
          assert.strictEqual(asset.status, 200, path)
          assert.strictEqual(asset.headers["content-type"], types.get(path.split(".").at(-1)!) ?? types.get("js"), path)
          const again = yield* get(port, path, { "if-none-match": String(asset.headers["etag"]) })
          assert.deepStrictEqual([again.status, again.body], [304, ""])
        }
        const outside = [
          "/assets/../../package.json",
          "/assets/..%2f..%2fpackage.json",
          "/assets/%2e%2e/%2e%2e/package.json",
          "/assets//etc/passwd",
          "/assets/",
          "/assets/switchboard.db",
          "/assets/constructor",
          "/assets/..\\..\\package.json"
        ]
        for (const path of outside) assert.strictEqual(yield* rawStatus(port, path), 404, path)
      })
    )
  )
})

/** A path exactly as it stands: a client would tidy it up first. */
const rawStatus = (port: number, path: string) =>
  Effect.promise(
    () =>
      new Promise<number>((resolve, reject) => {
        const socket = createConnection(port, "127.0.0.1", () =>
          socket.end(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)
        )
        let answer = ""
        socket.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk))
        socket.on("error", reject)
        socket.on("close", () => resolve(Number(answer.split(" ")[1])))
      })
  )
