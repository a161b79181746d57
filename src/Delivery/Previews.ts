/**
 * What came of the previews whose rows have not ended: a row waits for a send or edit of its preview that is under way, and
 * goes by its outcome, also when that was known before the row was offered. It sends nothing.
 */
import { Deferred, Duration, Effect } from "effect"
import type { Journal } from "../Storage/Journal.ts"
import { type OutboxRow, type Preview, previewed } from "../Storage/Outbox.ts"

/** How long a row waits for the answer to its preview where a repeat shows nothing twice, and where it would. */
const heldRepeatable = Duration.seconds(5)
const heldUnknown = Duration.minutes(2)
/** Outcomes that are kept; without the oldest its row goes by what its turn knew at the end. */
const toldBound = 10_000

export interface Previews {
  /** A send or edit of this row's preview begins; what it gives is told what the preview shows then. */
  readonly hold: (key: string) => (preview: Preview | null) => void
  /** The row with what its preview shows, as far as that becomes known in time. */
  readonly asShown: (row: OutboxRow, isKeyed: boolean) => Effect.Effect<OutboxRow>
  /** The row has come to its end. */
  readonly forget: (key: string) => void
}

export const make = (journal: Journal["Service"]): Previews => {
  const holds = new Map<string, Deferred.Deferred<Preview | null>>()
  const told = new Map<string, Preview | null>()

  /**
   * Disk and memory say the same before the row leaves: whether its key stands for the preview or for the final text must
   * be known after a crash too, because a platform that has seen the key ignores the text that comes with it.
   */
  const goingBy = (row: OutboxRow, preview: Preview | null): Effect.Effect<OutboxRow> =>
    preview !== null || row.preview === null
      ? Effect.succeed({ ...row, preview })
      : journal.commit([previewed(row.key, null)]).pipe(
          Effect.as({ ...row, preview }),
          Effect.catch((error) => Effect.as(Effect.logWarning("a preview was not taken back", error.message), row))
        )

  return {
    hold: (key) => {
      const held = Deferred.makeUnsafe<Preview | null>()
      holds.set(key, held)
      told.delete(key)
      return (preview) => {
        if (holds.get(key) === held) {
          holds.delete(key)
          told.set(key, preview)
          const [oldest] = told.size > toldBound ? told.keys() : []
          if (oldest !== undefined) told.delete(oldest)
        }
        Deferred.doneUnsafe(held, Effect.succeed(preview))
      }
    },
    asShown: (row, isKeyed) => {
      const known = told.get(row.key)
      if (known !== undefined) return goingBy(row, known)
      const held = holds.get(row.key)
      if (held === undefined) return Effect.succeed(row)
      const isRepeatable = isKeyed || (row.preview?.messageId ?? null) !== null
      return Effect.flatMap(
        Effect.timeoutOption(Deferred.await(held), isRepeatable ? heldRepeatable : heldUnknown),
        (outcome) => {
          if (outcome._tag === "Some") return goingBy(row, outcome.value)
          // The row goes on as if it may be shown; what is told later must not change that.
          holds.delete(row.key)
          return Effect.succeed(row)
        }
      )
    },
    forget: (key) => void told.delete(key)
  }
}
