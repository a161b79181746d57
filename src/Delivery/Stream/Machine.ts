/**
 * What a person sees while an answer grows, as a pure state machine (`delivery` Stream consumer): events and the time go in,
 * at most one action comes out. Messages are known by their ordinal alone; at the end each of them becomes one row of the
 * answer, so that a preview beside its final cannot be expressed. It never sends.
 */
import type { SendErrorKind } from "../../Message/SendError.ts"
import type { Preview } from "../../Storage/Outbox.ts"
import { mayBecomeSilence } from "../SilenceFilter.ts"
import { closed, visible } from "./Visible.ts"

export interface Rules {
  /** Milliseconds between two edits at least. */
  readonly interval: number
  /** Characters that hasten the first send. */
  readonly threshold: number
  readonly cursor: string
  /** The platform takes our keys: a send of unknown outcome is repeated (law 3). */
  readonly isKeyed: boolean
  /** The part of a text that fills one message, and where the rest begins; `null` = it fits. */
  readonly head: (text: string) => { readonly chunk: string; readonly to: number; readonly reopened: string } | null
}

/** One message of the answer; its place in the list is its ordinal. */
export interface Message {
  /** What it shows, or may show. */
  readonly shown: string
  readonly id: string | null
  /** `unknown`: sent, and no answer came. `confirmed`: it is there. */
  readonly standing: "sending" | "unknown" | "confirmed"
  /** The platform confirmed exactly this text last. */
  readonly isExact: boolean
  /** Once it no longer grows: all text of the answer up to its end, and the fence that goes on behind it. */
  readonly sealed: { readonly prefix: string; readonly text: string; readonly reopened: string } | null
}

/**
 * `Idle`: nothing of the present segment is shown. `Preview`: the last message grows. `NoEdit`: it cannot be changed, so
 * that the rest comes at the end. `Fallback`: nothing more is shown until the end. `Done`: the answer has been stored.
 */
export type Phase = "Idle" | "Preview" | "NoEdit" | "Fallback" | "Done"

export interface State {
  readonly phase: Phase
  readonly raw: string
  readonly messages: ReadonlyArray<Message>
  /** Length of the visible text that sealed messages stand for, and the fence that goes on behind them. */
  readonly from: number
  readonly reopened: string
  /** Length of the visible text at which the message that grows has to end. */
  readonly boundary: number | null
  /** End of the last message that a boundary closed. */
  readonly segment: number
  readonly act: Act | null
  /** The next send or edit waits until then. */
  readonly notBefore: number
  /** Milliseconds to the one after; grows while the platform asks for patience. */
  readonly wait: number
  /** When the first text of the segment came. */
  readonly since: number | null
}

export type Event =
  | { readonly _tag: "Delta"; readonly text: string }
  /** Something else is to be shown below (`delivery B12`, B13). */
  | { readonly _tag: "Boundary" }
  | { readonly _tag: "Sent"; readonly id: string | null }
  | { readonly _tag: "Failed"; readonly kind: SendErrorKind; readonly retryAfter: number | null }
  /** What was to be said before has not left yet. */
  | { readonly _tag: "Busy" }
  /** A process before this one had shown this under the same key. */
  | { readonly _tag: "Found"; readonly preview: Preview }
  | { readonly _tag: "Finished" }

/** A send or edit that is under way; nothing else happens meanwhile. */
export type Act = {
  readonly _tag: "Send" | "Edit"
  readonly ordinal: number
  readonly text: string
  readonly isSeal: boolean
  /** The same send again, under the same key. */
  readonly isRepeat: boolean
  readonly head: { readonly to: number; readonly reopened: string }
}

export type Action = Act | { readonly _tag: "Wait"; readonly until: number }

/** Visible characters below which nothing is sent (`delivery B5`). */
const fewest = 4
/** Milliseconds after which a first send looks again whether it may leave. */
const busyPause = 200
/** Longest pause between two edits that the platform did not ask for (`delivery B9`). */
const longestWait = 10_000
/** Characters of one answer beyond which nothing more is shown before its end. */
const mostText = 256 * 1024

/** `earlier`: what a run that a process did not survive has left on the screen. */
export const initial = (rules: Rules, earlier: ReadonlyArray<Preview> = []): State => ({
  phase: earlier.length === 0 ? "Idle" : earlier.every((preview) => isOurs(preview, rules)) ? "Preview" : "NoEdit",
  raw: "",
  messages: earlier.map((preview) => asMessage(preview, rules)),
  from: 0,
  reopened: "",
  boundary: null,
  segment: 0,
  act: null,
  notBefore: 0,
  wait: rules.interval,
  since: null
})

const isOurs = ({ isExact, messageId }: Preview, rules: Rules): boolean =>
  messageId !== null || (rules.isKeyed && isExact !== true)

