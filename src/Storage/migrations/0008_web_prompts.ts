/** What a message of the web chat holds beside its text: the buttons of a question, or the button that was pressed. */
import type { Migration } from "./Migration.ts"

export const webPrompts: Migration = {
  id: 8,
  name: "web_prompts",
  statements: () => [
    "ALTER TABLE web_messages ADD COLUMN prompt text",
    "ALTER TABLE web_messages ADD COLUMN press text"
  ]
}
