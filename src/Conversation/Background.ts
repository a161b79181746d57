/**
 * Work beside a conversation (`conversation J1`): the session that it has to itself, and how its result is headed. A name is
 * the same for every run of the command that began it.
 */
import { createHash } from "node:crypto"
import type { InboxRow } from "../Storage/Inbox.ts"
import { turn } from "./Commands/CommandTexts.ts"

export const idOf = (row: InboxRow): string => {
  const time = new Date(row.takenAt).toISOString().slice(11, 19).replaceAll(":", "")
  return `bg_${time}_${createHash("sha256").update(`${row.link} ${row.id}`).digest("hex").slice(0, 6)}`
}

/** Under the chat's own key, so that it says where it belongs. */
export const keyOf = (sessionKey: string, id: string): string => `${sessionKey}#${id}`

export const isBackground = (sessionKey: string): boolean => /#bg_\d{6}_[0-9a-f]{6}$/.test(sessionKey)

/** Says what was asked, because the conversation went on meanwhile. */
export const headed = (sessionKey: string, prompt: string, text: string): string =>
  isBackground(sessionKey) ? `${turn.backgroundDone(prompt)}\n\n${text}` : text
