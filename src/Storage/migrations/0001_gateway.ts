/**
 * The gateway's own tables: Inbox (`conversation Q9`), Outbox (`delivery O1`), sessions and their messages (`session
 * T1`). Partial indexes name their states literally: SQLite uses one only for a query that repeats the same list.
 */
import type { Migration } from "./Migration.ts"

export const gateway: Migration = {
  id: 1,
  name: "gateway",
  statements: ({ bigint, identity, options, randomHex }) => [
    `CREATE TABLE meta (key text PRIMARY KEY NOT NULL, value text NOT NULL)${options}`,
    `INSERT INTO meta (key, value) VALUES ('installation', ${randomHex})`,

    `CREATE TABLE inbox (
      id ${identity},
      message_key text UNIQUE,
      buffer_key text UNIQUE,
      link text NOT NULL,
      platform text NOT NULL,
      session_key text NOT NULL,
      state text NOT NULL,
      event text NOT NULL,
      via_relay integer NOT NULL,
      is_bot integer,
      role_authorized integer NOT NULL,
      starts integer NOT NULL DEFAULT 0,
      note text,
      taken_at ${bigint} NOT NULL,
      ended_at ${bigint}
    )${options}`,
    "CREATE INDEX inbox_undone_session ON inbox (session_key, id) WHERE state IN ('waiting', 'running', 'refused')",

    `CREATE TABLE outbox (
      seq ${identity},
      key text NOT NULL UNIQUE,
      link text NOT NULL,
      queue text NOT NULL,
      session_key text,
      turn text,
      ordinal integer NOT NULL,
      kind text NOT NULL,
      payload text NOT NULL,
      state text NOT NULL,
      attempts integer NOT NULL DEFAULT 0,
      not_before ${bigint} NOT NULL DEFAULT 0,
      preview text,
      message_ids text,
      error text,
      error_kind text,
      created_at ${bigint} NOT NULL,
      updated_at ${bigint} NOT NULL
    )${options}`,
    `CREATE INDEX outbox_open ON outbox (link, queue, seq)
      WHERE state IN ('preview', 'pending', 'sending', 'ambiguous')`,
    "CREATE INDEX outbox_unsent ON outbox (state, seq) WHERE state IN ('held', 'dead')",

    `CREATE TABLE session_routes (
      session_key text PRIMARY KEY NOT NULL,
      session_id text NOT NULL,
      created_at ${bigint} NOT NULL,
      updated_at ${bigint} NOT NULL,
      origin text NOT NULL,
      display_name text,
      platform text NOT NULL,
      chat_type text NOT NULL,
      chat_id text NOT NULL,
      metadata text NOT NULL DEFAULT '{}'
    )${options}`,
    "CREATE INDEX session_routes_session ON session_routes (session_id)",
    "CREATE INDEX session_routes_updated ON session_routes (updated_at)",
    "CREATE INDEX session_routes_chat ON session_routes (platform, chat_id)",

    `CREATE TABLE sessions (
      id text PRIMARY KEY NOT NULL,
      session_key text NOT NULL,
      platform text NOT NULL,
      user_id text,
      chat_id text NOT NULL,
      chat_type text NOT NULL,
      thread_id text,
      display_name text,
      origin text NOT NULL,
      profile text,
      parent_session_id text,
      fork_kind text,
      started_at ${bigint} NOT NULL,
      last_activity_at ${bigint} NOT NULL,
      ended_at ${bigint},
      end_reason text,
      title text UNIQUE,
      message_count integer NOT NULL DEFAULT 0
    )${options}`,
    "CREATE INDEX sessions_key ON sessions (session_key, last_activity_at)",
    "CREATE INDEX sessions_parent ON sessions (parent_session_id) WHERE parent_session_id IS NOT NULL",

    `CREATE TABLE messages (
      id ${identity},
      session_id text NOT NULL,
      turn text,
      ordinal integer NOT NULL,
      role text NOT NULL,
      content text NOT NULL,
      timestamp ${bigint} NOT NULL,
      platform_message_id text,
      unanswered integer NOT NULL DEFAULT 0,
      active integer NOT NULL DEFAULT 1,
      compacted integer NOT NULL DEFAULT 0
    )${options}`,
    "CREATE INDEX messages_session ON messages (session_id, id)",
    "CREATE UNIQUE INDEX messages_turn ON messages (turn, ordinal) WHERE turn IS NOT NULL",
    `CREATE UNIQUE INDEX messages_platform_message ON messages (session_id, platform_message_id)
      WHERE platform_message_id IS NOT NULL AND role = 'user' AND active = 1`
  ]
}
