/**
 * The gateway as a program: one HTTP listener, the local connector behind it, the configured links and the core, put
 * together in the order of `operations B1`. It only puts together.
 */
import { randomBytes } from "node:crypto"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Deferred, Effect, Layer, Redacted, type Scope, SubscriptionRef } from "effect"
import { HttpRouter, type HttpServerRequest, type HttpServerResponse } from "effect/http"
import { AdminKey, HttpHost, HttpPort, McpToken } from "../Config/GatewaySettings.ts"
import * as ConfigWatch from "../Config/ConfigWatch.ts"
import { registerSecret } from "../Config/Redact.ts"
import { Settings } from "../Config/Settings.ts"
import { LocalConnector } from "../Connector/LocalConnector.ts"
import * as WebChat from "../Connector/WebChat.ts"
import { databaseOfSettings, Gateway } from "../Gateway.ts"
import { AdminGate } from "../Operations/AdminGate.ts"
import { Health } from "../Operations/Health.ts"
import { Home } from "../Operations/Home.ts"
import { HomeLock } from "../Operations/HomeLock.ts"
import * as IdleWatch from "../Operations/IdleWatch.ts"
import { SessionTokens } from "../Operations/Mcp/Caller.ts"
import * as McpRoutes from "../Operations/Mcp/McpRoutes.ts"
import * as Metrics from "../Operations/Metrics.ts"
import { isLoopback } from "../Operations/RequestOrigin.ts"
import { StateFile } from "../Operations/StateFile.ts"
import * as ApiLink from "../Operations/Turns/ApiLink.ts"
import * as TurnRoutes from "../Operations/Turns/TurnRoutes.ts"
import { Registry } from "../Platforms/Registry.ts"
import { Wake } from "../Relay/Wake.ts"
import { Database } from "../Storage/Database.ts"
import type { ChosenAgent } from "./Agents.ts"
import { knownSettings } from "./KnownSettings.ts"
import { LateRoutes } from "./LateRoutes.ts"
import type { Plan } from "./Links.ts"
import { Listener } from "./Listener.ts"

export const listener = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    return Listener.layer({ host: yield* settings.get(HttpHost), port: yield* settings.get(HttpPort) })
  })
)

/** Shared by the local connector and its link; made anew at every start and known to nobody else. */
export const makeSecret: Effect.Effect<Redacted.Redacted> = Effect.sync(() => {
  const secret = randomBytes(32).toString("hex")
  registerSecret(secret)
  return Redacted.make(secret)
})

/** What `/ready` says before there is a gateway to ask. */
export class Readiness extends Context.Service<
  Readiness,
  {
    readonly health: Health["Service"]
    readonly arrived: (health: Health["Service"]) => Effect.Effect<void>
  }
>()("Cli/Readiness") {
  static readonly layer = Layer.effect(
    Readiness,
    Effect.map(Deferred.make<Health["Service"]>(), (gateway) => ({
      health: {
        reasons: Effect.suspend(() =>
          Deferred.isDoneUnsafe(gateway)
            ? Effect.flatMap(Deferred.await(gateway), ({ reasons }) => reasons)
            : Effect.succeed(["starting"])
        ),
        status: Effect.flatMap(Deferred.await(gateway), ({ status }) => status)
      },
      arrived: (health) => Effect.asVoid(Deferred.succeed(gateway, health))
    }))
  )
}

const adminGate = Layer.unwrap(
  Effect.gen(function* () {
    const key = yield* (yield* Settings).get(AdminKey)
    return AdminGate.layer({ key, host: (yield* Listener).host })
  })
)

type Response = HttpServerResponse.HttpServerResponse
type RequestServices = HttpServerRequest.HttpServerRequest | Scope.Scope

/** Puts the routes on the listener. From here on the local connector can be dialled. */
export const routes = (plan: Plan, secret: Redacted.Redacted) => {
  const common = Layer.mergeAll(Health.routes, Metrics.layer, Wake.routes, LateRoutes.places)
  const chat = Layer.mergeAll(WebChat.routes, AdminGate.routes).pipe(
    Layer.provide(adminGate),
    Layer.provide(LocalConnector.layer({ secret })),
    Layer.provide(NodeFileSystem.layer)
  )
  const answer = <E, R>(app: Effect.Effect<Effect.Effect<Response, unknown, RequestServices | Health>, E, R>) =>
    Layer.effectDiscard(
      Effect.gen(function* () {
        const { health } = yield* Readiness
        const { answer } = yield* Listener
        answer(Effect.provideService(yield* app, Health, health))
      })
    )
  return plan.isConnectorOn
    ? answer(HttpRouter.toHttpEffect(Layer.mergeAll(common, chat)))
    : answer(HttpRouter.toHttpEffect(common))
}

/** What asks the running gateway: turns and messages (`/v1`), tools (`/mcp`). */
const lateRoutes = (plan: Plan) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      const token = yield* settings.get(McpToken)
      const hasAdminKey = (yield* settings.get(AdminKey)) !== null
      const routes = Layer.mergeAll(TurnRoutes.layer, McpRoutes.layer({ token, hasAdminKey, links: plan.names }))
      return LateRoutes.arrived(HttpRouter.toHttpEffect(routes))
    })
  ).pipe(Layer.provide(adminGate))

/** Whether the web chat is served to anybody; on an open bind without a key it answers 404 (`operations S4`). */
export const isChatOpen = (plan: Plan) =>
  Effect.gen(function* () {
    const key = yield* (yield* Settings).get(AdminKey)
    return plan.isConnectorOn && (key !== null || isLoopback((yield* Listener).host))
  })

/** The links of the plan, dialled from here. */
export const registry = (plan: Plan, secret: Redacted.Redacted) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { ownUrl } = yield* Listener
      return Registry.layer(plan.registrations({ url: ownUrl, secret, wake: yield* Wake }))
    })
  )

/** Over `Settings` and `Log`; everything of the gateway is running when it is built. */
export const layer = (plan: Plan, agent: ChosenAgent) =>
  Layer.unwrap(
    Effect.map(makeSecret, (secret) => {
      const arrived = Layer.effectDiscard(
        Effect.gen(function* () {
          yield* (yield* Readiness).arrived(yield* Health)
          const { url } = yield* Listener
          const settings = yield* Settings
          // Looked at once for each reload: comparing every setting is too much for each look at the state.
          let generation = 0
          let waiting: ReadonlyArray<string> = []
          const restartNeeded = () => {
            const now = SubscriptionRef.getUnsafe(settings.generation)
            if (now !== generation) waiting = settings.restartNeeded(knownSettings)
            generation = now
            return waiting
          }
          yield* (yield* StateFile).follow({
            url,
            isChatOn: yield* isChatOpen(plan),
            agent: agent.name,
            storage: (yield* Database).describe,
            links: plan.names,
            restartNeeded
          })
        })
      )
      return Layer.mergeAll(
        arrived,
        lateRoutes(plan),
        ApiLink.layer,
        IdleWatch.layer,
        ConfigWatch.layer(knownSettings)
      ).pipe(
        Layer.provideMerge(Gateway.layerCore),
        Layer.provide(registry(plan, secret)),
        Layer.provide(agent.layer),
        Layer.provide(routes(plan, secret)),
        Layer.provide(Layer.mergeAll(Readiness.layer, Wake.layer, LateRoutes.layer, SessionTokens.layer)),
        Layer.provideMerge(databaseOfSettings),
        Layer.provideMerge(listener),
        Layer.provide(StateFile.layer),
        Layer.provide(HomeLock.layer),
        Layer.provideMerge(Home.layer)
      )
    })
  )
