/**
 * What a turn leaves behind (`session L2`–`L7`): pure, from the turn and its outcome to the writes that belong into one
 * transaction with its replies (law 2).
 */
import type { Turn } from "../Session/Turns.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import { ended } from "../Storage/Inbox.ts"
import { opened, type Route, said, touched } from "../Storage/Transcript.ts"

export interface TurnEnd {
  /** What is shown, one text after the other; empty = nothing. */
  readonly texts: ReadonlyArray<string>
  /** `exchange`: both sides. `unanswered`: the user's message alone. `nothing`: neither. */
  readonly transcript: "exchange" | "unanswered" | "nothing"
  /** What the agent said, for the transcript. */
  readonly answer: string
  readonly state?: "done" | "dead" | "revoked"
  /** Why the row did not end as done. */
  readonly note?: string
}

const transcript = (turn: Turn, route: Route, end: TurnEnd, cause: string, at: number): ReadonlyArray<Write> => {
  if (end.transcript === "nothing") return []
  const { event, takenAt } = turn.row
  const user = said({
    sessionId: route.sessionId,
    turn: cause,
    ordinal: 0,
    role: "user",
    content: event.text,
    timestamp: event.timestamp ?? takenAt,
    platformMessageId: event.messageId,
    unanswered: end.transcript === "unanswered"
  })
  if (end.transcript === "unanswered") return [user]
  const assistant = said({
    sessionId: route.sessionId,
    turn: cause,
    ordinal: 1,
    role: "assistant",
    content: end.answer,
    timestamp: at,
    platformMessageId: null,
    unanswered: false
  })
  return [user, assistant]
}

/** `isOver`: a boundary was drawn while the turn ran; its route is another's to write. */
export const writesOf = (options: {
  readonly turn: Turn
  readonly route: Route
  readonly end: TurnEnd
  readonly cause: string
  readonly at: number
  readonly isOver: boolean
}): ReadonlyArray<Write> => {
  const { at, cause, end, isOver, route, turn } = options
  const routed =
    turn.route !== null ? [touched(turn.sessionKey, at)] : isOver ? [] : opened(route, turn.row.event.source)
  return [
    ended(turn.row.id, end.state ?? "done", at, end.note ?? null),
    ...routed,
    ...transcript(turn, route, end, cause, at)
  ]
}
