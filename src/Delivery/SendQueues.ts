/**
 * Sends what the Outbox owes, each send queue (link, chat, thread) in order by one fiber (`delivery O2`). Owns retries,
 * settling and the order of rows; never sends a confirmed row again (law 3). Rows wait here in small number: the table is
 * the truth, and what does not fit is read again.
 */
import { Clock, Context, Duration, Effect, FiberSet, Layer, Metric, Schedule, type Scope } from "effect"
import { DeliveryAmbiguous, DeliveryMaxAgeHours, DeliverySendsInFlight } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import * as DeadTargets from "../Storage/DeadTargets.ts"
import { Journal } from "../Storage/Journal.ts"
import { Outbox, type OutboxRow, type Preview, progressed, restOfTurn } from "../Storage/Outbox.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import * as Attempt from "./Attempt.ts"
import * as ClosedWindows from "./ClosedWindows.ts"
import * as MeteredOutlet from "./MeteredOutlet.ts"
import type { Outlet } from "./Outlet.ts"
import * as Previews from "./Previews.ts"
import * as SendBudget from "./SendBudget.ts"

/** Rows of one send queue in memory; more are read from the table when these have left. */
const memoryBound = 64
/** Open rows of one send queue, and of all, above which no new turn is started for the chat (`delivery O7`). */
const queueBound = 500
const totalBound = 10_000
const sweepEvery = Duration.seconds(5)
const sweepLimit = 500

/** Under flood control it is dropped: what it shows is soon out of date (law 9). */
const isChrome = (kind: OutboxRow["kind"]): boolean => kind === "commentary" || kind === "tool"

const isOpen = (state: OutboxRow["state"]): boolean =>
  state === "pending" || state === "sending" || state === "ambiguous"

const windowOf = (link: string, chat: string): string => `${link} ${chat}`

interface SendQueue {
  readonly name: string
  readonly rows: Array<OutboxRow>
  /** The table holds rows of this queue that are not in `rows`. */
  more: boolean
  /** A row had no room since the table was last asked. */
  missed: boolean
  working: boolean
}

interface Link {
  readonly outlet: Outlet
  /** For whoever sends beside the Outbox, previews and typing: it leaves at once and within the budget, or not at all. */
  metered: Outlet
  readonly queues: Map<string, SendQueue>
  readonly budget: SendBudget.SendBudget
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Keys in memory, so that the sweep takes nothing twice. */
  readonly keys: Set<string>
  /** Keys that have come to their end, while a look at the table may still show them open. */
  readonly ended: Set<string>
  /** What an earlier life owes has been read; nothing leaves before, so that nothing overtakes it. */
  ready: boolean
  /** The table may hold older rows of queues that are not in memory: a queue that is made now asks the table first. */
  partial: boolean
  /** Where the next sweep begins: rows that wait for long must not hide the ones behind them. */
  swept: number
}

export interface LinkView {
  readonly link: string
  readonly up: boolean
  readonly queues: number
  readonly rows: number
}

const sent = Metric.counter("outbox_sent_total", { description: "rows confirmed by their platform", incremental: true })
const retried = Metric.counter("outbox_retries_total", {
  description: "sends that will be tried again",
  incremental: true
})
const dropped = Metric.counter("outbox_dropped_total", {
  description: "interim rows dropped under flood control",
  incremental: true
})
const dead = Metric.counter("outbox_dead_total", { description: "rows given up", incremental: true })

export class SendQueues extends Context.Service<
  SendQueues,
  {
    /** Sends the rows of this outlet's link until the scope closes; what is under way then is settled at the next start. */
    readonly serve: (outlet: Outlet) => Effect.Effect<void, never, Scope.Scope>
    /** Rows that were just committed, in order of commit. */
    readonly offer: (rows: ReadonlyArray<OutboxRow>) => void
    /** Nothing of this queue waits or is being sent, so that a preview shown now keeps the order (`delivery` Z18). */
    readonly isIdle: (link: string, queue: string) => boolean
    /** That chat has written: a platform that lets us write only after that does so now. */
    readonly opened: (link: string, platform: string, chatId: string) => void
    /** Waits while the chat, or the gateway, owes more than `delivery O7` allows. */
    readonly awaitRoom: (link: string, queue: string) => Effect.Effect<void>
    readonly outlet: (link: string) => Outlet | null
    /** Completes when the link is served; at once if it is. */
    readonly awaitOutlet: (link: string) => Effect.Effect<Outlet>
    /** Completes when the row has come to its end: `true` = its platform confirmed it. */
    readonly settled: (key: string) => Effect.Effect<boolean>
    /** Takes back a row that has not left yet; one that is on its way stays what it becomes. */
    readonly withdraw: (row: OutboxRow) => Effect.Effect<void>
    /** Completes when the row has come to its end: the id of its message, `null` = it is not shown, or has none. */
    readonly shownAs: (key: string) => Effect.Effect<string | null>
    /** A send or edit of this row's preview begins; the row waits until it is told what the preview shows then. */
    readonly hold: (key: string) => (preview: Preview | null) => void
    /** Completes when every row has left, or the time is up; says how many rows are still in memory. */
    readonly flush: (timeout: Duration.Duration) => Effect.Effect<number>
    /** Chats that are not tried for the time being (`delivery T11`). */
    readonly unreachable: () => number
    readonly view: () => ReadonlyArray<LinkView>
  }
