/**
 * Carries out what `Machine` decides for one turn: a preview's row is on disk before it is sent, what is confirmed follows it
 * (`delivery O5`). At the end it hands over its messages at once; a send that is still under way then holds back the row
 * that takes its place, not the turn (B15). Nothing runs while nothing is to be shown.
 */
import { type Clock, Effect, Latch } from "effect"
import { SendError } from "../../Message/SendError.ts"
import type { Journal } from "../../Storage/Journal.ts"
import { type OutboxRow, type Preview, previewed, previewOf, stored } from "../../Storage/Outbox.ts"
import { targetOf, waysOf } from "../Attempt.ts"
import { contentHash } from "../IdempotencyKey.ts"
import type { Outlet } from "../Outlet.ts"
import * as Machine from "./Machine.ts"

export interface Options {
  readonly outlet: Outlet
  readonly journal: Journal["Service"]
  readonly clock: Clock.Clock
  readonly rules: Machine.Rules
  /** What an earlier run of the turn left on the screen, by ordinal. */
  readonly earlier: ReadonlyArray<Preview>
  /** The row that a message becomes; its text is replaced. `null` = the chat takes none. */
  readonly rowOf: (ordinal: number) => OutboxRow | null
  /** Everything said before in this chat has left. */
  readonly canShow: (queue: string) => boolean
  readonly hold: (key: string) => (preview: Preview | null) => void
  /** Owner of the fiber that sends. */
  readonly fork: (effect: Effect.Effect<void>) => void
}

export interface Consumer {
  readonly push: (delta: string) => void
  /**
   * Something to be shown below what was said so far: it runs when that is on the screen, now if it is (`delivery B12`). What
   * still waits at the end is left to the caller.
   */
  readonly below: (show: Effect.Effect<void>, isChrome: boolean) => Effect.Effect<void>
  /** The text that grows has come to say just this (`delivery B13`). */
  readonly hasSaid: (text: string) => boolean
  /** Ends it; gives the messages as they stand, and what has not been shown below them, without chrome. */
  readonly finish: () => { readonly state: Machine.State; readonly waiting: ReadonlyArray<Effect.Effect<void>> }
}

/** What may wait for its place below the text; more is shown where it comes. */
const mostWaiting = 1024

