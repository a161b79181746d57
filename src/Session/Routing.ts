/**
 * How an actor learns which conversation its key points at, and which one a message belongs to (`session R`). Storage is
 * asked once while an actor lives; after that the actor's own route counts, as only it moves its key.
 */
import { Clock, Context, Effect, Layer, Random } from "effect"
import type { SqlError } from "effect/sql"
import { Settings } from "../Config/Settings.ts"
import type { InboxRow } from "../Storage/Inbox.ts"
import type { Route } from "../Storage/Routes.ts"
import { type Known, SessionStore } from "../Storage/SessionStore.ts"
import * as Entry from "./Entry.ts"
import * as ResetPolicy from "./ResetPolicy.ts"
import * as SessionId from "./SessionId.ts"
import { Timezone } from "./SessionSettings.ts"

/** Continuations that other keys of the same conversation are told about; the oldest is forgotten first. */
const movedBound = 10_000

export class Routing extends Context.Service<
  Routing,
  {
    readonly load: (
      row: Pick<InboxRow, "sessionKey"> & { readonly event: InboxRow["event"] | null }
    ) => Effect.Effect<Known, SqlError.SqlError>
    /** The conversation of a message, made when there is none; nothing is stored by it. */
    readonly enter: (known: Known, row: InboxRow) => Effect.Effect<Entry.Entered>
    /** A conversation goes on under another id: every key that points at the old one follows (`session R1.1`). */
    readonly continued: (from: string, to: string) => void
  }
>()("Session/Routing") {
  static readonly layer = Layer.effect(
    Routing,
    Effect.gen(function* () {
      const store = yield* SessionStore
      const clock = yield* Clock.Clock
      const policies = yield* ResetPolicy.configured
      const zone = yield* (yield* Settings).get(Timezone)
      const moved = new Map<string, string>()

      const follow = (known: Known): Known => {
        if (moved.size === 0 || known.route === null) return known
        let { sessionId } = known.route
        for (let to = moved.get(sessionId); to !== undefined; to = moved.get(sessionId)) sessionId = to
        return sessionId === known.route.sessionId ? known : { ...known, route: { ...known.route, sessionId } }
      }

      return {
        load: ({ event, sessionKey }) => store.known(sessionKey, event?.source ?? null),
        enter: (known, row) =>
          Effect.map(Random.next, (random) => {
            const now = clock.currentTimeMillisUnsafe()
            return Entry.enter(
              follow(known),
              { sessionKey: row.sessionKey, source: row.event.source, now },
              {
                newId: () => SessionId.make(now, random, zone),
                expiry: (source, lastActivity, now) =>
                  ResetPolicy.expiry(ResetPolicy.policyOf(policies, source), lastActivity, now, zone)
              }
            )
          }),
        continued: (from, to) => {
          moved.set(from, to)
          if (moved.size > movedBound) moved.delete(moved.keys().next().value!)
        }
      }
    })
  )
}

/** A route as all that is known. */
export const knownOf = (route: Route | null): Known => ({ route, earlier: [], isFirstEver: false })
