/**
 * The processes of one agent: as few as hold the sessions, never more than allowed, begun again by a schedule after a crash.
 * It places sessions; what is said in them is not its matter.
 */
import { Clock, Deferred, Effect, Exit, Scope } from "effect"
import type { AgentError } from "../Agent.ts"
import { errorOf } from "../OpenAi/Failure.ts"
import * as AgentProcess from "./AgentProcess.ts"
import type { Session } from "./Session.ts"

export interface Limits {
  /** Processes at once. */
  readonly processes: number
  /** Sessions that one process holds; 1 for agents that cannot hold several. */
  readonly sessions: number
}

/** A process that lived so long, or ended a prompt, is no part of a row of crashes. */
const wellFor = 60_000
const firstDelay = 250
const longestDelay = 30_000
/** A session that finds every place taken waits so long for one. */
const placeWithin = "60 seconds"
const lookEvery = 100

interface Slot {
  readonly ready: Deferred.Deferred<AgentProcess.AgentProcess, AgentError>
  readonly scope: Scope.Closeable
  /** Sessions that live here or are about to. */
  readonly held: Set<Session>
  process: AgentProcess.AgentProcess | null
  /** It ends because we end it. */
  isClosing: boolean
}

/** Milliseconds to wait before the next start, after so many crashes in a row: the first restart is at once. */
export const restartDelay = (crashes: number): number =>
  crashes < 2 ? 0 : Math.min(longestDelay, firstDelay * 2 ** (crashes - 2))

export const make = Effect.fnUntraced(function* (launch: AgentProcess.Launch, limits: Limits) {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const slots = new Set<Slot>()
  let crashes = 0
  let notBefore = 0

  const crashed = () => {
    crashes++
    notBefore = clock.currentTimeMillisUnsafe() + restartDelay(crashes)
  }

  const close = (slot: Slot) =>
    Effect.suspend(() => {
      slots.delete(slot)
      slot.isClosing = true
      return Scope.close(slot.scope, Exit.void)
    })

  /** Begins a process and watches over it until it ends. */
  const run = (slot: Slot) =>
    Effect.gen(function* () {
      const wait = notBefore - clock.currentTimeMillisUnsafe()
      if (wait > 0) yield* Effect.sleep(wait)
      const started = yield* Effect.exit(Scope.provide(AgentProcess.start(launch), slot.scope))
      if (Exit.isFailure(started)) {
        slots.delete(slot)
        if (!slot.isClosing) crashed()
        Deferred.doneUnsafe(slot.ready, started)
        return yield* close(slot)
      }
      const process = started.value
      slot.process = process
      yield* Effect.logInfo("the agent runs", { agent: launch.name, pid: process.pid })
      Deferred.doneUnsafe(slot.ready, Effect.succeed(process))
      const why = yield* Deferred.await(process.ended)
      slots.delete(slot)
      if (slot.isClosing) return
      if (clock.currentTimeMillisUnsafe() - process.startedAt >= wellFor) crashes = 0
      crashed()
      yield* Effect.logWarning("the agent's process is gone", { agent: launch.name, why: why.message })
      yield* close(slot)
    })

  const begin = (): Effect.Effect<Slot> =>
    Effect.gen(function* () {
      const slot: Slot = {
        ready: yield* Deferred.make<AgentProcess.AgentProcess, AgentError>(),
        scope: yield* Scope.fork(scope),
        held: new Set(),
        process: null,
        isClosing: false
      }
      slots.add(slot)
      yield* Effect.forkIn(run(slot), scope)
      return slot
    })

  /** The emptiest process with room, or a new one; `null` = all places are taken. */
  const reserve = (session: Session): Effect.Effect<Slot | null> =>
    Effect.suspend(() => {
      let best: Slot | null = null
      for (const slot of slots) {
        if (slot.process?.isAlive() === false) continue
        if (slot.held.size < limits.sessions && (best === null || slot.held.size < best.held.size)) best = slot
      }
      const chosen: Effect.Effect<Slot | null> =
        best !== null ? Effect.succeed(best) : slots.size < limits.processes ? begin() : Effect.succeed(null)
      return Effect.map(chosen, (slot) => {
        slot?.held.add(session)
        return slot
      })
    })

  const slotOf = (session: Session): Slot | null => {
    for (const slot of slots) if (slot.held.has(session)) return slot
    return null
  }

  /** Takes a session from its process. A process that can hold only one is of no use to another session. */
  const release = (session: Session): Effect.Effect<void> =>
    Effect.suspend(() => {
      const slot = slotOf(session)
      if (slot === null) return Effect.void
      slot.held.delete(session)
      const { process } = slot
      if (session.acpId !== null) process?.dismiss(session.acpId, session)
      return limits.sessions === 1 ? close(slot) : Effect.void
    })

  /** The session that was idle longest makes room. */
  const evict = Effect.suspend(() => {
    let oldest: Session | null = null
    for (const { held } of slots) {
      for (const session of held) {
        if (session.turn !== null || session.isOpening) continue
        if (oldest === null || session.lastUsed < oldest.lastUsed) oldest = session
      }
    }
    return oldest === null ? Effect.succeed(false) : Effect.as(release(oldest), true)
  })

  const place = (session: Session): Effect.Effect<Slot, AgentError> =>
    Effect.gen(function* () {
      while (true) {
        const slot = yield* reserve(session)
        if (slot !== null) return slot
        if (!(yield* evict)) yield* Effect.sleep(lookEvery)
      }
    }).pipe(
      Effect.timeoutOrElse({
        duration: placeWithin,
        orElse: () => Effect.fail(errorOf("overloaded", "every process of the agent is busy"))
      })
    )

  return {
    /** The process in which the session has its place; it is given one where it has none. */
    processFor: (session: Session): Effect.Effect<AgentProcess.AgentProcess, AgentError> =>
      Effect.gen(function* () {
        const held = slotOf(session)
        // One that is on its way out is waited for, so that there are never more processes than allowed.
        if (held?.process?.isAlive() === false) yield* Deferred.await(held.process.ended)
        const slot = slotOf(session) ?? (yield* place(session))
        return yield* Deferred.await(slot.ready)
      }),
    /** The process that holds the session now. */
    current: (session: Session): AgentProcess.AgentProcess | null => {
      const process = slotOf(session)?.process ?? null
      return process !== null && process.isAlive() ? process : null
    },
    release,
    /** Ends the process by force when nobody else is using it; `false` = others are. */
    retire: (session: Session): Effect.Effect<boolean> =>
      Effect.suspend(() => {
        const slot = slotOf(session)
        if (slot === null) return Effect.succeed(true)
        for (const other of slot.held) if (other !== session && other.turn !== null) return Effect.succeed(false)
        return Effect.as(close(slot), true)
      }),
    /** A prompt came to its end: the agent works. */
    worked: () => {
      crashes = 0
    },
    /** Ends processes in which no session has a place. */
    sweep: Effect.suspend(() =>
      Effect.forEach(
        [...slots].filter(({ held, process }) => held.size === 0 && process !== null),
        close,
        { discard: true }
      )
    ),
    sizes: () => [...slots].map(({ held }) => held.size)
  }
})
