import { assert, describe, it } from "@effect/vitest"
import * as LogLimit from "../../src/Relay/LogLimit.ts"
import * as ScopeMemory from "../../src/Relay/ScopeMemory.ts"

describe("ScopeMemory (O4)", () => {
  it("remembers a chat's scope per platform, and the newest one", () => {
    const memory = ScopeMemory.make()
    memory.learn("discord", "c", "one")
    memory.learn("slack", "c", "two")
    memory.learn("discord", "c", "three")
    assert.strictEqual(memory.recall("discord", "c"), "three")
    assert.strictEqual(memory.recall("slack", "c"), "two")
    assert.isNull(memory.recall("slack", "d"))
    assert.strictEqual(memory.size(), 2)
  })

  it("holds at most 10,000 chats and keeps those in use", () => {
    const memory = ScopeMemory.make()
    memory.learn("p", "in-use", "s")
    for (let n = 0; n < 50_000; n++) {
      memory.learn("p", `chat-${n}`, "s")
      assert.strictEqual(memory.recall("p", "in-use"), "s")
      if (n % 1000 === 0) assert.isAtMost(memory.size(), 10_000)
    }
    assert.isAtMost(memory.size(), 10_000)
    assert.isNull(memory.recall("p", "chat-0"))
    assert.strictEqual(memory.recall("p", "chat-49999"), "s")
  })
})

describe("LogLimit (W3)", () => {
  it("lets ten a second through per topic and counts the rest", () => {
    const limit = LogLimit.make()
    const admitted = (topic: string, count: number, now: number) =>
      Array.from({ length: count }, () => limit.admits(topic, now)).filter(Boolean).length
    assert.strictEqual(admitted("a", 100, 0), 10)
    assert.strictEqual(admitted("b", 3, 500), 3)
    assert.strictEqual(admitted("a", 100, 999), 0)
    assert.isTrue(limit.suppressed.isOpen())
    assert.deepStrictEqual(limit.takeSuppressed(), [{ topic: "a", count: 190 }])
    assert.isFalse(limit.suppressed.isOpen())
    assert.deepStrictEqual(limit.takeSuppressed(), [])
    assert.strictEqual(admitted("a", 100, 1000), 10)
  })
})
