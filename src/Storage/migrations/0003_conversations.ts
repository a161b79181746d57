/** Conversations that can be named, moved, taken back and found (`session E1`, T1, Q1). */
import type { Migration } from "./Migration.ts"

export const conversations: Migration = {
  id: 3,
  name: "conversations",
  statements: ({ bigint, fullText, randomHex }) => [
    `INSERT INTO meta (key, value) VALUES ('pseudonym_key', ${randomHex} || ${randomHex})`,

    "ALTER TABLE session_routes ADD COLUMN choices text",
    `ALTER TABLE session_routes ADD COLUMN last_prompt_tokens ${bigint} NOT NULL DEFAULT 0`,
    "ALTER TABLE session_routes ADD COLUMN suspended integer NOT NULL DEFAULT 0",
    "ALTER TABLE session_routes ADD COLUMN expiry_finalized integer NOT NULL DEFAULT 0",
    "CREATE INDEX session_routes_expiring ON session_routes (updated_at, session_key) WHERE expiry_finalized = 0",

    "ALTER TABLE sessions ADD COLUMN title_source text",
    "ALTER TABLE sessions ADD COLUMN archived integer NOT NULL DEFAULT 0",
    "ALTER TABLE sessions ADD COLUMN rewind_count integer NOT NULL DEFAULT 0",
    "CREATE INDEX sessions_chat ON sessions (platform, chat_id, last_activity_at)",
    "CREATE INDEX sessions_activity ON sessions (last_activity_at)",

    "ALTER TABLE messages ADD COLUMN sender text",
    "ALTER TABLE messages ADD COLUMN media text",

    ...fullText
  ]
}
