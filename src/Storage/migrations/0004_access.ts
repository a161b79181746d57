/** Who was paired and who asks to be (`access P9`); names of one person (`session A3`). `revision` moves with every change. */
import type { Migration } from "./Migration.ts"

export const access: Migration = {
  id: 4,
  name: "access",
  statements: ({ bigint, options }) => [
    `CREATE TABLE access_revision (
      id integer PRIMARY KEY NOT NULL,
      revision ${bigint} NOT NULL
    )${options}`,
    "INSERT INTO access_revision (id, revision) VALUES (1, 0)",
    `CREATE TABLE pairing_pending (
      request_id text PRIMARY KEY NOT NULL,
      profile text NOT NULL,
      platform text NOT NULL,
      user_id text NOT NULL,
      user_name text,
      salt text NOT NULL,
      hash text NOT NULL,
      created_at ${bigint} NOT NULL
    )${options}`,
    "CREATE INDEX pairing_pending_platform ON pairing_pending (profile, platform, created_at)",
    `CREATE TABLE pairing_approved (
      profile text NOT NULL,
      platform text NOT NULL,
      user_id text NOT NULL,
      user_name text,
      approved_at ${bigint} NOT NULL,
      PRIMARY KEY (profile, platform, user_id)
    )${options}`,
    `CREATE TABLE pairing_limits (
      profile text NOT NULL,
      platform text NOT NULL,
      kind text NOT NULL,
      subject text NOT NULL,
      count integer NOT NULL,
      at ${bigint} NOT NULL,
      PRIMARY KEY (profile, platform, kind, subject)
    )${options}`,
    "CREATE INDEX pairing_limits_at ON pairing_limits (at)",
    `CREATE TABLE identity_aliases (
      platform text NOT NULL,
      id text NOT NULL,
      alias text NOT NULL,
      PRIMARY KEY (platform, id, alias)
    )${options}`
  ]
}
