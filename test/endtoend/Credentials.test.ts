/** The gateway as a process: credentials and settings that change under it, and its sleep (`relay C2`, L5; `operations F10`). */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { command } from "../Cli/CommandProcess.ts"
import { eventually } from "../support/Eventually.ts"
import { makeHome, start, writeConfig } from "../support/GatewayProcess.ts"
import { issuingConnector } from "../support/IssuingConnector.ts"

describe("a running gateway", () => {
  it.live(
    "takes over what enroll writes, follows live settings, and says what needs a restart",
    () =>
      Effect.gen(function* () {
        const connector = yield* issuingConnector()
        const home = yield* makeHome
        writeConfig(home, "display: {busy_ack_enabled: false}\n")
        const gateway = yield* start({ home, relayUrl: connector.url, env: { GATEWAY_ALLOW_ALL_USERS: "true" } })
        yield* eventually("refused", () => connector.refusals.length > 0)
        const enrolled = yield* command(home, ["enroll", "--token", "t", "--gateway-id", "gw-5"], {
          env: { GATEWAY_RELAY_URL: connector.url }
        })
        assert.strictEqual(enrolled.code, 0, enrolled.stderr)
        yield* eventually("let in", () => connector.admitted.includes("gw-5"), { seconds: 20 })
        yield* gateway.awaitReady()
        const { strict } = connector
        const shown = (text: string) => strict.chat("c").shown.filter((message) => message.text === text).length

        // Without the change the second message would interrupt the first.
        writeConfig(home, "display: {busy_input_mode: queue, busy_ack_enabled: false}\ndelivery: {keep_days: 3}\n")
        const log = () => readFileSync(join(home, "logs/gateway.log"), "utf8")
        yield* eventually("read anew", () => log().includes("restart needed for: delivery.keep_days"), { seconds: 20 })
        const status = yield* command(home, ["status"])
        assert.include(status.stdout, "restart needed for: delivery.keep_days")
        strict.deliver({ chatId: "c", text: "!sleep 1500 slow" })
        yield* eventually("taken", () => strict.waiting === 0)
        strict.deliver({ chatId: "c", text: "quick" })
        yield* eventually("both answered", () => shown("slow") === 1 && shown("quick") === 1, { seconds: 20 })

        connector.secrets.set("gw-6", "another-secret-of-all")
        const admitted = connector.admitted.length
        strict.deliver({ chatId: "c", text: "!sleep 3000 across" })
        appendFileSync(join(home, ".env"), "GATEWAY_RELAY_ID=gw-6\nGATEWAY_RELAY_SECRET=another-secret-of-all\n")
        yield* eventually("let in anew", () => connector.admitted.length > admitted, { seconds: 20 })
        assert.strictEqual(connector.admitted.at(-1), "gw-6")
        yield* eventually("the answer of a turn that ran meanwhile", () => shown("across") === 1, { seconds: 20 })
        yield* gateway.kill("SIGTERM")
        assert.deepStrictEqual(connector.allViolations(), [])
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )

  it.live(
    "sleeps when it is idle and can be woken, stays healthy, and comes back for a poke",
    () =>
      Effect.gen(function* () {
        const connector = yield* issuingConnector()
        connector.secrets.set("gw-1", "secret-of-sleeper")
        const home = yield* makeHome
        writeFileSync(join(home, ".env"), "GATEWAY_RELAY_ID=gw-1\nGATEWAY_RELAY_SECRET=secret-of-sleeper\n")
        writeConfig(home, "gateway: {scale_to_zero: {idle_timeout_minutes: 0.03}}\n")
        const gateway = yield* start({
          home,
          relayUrl: connector.url,
          env: { GATEWAY_ALLOW_ALL_USERS: "true", GATEWAY_RELAY_WAKE_URL: "http://gateway.example/relay/wake" }
        })
        const { strict } = connector
        const state = () => readFileSync(join(home, "gateway_state.json"), "utf8")
        yield* eventually("asleep", () => strict.closes.length === 1, { seconds: 20 })
        assert.deepStrictEqual(strict.closes, [{ code: 1000, ready: true }])
        assert.strictEqual(strict.counts.goingIdle, 1)
        yield* eventually("status says asleep", () => state().includes('"asleep"'))
        assert.include(state(), '"gateway_state": "running"')
        assert.strictEqual((yield* gateway.get("/ready")).status, 200)
        assert.strictEqual((yield* gateway.get("/health")).status, 200)

        strict.deliver({ chatId: "c", text: "!sleep 3000 good morning" })
        assert.strictEqual((yield* gateway.get("/relay/wake")).status, 204)
        assert.strictEqual((yield* gateway.get("/relay/wake")).status, 204)
        yield* eventually("answered", () => strict.chat("c").shown.some(({ text }) => text === "good morning"), {
          seconds: 20
        })
        // It did not go back to sleep while the turn ran.
        assert.lengthOf(strict.closes, 1)
        yield* eventually("asleep again", () => strict.closes.length === 2, { seconds: 20 })
        yield* gateway.kill("SIGTERM")
        assert.deepStrictEqual(connector.allViolations(), [])
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )
})
