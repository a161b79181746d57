/** Short chaos runs of the built gateway; longer ones are `npm run chaos`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Campaign from "./Campaign.ts"

const verbs = ["kill", "cutSocket", "dropResult"] as const

describe("the gateway under chaos", () => {
  for (const [storage, settle, kills] of [
    ["sqlite", "key", 6],
    ["sqlite", "mark", 4],
    ["postgres", "key", 4]
  ] as const) {
    it.live(
      `loses nothing and repeats nothing on ${storage} when ${kills} kills are settled by ${settle}`,
      () =>
        Effect.gen(function* () {
          const report = yield* Campaign.run({ storage, settle, kills, seed: kills, verbs, chats: 24, think: 60 })
          assert.isTrue(report.ok, JSON.stringify(report, null, 1))
          assert.isAbove(report.answered, 100)
        }),
      { timeout: 120_000 }
    )
  }
})
