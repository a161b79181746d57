/**
 * Shows a reply while it grows: one message, sent under the key of the reply's first chunk and edited in place (`delivery`
 * B3–B6, O5). What may be on the screen is on disk before it is sent, so that the final text replaces it after any crash.
 * It never ends a reply: the final edit belongs to the Outbox.
 */
import { Effect, Latch, Schedule, type Scope } from "effect"
import type { Capabilities, Outlet } from "../Delivery/Outlet.ts"
import * as IdempotencyKey from "../Delivery/IdempotencyKey.ts"
import { targetOf, waysOf } from "../Delivery/Attempt.ts"
import { length } from "../Delivery/TextLength.ts"
import type { SendError } from "../Message/SendError.ts"
import type { JournalError } from "../Storage/Journal.ts"
import { Journal } from "../Storage/Journal.ts"
import { type OutboxRow, type Preview as Shown, previewed, previewOf, stored } from "../Storage/Outbox.ts"

export interface PreviewSettings {
  /** Milliseconds between two edits at least. */
  readonly interval: number
  /** Characters that hasten the first send. */
  readonly threshold: number
  readonly cursor: string
}

export interface Preview {
  readonly push: (delta: string) => void
  /** What is, or may be, on the screen; `null` = surely nothing. */
  readonly shown: () => Shown | null
  /** Everything that was pushed. */
  readonly text: () => string
}

/** Visible characters below which nothing is sent (`delivery B5`). */
const fewest = 4
/** How long the end of a turn waits at most for the platform's answer to its preview (`delivery B15`). */
const answerPatience = "5 seconds"

/**
 * Runs in the given scope. `row` is the reply's first chunk as it would be stored, in state `preview`; `canShow` is asked
 * before the first send: earlier messages of the chat go first.
 */
export const make = Effect.fnUntraced(function* (options: {
  readonly outlet: Outlet
  readonly capabilities: Capabilities
  readonly settings: PreviewSettings
  readonly row: OutboxRow
  readonly canShow: () => boolean
}): Effect.fn.Return<Preview, never, Scope.Scope | Journal> {
  const { capabilities, outlet, row, settings } = options
  const journal = yield* Journal
  const dirty = yield* Latch.make(false)
  const enough = yield* Latch.make(false)
  let text = ""
  let shown: Shown | null = null

  const visible = () => text.trimEnd() + settings.cursor
  const isKeyed = capabilities.settle === "key"
  const fits = (candidate: string) => length(candidate, capabilities.lengthUnit) <= capabilities.maxLength

  const send = (text: string, isFirst: boolean) =>
    outlet
      .send({
        key: row.key,
        target: targetOf(row),
        text,
        replyTo: row.payload.replyTo,
        notify: false,
        expectEdits: true,
        ...waysOf(row),
        rank: "interim"
      })
      .pipe(
        Effect.map(({ messageId }) => messageId),
        Effect.tapError((error) => {
          if (error.isAmbiguous || !isFirst) return Effect.void
          shown = null
          return journal.commit([previewed(row.key, null)])
        })
      )

  /** The intention is on disk before the message leaves; what an earlier run of this turn showed comes back with it. */
  const first = Effect.gen(function* () {
    const candidate = visible()
    const intended: Shown = { text: candidate, messageId: null }
    shown = intended
    const [receipt] = yield* journal.commit([
      stored({
        ...row,
        preview: intended,
        state: "preview",
        payload: { ...row.payload, text: candidate }
      })
    ])
    if (receipt === undefined) return false
    const earlier = Number(receipt.created_at) === row.createdAt ? null : previewOf(receipt.preview)
    const sending = earlier ?? intended
    shown = sending
    // Nobody knows whether the earlier run's preview arrived, and the platform would show it twice.
    if (earlier !== null && earlier.messageId === null && !isKeyed) return false
    const messageId = sending.messageId ?? (yield* send(sending.text, earlier === null))
    if (messageId === null) return false
    shown = { text: sending.text, messageId }
    yield* journal.append([previewed(row.key, shown)])
    return true
  })

  /** Where the platform takes no key the end of the turn waits for the answer: else the final would have to be marked. */
  const settled = isKeyed
    ? first
    : Effect.uninterruptible(
        Effect.map(Effect.timeoutOption(first, answerPatience), (done) => done._tag === "Some" && done.value)
      )

  const edit = Effect.gen(function* () {
    const candidate = visible()
    if (shown === null || shown.messageId === null || candidate === shown.text || !fits(candidate)) return
    yield* outlet.edit({
      key: `${row.key}:${IdempotencyKey.contentHash(candidate)}`,
      target: targetOf(row),
      messageId: shown.messageId,
      text: candidate,
      final: false
    })
    shown = { ...shown, text: candidate }
  })

  /** More important things leave first, or the platform wants a pause: what is shown then is newer. */
  const isForLater = (error: SendError | JournalError): boolean =>
    error._tag === "SendError" && error.kind === "rate_limited"
  const whenever = { while: isForLater, schedule: Schedule.spaced(settings.interval) }

  const show = Effect.gen(function* () {
    yield* dirty.await
    yield* Effect.raceFirst(Effect.sleep(settings.interval), enough.await)
    if (text.trim().length < fewest) yield* enough.await
    if (!options.canShow() || !fits(visible()) || !(yield* Effect.retry(settled, whenever))) return
    while (true) {
      yield* Effect.sleep(settings.interval)
      yield* dirty.await
      yield* dirty.close
      // A lost edit is made good by the next one, and in the end by the final text.
      yield* edit.pipe(
        Effect.retry({ times: 3, schedule: Schedule.exponential(settings.interval, 2) }),
        Effect.catchIf(isForLater, () => Effect.sync(() => dirty.openUnsafe()))
      )
    }
  }).pipe(
    Effect.catchTag("SendError", (error) => Effect.logDebug("preview given up, the final text follows", error.kind)),
    Effect.catchTag("JournalError", (error: JournalError) => Effect.logWarning("preview given up", error.message))
  )
  yield* Effect.forkScoped(show)

  return {
    push: (delta) => {
      text += delta
      dirty.openUnsafe()
      if (text.trim().length >= settings.threshold) enough.openUnsafe()
    },
    shown: () => shown,
    text: () => text
  }
})
