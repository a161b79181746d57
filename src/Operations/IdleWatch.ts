/**
 * Puts a link to sleep when the gateway has had nothing to do for a while, so that its host may suspend it (`relay L5`).
 * Only with a wake URL: nobody may sleep who cannot be woken.
 */
import { Clock, Duration, Effect, Layer, Schedule, SubscriptionRef } from "effect"
import { Settings } from "../Config/Settings.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { IdleTimeoutMinutes, RelayWakeUrl } from "../Relay/RelaySettings.ts"
import { Wake } from "../Relay/Wake.ts"
import { Lanes } from "../Session/Lanes.ts"
import { Lifecycle } from "./Lifecycle.ts"

const lookEvery = "1 second"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const settings = yield* Settings
    const timeout = Duration.toMillis(Duration.minutes(yield* settings.get(IdleTimeoutMinutes)))
    if ((yield* settings.get(RelayWakeUrl)) === null || timeout === 0) return
    const wake = yield* Wake
    const lanes = yield* Lanes
    const queues = yield* SendQueues
    const lifecycle = yield* Lifecycle
    const clock = yield* Clock.Clock
    let busyAt = clock.currentTimeMillisUnsafe()

    const isBusy = (): boolean => {
      const { queued, running } = lanes.view()
      return running > 0 || queued > 0 || lanes.oldestWaiting() !== null || queues.view().some(({ rows }) => rows > 0)
    }

    const look = Effect.gen(function* () {
      const now = clock.currentTimeMillisUnsafe()
      if ((yield* SubscriptionRef.get(lifecycle.phase)) !== "running") return
      if (isBusy()) busyAt = now
      for (const sleeper of wake.sleepers()) {
        const quietSince = Math.max(busyAt, sleeper.lastInbound() ?? 0)
        if (now - quietSince < timeout || !sleeper.isReady()) continue
        yield* Effect.logInfo("relay: nothing to do, the link goes to sleep", { link: sleeper.link })
        yield* sleeper.sleep
      }
    })
    yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(lookEvery)))
  })
)
