/**
 * Prompts that outlive a turn (`conversation A12`, F), what was allowed for longer than once (A5), and the mark of messages
 * that the gateway itself put into the Inbox.
 */
import type { Migration } from "./Migration.ts"

export const prompts: Migration = {
  id: 5,
  name: "prompts",
  statements: ({ bigint, options }) => [
    `CREATE TABLE prompts (
      id text PRIMARY KEY NOT NULL,
      session_key text NOT NULL,
      link text NOT NULL,
      kind text NOT NULL,
      request text NOT NULL,
      options text NOT NULL,
      state text NOT NULL,
      created_at ${bigint} NOT NULL,
      expires_at ${bigint} NOT NULL
    )${options}`,
    "CREATE INDEX prompts_open ON prompts (session_key) WHERE state = 'open'",
    `CREATE TABLE approval_grants (
      scope text NOT NULL,
      pattern text NOT NULL,
      granted_at ${bigint} NOT NULL,
      PRIMARY KEY (scope, pattern)
    )${options}`,
    "CREATE TABLE preferences (name text PRIMARY KEY NOT NULL, value text NOT NULL)" + options,
    "ALTER TABLE inbox ADD COLUMN internal text",
    // Few rows at any time: only what the gateway itself has yet to run.
    `CREATE INDEX inbox_undone_internal ON inbox (internal)
      WHERE internal IS NOT NULL AND state IN ('waiting', 'running', 'refused')`
  ]
}
