/** Who passes the admin gate, on a real listener: without a key by address and origin, with one by bearer or login. */
import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Redacted, Schema } from "effect"
import { TestClock } from "effect/testing"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { AdminGate, guarded } from "../../src/Operations/AdminGate.ts"
import * as RequestOrigin from "../../src/Operations/RequestOrigin.ts"

const key = "correct horse battery"

const Page = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const gate = yield* AdminGate
    yield* router.add(
      "GET",
      "/",
      guarded(gate, () => Effect.succeed(HttpServerResponse.text("inside")))
    )
  })
)

/** The origin of a listener that believes it is bound to `host`. */
const serve = (options: { readonly key: string | null; readonly host: string }) =>
  Effect.gen(function* () {
    const gate = AdminGate.layer({ key: options.key === null ? null : Redacted.make(options.key), host: options.host })
    const context = yield* Layer.build(
      HttpRouter.serve(Layer.merge(Page, AdminGate.routes), { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(
          NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "100 millis" })
        ),
        Layer.provide(gate)
      )
    )
    const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
    return `http://127.0.0.1:${address._tag === "UnixPathAddress" ? 0 : address.port}`
  })

const ask = (url: string, init: RequestInit = {}) => Effect.promise(() => fetch(url, { redirect: "manual", ...init }))
const login = (origin: string, form: Record<string, string>, headers: Record<string, string> = { origin }) =>
  ask(`${origin}/login`, { method: "POST", headers, body: new URLSearchParams(form) })

describe("without a key", () => {
  it.live("serves loopback, and answers 404 on any other bind", () =>
    Effect.scoped(
      Effect.gen(function* () {
        assert.strictEqual((yield* ask(yield* serve({ key: null, host: "127.0.0.1" }))).status, 200)
        const origin = yield* serve({ key: null, host: "0.0.0.0" })
        assert.strictEqual((yield* ask(origin)).status, 404)
        assert.strictEqual((yield* login(origin, { key: "" })).status, 404)
      })
    )
  )

  it.live("refuses a foreign origin", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const origin = yield* serve({ key: null, host: "localhost" })
        assert.strictEqual((yield* ask(origin, { headers: { origin } })).status, 200)
        assert.strictEqual((yield* ask(origin, { headers: { origin: "http://evil.example" } })).status, 403)
      })
    )
  )
})

describe("with a key", () => {
  it.live("takes the bearer, on any bind, and no other", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const origin = yield* serve({ key, host: "0.0.0.0" })
        const as = (authorization: string) =>
          Effect.map(ask(origin, { headers: { authorization } }), ({ status }) => status)
        assert.strictEqual(yield* as(`Bearer ${key}`), 200)
        assert.strictEqual(yield* as(`bearer ${key}`), 200)
        for (const wrong of [`Bearer ${key}x`, "Bearer x", "Bearer ", key, `Basic ${key}`]) {
          assert.strictEqual(yield* as(wrong), 401, wrong)
        }
      })
    )
  )

  it.live("shows browsers a form that leads back, and sets a strict cookie that opens the door", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const origin = yield* serve({ key, host: "0.0.0.0" })
        const form = yield* ask(origin, { headers: { accept: "text/html" } })
        assert.strictEqual(form.status, 401)
        assert.include(yield* Effect.promise(() => form.text()), `action="/login"`)
        const entered = yield* login(origin, { key, next: "/" })
        assert.strictEqual(entered.status, 303)
        assert.strictEqual(entered.headers.get("location"), "/")
        const cookie = entered.headers.getSetCookie()[0]!
        assert.match(cookie, /HttpOnly/i)
        assert.match(cookie, /SameSite=Strict/i)
        assert.notInclude(cookie, key)
        const value = cookie.split(";")[0]!
        assert.strictEqual((yield* ask(origin, { headers: { cookie: value } })).status, 200)
        const [expiry] = value.split("=")[1]!.split(".")
        const forged = [
          value.slice(0, -1),
          value.replace(expiry!, String(Number(expiry) + 1)),
          "switchboard_admin=",
          "switchboard_admin=1.2.3"
        ]
        for (const cookie of forged)
          assert.strictEqual((yield* ask(origin, { headers: { cookie } })).status, 401, cookie)
      })
    )
  )

  it.live("leads nowhere but to its own site", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const origin = yield* serve({ key, host: "0.0.0.0" })
        for (const next of [
          "https://evil.example",
          "//evil.example",
          "/\\evil.example",
          "javascript:alert(1)",
          "/a b",
          "/\r\nx: y"
        ]) {
          assert.strictEqual((yield* login(origin, { key, next })).headers.get("location"), "/", next)
        }
        assert.strictEqual((yield* login(origin, { key, next: "/chat?x=1" })).headers.get("location"), "/chat?x=1")
      })
    )
  )

  it.live("refuses foreign forms, bad bodies and large ones, and rests after ten wrong keys", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const origin = yield* serve({ key, host: "0.0.0.0" })
        assert.strictEqual((yield* login(origin, { key }, { origin: "http://evil.example" })).status, 403)
        assert.strictEqual((yield* login(origin, {})).status, 400)
        assert.strictEqual((yield* login(origin, { key: "x".repeat(100_000) })).status, 400)
        for (let n = 0; n < 10; n++) assert.strictEqual((yield* login(origin, { key: "wrong" })).status, 401)
        assert.strictEqual((yield* login(origin, { key: "wrong" })).status, 429)
        assert.strictEqual((yield* ask(origin, { headers: { authorization: `Bearer ${key}` } })).status, 200)
      })
    )
  )

  it.live("of fewer than 16 characters is no key", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.scoped(serve({ key: "short", host: "127.0.0.1" })))
      assert.isTrue(Exit.isFailure(exit))
    })
  )
})

