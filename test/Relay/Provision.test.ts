/**
 * How a link comes by what it dials with (`relay V1`, `V1a`, `V3`, `C2`, `C6`): over real HTTP, TLS, WebSocket and a real
 * proxy.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Redacted, Result, Scope, SubscriptionRef } from "effect"
import { outgoing } from "../../src/Config/Outgoing.ts"
import { redact } from "../../src/Config/Redact.ts"
import { Settings } from "../../src/Config/Settings.ts"
import { accessToken } from "../../src/Relay/AccessToken.ts"
import * as Credentials from "../../src/Relay/Credentials.ts"
import { Dialer } from "../../src/Relay/Dialer.ts"
import type { Identities } from "../../src/Relay/Identity.ts"
import { defaultGatewayId, provision } from "../../src/Relay/Provision.ts"
import { relaySettings } from "../../src/Relay/RelaySettings.ts"
import * as WebSocketTransport from "../../src/Relay/WebSocketTransport.ts"
import { authority } from "../support/Authority.ts"
import { connectProxy } from "../support/ConnectProxy.ts"
import { eventually } from "../support/Eventually.ts"
import { type IssuingConnector, issuingConnector } from "../support/IssuingConnector.ts"
import { IntakeDouble } from "./IntakeDouble.ts"

/** What was logged, for tests of what must and must not be said. */
const recorded = () => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    lines.push(`${logLevel} ${redact(JSON.stringify(message))}`)
  })
  return { lines, layer: Logger.layer([logger]) }
}

/** A link by the given settings, as the program makes it. */
const link = Effect.fnUntraced(function* (
  connector: IssuingConnector,
  fronted: Identities = [{ platform: "relay", botId: "" }]
) {
  const intake = new IntakeDouble()
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => {
    intake.gate.openUnsafe()
    return Scope.close(scope, Exit.void)
  })
  const transport = yield* Effect.gen(function* () {
    const way = yield* outgoing
    const credentials = yield* Credentials.make({ url: connector.url, outgoing: way, fronted })
    return yield* WebSocketTransport.make({
      url: connector.url,
      identities: fronted,
      id: null,
      secret: null,
      link: "relay:",
      credentials
    }).pipe(Effect.provide([Dialer.layerBy(way), intake.layer]))
  }).pipe(Effect.provideService(Scope.Scope, scope))
  const state = () => {
    const now = SubscriptionRef.getUnsafe(transport.state)
    return now._tag === "Closed" ? `Closed(${now.reason})` : now._tag
  }
  return { transport, intake, state }
})

const ready = (state: () => string) => eventually("ready", () => state() === "Ready", { seen: state })