export const make = (options: Options): Consumer => {
  const { clock, fork, journal, outlet, rules } = options
  const changed = Latch.makeUnsafe(false)
  let state = Machine.initial(rules, options.earlier)
  let waiting: Array<{ readonly show: Effect.Effect<void>; readonly isChrome: boolean }> = []
  let isWorking = false
  /** Length of the text when it was last looked at for the first send. */
  let looked = 0
  const now = () => clock.currentTimeMillisUnsafe()

  /** The same row for every attempt: by its time one tells it from an earlier run's. */
  const rows = new Map<number, OutboxRow | null>()
  const rowOf = (ordinal: number): OutboxRow | null => {
    const known = rows.get(ordinal)
    if (known !== undefined) return known
    const row = options.rowOf(ordinal)
    rows.set(ordinal, row)
    return row
  }

  const on = (event: Machine.Event): void => {
    state = Machine.on(state, event, now(), rules)
  }

  const shownOf = (ordinal: number): Preview | null => {
    const message = state.messages[ordinal]
    return message === undefined ? null : { text: message.shown, messageId: message.id, isExact: message.isExact }
  }

  /** As it may be stored: an edit is not written, so only what cannot be edited is known exactly. */
  const lasting = ({ isExact, messageId, text }: Preview): Preview =>
    messageId === null && isExact === true ? { text, messageId, isExact } : { text, messageId }

  const failure = (error: { readonly _tag: string }): void =>
    error instanceof SendError
      ? on({ _tag: "Failed", kind: error.kind, retryAfter: error.retryAfter ?? null })
      : on({ _tag: "Failed", kind: "unknown", retryAfter: null })

  /** The intention is on disk before the message leaves; what an earlier run had shown comes back with it. */
  const send = Effect.fnUntraced(function* (act: Machine.Act, row: OutboxRow) {
    const intended: Preview = { text: act.text, messageId: null }
    if (!act.isRepeat) {
      const [receipt] = yield* journal.commit([
        stored({ ...row, preview: intended, state: "preview", payload: { ...row.payload, text: act.text } })
      ])
      // The row has come to its end already: it is not ours any more.
      if (receipt === undefined) return on({ _tag: "Failed", kind: "unknown", retryAfter: null })
      const found = Number(receipt.created_at) === row.createdAt ? null : previewOf(receipt.preview)
      if (found !== null) return on({ _tag: "Found", preview: found })
    }
    const receipt = yield* state.phase === "Done" && !act.isRepeat
      ? Effect.fail(new SendError({ kind: "transient", message: "the turn has ended" }))
      : outlet.send({
          key: row.key,
          target: targetOf(row),
          text: act.text,
          replyTo: row.payload.replyTo,
          notify: false,
          expectEdits: true,
          ...waysOf(row),
          rank: "interim"
        })
    on({ _tag: "Sent", id: receipt.messageId })
    const shown = shownOf(act.ordinal)
    if (shown !== null) yield* journal.append([previewed(row.key, lasting(shown))])
  })

  const edit = (act: Machine.Act, row: OutboxRow) =>
    Effect.suspend(() => {
      const messageId = state.messages[act.ordinal]?.id ?? null
      if (messageId === null || state.phase === "Done")
        return Effect.fail(new SendError({ kind: "transient", message: "the turn has ended" }))
      return Effect.map(
        outlet.edit({
          key: `${row.key}:${contentHash(act.text)}`,
          target: targetOf(row),
          messageId,
          text: act.text,
          final: act.isSeal
        }),
        () => on({ _tag: "Sent", id: messageId })
      )
    })

  const perform = Effect.fnUntraced(function* (act: Machine.Act) {
    const row = rowOf(act.ordinal)
    state = Machine.began(state, act, now())
    if (row === null) return on({ _tag: "Failed", kind: "unknown", retryAfter: null })
    const isFirst = act._tag === "Send" && !act.isRepeat
    if (isFirst && !(outlet.isUp() && options.canShow(row.queue))) return on({ _tag: "Busy" })
    const release = options.hold(row.key)
    yield* (act._tag === "Send" ? send(act, row) : edit(act, row)).pipe(
      Effect.catch((error) =>
        Effect.suspend(() => {
          failure(error)
          // Surely nothing is there: what was written down as perhaps shown is taken back. After the end the row may have
          // gone on without waiting, and repeated the preview under its key: then only its queue takes back.
          const isOurs = !(rules.isKeyed && state.phase === "Done")
          return isFirst && isOurs && shownOf(act.ordinal) === null
            ? Effect.catch(Effect.asVoid(journal.append([previewed(row.key, null)])), (failed) =>
                Effect.logWarning("a preview was not taken back", failed)
              )
            : Effect.void
        })
      ),
      Effect.ensuring(Effect.sync(() => release(shownOf(act.ordinal))))
    )
  })

  const showWaiting = Effect.suspend(() => {
    if (waiting.length === 0 || Machine.isClosing(state)) return Effect.void
    const due = waiting
    waiting = []
    return Effect.forEach(due, ({ show }) => show, { discard: true })
  })

  const work: Effect.Effect<void> = Effect.gen(function* () {
    while (true) {
      yield* showWaiting
      changed.closeUnsafe()
      const action = Machine.decide(state, now(), rules)
      if (action === null) {
        if (waiting.length > 0 && !Machine.isClosing(state)) continue
        // In one step with the look at the state, so that no delta is left behind.
        isWorking = false
        return
      }
      if (action._tag !== "Wait") yield* perform(action)
      else yield* Effect.raceFirst(Effect.sleep(action.until - now()), changed.await)
    }
  }).pipe(
    Effect.tapDefect((defect) => Effect.logError("a preview broke off, the final text follows", defect)),
    Effect.onExit(() =>
      Effect.sync(() => {
        isWorking = false
      })
    )
  )

  const start = (): void => {
    if (isWorking) return
    isWorking = true
    fork(work)
  }

  return {
    push: (delta) => {
      on({ _tag: "Delta", text: delta })
      // What hastens the first send is the text that may be shown: it is looked at again when there may be enough.
      const { length } = state.raw
      if (state.phase === "Idle" && length >= rules.threshold && length - looked >= rules.threshold / 2) {
        looked = length
        changed.openUnsafe()
      }
      start()
    },
    below: (show, isChrome) =>
      Effect.suspend(() => {
        on({ _tag: "Boundary" })
        if ((!Machine.isClosing(state) && waiting.length === 0) || waiting.length >= mostWaiting) return show
        waiting.push({ show, isChrome })
        changed.openUnsafe()
        start()
        return Effect.void
      }),
    hasSaid: (text) => text.trim() !== "" && state.raw.trimEnd().endsWith(text.trim()),
    finish: () => {
      on({ _tag: "Finished" })
      changed.openUnsafe()
      const left = waiting.filter(({ isChrome }) => !isChrome)
      waiting = []
      return { state, waiting: left.map(({ show }) => show) }
    }
  }
}