>()("Delivery/SendQueues") {
  static readonly layer = Layer.effect(
    SendQueues,
    Effect.gen(function* () {
      const journal = yield* Journal
      const outbox = yield* Outbox
      const settings = yield* Settings
      const clock = yield* Clock.Clock
      const ambiguous = yield* settings.get(DeliveryAmbiguous)
      const maxAge = Duration.hours(yield* settings.get(DeliveryMaxAgeHours))
      const inFlight = yield* settings.get(DeliverySendsInFlight)
      const deadTargets = yield* DeadTargets.make
      const windows = ClosedWindows.make()
      const links = new Map<string, Link>()
      const awaiting = new Set<() => void>()
      const watched = new Map<string, Set<(sent: boolean, messageId: string | null) => void>>()
      const withdrawn = new Set<string>()
      const previews = Previews.make(journal)

      const total = (): number => {
        let rows = 0
        for (const link of links.values()) rows += link.keys.size
        return rows
      }

      const queueOf = (link: Link, name: string): SendQueue => {
        let queue = link.queues.get(name)
        if (queue === undefined) {
          queue = { name, rows: [], more: link.partial, missed: link.partial, working: false }
          link.queues.set(name, queue)
        }
        return queue
      }

      const place = (link: Link, row: OutboxRow): void => {
        if (link.keys.has(row.key) || link.ended.has(row.key)) return
        const queue = queueOf(link, row.queue)
        if (queue.more || queue.rows.length >= memoryBound) {
          queue.more = true
          queue.missed = true
          return
        }
        link.keys.add(row.key)
        let at = queue.rows.length
        while (at > 0 && queue.rows[at - 1]!.seq > row.seq) at--
        if (at === queue.rows.length) queue.rows.push(row)
        else queue.rows.splice(Math.max(at, queue.working ? 1 : 0), 0, row)
      }

      const wake = (link: Link, queue: SendQueue | undefined): void => {
        if (queue === undefined || queue.working || !link.ready) return
        queue.working = true
        link.fork(work(link, queue))
      }

      /** All rows are in their places before the first one leaves: a reply that fails takes its later texts with it. */
      const add = (link: Link, rows: ReadonlyArray<OutboxRow>): void => {
        for (const row of rows) place(link, row)
        for (const row of rows) wake(link, link.queues.get(row.queue))
      }

      const remove = (link: Link, queue: SendQueue, row: OutboxRow): void => {
        queue.rows.splice(queue.rows.indexOf(row), 1)
        link.keys.delete(row.key)
        link.ended.add(row.key)
        previews.forget(row.key)
      }

      /** The row has come to its end; later texts of its turn share a bad one (`delivery O2`). */
      const end = (link: Link, queue: SendQueue, head: OutboxRow, outcome: Attempt.Outcome) =>
        Effect.suspend(() => {
          remove(link, queue, head)
          const at = clock.currentTimeMillisUnsafe()
          const { row } = outcome
          for (const tell of watched.get(row.key) ?? []) tell(row.state === "sent", outcome.messageId)
          const writes: Array<Write> = [
            progressed({
              row,
              at,
              ...(outcome.messageId === null ? {} : { messageIds: [outcome.messageId] }),
              error: outcome.error?.message ?? null,
              errorKind: outcome.error?.kind ?? null
            })
          ]
          if (row.state === "superseded") return Effect.andThen(journal.append(writes), Metric.update(dropped, 1))
          if (row.state === "sent") {
            writes.push(...deadTargets.cleared(Attempt.chatOf(row)))
            return Effect.andThen(journal.append(writes), Metric.update(sent, 1))
          }
          if (outcome.targetGone === true) {
            writes.push(...deadTargets.marked(Attempt.chatOf(row), outcome.error?.message ?? "", at))
          }
          if (row.turn !== null && row.kind === "final" && (row.state === "dead" || row.state === "held")) {
            writes.push(restOfTurn(row, row.state, at))
            for (const later of queue.rows.filter((other) => other.turn === row.turn && other.kind === "final")) {
              remove(link, queue, later)
            }
          }
          return journal.append(writes).pipe(
            Effect.andThen(row.state === "dead" ? Metric.update(dead, 1) : Effect.void),
            Effect.andThen(
              Effect.logError("a message could not be delivered", {
                state: row.state,
                link: row.link,
                key: row.key,
                error: outcome.error?.message ?? "too old"
              })
            )
          )
        })

      /** Tries the head of a queue until it has come to its end. */
      const send = Effect.fnUntraced(function* (link: Link, queue: SendQueue, head: OutboxRow) {
        const { settle } = link.outlet.capabilities(Attempt.targetOf(head))
        let row = yield* previews.asShown(head, settle === "key")
        while (true) {
          if (isChrome(row.kind) && link.budget.isAsleep(Attempt.targetOf(row))) {
            return yield* end(link, queue, head, { row: { ...row, state: "superseded" }, messageId: null, error: null })
          }
          const wait = row.notBefore - clock.currentTimeMillisUnsafe()
          if (wait > 0) {
            const isClosed = row.notBefore === row.createdAt + Duration.toMillis(maxAge)
            yield* isClosed
              ? windows.awaitOpen(windowOf(link.outlet.link, Attempt.chatOf(row)), Effect.sleep(wait))
              : Effect.sleep(wait)
          }
          if (!link.outlet.isUp()) yield* link.outlet.awaitUp
          if (withdrawn.delete(row.key)) {
            remove(link, queue, head)
            return
          }
          if (wait > Duration.toMillis(sweepEvery)) {
            // It has waited long enough for an operator to have dropped or changed it.
            const now = yield* outbox.find(row.key).pipe(Effect.orElseSucceed(() => row))
            if (now === null || !isOpen(now.state)) {
              remove(link, queue, head)
              return
            }
          }
          if (deadTargets.isDead(Attempt.chatOf(row), clock.currentTimeMillisUnsafe())) {
            return yield* end(link, queue, head, Attempt.toDeadTarget(row))
          }
          const outcome = yield* link.budget.within(
            row.kind,
            Attempt.targetOf(row),
            Attempt.make(row, { outlet: link.outlet, journal, clock, ambiguous, maxAge: Duration.toMillis(maxAge) })
          )
          if (outcome.row.state !== "pending" && outcome.row.state !== "ambiguous") {
            return yield* end(link, queue, head, outcome)
          }
          row = outcome.row
          if (outcome.error?.kind === "rate_limited") {
            link.budget.slowed(Attempt.targetOf(row), outcome.error.retryAfter ?? null)
          }
          yield* Metric.update(retried, 1)
          yield* journal.append([
            progressed({
              row,
              at: clock.currentTimeMillisUnsafe(),
              error: outcome.error?.message ?? null,
              errorKind: outcome.error?.kind ?? null
            })
          ])
        }
      })

      const refill = (link: Link, queue: SendQueue) =>
        journal.flush.pipe(
          Effect.andThen(
            Effect.suspend(() => {
              queue.missed = false
              return outbox.openOfQueue(link.outlet.link, queue.name, 0, memoryBound)
            })
          ),
          Effect.map((rows) => {
            queue.more = rows.length === memoryBound || queue.missed
            for (const row of rows) {
              if (link.keys.has(row.key) || link.ended.has(row.key)) continue
              link.keys.add(row.key)
              queue.rows.push(row)
            }
          }),
          Effect.retry(Schedule.spaced("1 second")),
          Effect.orDie
        )

      const work = (link: Link, queue: SendQueue): Effect.Effect<void> =>
        Effect.gen(function* () {
          while (true) {
            const head = queue.rows[0]
            if (head !== undefined) yield* send(link, queue, head)
            else if (queue.more) yield* refill(link, queue)
            else {
              // In one step with the look at `rows`, so that no row is added to a queue that nobody works on.
              queue.working = false
              link.queues.delete(queue.name)
              return
            }
          }
        }).pipe(
          Effect.tapDefect((defect) => Effect.logError("a send queue died; the sweep revives it", defect)),
          Effect.onExit(() =>
            Effect.sync(() => {
              if (!queue.working) return
              // After a defect the table is read again; nothing that was under way is forgotten there.
              for (const row of queue.rows) link.keys.delete(row.key)
              link.queues.delete(queue.name)
            })
          )
        )

      /** `flush` first: a row whose confirmation is still on its way to the disk must not look open. */
      const sweep = (link: Link, limit: number) =>
        Effect.suspend(() => {
          const settled = [...link.ended]
          return journal.flush.pipe(
            Effect.andThen(Effect.suspend(() => outbox.openOf(link.outlet.link, link.swept, limit))),
            Effect.map((rows) => {
              const isWhole = rows.length < limit
              if (link.swept === 0) link.partial = !isWhole
              else if (isWhole) link.partial = false
              link.swept = isWhole ? 0 : rows.at(-1)!.seq
              add(link, rows)
              for (const key of settled) link.ended.delete(key)
            })
          )
        })

      const first = (link: Link) =>
        Effect.andThen(deadTargets.load, sweep(link, totalBound)).pipe(
          Effect.tapError((error) => Effect.logWarning("the outbox could not be read, will try again", error.message)),
          Effect.retry(Schedule.spaced("1 second")),
          Effect.orDie,
          Effect.andThen(
            Effect.sync(() => {
              link.ready = true
              for (const queue of link.queues.values()) wake(link, queue)
            })
          )
        )

      const watching = <A>(key: string, of: (sent: boolean, messageId: string | null) => A): Effect.Effect<A> =>
        Effect.callback<A>((resume) => {
          const tell = (sent: boolean, messageId: string | null) => resume(Effect.succeed(of(sent, messageId)))
          const others = watched.get(key)
          if (others === undefined) watched.set(key, new Set([tell]))
          else others.add(tell)
          return Effect.sync(() => {
            const left = watched.get(key)
            left?.delete(tell)
            if (left?.size === 0) watched.delete(key)
          })
        })

      return {
        serve: Effect.fnUntraced(function* (outlet) {
          const workers = yield* FiberSet.make<void>()
          const run = yield* FiberSet.runtime(workers)<never>()
          const link: Link = {
            outlet,
            queues: new Map(),
            metered: outlet,
            budget: SendBudget.make({
              sendsInFlight: inFlight,
              pace: outlet.pace,
              clock,
              fork: (effect) => void run(effect)
            }),
            fork: (effect) => void run(effect),
            keys: new Set(),
            ended: new Set(),
            ready: false,
            partial: true,
            swept: 0
          }
          link.metered = MeteredOutlet.make(outlet, link.budget)
          yield* Effect.acquireRelease(
            Effect.sync(() => {
              links.set(outlet.link, link)
              for (const look of awaiting) look()
            }),
            () => Effect.sync(() => links.get(outlet.link) === link && links.delete(outlet.link))
          )
          yield* first(link).pipe(
            Effect.andThen(
              sweep(link, sweepLimit).pipe(
                Effect.catch((error) =>
                  Effect.logWarning("the outbox could not be swept, will try again", error.message)
                ),
                Effect.schedule(Schedule.spaced(sweepEvery))
              )
            ),
            Effect.forkScoped
          )
        }),
        offer: (rows) => {
          for (const link of links.values()) {
            const mine = rows.filter((row) => row.link === link.outlet.link)
            if (mine.length > 0) add(link, mine)
          }
        },
        isIdle: (link, queue) => {
          const served = links.get(link)
          return served === undefined || (served.ready && !served.queues.has(queue))
        },
        opened: (link, platform, chatId) => windows.opened(windowOf(link, `${platform}:${chatId}`)),
        awaitRoom: (link, queue) =>
          Effect.suspend(() => {
            const waiting = links.get(link)?.queues.get(queue)
            // In memory there are never more than `memoryBound` rows of a queue: only a long one has to be counted.
            if (total() < totalBound && waiting?.more !== true) return Effect.void
            const full = Effect.map(
              Effect.orElseSucceed(outbox.openOfQueue(link, queue, 0, queueBound), () => []),
              (rows) => rows.length >= queueBound || total() >= totalBound
            )
            return Effect.asVoid(
              Effect.repeat(full, { while: (isFull) => isFull, schedule: Schedule.spaced("1 second") })
            )
          }),
        outlet: (link) => links.get(link)?.metered ?? null,
        awaitOutlet: (link) =>
          Effect.callback<Outlet>((resume) => {
            const look = () => {
              const served = links.get(link)
              if (served !== undefined) resume(Effect.succeed(served.metered))
            }
            awaiting.add(look)
            look()
            return Effect.sync(() => awaiting.delete(look))
          }),
        hold: previews.hold,
        settled: (key) => watching(key, (sent) => sent),
        shownAs: (key) => watching(key, (_, messageId) => messageId),
        withdraw: (row) =>
          Effect.suspend(() => {
            for (const link of links.values()) if (link.keys.has(row.key)) withdrawn.add(row.key)
            return journal.append([
              progressed({ row: { ...row, state: "superseded" }, at: clock.currentTimeMillisUnsafe() })
            ])
          }),
        flush: (timeout) =>
          Effect.sync(total).pipe(
            Effect.repeat({ while: (rows) => rows > 0, schedule: Schedule.spaced("20 millis") }),
            Effect.timeoutOption(timeout),
            Effect.map(total)
          ),
        unreachable: () => deadTargets.count(clock.currentTimeMillisUnsafe()),
        view: () =>
          Array.from(links.values(), (link) => ({
            link: link.outlet.link,
            up: link.outlet.isUp(),
            queues: link.queues.size,
            rows: link.keys.size
          }))
      }
    })
  )
}