describe("self-provision", () => {
  it.live("asks for each platform under one id, dials with what the first success gave, and says no secret", () => {
    const log = recorded()
    return Effect.gen(function* () {
      const connector = yield* issuingConnector(null, {
        identities: [{ platform: "slack", botId: "B2" }]
      })
      connector.answer = (asked) =>
        asked.body.platform === "discord" ? { status: 403, body: { error: "not yours" } } : connector.usual(asked)
      const fronted: Identities = [
        { platform: "slack", botId: "B2" },
        { platform: "discord", botId: "B1" }
      ]
      const { intake, state } = yield* link(connector, fronted).pipe(
        Effect.provide(
          Settings.layerFrom({
            GATEWAY_RELAY_ACCESS_TOKEN: "access-token-of-test",
            GATEWAY_RELAY_ENDPOINT: "https://gateway.example",
            GATEWAY_RELAY_ROUTE_KEYS: "a, b",
            GATEWAY_RELAY_INSTANCE_ID: "i-1",
            GATEWAY_RELAY_WAKE_URL: "https://gateway.example/relay/wake"
          })
        )
      )
      yield* ready(state)
      const id = defaultGatewayId()
      const body = {
        gatewayId: id,
        gatewayEndpoint: "https://gateway.example",
        routeKeys: ["a", "b"],
        instanceId: "i-1",
        wakeUrl: "https://gateway.example/relay/wake"
      }
      assert.deepStrictEqual(
        connector.asked,
        fronted.map((one) => ({
          path: "/relay/provision",
          bearer: "access-token-of-test",
          body: { ...body, ...one }
        }))
      )
      assert.deepStrictEqual(connector.admitted, [id])
      connector.strict.deliver({ chatId: "c", text: "hello" })
      yield* eventually("acknowledged", () => connector.strict.waiting === 0)
      assert.deepStrictEqual(intake.texts, ["hello"])
      assert.deepStrictEqual(connector.allViolations(), [])
      assert.isTrue(log.lines.some((line) => line.includes("discord") && line.includes("not yours")))
      for (const secret of ["access-token-of-test", "issued-secret-number-1", "delivery-key-of-this-test"]) {
        assert.notInclude(log.lines.join("\n"), secret)
        assert.strictEqual(redact(`x ${secret}`), "x ***")
      }
    }).pipe(Effect.scoped, Effect.provide(log.layer))
  })

  it.live("leaves out a platform that is refused, and fails only when none is left", () =>
    Effect.gen(function* () {
      const connector = yield* issuingConnector()
      connector.answer = (asked) =>
        asked.body.platform === "discord" ? { status: 403, body: null } : connector.usual(asked)
      const discord = { platform: "discord", botId: "" }
      const ask = (fronted: Identities) =>
        Effect.flatMap(outgoing, (way) =>
          provision({
            url: connector.url,
            outgoing: way,
            accessToken: Redacted.make("t"),
            fronted
          })
        ).pipe(Effect.provide(Settings.layerFrom({ GATEWAY_RELAY_ID: "gw-7" })))
      const both = yield* ask([discord, { platform: "slack", botId: "" }])
      assert.deepStrictEqual(both.admitted, [{ platform: "slack", botId: "" }])
      assert.strictEqual(both.id, "gw-7")
      const none = yield* Effect.result(ask([discord]))
      assert.isTrue(Result.isFailure(none) && none.failure._tag === "Refused" && none.failure.status === 403)
    }).pipe(Effect.scoped)
  )

  it.live("goes on without an answer, and asks again before the next dial", () =>
    Effect.gen(function* () {
      const connector = yield* issuingConnector()
      let failures = 3
      const bad = [
        { status: 500, body: null },
        { status: 200, body: { secret: 7 } },
        { status: 302, body: "elsewhere" }
      ]
      connector.answer = (asked) => (failures > 0 ? bad[--failures]! : connector.usual(asked))
      const { state } = yield* link(connector).pipe(
        Effect.provide(Settings.layerFrom({ GATEWAY_RELAY_ACCESS_TOKEN: "t" }))
      )
      yield* ready(state)
      assert.lengthOf(connector.asked, 4)
      assert.lengthOf(connector.refusals, 3)
    }).pipe(Effect.scoped)
  )

  it.live("is not tried with a secret, nor without an access token, of which it warns once", () => {
    const log = recorded()
    return Effect.gen(function* () {
      const connector = yield* issuingConnector()
      connector.secrets.set("gw-1", "configured-secret")
      const signed = yield* link(connector).pipe(
        Effect.provide(
          Settings.layerFrom({
            GATEWAY_RELAY_ID: "gw-1",
            GATEWAY_RELAY_SECRET: "configured-secret",
            GATEWAY_RELAY_ACCESS_TOKEN: "t"
          })
        )
      )
      yield* ready(signed.state)
      const bare = yield* link(connector).pipe(Effect.provide(Settings.layerFrom({})))
      yield* eventually("refused twice", () => connector.refusals.length > 1)
      assert.notStrictEqual(bare.state(), "Ready")
      assert.deepStrictEqual(connector.asked, [])
      assert.lengthOf(
        log.lines.filter((line) => line.includes("without credentials")),
        1
      )
    }).pipe(Effect.scoped, Effect.provide(log.layer))
  })
})

describe("the access token", () => {
  const ask = (values: Record<string, unknown>) =>
    Effect.flatMap(outgoing, accessToken).pipe(
      Effect.map((token) => (token === null ? null : Redacted.value(token))),
      Effect.result,
      Effect.provide(Settings.layerFrom(values))
    )

  it.live("comes from the identity provider, else as configured, else there is none", () =>
    Effect.gen(function* () {
      const connector = yield* issuingConnector()
      const idp = {
        "gateway.idp.token_url": `${connector.url}/token`,
        "gateway.idp.client_id": "me",
        "gateway.idp.client_secret": "secret-of-client",
        "gateway.idp.scope": "relay",
        GATEWAY_RELAY_ACCESS_TOKEN: "standing"
      }
      assert.deepStrictEqual(yield* ask(idp), Result.succeed("token-of-idp"))
      assert.deepStrictEqual(connector.asked[0]!.body, {
        grant_type: "client_credentials",
        client_id: "me",
        client_secret: "secret-of-client",
        scope: "relay"
      })
      assert.deepStrictEqual(yield* ask({ GATEWAY_RELAY_ACCESS_TOKEN: "standing" }), Result.succeed("standing"))
      assert.deepStrictEqual(yield* ask({}), Result.succeed(null))
      for (const [answer, reason] of [
        [{ status: 401, body: { error_description: "who?" } }, "Refused"],
        [{ status: 503, body: null }, "Temporary"],
        [{ status: 200, body: {} }, "Malformed"]
      ] as const) {
        connector.answer = () => answer
        const result = yield* ask(idp)
        assert.isTrue(Result.isFailure(result) && result.failure._tag === "Refused" && result.failure.reason === reason)
      }
      const nobody = yield* ask({ ...idp, "gateway.idp.token_url": "http://127.0.0.1:1/token" })
      assert.isTrue(Result.isFailure(nobody) && nobody.failure._tag === "NoAnswer")
      assert.deepStrictEqual(connector.violations, [])
    }).pipe(Effect.scoped)
  )
})

