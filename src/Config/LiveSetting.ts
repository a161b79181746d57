/**
 * A setting for code that decides without waiting: its value of this moment, read anew after each reload of the
 * configuration (`operations F10`). A value that does not decode leaves the last good one.
 */
import { Effect, type Scope, Stream, SubscriptionRef } from "effect"
import type { ConfigError } from "./ConfigError.ts"
import type { Setting } from "./Setting.ts"
import type { Settings } from "./Settings.ts"

export const live = <A>(
  settings: Settings["Service"],
  setting: Setting<A>
): Effect.Effect<() => A, ConfigError, Scope.Scope> =>
  Effect.gen(function* () {
    let value = yield* settings.get(setting)
    if (!setting.live) return () => value
    yield* SubscriptionRef.changes(settings.generation).pipe(
      Stream.drop(1),
      Stream.runForEach(() =>
        settings.get(setting).pipe(
          Effect.map((next) => {
            value = next
          }),
          Effect.catch((error) => Effect.logWarning("a changed setting was not taken over", error.message))
        )
      ),
      Effect.forkScoped
    )
    return () => value
  })
