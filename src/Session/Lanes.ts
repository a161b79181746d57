/**
 * Finds the actor of a session and rings it (`DESIGN` Actors). Doorbells are hints: the Inbox is the truth, and a slow
 * sweep finds what a lost one left. The message path costs one look-up whatever the number of known sessions.
 */
import { Context, Duration, Effect, Layer, Metric, Schedule } from "effect"
import { Settings } from "../Config/Settings.ts"
import { BusyTextDebounce, BusyTextHardCap } from "../Config/GatewaySettings.ts"
import type { MessageEvent } from "../Message/MessageEvent.ts"
import { Inbox, type InboxRow } from "../Storage/Inbox.ts"
import * as Lane from "./Lane.ts"
import { Routing } from "./Routing.ts"
import { Turns, type StopReason } from "./Turns.ts"

/** `DESIGN` Actors: shards of session actors. */
export const laneCount = 256

/** FNV-1a of the key: equal on every machine, so that a key names the same lane everywhere. */
export const laneOf = (sessionKey: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < sessionKey.length; i++) {
    hash ^= sessionKey.charCodeAt(i)
    hash = Math.imul(hash, 0x01000193)
  }
  return (hash >>> 0) % laneCount
}

/** A session without turn, queue or message for this long is forgotten; the next message revives it. */
const passivateAfter = Duration.minutes(30)
const sweepEvery = Duration.seconds(5)
/** Sessions that one sweep wakes at most; the next one goes on behind them. */
const sweepLimit = 1000

export interface LanesView {
  readonly resident: number
  readonly running: number
  readonly queued: number
}

export class Lanes extends Context.Service<
  Lanes,
  {
    /** Rings the actor of a row that was just committed; `previous` is the row taken before it for the same session. */
    readonly ring: (row: InboxRow, previous: number | null) => void
    /** A waiting row has another text; a session that holds it in memory is told (`relay I3a`). */
    readonly edited: (change: {
      readonly id: number
      readonly sessionKey: string
      readonly event: MessageEvent
    }) => void
    /** `false`: no turn runs under that key. */
    readonly interrupt: (sessionKey: string, reason: StopReason) => Effect.Effect<boolean>
    /** No new turns from now on; completes when the running ones have ended or the time is up, and says how many were left. */
    readonly drain: (timeout: Duration.Duration) => Effect.Effect<number>
    /** No new turns while it is on; messages wait in the Inbox, and run when it is off again (`conversation D9`). */
    readonly hold: (on: boolean) => Effect.Effect<void>
    /** Stops what still runs; undone rows stay undone. */
    readonly stopAll: Effect.Effect<void>
    /** Since when the message that has waited longest for its actor waits; `null` = none does. */
    readonly oldestWaiting: () => number | null
    /** What runs now, oldest message first. */
    readonly turns: () => ReadonlyArray<Lane.RunningTurn>
    readonly view: () => LanesView
    /** The messages whose turns run now, with the key of each; asked when access has changed, never per message. */
    readonly runningRows: () => ReadonlyArray<readonly [sessionKey: string, row: InboxRow]>
  }
>()("Session/Lanes") {
  /** All lanes in this process. */
  static readonly layerLocal = Layer.effect(
    Lanes,
    Effect.gen(function* () {
      const inbox = yield* Inbox
      const routing = yield* Routing
      const turns = yield* Turns
      const settings = yield* Settings
      const quiet = yield* settings.follow(BusyTextDebounce)
      const cap = yield* settings.follow(BusyTextHardCap)
      const merge = () => ({ quiet: Duration.toMillis(quiet()), cap: Duration.toMillis(cap()) })
      const lanes: ReadonlyArray<Lane.Lane> = yield* Effect.forEach(
        Array.from({ length: laneCount }, (_, index) => index),
        () => Lane.make({ inbox, routing, turns, merge, ring: (row) => laneFor(row.sessionKey).ring(row, null) })
      )
      const laneFor = (sessionKey: string): Lane.Lane => lanes[laneOf(sessionKey)]!

      const sum = (f: (lane: Lane.Lane) => number): number => {
        let total = 0
        for (const lane of lanes) total += f(lane)
        return total
      }
      const running = () => sum((lane) => lane.running())

      /** Where the next sweep begins: a session whose rows stay undone for long must not hide the ones behind it. */
      let swept = ""
      const sweep = (age: Duration.Duration) =>
        Effect.clockWith((clock) =>
          inbox.sessionsWithUndone(clock.currentTimeMillisUnsafe() - Duration.toMillis(age) + 1, swept, sweepLimit)
        ).pipe(
          Effect.map((keys) => {
            for (const key of keys) laneFor(key).sweep(key)
            swept = keys.length < sweepLimit ? "" : keys.at(-1)!
          }),
          Effect.catch((error) => Effect.logWarning("the inbox could not be swept, will try again", error.message))
        )

      // What an earlier process left runs first; a storage that cannot be read yet is found by the sweeps.
      yield* inbox.recoverRunning.pipe(
        Effect.tap((cut) =>
          cut === 0 ? Effect.void : Effect.logInfo("turns were cut off and run again", { turns: cut })
        ),
        Effect.catch((error) => Effect.logWarning("the inbox could not be read at start", error.message))
      )
      yield* sweep(Duration.zero)
      yield* sweep(sweepEvery).pipe(Effect.schedule(Schedule.spaced(sweepEvery)), Effect.forkScoped)
      yield* Effect.clockWith((clock) =>
        Effect.sync(() => {
          const before = clock.currentTimeMillisUnsafe() - Duration.toMillis(passivateAfter)
          for (const lane of lanes) lane.passivate(before)
        })
      ).pipe(
        Effect.andThen(
          Effect.suspend(() =>
            Metric.update(
              resident,
              sum((lane) => lane.resident())
            )
          )
        ),
        Effect.schedule(Schedule.spaced("1 minute")),
        Effect.forkScoped
      )

      return {
        ring: (row, previous) => laneFor(row.sessionKey).ring(row, previous),
        edited: (change) => laneFor(change.sessionKey).edited(change),
        interrupt: (sessionKey, reason) => Effect.sync(() => laneFor(sessionKey).interrupt(sessionKey, reason)),
        drain: (timeout) =>
          Effect.gen(function* () {
            for (const lane of lanes) lane.drain(true)
            yield* Effect.sync(running).pipe(
              Effect.repeat({ while: (turns) => turns > 0, schedule: Schedule.spaced("20 millis") }),
              Effect.timeoutOption(timeout)
            )
            return running()
          }),
        hold: (on) => Effect.sync(() => lanes.forEach((lane) => lane.drain(on))),
        runningRows: () => lanes.flatMap((lane) => lane.runningRows()),
        stopAll: Effect.forEach(lanes, (lane) => lane.stopAll, { discard: true }),
        oldestWaiting: () => {
          let oldest: number | null = null
          for (const lane of lanes) {
            const waiting = lane.oldestWaiting()
            if (waiting !== null && (oldest === null || waiting < oldest)) oldest = waiting
          }
          return oldest
        },
        turns: () =>
          lanes
            .flatMap((lane) => lane.turns())
            .toSorted((a, b) => a.row.takenAt - b.row.takenAt || a.row.id - b.row.id),
        view: () => ({
          resident: sum((lane) => lane.resident()),
          running: running(),
          queued: sum((lane) => lane.queued())
        })
      }
    })
  )
}

const resident = Metric.gauge("sessions_resident", { description: "session actors in memory" })