const asMessage = ({ isExact = false, messageId, text }: Preview, { cursor }: Rules): Message => ({
  shown: text,
  id: messageId,
  standing: messageId !== null || isExact ? "confirmed" : "unknown",
  isExact,
  sealed: messageId === null && isExact ? { prefix: withoutCursor(text, cursor), text, reopened: "" } : null
})

const withoutCursor = (text: string, cursor: string): string =>
  cursor !== "" && text.endsWith(cursor) ? text.slice(0, -cursor.length) : text

/** The message that grows: the first that is not sealed. */
const liveOf = (messages: ReadonlyArray<Message>): number => {
  const at = messages.findIndex(({ sealed }) => sealed === null)
  return at < 0 ? messages.length : at
}

export const on = (state: State, event: Event, now: number, rules: Rules): State => {
  switch (event._tag) {
    case "Delta": {
      if (state.phase === "Done" || state.phase === "Fallback") return state
      const raw = state.raw + event.text
      const since = state.since ?? (raw.trim().length < fewest ? null : now)
      return raw.length > mostText ? { ...state, phase: "Fallback" } : { ...state, raw, since }
    }
    case "Boundary": {
      if (isOver(state) || state.raw === "") return state
      const boundary = visible(state.raw, true).trimEnd().length
      return boundary <= state.from ? state : { ...state, boundary }
    }
    case "Busy":
      return withdrawn(state, now + Math.min(rules.interval, busyPause))
    case "Found": {
      const { act } = state
      if (act === null) return state
      return { ...replaced(state, act.ordinal, asMessage(event.preview, rules)), act: null }
    }
    case "Sent":
      return state.act === null ? state : succeeded(state, state.act, event.id, rules)
    case "Failed":
      return state.act === null ? state : failed(state, state.act, event, now, rules)
    case "Finished":
      return { ...state, phase: "Done" }
  }
}

/** Something waits for the message that grows to come to its end. */
export const isClosing = (state: State): boolean => state.boundary !== null && !isOver(state)

const isOver = ({ phase }: State): boolean => phase === "Done" || phase === "Fallback" || phase === "NoEdit"

const replaced = (state: State, ordinal: number, message: Message): State => ({
  ...state,
  messages: state.messages.map((old, at) => (at === ordinal ? message : old))
})

/** The send that was to begin did not: surely nothing is shown. */
const withdrawn = (state: State, notBefore: number): State => {
  const { act, messages, phase } = state
  if (act === null) return state
  const keeps = act._tag === "Edit" || act.isRepeat
  return {
    ...state,
    act: null,
    notBefore,
    messages: keeps ? messages : messages.slice(0, act.ordinal),
    phase: keeps || phase !== "Preview" ? phase : "Idle"
  }
}

const succeeded = (state: State, act: Act, id: string | null, rules: Rules): State => {
  const old = state.messages[act.ordinal]!
  const message: Message = {
    ...old,
    shown: act.text,
    id: act._tag === "Send" ? id : old.id,
    standing: "confirmed",
    // A repeated send shows what the first one said; whether edits came after it nobody knows.
    isExact: !act.isRepeat
  }
  const next = { ...replaced(state, act.ordinal, message), act: null, wait: rules.interval }
  if (message.id === null && state.phase === "Preview" && !act.isSeal)
    return { ...sealedAt(next, act), phase: "NoEdit" }
  return act.isSeal ? sealedAt(next, act) : next
}

/** The message stands as it is; what comes next is another one. */
const sealedAt = (state: State, { head, ordinal, text }: Act): State => {
  const prefix = visible(state.raw, state.boundary !== null)
    .slice(0, head.to)
    .trimEnd()
  const message = state.messages[ordinal]!
  const isBoundary = state.boundary !== null && head.to >= state.boundary
  const next = replaced(state, ordinal, { ...message, sealed: { prefix, text, reopened: head.reopened } })
  return {
    ...next,
    from: head.to,
    reopened: head.reopened,
    boundary: isBoundary ? null : state.boundary,
    segment: isBoundary ? head.to : state.segment,
    phase: state.phase === "Preview" && liveOf(next.messages) === next.messages.length ? "Idle" : state.phase,
    since: isBoundary ? null : state.since
  }
}

const failed = (
  state: State,
  act: Act,
  { kind, retryAfter }: Extract<Event, { readonly _tag: "Failed" }>,
  now: number,
  rules: Rules
): State => {
  const pause = Math.max(state.wait, (retryAfter ?? 0) * 1000)
  const later = { notBefore: now + pause, wait: Math.min(longestWait, Math.max(state.wait, rules.interval) * 2) }
  // What comes then is newer (`delivery B9`): neither a flood nor a bad line is a reason to give up.
  if (kind === "rate_limited" || kind === "transient") return { ...withdrawn(state, later.notBefore), wait: later.wait }
  const message = state.messages[act.ordinal]!
  if (kind === "ambiguous") {
    if (act._tag === "Edit")
      return { ...replaced(state, act.ordinal, { ...message, isExact: false }), act: null, ...later }
    const unknown = {
      ...replaced(state, act.ordinal, { ...message, standing: "unknown" as const }),
      act: null,
      ...later
    }
    return rules.isKeyed ? unknown : { ...unknown, phase: over(state, "Fallback") }
  }
  return { ...withdrawn(state, now), phase: over(state, "Fallback") }
}

