import { assert, describe, it } from "@effect/vitest"
import { faults } from "./Planted.ts"
import { run } from "./Run.ts"

describe("the whole gateway in simulated time", () => {
  it("keeps the laws in every seeded world", { timeout: 120_000 }, () => {
    const report = run({ from: 1, to: 150, step: 1, fault: null, stopAtFirst: false })
    assert.deepStrictEqual(report.failed, [])
    assert.isAbove(report.crashes, 100)
  })

  it("plays a seed again exactly", { timeout: 30_000 }, () => {
    const play = () => run({ from: 38, to: 38, step: 1, fault: null, stopAtFirst: false })
    assert.deepStrictEqual(play(), play())
  })

  for (const fault of faults) {
    it(`finds the planted fault ${fault}`, { timeout: 120_000 }, () => {
      const report = run({ from: 1, to: 600, step: 1, fault, stopAtFirst: true })
      assert.lengthOf(report.failed, 1, `${report.seeds} seeds did not show it`)
    })
  }
})
