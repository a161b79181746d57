/**
 * What a turn leaves behind (`session L2`–`L7`): pure, from the turn and its outcome to the writes that belong into one
 * transaction with its replies (law 2).
 */
import type { MediaPart } from "../Delivery/Attachments.ts"
import type { Turn } from "../Session/Turns.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import { ended, type InboxRow } from "../Storage/Inbox.ts"
import { suspended, touched } from "../Storage/Routes.ts"
import { said } from "../Storage/Transcript.ts"

/** A file, and what is said in its place where it cannot be sent. */
export interface Enclosed {
  readonly media: MediaPart
  readonly text: string
}

export interface TurnEnd {
  /** What is said, one text after the other; empty = nothing, and `null` = what is shown already stays. */
  readonly texts: ReadonlyArray<string> | null
  /** Files that follow the texts, in their order. */
  readonly media?: ReadonlyArray<Enclosed>
  /** `exchange`: both sides. `unanswered`: the user's message alone. `nothing`: neither. */
  readonly transcript: "exchange" | "unanswered" | "nothing"
  /** What the agent said, for the transcript. */
  readonly answer: string
  readonly state?: "done" | "dead" | "revoked"
  /** Why the row did not end as done. */
  readonly note?: string
  /** Nothing may go on here: the next message starts a new conversation (`session U5`). */
  readonly suspends?: boolean
}

/** What the agent was handed while it worked stands before the answer that took account of it. */
const heard = (turn: Turn, end: TurnEnd, steered: ReadonlyArray<InboxRow>): ReadonlyArray<Write> =>
  steered.map(({ event, id, takenAt }) =>
    said({
      sessionId: turn.route.sessionId,
      turn: `steer:${id}`,
      ordinal: 0,
      role: "user",
      content: event.text,
      timestamp: event.timestamp ?? takenAt,
      now: takenAt,
      sender: event.source.userName,
      media: event.media,
      platformMessageId: event.messageId,
      unanswered: end.transcript === "unanswered"
    })
  )

const transcript = (
  turn: Turn,
  end: TurnEnd,
  steered: ReadonlyArray<InboxRow>,
  cause: string,
  at: number
): ReadonlyArray<Write> => {
  if (end.transcript === "nothing") return []
  const { event, takenAt } = turn.row
  const { sessionId } = turn.route
  const user = said({
    sessionId,
    turn: cause,
    ordinal: 0,
    role: "user",
    content: event.text,
    timestamp: event.timestamp ?? takenAt,
    now: takenAt,
    sender: event.source.userName,
    media: event.media,
    platformMessageId: event.messageId,
    unanswered: end.transcript === "unanswered"
  })
  const others = heard(turn, end, steered)
  if (end.transcript === "unanswered") return [user, ...others]
  const assistant = said({
    sessionId,
    turn: cause,
    ordinal: 1,
    role: "assistant",
    content: end.answer,
    timestamp: at,
    now: at,
    platformMessageId: null,
    unanswered: false
  })
  return [user, ...others, assistant]
}

/**
 * Size of the last prompt for the route (`session P3a`), `null` = as it was. Of an agent that tells no figures it says only
 * that there was activity.
 */
export const tokensOf = (turn: Turn, end: TurnEnd, told: number | null): number | null =>
  told ?? (end.transcript === "exchange" && turn.route.lastPromptTokens === 0 ? 1 : null)

/** `isOver`: a boundary was drawn while the turn ran; its route is another's to write. */
export const writesOf = (options: {
  readonly turn: Turn
  readonly end: TurnEnd
  readonly promptTokens: number | null
  /** Messages that the agent took while it worked: they end with the turn (`conversation Y4`). */
  readonly steered: ReadonlyArray<InboxRow>
  readonly cause: string
  readonly at: number
  readonly isOver: boolean
}): ReadonlyArray<Write> => {
  const { at, cause, end, isOver, promptTokens, steered, turn } = options
  const routed = isOver ? [] : [...turn.route.pending, touched(turn.sessionKey, at, promptTokens)]
  return [
    ...[turn.row, ...turn.joined].map(({ id }) => ended(id, end.state ?? "done", at, end.note ?? null)),
    ...steered.map(({ id }) => ended(id, "done", at, "steered")),
    ...routed,
    ...(end.suspends === true && !isOver ? [suspended(turn.sessionKey)] : []),
    ...transcript(turn, end, steered, cause, at)
  ]
}
