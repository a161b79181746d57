/** Chats and messages of the local connector's web chat: a platform of its own, whose tables no other room reads. */
import type { Migration } from "./Migration.ts"

export const webChat: Migration = {
  id: 2,
  name: "web_chat",
  statements: ({ bigint, identity, options }) => [
    `CREATE TABLE web_chats (
      chat_id text PRIMARY KEY NOT NULL,
      title text NOT NULL,
      created_at ${bigint} NOT NULL
    )${options}`,
    `CREATE TABLE web_messages (
      seq ${identity},
      chat_id text NOT NULL,
      id text NOT NULL UNIQUE,
      role text NOT NULL,
      text text NOT NULL,
      reply_to text,
      idempotency_key text UNIQUE,
      buffer_id text,
      state text NOT NULL,
      created_at ${bigint} NOT NULL,
      updated_at ${bigint} NOT NULL,
      revision ${bigint} NOT NULL
    )${options}`,
    "CREATE INDEX web_messages_chat ON web_messages (chat_id, seq)",
    "CREATE INDEX web_messages_revision ON web_messages (revision)"
  ]
}
