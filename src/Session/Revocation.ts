/**
 * Whoever may no longer speak is not worked for any longer (`access G-6`): when settings or pairings have changed, the
 * senders of running turns are asked about again. What still waits is asked about when its turn comes (G-9).
 */
import { Effect, Layer, Stream } from "effect"
import { Access } from "../Access/Access.ts"
import { Lanes } from "./Lanes.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const access = yield* Access
    const lanes = yield* Lanes

    const askAgain = Effect.suspend(() =>
      Effect.forEach(
        lanes.runningRows(),
        ([sessionKey, { event, provenance }]) =>
          Effect.flatMap(access.decide(event.source, provenance), ({ allow, rule }) =>
            // What cannot be decided now is not taken back: a turn that was let in goes on.
            allow || rule === "error"
              ? Effect.void
              : Effect.andThen(
                  lanes.interrupt(sessionKey, "revoked"),
                  Effect.logInfo("a turn was stopped: its sender may no longer speak", {
                    platform: event.source.platform,
                    rule
                  })
                )
          ),
        { discard: true }
      )
    )

    yield* Effect.forkScoped(Stream.runForEach(access.changes, () => askAgain))
  })
)
