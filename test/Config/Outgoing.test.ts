/** Which way a connection takes (`relay C6`). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { CaFile, HttpsProxy, proxyFor, type ProxyRules } from "../../src/Config/Outgoing.ts"
import { Settings } from "../../src/Config/Settings.ts"

const rules = (more: Partial<ProxyRules>): ProxyRules => ({
  https: "http://secure-proxy:3128/",
  http: "http://plain-proxy:3128/",
  all: null,
  none: [],
  ...more
})
const way = (target: string, more: Partial<ProxyRules> = {}) => proxyFor(new URL(target), rules(more))
const read = <A>(setting: Parameters<Settings["Service"]["get"]>[0], values: Record<string, unknown>) =>
  Effect.result(Effect.flatMap(Settings, (settings) => settings.get(setting))).pipe(
    Effect.provide(Settings.layerFrom(values))
  ) as Effect.Effect<Result.Result<A, unknown>>

describe("the proxy", () => {
  it("is that of the scheme, with WebSockets as their HTTP, else the one for all", () => {
    assert.strictEqual(way("https://a.example"), "http://secure-proxy:3128/")
    assert.strictEqual(way("wss://a.example"), "http://secure-proxy:3128/")
    assert.strictEqual(way("http://a.example"), "http://plain-proxy:3128/")
    assert.strictEqual(way("ws://a.example"), "http://plain-proxy:3128/")
    assert.strictEqual(way("wss://a.example", { https: null, all: "http://all/" }), "http://all/")
    assert.strictEqual(way("wss://a.example", { https: null }), null)
  })

  const cases: ReadonlyArray<readonly [target: string, entry: string, isDirect: boolean]> = [
    ["https://a.example", "*", true],
    ["https://a.example", "a.example", true],
    ["https://A.EXAMPLE.", "a.example", true],
    ["https://b.a.example", "a.example", true],
    ["https://ba.example", "a.example", false],
    ["https://b.a.example", ".a.example", true],
    ["https://b.a.example", "*.a.example", true],
    ["https://a.example", "A.Example", true],
    ["https://a.example", "a.example:443", true],
    ["https://a.example:8443", "a.example:443", false],
    ["wss://a.example:8443", "a.example:8443", true],
    ["ws://a.example", "a.example:80", true],
    ["https://10.1.2.3", "10.0.0.0/8", true],
    ["https://11.1.2.3", "10.0.0.0/8", false],
    ["https://a.example", "10.0.0.0/8", false],
    ["https://10.1.2.3", "10.1.2.3", true],
    ["https://[::1]:8080", "::1", true],
    ["https://[::1]:8080", "[::1]:8080", true],
    ["https://[fd00::7]", "fd00::/8", true],
    ["https://a.example", "", false],
    ["https://a.example", ".", false],
    ["https://a.example", "1/2/3", false]
  ]
  for (const [target, entry, isDirect] of cases) {
    it(`is ${isDirect ? "not " : ""}taken to ${target} with NO_PROXY=${entry}`, () =>
      assert.strictEqual(way(target, { none: [entry] }) === null, isDirect))
  }

  it.prop("never fails, whatever is exempt", { entry: Schema.String }, ({ entry }) => {
    assert.isTrue([null, "http://secure-proxy:3128/"].includes(way("https://a.example", { none: [entry] })))
  })

  it.effect("needs a URL of its own kind; another one is a warning, and not used", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* read(HttpsProxy, { HTTPS_PROXY: "proxy.example:3128" }),
        Result.succeed("http://proxy.example:3128/")
      )
      assert.deepStrictEqual(yield* read(HttpsProxy, { HTTPS_PROXY: "socks5://proxy.example" }), Result.succeed(null))
      assert.deepStrictEqual(
        yield* read(HttpsProxy, { https_proxy: "https://small", HTTPS_PROXY: "https://large" }),
        Result.succeed("https://small/")
      )
    })
  )
})

describe("a file of authorities", () => {
  it.effect("that is not there, or holds no certificate, is an error and never ignored", () =>
    Effect.gen(function* () {
      for (const name of ["/nowhere/ca.pem", import.meta.filename.replace("Outgoing.test.ts", "EnvFile.test.ts")]) {
        assert.isTrue(Result.isFailure(yield* read(CaFile, { "gateway.ca_file": name })), name)
      }
      assert.deepStrictEqual(yield* read(CaFile, { "gateway.ca_file": " " }), Result.succeed(null))
    })
  )
})
