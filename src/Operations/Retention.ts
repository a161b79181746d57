/**
 * Deletes what has ended long enough ago (`relay I3a`, `delivery O3`): ended Inbox rows with their duplicate keys, ended
 * Outbox rows, expired prompts. In small pieces, so that no message waits for it; never an open row.
 */
import { Clock, Duration, Effect, Layer, Schedule } from "effect"
import { DeliveryKeepDays } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { Inbox } from "../Storage/Inbox.ts"
import { Outbox } from "../Storage/Outbox.ts"
import { PromptStore } from "../Storage/PromptStore.ts"

/** How long a message's ids are remembered against duplicates. */
const inboxKept = Duration.days(7)
const every = Duration.hours(1)
const piece = 1000

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const inbox = yield* Inbox
    const outbox = yield* Outbox
    const prompts = yield* PromptStore
    const clock = yield* Clock.Clock
    const outboxKept = Duration.days(yield* (yield* Settings).get(DeliveryKeepDays))

    // To the last one: a row that is kept for long may stand among the oldest, and a piece is then never whole.
    const untilNone = <E>(deletePiece: Effect.Effect<number, E>) =>
      Effect.repeat(deletePiece, { while: (deleted) => deleted > 0, schedule: Schedule.spaced("100 millis") })

    const before = (kept: Duration.Duration) => clock.currentTimeMillisUnsafe() - Duration.toMillis(kept)

    yield* Effect.suspend(() => untilNone(inbox.prune(before(inboxKept), piece))).pipe(
      Effect.andThen(Effect.suspend(() => untilNone(outbox.prune(before(outboxKept), piece)))),
      Effect.andThen(Effect.suspend(() => prompts.prune(before(inboxKept)))),
      Effect.catch((error) => Effect.logWarning("old rows were not deleted, will try again", error.message)),
      Effect.schedule(Schedule.spaced(every)),
      Effect.forkScoped
    )
  })
)
