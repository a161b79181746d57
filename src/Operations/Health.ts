/**
 * Health that means a message got through (law 10): storage takes commits, actors answer, each link was proven in both
 * directions not long ago. A link that is up but deaf is named; one that sleeps on purpose is healthy.
 */
import { Clock, Context, Duration, Effect, Layer, Schedule, SubscriptionRef } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Access } from "../Access/Access.ts"
import { TurnRunner } from "../Conversation/TurnRunner.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { Supervisor } from "../Platforms/Supervisor.ts"
import { Lanes } from "../Session/Lanes.ts"
import { beat } from "../Storage/Heartbeat.ts"
import { Inbox } from "../Storage/Inbox.ts"
import { Journal } from "../Storage/Journal.ts"
import { Outbox } from "../Storage/Outbox.ts"
import { Lifecycle } from "./Lifecycle.ts"
import { version } from "./Version.ts"

/** A message that waits longer for its actor shows that actors do not answer. */
const actorPatience = 30_000
/** Storage is proven at least this often. */
const beatEvery = Duration.seconds(10)

export interface PlatformStatus {
  readonly name: string
  readonly label: string
  readonly state: string
  readonly detail: string | null
  readonly error: string | null
  /** How a send of unknown outcome is settled (law 3); `null` while the link does not run. */
  readonly settle: string | null
  readonly lastIn: string | null
  readonly lastOut: string | null
  readonly reconnects: number
}

export interface Status {
  readonly version: string
  readonly pid: number
  readonly phase: string
  readonly ready: boolean
  readonly reasons: ReadonlyArray<string>
  readonly sessions: {
    readonly resident: number
    readonly running: number
    /** Of the running ones, those that wait for one of `gateway.max_running_turns`. */
    readonly waiting: number
    readonly queued: number
  }
  readonly inbox: Readonly<Record<string, number>>
  readonly outbox: Readonly<Record<string, number>>
  readonly platforms: ReadonlyArray<PlatformStatus>
  readonly updatedAt: string
}

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())

export class Health extends Context.Service<
  Health,
  {
    /** Why the gateway is not ready; empty = it is. */
    readonly reasons: Effect.Effect<ReadonlyArray<string>>
    readonly status: Effect.Effect<Status>
  }
>()("Operations/Health") {
  static readonly layer = Layer.effect(
    Health,
    Effect.gen(function* () {
      const access = yield* Access
      const journal = yield* Journal
      const lanes = yield* Lanes
      const runner = yield* TurnRunner
      const supervisor = yield* Supervisor
      const queues = yield* SendQueues
      const lifecycle = yield* Lifecycle
      const inbox = yield* Inbox
      const outbox = yield* Outbox
      const clock = yield* Clock.Clock

      const reasons = Effect.map(SubscriptionRef.get(lifecycle.phase), (phase) => {
        const now = clock.currentTimeMillisUnsafe()
        const found: Array<string> = []
        if (phase !== "running") found.push(phase)
        const storage = journal.health()
        if (storage.failingSince !== null) found.push(`storage: refuses commits (${storage.error})`)
        found.push(...access.problems())
        const waiting = lanes.oldestWaiting()
        if (waiting !== null && now - waiting > actorPatience) found.push("sessions: messages wait for their actor")
        for (const platform of supervisor.view()) {
          const { proofPeriod, provenAt } = platform
          const { detail, lastIn, lastOut, status } = platform.state
          const isVoid = (at: number | null) => now - Math.max(at ?? -Infinity, provenAt ?? -Infinity) > proofPeriod
          if (detail === "asleep" || platform.paused !== null) continue
          if (status !== "connected") found.push(`${platform.name}: ${status}${detail === null ? "" : ` (${detail})`}`)
          else if (isVoid(lastIn)) found.push(`${platform.name}: nothing comes in`)
          else if (isVoid(lastOut)) found.push(`${platform.name}: nothing goes out`)
        }
        return found
      })

      /** Nobody writes: then a write of our own shows whether storage would take one. */
      yield* Effect.suspend(() => {
        const now = clock.currentTimeMillisUnsafe()
        const { committedAt } = journal.health()
        return committedAt !== null && now - committedAt < Duration.toMillis(beatEvery)
          ? Effect.void
          : journal.append([beat(now)])
      }).pipe(Effect.schedule(Schedule.spaced(beatEvery)), Effect.forkScoped)

      const platforms = (): ReadonlyArray<PlatformStatus> =>
        supervisor.view().map(({ error, label, link, name, paused, state }) => ({
          name,
          label,
          state: paused === null ? state.status : "paused",
          detail: state.detail,
          error: error?.message ?? null,
          settle: link === null ? null : (queues.outlet(link)?.settle() ?? null),
          lastIn: iso(state.lastIn),
          lastOut: iso(state.lastOut),
          reconnects: state.reconnects
        }))

      const unknown = { unknown: -1 }
      /** Chats that are left alone for an hour (`delivery T11`). */
      const unreachable = (): Readonly<Record<string, number>> => {
        const chats = queues.unreachable()
        return chats === 0 ? {} : { "unreachable chats": chats }
      }

      const status = Effect.gen(function* () {
        const why = yield* reasons
        return {
          version,
          pid: process.pid,
          phase: yield* SubscriptionRef.get(lifecycle.phase),
          ready: why.length === 0,
          reasons: why,
          sessions: { ...lanes.view(), waiting: runner.waiting() },
          inbox: yield* Effect.orElseSucceed(inbox.counts, () => unknown),
          outbox: { ...(yield* Effect.orElseSucceed(outbox.counts, () => unknown)), ...unreachable() },
          platforms: platforms(),
          updatedAt: new Date(clock.currentTimeMillisUnsafe()).toISOString()
        }
      })

      return { reasons, status }
    })
  )

  /** `GET /health`: the event loop answers. `GET /ready`: law 10, with one reason per condition that fails (`operations S3`). */
  static readonly routes = Layer.mergeAll(
    HttpRouter.add("GET", "/health", HttpServerResponse.json({ status: "ok", platform: "switchboard", version })),
    HttpRouter.add(
      "GET",
      "/ready",
      Effect.gen(function* () {
        const reasons = yield* (yield* Health).reasons
        return yield* reasons.length === 0
          ? HttpServerResponse.json({ status: "ready", reasons })
          : HttpServerResponse.json({ status: "not ready", reasons }, { status: 503 })
      })
    )
  )
}
