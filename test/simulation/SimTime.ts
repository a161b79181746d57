/**
 * Time and scheduling of a simulated world: nothing waits for the machine. Ready fibers run one after the other in an order
 * drawn from the seed, and when none is ready the clock jumps to the next sleeper. The same seed gives the same run.
 */
import { Clock, Duration, Effect, type Exit, type Fiber, type Scheduler } from "effect"
import type { Random } from "../support/Random.ts"

/** Operations after which a fiber makes room for others; as the real scheduler's default. */
const opsBeforeYield = 2048
const nanosPerMilli = 1_000_000n

interface Sleeper {
  readonly at: number
  readonly order: number
  readonly wake: () => void
}

/** Earliest first; of equal times the one that began to sleep first. */
class Sleepers {
  private readonly heap: Array<Sleeper> = []

  get size(): number {
    return this.heap.length
  }

  push(sleeper: Sleeper): void {
    const { heap } = this
    let at = heap.push(sleeper) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(sleeper, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = sleeper
  }

  pop(): Sleeper | undefined {
    const { heap } = this
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    while (true) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

const before = (a: Sleeper, b: Sleeper): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

interface Ready {
  readonly tasks: Array<readonly [priority: number, task: () => void]>
  queued: boolean
}

/** `Stuck`: nothing can ever happen again and the world has not ended: a deadlock. */
export type Played<A> = { readonly _tag: "Ended"; readonly exit: Exit.Exit<A> } | { readonly _tag: "Stuck" }

/** `chance`: order of ready fibers; `null` = first come, first served, as the machine does. */
export const play = <A>(world: Effect.Effect<A>, chance: Random | null): Played<A> => {
  const sleepers = new Sleepers()
  const ready: Array<Ready> = []
  let now = 0
  let order = 0

  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => Math.floor(now),
    currentTimeMillis: Effect.sync(() => Math.floor(now)),
    currentTimeNanosUnsafe: () => BigInt(Math.floor(now)) * nanosPerMilli,
    currentTimeNanos: Effect.sync(() => BigInt(Math.floor(now)) * nanosPerMilli),
    monotonicTimeNanosUnsafe: () => BigInt(Math.floor(now)) * nanosPerMilli,
    monotonicTimeNanos: Effect.sync(() => BigInt(Math.floor(now)) * nanosPerMilli),
    sleep: (duration) => {
      const millis = Duration.toMillis(duration)
      if (millis <= 0) return Effect.yieldNow
      if (!Number.isFinite(millis)) return Effect.never
      return Effect.callback((resume) => {
        let isAwake = false
        sleepers.push({
          at: now + millis,
          order: order++,
          wake: () => {
            if (!isAwake) resume(Effect.void)
          }
        })
        return Effect.sync(() => {
          isAwake = true
        })
      })
    }
  }

  const scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: (fiber) => fiber.currentOpCount >= opsBeforeYield,
    makeDispatcher: () => {
      const own: Ready = { tasks: [], queued: false }
      return {
        scheduleTask: (task, priority) => {
          let at = own.tasks.length
          while (at > 0 && own.tasks[at - 1]![0] > priority) at--
          own.tasks.splice(at, 0, [priority, task])
          if (own.queued) return
          own.queued = true
          ready.push(own)
        },
        flush: () => run(own)
      }
    }
  }

  const run = (one: Ready): void => {
    one.queued = false
    for (const [, task] of one.tasks.splice(0)) task()
  }

  let ended: Exit.Exit<A> | undefined
  const fiber: Fiber.Fiber<A> = Effect.runFork(Effect.provideService(world, Clock.Clock, clock), { scheduler })
  fiber.addObserver((exit) => {
    ended = exit
  })
  let first = 0
  while (ended === undefined) {
    if (first < ready.length) {
      if (chance === null) {
        run(ready[first++]!)
        if (first > 1024) {
          ready.splice(0, first)
          first = 0
        }
      } else {
        const at = chance.below(ready.length)
        const one = ready[at]!
        ready[at] = ready[ready.length - 1]!
        ready.pop()
        run(one)
      }
      continue
    }
    const next = sleepers.pop()
    if (next === undefined) return { _tag: "Stuck" }
    now = Math.max(now, next.at)
    next.wake()
  }
  return { _tag: "Ended", exit: ended }
}
