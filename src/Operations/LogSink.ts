/**
 * The way from a logging fiber to a file or the standard error: a bounded queue and one writer. Logging never waits;
 * when the queue is full the line is dropped, counted, and the count is written as soon as there is room.
 */
import { Deferred, Duration, Effect, Queue, type Scope } from "effect"

export interface LogSink {
  /** Takes one line, without its end; `false` = dropped. Never blocks, never throws. */
  readonly offer: (line: string) => boolean
  /** Completes when everything taken so far is written, at the latest after a second. */
  readonly flush: Effect.Effect<void>
  /** Lines lost: the queue was full or the write failed. */
  readonly dropped: () => number
}

const CAPACITY = 10_000
const BATCH = 1000
const FLUSH_TIMEOUT = Duration.seconds(1)
/** A disk that refuses is asked again this often; meanwhile the queue fills, then drops. */
const PAUSE = Duration.seconds(1)

type Item = string | Deferred.Deferred<void>

/** One writer fiber, owned by the scope; closing the scope flushes. */
export const make = Effect.fnUntraced(function* (options: {
  readonly write: (lines: string) => Promise<void>
  readonly close: () => Promise<void>
  /** The line that reports lost ones. */
  readonly dropLine: (count: number) => string
  readonly capacity?: number | undefined
}): Effect.fn.Return<LogSink, never, Scope.Scope> {
  const capacity = options.capacity ?? CAPACITY
  // Markers of waiting flushes always get in; lines are refused at the capacity.
  const queue = yield* Queue.unbounded<Item>()
  let dropped = 0
  let reported = 0

  const attempt = (text: string) =>
    Effect.promise(() =>
      options.write(text).then(
        () => true,
        () => false
      )
    )

  const writeBatch = Effect.fnUntraced(function* (items: ReadonlyArray<Item>) {
    const lines = items.filter((item) => typeof item === "string")
    const missing = dropped - reported
    if (missing > 0) lines.push(options.dropLine(missing))
    const written = lines.length === 0 || (yield* attempt(`${lines.join("\n")}\n`))
    if (written) reported += missing
    else dropped += lines.length - (missing > 0 ? 1 : 0)
    for (const item of items) if (typeof item !== "string") yield* Deferred.succeed(item, undefined)
    if (!written) yield* Effect.sleep(PAUSE)
  })

  const flush = Effect.gen(function* () {
    const done = yield* Deferred.make<void>()
    Queue.offerUnsafe(queue, done)
    yield* Effect.timeoutOption(Deferred.await(done), FLUSH_TIMEOUT)
  })

  yield* Effect.addFinalizer(() => Effect.promise(() => options.close().catch(() => undefined)))
  yield* Queue.takeBetween(queue, 1, BATCH).pipe(
    // A batch once taken is written, also when the scope closes meanwhile.
    Effect.flatMap((items) => Effect.uninterruptible(writeBatch(items))),
    Effect.forever,
    Effect.forkScoped
  )
  yield* Effect.addFinalizer(() => flush)

  return {
    offer: (line) => {
      if (Queue.sizeUnsafe(queue) >= capacity) {
        dropped++
        return false
      }
      return Queue.offerUnsafe(queue, line)
    },
    flush,
    dropped: () => dropped
  }
})
