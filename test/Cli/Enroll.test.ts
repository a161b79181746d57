/** `enroll` as a process, against a strict connector over TLS (`relay V2`). */
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { defaultGatewayId } from "../../src/Relay/Provision.ts"
import { authority } from "../support/Authority.ts"
import { connectProxy } from "../support/ConnectProxy.ts"
import { makeHome } from "../support/GatewayProcess.ts"
import { issuingConnector } from "../support/IssuingConnector.ts"
import { command } from "./CommandProcess.ts"

describe("enroll", () => {
  it.live(
    "keeps id, secret and the given URLs in .env, private, leaves the rest of it alone, and prints no secret",
    () =>
      Effect.gen(function* () {
        const ca = authority
        const connector = yield* issuingConnector(ca)
        const proxy = yield* connectProxy
        const home = yield* makeHome
        const env = join(home, ".env")
        writeFileSync(env, "# mine\nGATEWAY_RELAY_SECRET=old-secret-of-all\nOTHER='x y'\n", { mode: 0o644 })
        const wakeUrl = "https://gateway.example/relay/wake"
        const { code, stderr, stdout } = yield* command(
          home,
          ["enroll", "--token", "one-time-token", "--connector-url", connector.url, "--wake-url", wakeUrl],
          { env: { NODE_EXTRA_CA_CERTS: ca.caFile, HTTPS_PROXY: proxy.url } }
        )
        assert.strictEqual(code, 0, stderr)
        assert.deepStrictEqual(connector.asked, [
          {
            path: "/relay/enroll",
            bearer: null,
            body: { enrollmentToken: "one-time-token", gatewayId: defaultGatewayId() }
          }
        ])
        assert.lengthOf(proxy.targets, 1)
        const secret = connector.secrets.get(defaultGatewayId())!
        assert.strictEqual(
          readFileSync(env, "utf8"),
          `# mine\nGATEWAY_RELAY_SECRET=${secret}\nOTHER='x y'\nGATEWAY_RELAY_ID=${defaultGatewayId()}\n` +
            `GATEWAY_RELAY_URL=${connector.url}\nGATEWAY_RELAY_WAKE_URL=${wakeUrl}\n`
        )
        assert.strictEqual(statSync(env).mode & 0o777, 0o600)
        for (const hidden of [secret, "one-time-token", "delivery-key-of-this-test"]) {
          assert.notInclude(stdout + stderr, hidden)
        }
        assert.include(stdout, `enrolled as ${defaultGatewayId()}`)
        assert.deepStrictEqual(connector.allViolations(), [])

        // The gateway that is then started is let in.
        const again = yield* command(home, ["enroll", "--gateway-id", "gw-9"], {
          env: {
            NODE_EXTRA_CA_CERTS: ca.caFile,
            GATEWAY_RELAY_ENROLL_TOKEN: "another-token",
            GATEWAY_RELAY_ACCESS_TOKEN: "access-token"
          }
        })
        assert.strictEqual(again.code, 0, again.stderr)
        assert.deepStrictEqual(connector.asked[1], {
          path: "/relay/enroll",
          bearer: "access-token",
          body: { enrollmentToken: "another-token", gatewayId: "gw-9" }
        })
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "ends with 1 when refused, 75 without an answer or with 5xx, 2 without token or URL, and then writes nothing",
    () =>
      Effect.gen(function* () {
        const connector = yield* issuingConnector()
        const home = yield* makeHome
        const ask = (...args: ReadonlyArray<string>) => command(home, ["enroll", ...args])
        const token = ["--token", "one-time-token"]
        const url = ["--connector-url", connector.url]
        for (const [status, body, code] of [
          [403, { error: "token spent" }, 1],
          [200, { secret: "" }, 1],
          [302, null, 1],
          [500, null, 75],
          [429, null, 75]
        ] as const) {
          connector.answer = () => ({ status, body })
          const ended = yield* ask(...token, ...url)
          assert.strictEqual(ended.code, code, `${status}: ${ended.stderr}`)
          assert.include(ended.stderr, "not enrolled")
          if (status === 403) assert.include(ended.stderr, "token spent")
        }
        assert.strictEqual((yield* ask(...token, "--connector-url", "http://127.0.0.1:1")).code, 75)
        for (const args of [
          url,
          token,
          [...token, "--connector-url", "ftp://x"],
          [...token, ...url, "--wake-url", "x"]
        ]) {
          const ended = yield* ask(...args)
          assert.strictEqual(ended.code, 2, ended.stderr)
          assert.lengthOf(ended.stderr.trimEnd().split("\n"), 1)
        }
        assert.isFalse(existsSync(join(home, ".env")))
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )

  it.live("asks nothing when the answer could not be kept", () =>
    Effect.gen(function* () {
      const connector = yield* issuingConnector()
      const home = yield* makeHome
      const parent = join(home, "a file")
      writeFileSync(parent, "")
      const { code } = yield* command(
        home,
        `enroll --token one-time-token --connector-url ${connector.url}`.split(" "),
        { env: { SWITCHBOARD_HOME: join(parent, "home") } }
      )
      assert.strictEqual(code, 78)
      assert.deepStrictEqual(connector.asked, [])
    }).pipe(Effect.scoped)
  )
})
