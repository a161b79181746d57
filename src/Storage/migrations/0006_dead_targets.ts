/** Chats that cannot be reached (`delivery T11`). */
import type { Migration } from "./Migration.ts"

export const deadTargets: Migration = {
  id: 6,
  name: "dead_targets",
  statements: ({ bigint, options }) => [
    `CREATE TABLE dead_targets (
      target text PRIMARY KEY NOT NULL,
      reason text NOT NULL,
      at ${bigint} NOT NULL
    )${options}`
  ]
}
