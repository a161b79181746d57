/**
 * Five faults that break a law on purpose, planted from outside by replacing one service: the simulation has to find each
 * of them, or it proves nothing.
 */
import { Context, Effect, Layer } from "effect"
import type { Wire } from "../../src/Relay/Dialer.ts"
import type { Intake } from "../../src/Session/Intake.ts"
import { fresh as freshRoute } from "../../src/Session/Entry.ts"
import { Lanes } from "../../src/Session/Lanes.ts"
import { Turns } from "../../src/Session/Turns.ts"
import type { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"

export const faults = [
  "acknowledge-before-commit",
  "new-key-on-retry",
  "doorbell-as-truth",
  "turn-outside-mailbox",
  "done-outside-transaction"
] as const
export type Planted = (typeof faults)[number]

let fresh = 0

const rekeyed = (text: string): string =>
  text
    .split("\n")
    .map((line) => {
      if (!line.includes("idempotency_key")) return line
      return line.replace(/"idempotency_key":"[^"]*"/, () => `"idempotency_key":"fresh-${fresh++}"`)
    })
    .join("\n")

export const planted = {
  /** Law 2: says "taken" before anything is on disk. */
  intake: (fault: Planted | null, intake: Intake["Service"]): Intake["Service"] =>
    fault !== "acknowledge-before-commit"
      ? intake
      : {
          ...intake,
          take: (batch) =>
            Effect.as(
              Effect.forkDetach(Effect.ignore(Effect.andThen(Effect.sleep(5), intake.take(batch)))),
              batch.map(() => "taken" as const)
            )
        },
  /** Law 3: every attempt carries another key. */
  wire: (fault: Planted | null, wire: Wire): Wire =>
    fault !== "new-key-on-retry" ? wire : { ...wire, write: (text) => wire.write(rekeyed(text)) },
  /** "The Inbox is the truth": nothing is ever read from it again, only doorbells count. */
  database: (fault: Planted | null, database: Database["Service"]): Database["Service"] =>
    fault !== "doorbell-as-truth"
      ? database
      : {
          ...database,
          execute: (sql, params) =>
            /^SELECT .*FROM inbox WHERE/.test(sql) ? Effect.succeed([]) : database.execute(sql, params)
        },
  /** Law 1: turns run beside each other, not through the actor. */
  lanes: (fault: Planted | null, layer: typeof Lanes.layerLocal): typeof Lanes.layerLocal =>
    fault !== "turn-outside-mailbox"
      ? layer
      : Layer.effect(
          Lanes,
          Effect.gen(function* () {
            const turns = yield* Turns
            const lanes = Context.get(yield* Layer.build(layer), Lanes)
            const context = yield* Effect.context<never>()
            return {
              ...lanes,
              ring: (row) => {
                Effect.runForkWith(context)(
                  turns.run({
                    row,
                    joined: [],
                    sessionKey: row.sessionKey,
                    generation: row.id,
                    route: freshRoute(row.sessionKey, `planted-${row.id}`, row.event.source, row.takenAt),
                    begun: { isNew: true, reset: null, isFirstEver: false },
                    stopReason: () => null,
                    awaiting: () => {},
                    routed: () => {}
                  })
                )
              }
            }
          })
        ),
  /** Law 2: the row is done in a transaction of its own, before what it owes is stored. */
  journal: (fault: Planted | null, layer: typeof Journal.layer): typeof Journal.layer =>
    fault !== "done-outside-transaction"
      ? layer
      : Layer.effect(
          Journal,
          Effect.map(Layer.build(layer), (built) => {
            const journal = Context.get(built, Journal)
            return {
              ...journal,
              commit: (writes) => {
                const marks = writes.filter(({ statement }) => statement.name === "inbox.state")
                const others = writes.filter(({ statement }) => statement.name !== "inbox.state")
                if (marks.length === 0 || others.length === 0) return journal.commit(writes)
                return Effect.flatMap(journal.commit(marks), () =>
                  Effect.map(journal.commit(others), (receipt) => [...receipt, ...marks.map(() => undefined)])
                )
              }
            }
          })
        )
}
