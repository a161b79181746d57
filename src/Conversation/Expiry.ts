/**
 * Closes what the agent keeps of conversations whose policy says that they are over (`session X1`–X4), and retires chats
 * that nobody has used for long (`session Z1`). The boundary itself comes with the next message. It looks at routes by
 * their last activity and in small pages: never at all of them.
 */
import { Clock, Duration, Effect, Layer, Schedule } from "effect"
import { Agent } from "../Agent/Agent.ts"
import { Settings } from "../Config/Settings.ts"
import * as ResetPolicy from "../Session/ResetPolicy.ts"
import { SessionStoreMaxAgeDays, Timezone } from "../Session/SessionSettings.ts"
import { Journal } from "../Storage/Journal.ts"
import { finalized, type Route } from "../Storage/Routes.ts"
import { SessionStore } from "../Storage/SessionStore.ts"

const every = Duration.minutes(5)
const firstAfter = Duration.minutes(1)
const pruneEvery = Duration.hours(1)
const page = 200
/** What an agent may take to put one conversation away (`session X2`). */
const patience = Duration.seconds(30)
/** Passes in which it may fail before the conversation counts as closed all the same (`session X3`). */
const maxFailures = 3
const failuresBound = 1000
/** Nobody sets clocks so far back: days, in milliseconds. */
const day = 86_400_000

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const agent = yield* Agent
    const journal = yield* Journal
    const store = yield* SessionStore
    const clock = yield* Clock.Clock
    const settings = yield* Settings
    const policies = yield* ResetPolicy.configured
    const zone = yield* settings.get(Timezone)
    const maxAgeDays = yield* settings.get(SessionStoreMaxAgeDays)
    const silence = ResetPolicy.shortestSilence(policies)
    const failures = new Map<string, number>()

    const forget = (route: Route): Effect.Effect<boolean> =>
      (agent.forget?.(route.sessionKey, route.sessionId) ?? Effect.void).pipe(
        Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.die("the agent took too long") }),
        Effect.as(true),
        Effect.catchCause((cause) => {
          const count = (failures.get(route.sessionId) ?? 0) + 1
          failures.set(route.sessionId, count)
          if (failures.size > failuresBound) failures.delete(failures.keys().next().value!)
          return Effect.as(
            Effect.logWarning("an agent did not put an expired conversation away", { session: route.sessionId }, cause),
            count >= maxFailures
          )
        })
      )

    const pass = Effect.gen(function* () {
      if (silence === null) return
      const now = clock.currentTimeMillisUnsafe()
      let after = { updatedAt: -1, sessionKey: "" }
      for (;;) {
        const routes = yield* store.expiring(now - silence, after, page)
        for (const route of routes) {
          after = route
          const policy = ResetPolicy.policyOf(policies, route.source)
          if (ResetPolicy.expiry(policy, route.updatedAt, now, zone) === null) continue
          if (!(yield* forget(route))) continue
          failures.delete(route.sessionId)
          yield* journal.append([finalized(route.sessionKey, route.updatedAt)])
        }
        if (routes.length < page) return
        yield* Effect.sleep("20 millis")
      }
    })

    const prune = Effect.gen(function* () {
      if (maxAgeDays <= 0) return
      const now = clock.currentTimeMillisUnsafe()
      yield* Effect.repeat(store.pruneRoutes(now - maxAgeDays * day, now, page), {
        while: (pruned) => pruned === page,
        schedule: Schedule.spaced("20 millis")
      })
    })

    const keepsTrying = Effect.catch((error: { readonly message: string }) =>
      Effect.logWarning("expired conversations were not put away, will try again", error.message)
    )
    if (silence !== null) {
      yield* Effect.sleep(firstAfter).pipe(
        Effect.andThen(Effect.repeat(keepsTrying(pass), Schedule.spaced(every))),
        Effect.forkScoped
      )
    }
    yield* keepsTrying(prune).pipe(Effect.repeat(Schedule.spaced(pruneEvery)), Effect.forkScoped)
  })
)
