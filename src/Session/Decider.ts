/**
 * What a session does with what happens to it: a pure function of state and message (law 1). It knows nothing of fibers,
 * storage or time; whoever interprets the decisions carries them out in order.
 */
import type { MessageEvent } from "../Message/MessageEvent.ts"
import type { InboxRow } from "../Storage/Inbox.ts"
import { type MergeSettings, takeFirst } from "./PendingMerge.ts"
import type { Busy, BusyPolicy, Classified, Notice, StopReason } from "./Turns.ts"

/** Follow-ups that wait in memory; what comes on top stays in the Inbox (`conversation Q1`). */
export const maxQueued = 32

/** How follow-ups are to be treated at this moment. */
export interface Rules {
  readonly busy: (row: InboxRow) => Busy
  readonly merge: MergeSettings
}

export interface Running {
  readonly row: InboxRow
  /** Rows that end with this turn: those it was joined from, and those its agent took while it ran. */
  readonly also: ReadonlyArray<InboxRow>
  readonly generation: number
  readonly stopping: StopReason | null
  /** The agent asked something: the next message is the answer. */
  readonly awaiting: boolean
  /** Newest row that had been seen when it asked: what is older is no answer. */
  readonly askedAfter: number
}

export interface State {
  readonly running: Running | null
  readonly queue: ReadonlyArray<InboxRow>
  /** The Inbox holds undone rows of this session that are not in the queue. */
  readonly behind: boolean
  /** Highest row id that has been rung for; a doorbell that names another predecessor shows that one was lost. */
  readonly lastRung: number | null
  readonly generation: number
  /** No new turn starts (`conversation D4`). */
  readonly draining: boolean
}

export const initial: State = {
  running: null,
  queue: [],
  behind: false,
  lastRung: null,
  generation: 0,
  draining: false
}

export type Message =
  /** A row was taken. `previous` is the row taken before it for this session; `null` = the ringer does not know. */
  | { readonly _tag: "Receive"; readonly row: InboxRow; readonly previous: number | null; readonly as: Classified }
  /** The Inbox may hold rows that nobody rang for. */
  | { readonly _tag: "Sweep" }
  /** The undone rows of this session, oldest first; `complete: false` = there are more. */
  | {
      readonly _tag: "Loaded"
      readonly rows: ReadonlyArray<{ readonly row: InboxRow; readonly as: Classified }>
      readonly complete: boolean
    }
  /** A row that may wait in the queue has another text; one whose turn has begun keeps its own. */
  | { readonly _tag: "Edited"; readonly id: number; readonly event: MessageEvent }
  | { readonly _tag: "TurnEnded"; readonly generation: number }
  | { readonly _tag: "Awaiting"; readonly generation: number; readonly waits: boolean }
  /** The turn could not take the answer or the steer: the row is an ordinary message after all. */
  | { readonly _tag: "Declined"; readonly row: InboxRow }
  /** The agent has taken the row: it ends with the turn. */
  | { readonly _tag: "Steered"; readonly row: InboxRow }
  | { readonly _tag: "Interrupt"; readonly reason: StopReason }
  /** `on`: no new turn starts; else turns start again (`conversation D4`, D9). */
  | { readonly _tag: "Drain"; readonly on: boolean }

export type Decision =
  | {
      readonly _tag: "Start"
      readonly row: InboxRow
      readonly joined: ReadonlyArray<InboxRow>
      readonly generation: number
    }
  | { readonly _tag: "Stop"; readonly reason: StopReason }
  | { readonly _tag: "Load" }
  | {
      readonly _tag: "Execute"
      readonly row: InboxRow
      readonly name: string
      readonly stopped: boolean
      readonly dropped: ReadonlyArray<InboxRow>
    }
  | { readonly _tag: "Answer"; readonly row: InboxRow }
  | { readonly _tag: "Press"; readonly row: InboxRow }
  | { readonly _tag: "Steer"; readonly row: InboxRow }
  | { readonly _tag: "Tell"; readonly row: InboxRow; readonly notice: Notice }
  | { readonly _tag: "Refuse"; readonly row: InboxRow }
  /** One more row of a session whose queue is full; there may be too many (`conversation Q1`). */
  | { readonly _tag: "Overflow"; readonly row: InboxRow }
  | { readonly _tag: "Readmit"; readonly row: InboxRow }

export type Step = readonly [State, ReadonlyArray<Decision>]

const none: ReadonlyArray<Decision> = []

/** Commands that empty the queue with the turn (`conversation Q8`). */
const clearsQueue = (policy: BusyPolicy): boolean => policy === "stop"