describe("the policy", () => {
  it.live("is told once at boot where it is not the default, signed, and its refusal changes nothing", () =>
    Effect.gen(function* () {
      const connector = yield* issuingConnector(null, {
        identities: ["discord", "slack", "telegram"].map((platform) => ({ platform, botId: "" }))
      })
      connector.secrets.set("gw-1", "configured-secret")
      connector.answer = () => ({ status: 500, body: null })
      const fronted: Identities = [
        { platform: "discord", botId: "" },
        { platform: "slack", botId: "" },
        { platform: "telegram", botId: "" }
      ]
      const { state } = yield* link(connector, fronted).pipe(
        Effect.provide(
          Settings.layerFrom({
            GATEWAY_RELAY_ID: "gw-1",
            GATEWAY_RELAY_SECRET: "configured-secret",
            "platforms.relay.discord": { require_mention: false, free_response_channels: ["1", "2"] },
            "platforms.discord.require_mention": true,
            SLACK_ALLOW_BOTS: "mentions"
          })
        )
      )
      yield* ready(state)
      yield* eventually("told", () => connector.asked.length === 2)
      connector.strict.faults.cutSocket()
      yield* eventually("dialled again", () => connector.admitted.length === 2)
      yield* ready(state)
      assert.deepStrictEqual(
        connector.asked.map(({ body }) => body),
        [
          {
            platform: "discord",
            requireAddress: false,
            freeResponseScopes: ["1", "2"],
            allowOtherBots: false
          },
          {
            platform: "slack",
            requireAddress: true,
            freeResponseScopes: [],
            allowOtherBots: true
          }
        ]
      )
      assert.deepStrictEqual(connector.pathsAsked(), ["/relay/policy", "/relay/policy"])
      assert.deepStrictEqual(connector.allViolations(), [])
    }).pipe(Effect.scoped)
  )
})

describe("the way out", () => {
  it.live("checks certificates, against a private authority when one is named", () =>
    Effect.gen(function* () {
      const ca = authority
      const connector = yield* issuingConnector(ca)
      const values = { GATEWAY_RELAY_ACCESS_TOKEN: "t" }
      const strange = yield* link(connector).pipe(Effect.provide(Settings.layerFrom(values)))
      const trusting = yield* link(connector).pipe(
        Effect.provide(Settings.layerFrom({ ...values, "gateway.ca_file": ca.caFile }))
      )
      yield* ready(trusting.state)
      assert.notStrictEqual(strange.state(), "Ready")
      // Nothing was asked of a server that could not show who it is.
      assert.lengthOf(connector.asked, 1)
      assert.deepStrictEqual(connector.allViolations(), [])
    }).pipe(Effect.scoped)
  )

  it.live("leads through the proxy for HTTP and WebSocket, with its password, except for what is exempt", () =>
    Effect.gen(function* () {
      const ca = authority
      const connector = yield* issuingConnector(ca)
      const proxy = yield* connectProxy
      const values = {
        GATEWAY_RELAY_ACCESS_TOKEN: "t",
        NODE_EXTRA_CA_CERTS: ca.caFile,
        HTTPS_PROXY: proxy.url.replace("://", "://me:pass-of-proxy@")
      }
      // One at a time: a connector ends the connection of a gateway that dials again.
      const come = (more: Record<string, unknown>) =>
        Effect.scoped(
          Effect.flatMap(link(connector), ({ state }) => ready(state)).pipe(
            Effect.provide(Settings.layerFrom({ ...values, ...more }))
          )
        )
      yield* come({})
      const target = new URL(connector.url).host
      assert.deepStrictEqual(proxy.targets, [target, target])
      assert.deepStrictEqual(
        proxy.authorizations.map((value) => Buffer.from(value!.replace("Basic ", ""), "base64").toString()),
        ["me:pass-of-proxy", "me:pass-of-proxy"]
      )
      assert.strictEqual(redact("at pass-of-proxy"), "at ***")
      yield* come({ NO_PROXY: "localhost" })
      yield* come({ "gateway.trust_env": false })
      assert.lengthOf(proxy.targets, 2)
    }).pipe(Effect.scoped)
  )

  it.live("does not take the refusal of a proxy for that of the connector", () =>
    Effect.gen(function* () {
      const connector = yield* issuingConnector()
      connector.secrets.set("gw-1", "configured-secret")
      const proxy = yield* connectProxy
      const { state } = yield* link(connector).pipe(
        Effect.provide(
          Settings.layerFrom({
            GATEWAY_RELAY_ID: "gw-1",
            GATEWAY_RELAY_SECRET: "configured-secret",
            http_proxy: proxy.url
          })
        )
      )
      yield* ready(state)
      proxy.status = 403
      connector.strict.faults.cutSocket()
      yield* eventually("asked the proxy again", () => proxy.targets.length > 2)
      assert.notStrictEqual(state(), "Closed(AuthRevoked)")
      proxy.status = null
      yield* ready(state)
    }).pipe(Effect.scoped)
  )
})

