/**
 * The routes that need the running gateway, on a listener that answers before there is one: until they arrive they say so.
 */
import { Context, Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { problem } from "../Operations/HttpProblem.ts"
import type { App } from "./Listener.ts"

const starting: App = Effect.succeed(
  problem(503, { error: "starting", message: "the gateway is starting; ask again in a moment" }, { "retry-after": "1" })
)

export class LateRoutes extends Context.Service<LateRoutes, { app: App }>()("Cli/LateRoutes") {
  static readonly layer = Layer.sync(LateRoutes, () => ({ app: starting }))

  /** Where they will be. */
  static readonly places = HttpRouter.use((router) =>
    Effect.gen(function* () {
      const late = yield* LateRoutes
      const handler = Effect.suspend(() => late.app)
      yield* router.add("*", "/v1/*", handler)
      yield* router.add("*", "/mcp", handler)
    })
  )

  /** From now on these answer, until the scope closes. */
  static readonly arrived = <E, R>(app: Effect.Effect<App, E, R>) =>
    Layer.effectDiscard(
      Effect.gen(function* () {
        const late = yield* LateRoutes
        const arrived = yield* app
        yield* Effect.acquireRelease(
          Effect.sync(() => (late.app = arrived)),
          () => Effect.sync(() => (late.app = starting))
        )
      })
    )
}
