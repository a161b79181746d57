import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as IdempotencyKey from "../../src/Delivery/IdempotencyKey.ts"

describe("IdempotencyKey", () => {
  it.prop("is 32 hex digits, equal for equal parts", [Schema.Array(Schema.String)], ([parts]) => {
    assert.match(IdempotencyKey.make(...parts), /^[0-9a-f]{32}$/)
    assert.strictEqual(IdempotencyKey.make(...parts), IdempotencyKey.make(...parts))
  })

  it("parts do not run into each other, and a number is not its digits", () => {
    const keys = [["ab", "c"], ["a", "bc"], ["abc"], ["a", "b", "c"], ['a","b', "c"], ["1"], [1], [""], []] as const
    assert.strictEqual(new Set(keys.map((parts) => IdempotencyKey.make(...parts))).size, keys.length)
  })

  it("a content hash is 16 hex digits and tells texts apart", () => {
    assert.match(IdempotencyKey.contentHash(""), /^[0-9a-f]{16}$/)
    assert.notStrictEqual(IdempotencyKey.contentHash("a"), IdempotencyKey.contentHash("b"))
  })

  it("keys led by their cause sort as their causes do, and stay apart where the causes are equal", () => {
    const causes = [0, 1, 9, 10, 255, 4096, 2 ** 32, 2 ** 39]
    const keys = causes.map((cause) => IdempotencyKey.ordered(cause, "x"))
    assert.deepStrictEqual(keys.toSorted(), keys)
    for (const key of keys) assert.match(key, /^[0-9a-f]{32}$/)
    assert.notStrictEqual(IdempotencyKey.ordered(1, "x"), IdempotencyKey.ordered(1, "y"))
  })
})