const over = (state: State, phase: Phase): Phase => (state.phase === "Done" ? "Done" : phase)

export const decide = (state: State, now: number, rules: Rules): Action | null => {
  if (state.act !== null || isOver(state)) return null
  const { boundary, messages, raw } = state
  const ordinal = liveOf(messages)
  const live = messages[ordinal]
  const all = visible(raw, boundary !== null)
  const whole = state.reopened + all.slice(state.from, boundary ?? undefined)
  // White space between two messages is shown in neither.
  const text = state.reopened === "" ? whole.replace(/^\s+/, "") : whole
  const due = Math.max(state.notBefore, live === undefined ? firstAt(state, text, rules) : 0)
  if (text.trim() === "" || (boundary === null && isHeldBack(ordinal, text))) return null
  if (live !== undefined && live.standing === "confirmed" && live.id === null) return null
  if (due > now) return { _tag: "Wait", until: due }
  const at = (to: number): number => state.from + to + whole.length - text.length - state.reopened.length
  if (live !== undefined && live.standing !== "confirmed") {
    if (!rules.isKeyed) return null
    return { _tag: "Send", ordinal, text: live.shown, isSeal: false, isRepeat: true, head: { to: 0, reopened: "" } }
  }
  const head = rules.head(text)
  const isSeal = head !== null || boundary !== null
  const shown = head !== null ? head.chunk : isSeal ? closed(text) : closed(text) + rules.cursor
  const end = head !== null ? { to: at(head.to), reopened: head.reopened } : { to: at(text.length), reopened: "" }
  if (live === undefined) return { _tag: "Send", ordinal, text: shown, isSeal, isRepeat: false, head: end }
  if (live.isExact && live.shown === shown && !isSeal) return null
  return { _tag: "Edit", ordinal, text: shown, isSeal, isRepeat: false, head: end }
}

const isHeldBack = (ordinal: number, text: string): boolean =>
  (ordinal === 0 && mayBecomeSilence(text)) || text.trim().length < fewest

/** The threshold hastens the first send alone (`delivery B3`). */
const firstAt = ({ boundary, since }: State, text: string, { interval, threshold }: Rules): number =>
  boundary !== null || text.length >= threshold ? 0 : (since ?? 0) + interval

/** The action is under way. */
export const began = (state: State, act: Act, now: number): State => {
  const { messages } = state
  const sending: Message = { shown: act.text, id: null, standing: "sending", isExact: false, sealed: null }
  const isNew = act._tag === "Send" && !act.isRepeat
  return {
    ...state,
    act,
    notBefore: Math.max(state.notBefore, now + state.wait),
    messages: isNew ? [...messages.slice(0, act.ordinal), sending] : messages,
    phase: isNew ? "Preview" : state.phase
  }
}

/** What becomes of the messages when the turn ends: the texts of their rows, by ordinal, and what those replace. */
export interface Ending {
  readonly texts: ReadonlyArray<string>
  readonly previews: ReadonlyArray<Preview>
}

/** `delivery B19`: `answer` is the whole answer; `null` = there is none, and what is shown stays; "" = nothing may stay. */
export const ending = (state: State, answer: string | null, cursor: string): Ending => {
  const previews = state.messages.map(({ id, isExact, shown }) => ({ text: shown, messageId: id, isExact }))
  if (answer === null) return { texts: previews.map(({ text }) => withoutCursor(text, cursor) || "…"), previews }
  if (answer.trim() === "") return { texts: [], previews }
  let heads = state.messages
  while (heads.length > 0) {
    const { sealed } = heads.at(-1)!
    if (sealed !== null && answer.startsWith(sealed.prefix)) {
      const rest = answer.slice(sealed.prefix.length)
      const tail = sealed.reopened === "" ? rest.replace(/^\s+/, "") : sealed.reopened + rest
      const said = heads.map(({ sealed }) => sealed!.text)
      return { texts: tail.trim() === "" ? said : [...said, tail], previews }
    }
    heads = heads.slice(0, -1)
  }
  return { texts: [...interim(state, answer), answer], previews }
}

/** Of an agent whose answer begins behind its last tool, what it said before stays (`delivery B12`). */
const interim = ({ messages, raw, segment }: State, answer: string): ReadonlyArray<string> => {
  const last = segment === 0 ? "" : visible(raw, true).slice(segment).trim()
  if (last === "" || !answer.startsWith(last.slice(0, 200))) return []
  const before: Array<string> = []
  for (const { sealed } of messages) {
    if (sealed === null || sealed.prefix.length > segment) break
    before.push(sealed.text)
  }
  return before
}
