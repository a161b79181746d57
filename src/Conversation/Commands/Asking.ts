/** How commands ask about conversations, and what a refusal of the rooms below is in words (`session C`). */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { Agent } from "../../Agent/Agent.ts"
import type { Asker, Plan, SessionRefused } from "../../Session/Sessions.ts"
import type { Invocation, Outcome } from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"

export const askerOf = ({ now, row, session }: Invocation, scope: Asker["scope"] = "own"): Asker => ({
  sessionKey: session.sessionKey,
  route: session.route,
  source: row.event.source,
  scope,
  now
})

export const refusalText = ({ count, limit, reason, sessionId }: SessionRefused): string => {
  switch (reason) {
    case "not_found":
      return Said.session.notFound
    case "ambiguous":
      return Said.session.ambiguous
    case "out_of_range":
      return Said.session.outOfRange(count ?? 0)
    case "already_there":
      return Said.session.alreadyThere
    case "not_allowed":
      return Said.session.notAllowed
    case "too_long":
      return Said.session.tooLong(count ?? 0, limit ?? 0)
    case "no_session":
      return Said.session.noSession
    case "no_history":
      return Said.session.noHistory
    case "title_empty":
      return Said.session.titleEmpty
    case "title_too_long":
      return Said.session.titleTooLong(count ?? 0, limit ?? 0)
    case "title_taken":
      return Said.session.titleTaken(sessionId ?? "another one")
  }
}

/** What the agent keeps of the conversation that the key points at is void. */
export const forgotten = (invocation: Invocation) =>
  Effect.map(Agent, ({ forget }) => {
    const { route, sessionKey } = invocation.session
    return forget === undefined || route === null ? Effect.void : forget(sessionKey, route.sessionId)
  })

/** Carries a plan out and says what it came to; a refusal changes nothing and is said. */
export const planned = <P extends Plan>(
  plan: Effect.Effect<P, SessionRefused | SqlError.SqlError>,
  outcome: (plan: P) => Omit<Outcome, "writes" | "routed">
): Effect.Effect<Outcome, SqlError.SqlError> =>
  plan.pipe(
    Effect.map((plan): Outcome => ({ ...outcome(plan), writes: plan.writes, routed: plan.route })),
    Effect.catchTag("SessionRefused", (refused) => Effect.succeed({ text: refusalText(refused) }))
  )
