/**
 * Which conversation a message belongs to (`session R1`–`R7`): a pure decision from what storage and the actor know. The
 * writes it implies stay with the route until a transaction takes them along (`session B2`).
 */
import type { Source } from "../Message/Source.ts"
import { noChoices, type Route } from "../Storage/Routes.ts"
import * as Routes from "../Storage/Routes.ts"
import {
  closed,
  isAccident,
  isContinued,
  type Known,
  opened,
  reopened,
  type SessionRow
} from "../Storage/SessionStore.ts"

/** Why an id was replaced without anybody asking for it (`session R6`). */
export type ResetReason = "suspended" | "idle" | "daily"

/** What a turn has to know about the beginning of its conversation. */
export interface Begun {
  /** The first message of this conversation (`session R7`). */
  readonly isNew: boolean
  /** It replaced another one by itself. */
  readonly reset: {
    readonly reason: ResetReason
    readonly previousId: string
    /** There was something to lose (`session P3a`). */
    readonly hadActivity: boolean
  } | null
  /** Nobody has ever spoken to this gateway before (`session R9`). */
  readonly isFirstEver: boolean
}

export interface Entered {
  readonly route: Route
  readonly begun: Begun
}

/** A route that nobody has stored yet. */
export const fresh = (sessionKey: string, sessionId: string, source: Source, now: number): Route => {
  const route = { sessionKey, sessionId, createdAt: now, updatedAt: now, source }
  return { ...route, choices: noChoices, lastPromptTokens: 0, suspended: false, pending: opened(route) }
}

/**
 * The newest conversation of this place that may go on, unless a deliberate boundary came after it: `/new` is never undone
 * (`session R3`).
 */
const adoptable = (earlier: ReadonlyArray<SessionRow>): SessionRow | null => {
  let found: SessionRow | null = null
  let boundary = -1
  for (const session of earlier) {
    if (session.ended_at === null || isAccident(session.end_reason)) {
      if (found === null || session.last_activity_at > found.last_activity_at) found = session
    } else if (!isContinued(session.end_reason)) {
      boundary = Math.max(boundary, session.ended_at)
    }
  }
  return found !== null && found.last_activity_at >= boundary ? found : null
}

const adopted = (sessionKey: string, source: Source, session: SessionRow): Route => {
  const route = { sessionKey, sessionId: session.id, createdAt: session.started_at, source }
  return {
    ...route,
    updatedAt: Math.max(session.last_activity_at, session.started_at + 1),
    choices: noChoices,
    lastPromptTokens: 0,
    suspended: false,
    pending: [reopened(session.id, sessionKey, source), Routes.pointed(route)]
  }
}

export const enter = (
  known: Known,
  message: { readonly sessionKey: string; readonly source: Source; readonly now: number },
  options: {
    readonly newId: () => string
    readonly expiry: (source: Source, lastActivity: number, now: number) => "idle" | "daily" | null
  }
): Entered => {
  const { now, sessionKey, source } = message
  const kept = known.route ?? earlierRoute(known, sessionKey, source)
  if (kept === null) {
    const route = fresh(sessionKey, options.newId(), source, now)
    return {
      route: active(route, now),
      begun: { isNew: true, reset: null, isFirstEver: known.isFirstEver }
    }
  }
  const reason = kept.suspended ? "suspended" : options.expiry(source, kept.updatedAt, now)
  if (reason === null) {
    return {
      route: active(kept, now),
      begun: { isNew: kept.createdAt === kept.updatedAt, reset: null, isFirstEver: false }
    }
  }
  const next = fresh(sessionKey, options.newId(), source, now)
  return {
    route: active(
      { ...next, pending: [...kept.pending, closed(kept.sessionId, reason, now, kept.updatedAt), ...next.pending] },
      now
    ),
    begun: {
      isNew: true,
      reset: { reason, previousId: kept.sessionId, hadActivity: kept.lastPromptTokens > 0 },
      isFirstEver: false
    }
  }
}

const earlierRoute = (known: Known, sessionKey: string, source: Source): Route | null => {
  const session = adoptable(known.earlier)
  return session === null ? null : adopted(sessionKey, source, session)
}

/** `createdAt === updatedAt` says "nobody has spoken yet", so a message always moves it. */
const active = (route: Route, now: number): Route => ({ ...route, updatedAt: Math.max(now, route.createdAt + 1) })
