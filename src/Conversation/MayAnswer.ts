/** Who may answer a prompt of a turn (`access D5`, D6): the rule is Access's, here it meets prompt and message. */
import type { Access } from "../Access/Access.ts"
import * as Answering from "../Access/Answering.ts"
import type { InboxRow } from "../Storage/Inbox.ts"
import type { Prompt } from "./Prompts.ts"

export const mayAnswer = (access: Access["Service"], prompt: Prompt, row: InboxRow): boolean =>
  Answering.mayAnswer({
    asker: prompt.userId,
    isDirect: prompt.isDirect,
    answerer: row.event.source.userId,
    isBot: row.provenance.isBot,
    isConfiguredAdmin: () => access.commands(row.event.source).isConfiguredAdmin
  })
