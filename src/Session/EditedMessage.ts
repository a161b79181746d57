/**
 * What becomes of the edit of an earlier message (`relay I3a`): one that still waits gets the new text, one that has run is
 * left as it was and the edit is only recorded. Nothing here is ever answered.
 */
import { contentHash } from "../Delivery/IdempotencyKey.ts"
import type { MessageEvent } from "../Message/MessageEvent.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import { type EarlierRow, edited, type NewInboxRow, recorded } from "../Storage/Inbox.ts"

/** The platform says so; where it says nothing it is a message like any other (`relay L9`). */
export const isEdit = (event: MessageEvent): boolean => event.isEdit === true && event.promptResponse === null

/** Key of the edit beside that of its message: the same edit again is a duplicate, another text is not. */
export const keyOf = (messageKey: string, text: string): string =>
  JSON.stringify([...JSON.parse(messageKey), "edit", contentHash(text)])

export interface Plan {
  readonly writes: ReadonlyArray<Write>
  /** The row whose text changes, as it is from now on. */
  readonly changed: { readonly id: number; readonly sessionKey: string; readonly event: MessageEvent } | null
}

/** `row`: the edit as it would be stored; `earlier`: what the Inbox holds under its keys. `null` = it came before. */
export const plan = (row: NewInboxRow, original: string | null, earlier: ReadonlyArray<EarlierRow>): Plan | null => {
  const repeated = earlier.some(
    (one) =>
      (row.messageKey !== null && one.messageKey === row.messageKey) ||
      (row.bufferKey !== null && one.bufferKey === row.bufferKey)
  )
  if (repeated) return null
  const found = original === null ? undefined : earlier.find(({ messageKey }) => messageKey === original)
  if (found === undefined || found.event === null || (found.state !== "waiting" && found.state !== "refused"))
    return { writes: [recorded(row, "an edit")], changed: null }
  const { text, type } = row.event
  const event: MessageEvent = { ...found.event, text, type: found.event.media.length > 0 ? found.event.type : type }
  return {
    writes: [recorded(row, "an edit"), edited(found.id, event)],
    changed: { id: found.id, sessionKey: found.sessionKey, event }
  }
}
