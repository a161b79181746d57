import { assert, describe, it } from "@effect/vitest"
import * as BotLoopGuard from "../../src/Access/BotLoopGuard.ts"

const guard = { ...BotLoopGuard.defaultLoopGuard, maxEvents: 3 }

describe("bot loop guard", () => {
  it("past the most that a window holds, bots are not heard for the cooldown, and then again", () => {
    const { hear } = BotLoopGuard.make()
    const at = (now: number) => hear("c", true, now, guard)
    assert.deepStrictEqual([0, 1, 2].map(at), ["admit", "admit", "admit"])
    assert.strictEqual(at(3), "begins")
    assert.strictEqual(at(4), "drop")
    assert.strictEqual(at(3 + guard.cooldown - 1), "drop")
    assert.strictEqual(at(3 + guard.cooldown), "admit")
  })

  it("messages that are further apart than the window are no loop", () => {
    const { hear } = BotLoopGuard.make()
    for (let i = 0; i < 50; i++) assert.strictEqual(hear("c", true, i * guard.window, guard), "admit")
  })

  it("a person's message ends it, and other conversations are others", () => {
    const { hear } = BotLoopGuard.make()
    for (let i = 0; i < 5; i++) hear("c", true, i, guard)
    assert.strictEqual(hear("d", true, 5, guard), "admit")
    assert.strictEqual(hear("c", true, 6, guard), "drop")
    assert.strictEqual(hear("c", null, 7, guard), "admit")
    assert.strictEqual(hear("c", true, 8, guard), "admit")
  })

  it("people are never counted, and switched off it counts nobody", () => {
    const { hear } = BotLoopGuard.make()
    for (let i = 0; i < 100; i++) assert.strictEqual(hear("c", false, i, guard), "admit")
    for (let i = 0; i < 100; i++) assert.strictEqual(hear("c", true, i, { ...guard, enabled: false }), "admit")
  })
})