describe("guessing the bearer", () => {
  it.effect("is answered later each time and not at all beyond a bound, while a login and one right key pass", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(AdminGate.layer({ key: Redacted.make(key), host: "0.0.0.0" }))
      const gate = Context.get(context, AdminGate)
      const request = (authorization: string) =>
        ({ headers: { authorization }, cookies: {}, method: "GET", url: "/" }) as never
      const ask = (authorization: string) =>
        Effect.map(gate.refusal(request(authorization)), (refusal) => refusal?.status ?? 200)
      const wait = Effect.fnUntraced(function* (millis: number) {
        const asking = yield* Effect.forkChild(ask("Bearer wrong"))
        yield* TestClock.adjust(Duration.millis(millis - 1))
        assert.isUndefined(asking.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(asking), 401)
      })
      for (const millis of [100, 200, 400, 800, 1600, 3200, 5000, 5000]) yield* wait(millis)
      assert.strictEqual(yield* ask(`Bearer ${key}`), 200)
      const crowd = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.forkChild(ask("Bearer wrong")))
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* ask("Bearer wrong"), 429)
      assert.strictEqual(yield* ask(`Bearer ${key}`), 429)
      yield* TestClock.adjust("1 minute")
      for (const one of crowd) assert.strictEqual(yield* Fiber.join(one), 401)
      assert.strictEqual(yield* ask(`Bearer ${key}`), 200)
      yield* wait(100)
    })
  )
})

describe("a host name", () => {
  it("is read without its port", () => {
    const cases = [
      ["localhost:8787", "localhost"],
      ["127.0.0.1", "127.0.0.1"],
      ["[::1]:80", "::1"],
      ["LOCALHOST", "localhost"],
      ["a@b", ""],
      ["", ""]
    ]
    for (const [host, name] of cases) assert.strictEqual(RequestOrigin.hostName(host), name)
    assert.strictEqual(RequestOrigin.hostName(undefined), "")
  })
  it("is loopback only when it cannot leave this machine", () => {
    for (const name of ["localhost", "app.localhost", "127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"])
      assert.isTrue(RequestOrigin.isLoopback(name), name)
    for (const name of [
      "",
      "0.0.0.0",
      "::",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "128.0.0.1",
      "127.0.0.256",
      "notlocalhost"
    ]) {
      assert.isFalse(RequestOrigin.isLoopback(name), name)
    }
  })
  it.prop("of any text throws nothing", { host: Schema.String }, ({ host }) => {
    assert.isBoolean(RequestOrigin.isOwn({ headers: { host, origin: `http://${host}` } as never }))
  })
})
