/** Who may answer a prompt (`access D5`, D6; `conversation F3`): the rule is Access's, here it meets prompt and message. */
import type { Access } from "../Access/Access.ts"
import * as Answering from "../Access/Answering.ts"
import type { InboxRow } from "../Storage/Inbox.ts"
import type { StoredPrompt } from "../Storage/PromptStore.ts"
import type { Prompt } from "./Prompts.ts"

export const mayAnswer = (
  access: Access["Service"],
  prompt: Pick<Prompt, "userId" | "isDirect">,
  row: InboxRow
): boolean =>
  Answering.mayAnswer({
    asker: prompt.userId,
    isDirect: prompt.isDirect,
    answerer: row.event.source.userId,
    isBot: row.provenance.isBot,
    isConfiguredAdmin: () => access.commands(row.event.source).isConfiguredAdmin
  })

/** What a command asked is for who gave it. */
export const mayConfirm = (access: Access["Service"], prompt: StoredPrompt, row: InboxRow): boolean => {
  const { source } = prompt.request.event
  return mayAnswer(access, { isDirect: source.chatType === "dm", userId: source.userId }, row)
}
