/**
 * A write that says nothing but that storage takes writes: without it a gateway that nobody writes to would learn of a
 * full disk or a lost server only from the next message (law 10).
 */
import * as BatchStatement from "./BatchStatement.ts"
import type { Write } from "./BatchStatement.ts"

const put = BatchStatement.insert({
  name: "meta.heartbeat",
  rank: 90,
  columns: [["at", "text"]],
  identity: "at",
  into: "meta",
  values: [
    ["key", "'heartbeat'"],
    ["value", "r.at"]
  ],
  onConflict: "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
})

export const beat = (at: number): Write => ({ statement: put, row: [String(at)] })
