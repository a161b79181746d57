/**
 * One lane: the actors of its sessions, each a fiber that takes from its own mailbox and carries out what the decider
 * says (law 1). Closing the lane's scope ends all of them and their turns.
 */
import { Clock, Effect, Fiber, FiberSet, Metric, type Scope } from "effect"
import type { MessageEvent } from "../Message/MessageEvent.ts"
import type { Inbox, InboxRow } from "../Storage/Inbox.ts"
import type { Route } from "../Storage/Routes.ts"
import type { Known } from "../Storage/SessionStore.ts"
import * as Decider from "./Decider.ts"
import type { Decision, Message, State } from "./Decider.ts"
import * as Mailbox from "./Mailbox.ts"
import type { MergeSettings } from "./PendingMerge.ts"
import { knownOf, type Routing } from "./Routing.ts"
import type { StopReason, Turns } from "./Turns.ts"

/** Doorbells that wait in a mailbox; a further one is not taken, its row stays in the Inbox. Control signals always are. */
const mailboxBound = 64
/**
 * Commands pass that bound up to this one, so that a flood of messages keeps nobody from `/stop`. What is still more stays in
 * the Inbox until a sweep; of those that stop a turn the first stops it at once all the same.
 */
const commandBound = 4 * mailboxBound

/** One turn that runs now, as seen from outside its session. */
export interface RunningTurn {
  readonly sessionKey: string
  /** `null`: the conversation has not been found yet. */
  readonly sessionId: string | null
  readonly row: InboxRow
  readonly isStopping: boolean
}

export interface Lane {
  readonly ring: (row: InboxRow, previous: number | null) => void
  /** The Inbox has undone rows of this session. */
  readonly sweep: (sessionKey: string) => void
  readonly edited: (change: { readonly id: number; readonly sessionKey: string; readonly event: MessageEvent }) => void
  readonly interrupt: (sessionKey: string, reason: StopReason) => boolean
  /** No new turns while it is on. */
  readonly drain: (on: boolean) => void
  /** Stops every turn and waits until its fiber has ended. */
  readonly stopAll: Effect.Effect<void>
  /** Forgets sessions that have been idle since `before` (epoch milliseconds). */
  readonly passivate: (before: number) => void
  /** Since when the message that has waited longest for its actor waits; `null` = none does. */
  readonly oldestWaiting: () => number | null
  readonly resident: () => number
  readonly running: () => number
  /** The messages that running turns answer, and where each has got to. */
  readonly turns: () => ReadonlyArray<RunningTurn>
  /** The messages whose turns run now, with the key of each. */
  readonly runningRows: () => ReadonlyArray<readonly [sessionKey: string, row: InboxRow]>
  readonly queued: () => number
}

interface Session {
  readonly key: string
  readonly mailbox: Mailbox.Mailbox<Message>
  state: State
  /** `null` until storage was asked. */
  known: Known | null
  turn: Fiber.Fiber<void> | null
  turnStartedAt: number
  fiber: Fiber.Fiber<void> | null
  lastUsed: number
  /** An interrupt that stands for commands beyond the bound is in the mailbox. */
  stopIsWaiting: boolean
  /** When the mailbox was last found empty or the actor last took from it. */
  waitingSince: number
}

const refusedDoorbells = Metric.counter("mailbox_full_total", {
  description: "doorbells not taken because a mailbox was full; their rows stayed in the inbox",
  incremental: true
})

