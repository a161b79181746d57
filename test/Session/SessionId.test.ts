import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as SessionId from "../../src/Session/SessionId.ts"

describe("SessionId", () => {
  it("is the local date and time and eight hex digits", () => {
    const at = new Date(2026, 0, 2, 3, 4, 5).getTime()
    assert.strictEqual(SessionId.make(at, 0), "20260102_030405_00000000")
    assert.strictEqual(SessionId.make(at, 0.999_999_999_99), "20260102_030405_ffffffff")
    assert.strictEqual(SessionId.make(at, 0.5), "20260102_030405_80000000")
  })

  it.prop("has the same form whatever the chance, and is safe as a name", [Schema.Int, Schema.Int], ([at, random]) => {
    const id = SessionId.make(Math.abs(at % 4e12), Math.abs(random % 1e6) / 1e6)
    assert.match(id, /^\d{8}_\d{6}_[0-9a-f]{8}$/)
  })
})
