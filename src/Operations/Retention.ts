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
import type * as Pruning from "../Storage/Pruning.ts"

/** How long a message's ids are remembered against duplicates. */
const inboxKept = Duration.days(7)
const every = Duration.hours(1)
const piece = 1000
const pause = Duration.millis(100)

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const inbox = yield* Inbox
    const outbox = yield* Outbox
    const prompts = yield* PromptStore
    const clock = yield* Clock.Clock
    const outboxKept = Duration.days(yield* (yield* Settings).get(DeliveryKeepDays))

    const pruneAll = Effect.fnUntraced(function* (prune: Pruning.Prune, kept: Duration.Duration) {
      const before = clock.currentTimeMillisUnsafe() - Duration.toMillis(kept)
      let after: number | null = 0
      while (after !== null) {
        const done: Pruning.Piece = yield* prune(before, after, piece)
        after = done.next
        if (after !== null) yield* Effect.sleep(pause)
      }
    })

    yield* pruneAll(inbox.prune, inboxKept).pipe(
      Effect.andThen(pruneAll(outbox.prune, outboxKept)),
      Effect.andThen(
        Effect.suspend(() => prompts.prune(clock.currentTimeMillisUnsafe() - Duration.toMillis(inboxKept)))
      ),
      Effect.catch((error) => Effect.logWarning("old rows were not deleted, will try again", error.message)),
      Effect.schedule(Schedule.spaced(every)),
      Effect.forkScoped
    )
  })
)