export const decide = (state: State, message: Message, rules: Rules): Step => {
  switch (message._tag) {
    case "Receive": {
      const lost = message.previous === null || message.previous !== state.lastRung
      const rung = { ...state, lastRung: Math.max(message.row.id, state.lastRung ?? 0) }
      // The Inbox was read after this row was taken and before its doorbell came: it knows what is left to do about it.
      if (message.row.id <= (state.lastRung ?? 0)) return load(rung, none)
      if (message.as._tag === "Command") {
        const [next, decisions] = command(rung, message.row, message.as.name, message.as.policy)
        return lost ? load(next, decisions) : [next, decisions]
      }
      if (message.as._tag === "Press") {
        const press: ReadonlyArray<Decision> = [{ _tag: "Press", row: message.row }]
        return lost ? load(rung, press) : [rung, press]
      }
      // Rows that nobody rang for are older: they come first, so this one waits in the Inbox until they are read.
      if (lost && !(rung.behind && rung.queue.length >= maxQueued)) return load(rung, none)
      if (rung.behind && !isAwaiting(rung)) {
        return isIdle(rung) ? load(rung, none) : [rung, [{ _tag: "Overflow", row: message.row }]]
      }
      return receive(rung, message.row, rules)
    }
    // A running turn's own row is undone too, so this says nothing yet about rows that are not known.
    case "Sweep":
      return load(state, none)
    case "Loaded": {
      let next: State = { ...state, behind: !message.complete }
      const decisions: Array<Decision> = []
      for (const { row, as } of message.rows) {
        next = { ...next, lastRung: Math.max(row.id, next.lastRung ?? 0) }
        if (isKnown(next, row.id)) continue
        if (as._tag === "Command") {
          const [after, more] = command(next, row, as.name, as.policy)
          next = after
          decisions.push(...more)
        } else if (as._tag === "Press") {
          decisions.push({ _tag: "Press", row })
        } else if (next.queue.length >= maxQueued) {
          next = { ...next, behind: true }
        } else if (isAwaiting(next) && row.id > next.running!.askedAfter) {
          // What comes after the answer is read again when it is known whether it was one.
          return load({ ...next, behind: true }, [...decisions, { _tag: "Answer", row }])
        } else {
          if (row.state === "refused") decisions.push({ _tag: "Readmit", row })
          next = { ...next, queue: [...next.queue, row] }
          if (next.draining && row.internal === undefined) decisions.push({ _tag: "Tell", row, notice: "draining" })
          if (row.state === "waiting" && interrupts(next, row, rules)) {
            const [stopping, stops] = stop(next, "newer")
            next = stopping
            decisions.push(...stops)
          }
        }
      }
      return start(next, decisions, rules)
    }
    case "Edited": {
      const { event, id } = message
      return [{ ...state, queue: state.queue.map((row) => (row.id === id ? { ...row, event } : row)) }, none]
    }
    case "TurnEnded": {
      if (state.running?.generation !== message.generation) return [state, none]
      const idle: State = { ...state, running: null }
      return idle.behind && !idle.draining && idle.queue.length === 0 ? load(idle, none) : start(idle, none, rules)
    }
    case "Awaiting":
      return state.running?.generation === message.generation
        ? [
            {
              ...state,
              running: { ...state.running, awaiting: message.waits, askedAfter: state.lastRung ?? 0 }
            },
            none
          ]
        : [state, none]
    case "Declined": {
      const { running } = state
      const again: Rules = { ...rules, busy: (row) => queued(rules.busy(row)) }
      if (running === null) return receive(state, message.row, again)
      const [next, decisions] = receive({ ...state, running: { ...running, awaiting: false } }, message.row, again)
      // The question stays open for whoever may answer it (`conversation C4`, A8).
      return [{ ...next, running: next.running && { ...next.running, awaiting: running.awaiting } }, decisions]
    }
    case "Steered":
      return state.running === null
        ? [state, none]
        : [{ ...state, running: { ...state.running, also: [...state.running.also, message.row] } }, none]
    case "Interrupt":
      return stop(state, message.reason)
    case "Drain": {
      const next: State = { ...state, draining: message.on }
      if (message.on) return [next, none]
      return next.behind && next.running === null && next.queue.length === 0
        ? load(next, none)
        : start(next, none, rules)
    }
  }
}

/** Nothing runs and nothing waits: the session may be passivated. */
export const isIdle = (state: State): boolean => state.running === null && state.queue.length === 0

const isKnown = (state: State, id: number): boolean =>
  state.running?.row.id === id ||
  state.running?.also.some((row) => row.id === id) === true ||
  state.queue.some((row) => row.id === id)

/** What the agent would not take waits for the end of the turn. */
const queued = (busy: Busy): Busy => (busy.mode === "steer" ? { mode: "queue", because: null } : busy)

