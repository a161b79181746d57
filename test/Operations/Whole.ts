/** The whole gateway core over fake adapters and a faulty database in memory, for the tests of this room. */
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import * as Echo from "../../src/Agent/Echo.ts"
import { Settings } from "../../src/Config/Settings.ts"
import { core } from "../../src/Gateway.ts"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { Health } from "../../src/Operations/Health.ts"
import { Lifecycle } from "../../src/Operations/Lifecycle.ts"
import { Registry } from "../../src/Platforms/Registry.ts"
import { Intake } from "../../src/Session/Intake.ts"
import { Lanes } from "../../src/Session/Lanes.ts"
import { Database } from "../../src/Storage/Database.ts"
import type { FakeAdapter } from "../support/FakeAdapter.ts"
import { Faults, layer as faultyDatabase } from "../support/FaultyDatabase.ts"
import { quiet, until } from "../support/Passing.ts"

export const make = Effect.fnUntraced(function* (
  fakes: ReadonlyArray<FakeAdapter>,
  settings: Readonly<Record<string, unknown>> = {},
  given?: Context.Context<Database>
) {
  const faults = new Faults()
  const scope = yield* Scope.make()
  const database = given ?? (yield* Layer.build(faultyDatabase(faults)))
  const context = yield* Layer.build(
    Layer.fresh(
      core.pipe(
        Layer.provide(Registry.layer(fakes.map((fake) => fake.registration))),
        Layer.provide(Echo.layer),
        Layer.provide(Layer.succeedContext(database)),
        Layer.provide(
          Settings.layerFrom({
            TEST_ALLOW_ALL_USERS: "true",
            "display.busy_ack_enabled": false,
            "platforms.test.gateway_restart_notification": false,
            ...settings
          })
        ),
        Layer.orDie
      )
    )
  ).pipe(Effect.provideService(Scope.Scope, scope))
  yield* quiet
  const end = Effect.gen(function* () {
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
    yield* until(() => closing.pollUnsafe() !== undefined, "5 minutes", "1 second")
    yield* Fiber.join(closing)
  })
  yield* Effect.addFinalizer(() => end)
  let count = 0
  const intake = Context.get(context, Intake)
  return {
    faults,
    database,
    health: Context.get(context, Health),
    lifecycle: Context.get(context, Lifecycle),
    lanes: Context.get(context, Lanes),
    end,
    say: (text: string, chatId = "1") =>
      Effect.andThen(
        Effect.orDie(
          intake.take([
            {
              event: MessageEvent.text(Source.make({ platform: "test", chatId, userId: "u" }), text, `m${++count}`),
              provenance: Source.untrusted,
              link: "test:",
              bufferId: null
            }
          ])
        ),
        quiet
      ),
    inbox: Effect.map(
      Effect.orDie(Context.get(database, Database).execute("SELECT state FROM inbox ORDER BY id", [])),
      (rows) => rows.map(({ state }) => String(state))
    )
  }
})