describe("credentials that change while the link runs", () => {
  const home = Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-credentials-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const write = (folder: string, id: string, secret: string) =>
    writeFileSync(join(folder, ".env"), `GATEWAY_RELAY_ID=${id}\nGATEWAY_RELAY_SECRET=${secret}\n`)

  const rotating = Effect.fnUntraced(function* () {
    const folder = yield* home
    write(folder, "gw-1", "first-secret-of-all")
    const connector = yield* issuingConnector()
    connector.secrets.set("gw-1", "first-secret-of-all")
    const settings = yield* Effect.provide(
      Settings,
      Settings.layer({ home: folder, environment: {}, workingDirectory: folder, overlay: join(folder, "none") })
    )
    const made = yield* link(connector).pipe(Effect.provideService(Settings, settings))
    yield* ready(made.state)
    const change = (id: string, secret: string) =>
      Effect.andThen(
        Effect.sync(() => write(folder, id, secret)),
        settings.reload(relaySettings)
      )
    return { ...made, connector, change }
  })

  it.live("make it dial anew; what is under way ends first, and nothing is lost or in doubt", () =>
    Effect.gen(function* () {
      const { change, connector, intake, transport } = yield* rotating()
      connector.secrets.set("gw-2", "second-secret-of-all")
      intake.gate.closeUnsafe()
      for (let n = 0; n < 20; n++) connector.strict.deliver({ chatId: "c", text: `before ${n}` })
      yield* eventually("read", () => intake.batches.length > 0)
      connector.strict.faults.delayResult(500)
      const asking = yield* Effect.forkChild(
        transport.request({
          action: { op: "send", chat_id: "c", content: "x", metadata: { idempotency_key: "k1" } },
          platform: "relay",
          rank: "final"
        })
      )
      yield* eventually("asked", () => connector.strict.counts.actions === 1)
      yield* change("gw-2", "second-secret-of-all")
      yield* eventually("it parts", () => connector.strict.counts.goingIdle === 1)
      for (let n = 0; n < 20; n++) connector.strict.deliver({ chatId: "c", text: `meanwhile ${n}` })
      assert.isTrue((yield* Fiber.join(asking)).success)
      intake.gate.openUnsafe()
      yield* eventually("dialled anew", () => connector.admitted.at(-1) === "gw-2")
      yield* eventually("all acknowledged", () => connector.strict.waiting === 0)
      assert.sameMembers(
        [...new Set(intake.texts)],
        [
          ...Array.from({ length: 20 }, (_, n) => `before ${n}`),
          ...Array.from({ length: 20 }, (_, n) => `meanwhile ${n}`)
        ]
      )
      assert.lengthOf(intake.texts, 40)
      assert.deepStrictEqual(
        connector.strict.closes.map(({ code }) => code),
        [1000]
      )
      assert.deepStrictEqual(connector.allViolations(), [])
    }).pipe(Effect.scoped)
  )

  it.live("revoked ones rest until they change", () =>
    Effect.gen(function* () {
      const { change, connector, state, transport } = yield* rotating()
      connector.secrets.clear()
      connector.strict.faults.closeWith(4401)
      yield* eventually("revoked", () => state() === "Closed(AuthRevoked)")
      yield* transport.poke
      assert.strictEqual(state(), "Closed(AuthRevoked)")
      connector.secrets.set("gw-1", "third-secret-of-all")
      yield* change("gw-1", "third-secret-of-all")
      yield* ready(state)
      assert.lengthOf(connector.refusals, 0)
    }).pipe(Effect.scoped)
  )

  it.live("other changes of the configuration leave the link alone", () =>
    Effect.gen(function* () {
      const { change, connector, state } = yield* rotating()
      yield* change("gw-1", "first-secret-of-all")
      connector.strict.deliver({ chatId: "c", text: "still here" })
      yield* eventually("acknowledged", () => connector.strict.waiting === 0)
      assert.strictEqual(state(), "Ready")
      assert.lengthOf(connector.admitted, 1)
    }).pipe(Effect.scoped)
  )
})