/** The next message answers the running turn's question. */
const isAwaiting = (state: State): boolean =>
  state.running !== null && state.running.awaiting && state.running.stopping === null

/**
 * A photo may be one of an album: it never interrupts, nor does what the gateway itself put in (`conversation Y5`). Nor does
 * anything while no new turn may start.
 */
const interrupts = (state: State, row: InboxRow, rules: Rules): boolean =>
  !state.draining &&
  row.event.type !== "photo" &&
  row.internal === undefined &&
  rules.busy(row).mode === "interrupt" &&
  state.running !== null &&
  row.id > state.running.row.id

const load = (state: State, decisions: ReadonlyArray<Decision>): Step => [state, [...decisions, { _tag: "Load" }]]

const receive = (state: State, row: InboxRow, rules: Rules): Step => {
  const { running } = state
  if (running === null) {
    if (state.queue.length >= maxQueued) return [{ ...state, behind: true }, none]
    const told: ReadonlyArray<Decision> =
      state.draining && row.internal === undefined ? [{ _tag: "Tell", row, notice: "draining" }] : none
    return start({ ...state, queue: [...state.queue, row] }, told, rules)
  }
  if (isAwaiting(state)) return [state, [{ _tag: "Answer", row }]]
  const busy = rules.busy(row)
  const isSteer = busy.mode === "steer" && running.stopping === null && !state.draining && row.internal === undefined
  // Nothing overtakes what the agent would not take a moment ago, but what was put behind the turn on purpose.
  const isNext = state.queue.every(({ internal }) => internal !== undefined)
  // A row that a turn had taken when the process died is no follow-up of whatever runs now.
  if (isSteer && isNext && row.starts === 0 && row.event.text !== "" && row.event.media.length === 0) {
    return [state, [{ _tag: "Steer", row }]]
  }
  if (state.queue.length >= maxQueued) {
    return [
      { ...state, behind: true },
      [
        { _tag: "Refuse", row },
        { _tag: "Tell", row, notice: "many-waiting" },
        { _tag: "Overflow", row }
      ]
    ]
  }
  const waits: State = { ...state, queue: [...state.queue, row] }
  // What the gateway itself put in is nobody's follow-up.
  if (row.internal !== undefined) return [waits, none]
  if (!interrupts(state, row, rules)) {
    return [waits, [{ _tag: "Tell", row, notice: state.draining ? "draining" : (busy.because ?? "queued") }]]
  }
  const [next, decisions] = stop(waits, "newer")
  return [next, [...decisions, { _tag: "Tell", row, notice: "interrupting" }]]
}

const command = (state: State, row: InboxRow, name: string, policy: BusyPolicy): Step => {
  if (!clearsQueue(policy)) return [state, [{ _tag: "Execute", row, name, stopped: false, dropped: [] }]]
  // A command that is tried again touches nothing that came after it.
  const isOlder = (other: InboxRow): boolean => other.id < row.id
  const { running } = state
  const stops = running !== null && isOlder(running.row)
  const kept: State = { ...state, queue: state.queue.filter((other) => !isOlder(other)) }
  const [next, decisions] = stops ? stop(kept, name === "stop" ? "stop" : "reset") : [kept, none]
  return [
    next,
    [
      ...decisions,
      {
        _tag: "Execute",
        row,
        name,
        stopped: stops && running.stopping !== "stop",
        dropped: state.queue.filter(isOlder)
      }
    ]
  ]
}

/** A turn that is being stopped already is not stopped again, but a later `/stop` or `/new` still makes the reason final. */
const stop = (state: State, reason: StopReason): Step => {
  const { running } = state
  if (running === null) return [state, none]
  const stopping: State = { ...state, running: { ...running, stopping: reason } }
  if (running.stopping === null) return [stopping, [{ _tag: "Stop", reason }]]
  return reason === "reset" || (reason === "stop" && running.stopping !== "reset") ? [stopping, none] : [state, none]
}

const start = (state: State, decisions: ReadonlyArray<Decision>, rules: Rules): Step => {
  const [first, ...others] = state.queue
  if (state.running !== null || state.draining || first === undefined) return [state, decisions]
  const generation = state.generation + 1
  const { joined, rest, row } =
    others.length === 0 ? { row: first, joined: [], rest: others } : takeFirst([first, ...others], rules.merge)
  const begin: Decision = { _tag: "Start", row, joined, generation }
  return [
    {
      ...state,
      queue: rest,
      generation,
      running: { row, also: joined, generation, stopping: null, awaiting: false, askedAfter: 0 }
    },
    decisions.length === 0 ? [begin] : [...decisions, begin]
  ]
}