export const make = Effect.fnUntraced(function* (deps: {
  readonly inbox: Inbox["Service"]
  readonly routing: Routing["Service"]
  readonly turns: Turns["Service"]
  /** Read for every decision: the setting may change while the program runs (`operations F10`). */
  readonly merge: () => MergeSettings
  /** Rings whatever lane a row belongs to. */
  readonly ring: (row: InboxRow) => void
}): Effect.fn.Return<Lane, never, Scope.Scope> {
  const { inbox, merge, routing, turns } = deps
  const clock = yield* Clock.Clock
  const actors = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(actors)<never>()
  const sessions = new Map<string, Session>()
  let draining = false

  const offer = (session: Session, message: Message): void => {
    if (session.mailbox.size() === 0) session.waitingSince = clock.currentTimeMillisUnsafe()
    session.mailbox.offer(message)
  }

  /** Reads once what the key points at; afterwards only this actor moves it. */
  const known = (session: Session, row: InboxRow | null) =>
    session.known !== null
      ? Effect.succeed(session.known)
      : Effect.tap(routing.load({ sessionKey: session.key, event: row?.event ?? null }), (known) =>
          Effect.sync(() => {
            session.known = known
          })
        )

  const storedRoute = (session: Session, route: Route): void => {
    // A command may have moved the key on while this turn was ending.
    const now = session.known?.route
    if (now?.sessionId !== route.sessionId) return
    session.known = knownOf({
      ...now,
      ...(now.pending === route.pending ? { pending: [] } : undefined),
      lastPromptTokens: route.lastPromptTokens,
      suspended: route.suspended
    })
  }

  const startTurn = Effect.fnUntraced(function* (
    session: Session,
    row: InboxRow,
    joined: ReadonlyArray<InboxRow>,
    generation: number
  ) {
    const { begun, route } = yield* routing.enter(yield* known(session, row), row)
    session.known = knownOf(route)
    session.turnStartedAt = clock.currentTimeMillisUnsafe()
    // At once, so that a stop in the same breath finds a turn that can still say what becomes of its message.
    const fiber = yield* Effect.forkChild(
      turns.run({
        row,
        joined,
        sessionKey: session.key,
        generation,
        route,
        begun,
        stopReason: () => (session.state.running?.generation === generation ? session.state.running.stopping : "reset"),
        awaiting: (waits) => offer(session, { _tag: "Awaiting", generation, waits }),
        routed: (route) => storedRoute(session, route)
      }),
      { startImmediately: true }
    )
    session.turn = fiber
    // An observer hears of every end, also of a fiber that was interrupted before its first step.
    fiber.addObserver(() => {
      session.turn = null
      offer(session, { _tag: "TurnEnded", generation })
    })
  })

  const loadUndone = Effect.fnUntraced(function* (session: Session) {
    const limit = Decider.maxQueued + 2
    const rows = yield* inbox.undoneOf(session.key, limit)
    return {
      _tag: "Loaded" as const,
      rows: rows.map((row) => ({ row, as: turns.classify(row) })),
      complete: rows.length < limit
    }
  })

  /** Carries one decision out; what it returns goes to the decider at once, before anything else in the mailbox. */
  const carryOut = (session: Session, decision: Decision): Effect.Effect<Message | void> => {
    switch (decision._tag) {
      case "Start":
        return startTurn(session, decision.row, decision.joined, decision.generation).pipe(
          Effect.catch((error) =>
            // The row is undone: the next sweep brings it back.
            Effect.andThen(
              Effect.logWarning("a conversation could not be found, will try again", error.message),
              Effect.sync(() => offer(session, { _tag: "TurnEnded", generation: decision.generation }))
            )
          )
        )
      case "Stop":
        return Effect.sync(() => session.turn?.interruptUnsafe())
      case "Load":
        return loadUndone(session).pipe(
          Effect.catch((error) =>
            // Nothing is lost: the rows are in the Inbox, and the next sweep asks again.
            Effect.as(
              Effect.logWarning("undone messages of a session could not be read, will try again", error.message),
              undefined
            )
          )
        )
      case "Execute":
        return Effect.matchEffect(known(session, decision.row), {
          onFailure: (error) =>
            Effect.logWarning("a command's conversation could not be found, will try again", error.message),
          onSuccess: ({ route }) =>
            Effect.map(
              turns.execute(decision.row, decision.name, {
                sessionKey: session.key,
                route,
                running: session.state.running?.row ?? null,
                stopped: decision.stopped,
                queued: session.state.queue.length,
                dropped: decision.dropped,
                routed: (route) => {
                  if (route?.continues !== undefined) routing.continued(route.continues, route.sessionId)
                  session.known = knownOf(route && { ...route, pending: [] })
                }
              }),
              ringAll
            )
        })
      case "Press":
        return Effect.map(turns.press(session.key, decision.row), (taken): Message | void => {
          if (taken === null) return { _tag: "Declined", row: decision.row }
          ringAll(taken)
        })
      case "Answer":
        return handOver(turns.answer(session.key, decision.row), decision.row)
      case "Steer":
        return Effect.map(turns.steer(session.key, decision.row), (taken): Message => ({
          _tag: taken ? "Steered" : "Declined",
          row: decision.row
        }))
      case "Tell":
        return turns.tell(decision.row, decision.notice)
      case "Refuse":
        return turns.mark(decision.row, "refused")
      case "Readmit":
        return turns.mark(decision.row, "waiting")
      case "Overflow":
        return turns.overflow(decision.row)
    }
  }

  const ringAll = (rows: ReadonlyArray<InboxRow>): void => {
    for (const row of rows) deps.ring(row)
  }

  const handOver = (taken: Effect.Effect<boolean>, row: InboxRow): Effect.Effect<Message | void> =>
    Effect.map(taken, (ok) => (ok ? undefined : { _tag: "Declined", row }))

  const apply = (session: Session, message: Message): Effect.Effect<void> => {
    const [state, decisions] = Decider.decide(session.state, message, {
      busy: (row) => turns.busy(row, session.turnStartedAt),
      merge: merge()
    })
    session.state = state
    if (decisions.length === 0) return Effect.void
    return Effect.forEach(
      decisions,
      (decision) =>
        Effect.flatMap(carryOut(session, decision), (follow) =>
          follow === undefined ? Effect.void : apply(session, follow)
        ),
      {
        discard: true
      }
    )
  }

  const actor = (session: Session) =>
    Effect.forever(
      Effect.flatMap(session.mailbox.take, (message) => {
        session.waitingSince = clock.currentTimeMillisUnsafe()
        if (message._tag === "Interrupt") session.stopIsWaiting = false
        return apply(session, message)
      }),
      { disableYield: true }
    )

  const open = (key: string): Session => {
    const known = sessions.get(key)
    if (known !== undefined) return known
    const session: Session = {
      key,
      mailbox: Mailbox.make<Message>(),
      state: draining ? { ...Decider.initial, draining } : Decider.initial,
      known: null,
      turn: null,
      turnStartedAt: 0,
      fiber: null,
      lastUsed: clock.currentTimeMillisUnsafe(),
      stopIsWaiting: false,
      waitingSince: 0
    }
    sessions.set(key, session)
    session.fiber = fork(
      actor(session).pipe(
        Effect.tapDefect((defect) => Effect.logError("a session's actor died; the next message revives it", defect)),
        Effect.ensuring(
          Effect.suspend(() => {
            const { turn } = session
            // Its successor must find no turn of this one: what the turn came to goes to the disk first.
            return Effect.ensuring(
              turn === null ? Effect.void : Fiber.interrupt(turn),
              Effect.sync(() => {
                if (sessions.get(key) === session) sessions.delete(key)
              })
            )
          })
        )
      )
    )
    return session
  }

  return {
    ring: (row, previous) => {
      const session = open(row.sessionKey)
      session.lastUsed = clock.currentTimeMillisUnsafe()
      const as = turns.classify(row)
      if (session.mailbox.size() >= (as._tag === "Message" ? mailboxBound : commandBound)) {
        Effect.runSync(Metric.update(refusedDoorbells, 1))
        if (as._tag === "Command" && as.policy === "stop" && !session.stopIsWaiting) {
          session.stopIsWaiting = true
          session.mailbox.offerFirst({ _tag: "Interrupt", reason: "stop" })
        }
        return
      }
      offer(session, { _tag: "Receive", row, previous, as })
    },
    sweep: (key) => {
      const session = sessions.get(key) ?? open(key)
      if (session.mailbox.size() < mailboxBound) offer(session, { _tag: "Sweep" })
    },
    edited: ({ event, id, sessionKey }) => {
      const session = sessions.get(sessionKey)
      if (session !== undefined) offer(session, { _tag: "Edited", id, event })
    },
    interrupt: (key, reason) => {
      const session = sessions.get(key)
      if (session === undefined || session.state.running === null) return false
      offer(session, { _tag: "Interrupt", reason })
      return true
    },
    drain: (on) => {
      if (draining === on) return
      draining = on
      for (const session of sessions.values()) offer(session, { _tag: "Drain", on })
    },
    stopAll: Effect.suspend(() => {
      const turning: Array<Fiber.Fiber<void>> = []
      for (const session of sessions.values()) {
        if (session.turn === null) continue
        turning.push(session.turn)
        offer(session, { _tag: "Interrupt", reason: "shutdown" })
      }
      return Effect.forEach(turning, Fiber.await, { discard: true, concurrency: "unbounded" })
    }),
    passivate: (before) => {
      for (const session of sessions.values()) {
        const idle =
          Decider.isIdle(session.state) &&
          !session.state.behind &&
          session.turn === null &&
          session.mailbox.size() === 0
        if (!idle || session.lastUsed > before) continue
        sessions.delete(session.key)
        session.fiber?.interruptUnsafe()
      }
    },
    oldestWaiting: () => {
      let oldest: number | null = null
      for (const session of sessions.values()) {
        if (session.mailbox.size() === 0) continue
        if (oldest === null || session.waitingSince < oldest) oldest = session.waitingSince
      }
      return oldest
    },
    resident: () => sessions.size,
    turns: () =>
      Array.from(sessions.values()).flatMap(({ key, known, state: { running } }) =>
        running === null
          ? []
          : [
              {
                sessionKey: key,
                sessionId: known?.route?.sessionId ?? null,
                row: running.row,
                isStopping: running.stopping !== null
              }
            ]
      ),
    running: () => {
      let running = 0
      for (const session of sessions.values()) if (session.state.running !== null) running++
      return running
    },
    runningRows: () =>
      [...sessions.values()].flatMap(({ key, state }) =>
        state.running === null ? [] : [[key, state.running.row] as const]
      ),
    queued: () => {
      let queued = 0
      for (const session of sessions.values()) queued += session.state.queue.length
      return queued
    }
  }
})
