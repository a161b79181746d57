/**
 * `send` as a process: through the running gateway, by itself without one, and when there is no way (`delivery T1`).
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Eventually.ts"
import { makeHome, start } from "../support/GatewayProcess.ts"
import * as StrictConnector from "../support/StrictConnector.ts"
import { command } from "./CommandProcess.ts"

const texts = (connector: StrictConnector.StrictConnector, chat: string) =>
  connector.chat(chat).shown.map(({ text }) => text)

describe("send", () => {
  it.live(
    "is delivered once by the running gateway",
    () =>
      Effect.gen(function* () {
        const connector = yield* StrictConnector.make()
        const home = yield* makeHome
        const gateway = yield* start({ home, relayUrl: connector.url })
        yield* gateway.awaitReady()
        // Without the gateway's own variables: the gateway says which links it has.
        const { code, stderr, stdout } = yield* command(home, ["send", "Relay:Chat-1", "while it runs"])
        assert.strictEqual(code, 0, stderr)
        assert.strictEqual(stdout, "sent\n")
        assert.deepStrictEqual(texts(connector, "Chat-1"), ["while it runs"])
        const several = yield* command(home, ["send", "relay:a, relay:b,RELAY:a", "to both"])
        assert.strictEqual(several.code, 0, several.stderr)
        assert.deepStrictEqual([texts(connector, "a"), texts(connector, "b")], [["to both"], ["to both"]])
        const mixed = yield* command(home, ["send", "relay:a,nowhere:b", "to none"])
        assert.strictEqual(mixed.code, 2)
        assert.lengthOf(texts(connector, "a"), 1)
        assert.strictEqual(connector.counts.connections, 1)
        assert.deepStrictEqual(connector.violations, [])
      }),
    { timeout: 40_000 }
  )

  it.live(
    "connects by itself when no gateway runs, and what comes in meanwhile is not lost",
    () =>
      Effect.gen(function* () {
        const connector = yield* StrictConnector.make()
        const home = yield* makeHome
        const env = { GATEWAY_RELAY_URL: connector.url, GATEWAY_ALLOW_ALL_USERS: "true" }
        connector.deliver({ chatId: "c", text: "asked before" })
        const { code, stderr } = yield* command(home, ["send", "relay:c", "by itself"], { env })
        assert.strictEqual(code, 0, stderr)
        assert.deepStrictEqual(texts(connector, "c"), ["by itself"])
        const gateway = yield* start({ home, relayUrl: connector.url, env })
        yield* gateway.awaitReady()
        yield* eventually("the answer to what came in", () => texts(connector, "c").length > 1)
        assert.deepStrictEqual(texts(connector, "c"), ["by itself", "asked before"])
        assert.deepStrictEqual(connector.violations, [])
      }),
    { timeout: 40_000 }
  )

  it.live("tells what the platform said when it is refused for good, exit 1", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      const { code, stderr } = yield* command(home, ["send", "web:no-such-chat", "hello"])
      assert.strictEqual(code, 1)
      assert.match(stderr, /^not sent: chat not found \([0-9a-f]+\)$/m)
    })
  )

  it.live(
    "refuses a target that names no platform or no chat, exit 2, and stores nothing",
    () =>
      Effect.gen(function* () {
        const home = yield* makeHome
        for (const target of ["local", "origin", "nowhere:1", "web", "relayed"]) {
          const { code, stderr } = yield* command(home, ["send", target, "hello"])
          assert.strictEqual(code, 2, target)
          assert.include(stderr, "web")
        }
        assert.strictEqual((yield* command(home, ["send", "web:c", " "])).code, 2)
        assert.deepStrictEqual(JSON.parse((yield* command(home, ["outbox", "list", "--json"])).stdout), [])
      }),
    { timeout: 40_000 }
  )

  it.live("says clearly when no adapter serves the platform, exit 1", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      const { code, stderr } = yield* command(home, ["send", "telegram:4711", "hello"], {
        env: { SWITCHBOARD_CONNECTOR: "off" }
      })
      assert.strictEqual(code, 1)
      assert.include(stderr, "no adapter is configured for telegram; no platform is configured here")
    })
  )
})
