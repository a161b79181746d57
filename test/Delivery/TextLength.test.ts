import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { LengthUnit } from "../../src/Delivery/Outlet.ts"
import { codePointFloor, cut, length, truncate } from "../../src/Delivery/TextLength.ts"
import { vectors } from "../support/Vectors.ts"

const units: ReadonlyArray<LengthUnit> = ["chars", "utf16", "utf8"]

/** Emoji, combining marks and lone surrogates: what counts differently in each unit. */
const Mixed = Schema.Array(Schema.Literals(["a", "é", "e\u0301", "日", "😀", "👩‍👩‍👧", "𝔘", "\n", "\ud83d", "\ude00"]))

describe("TextLength", () => {
  it("counts code points and UTF-16 units as the reference does; a lone surrogate counts one", () => {
    const cases = vectors<{ readonly text: string }, { readonly chars: number; readonly utf16: number | object }>(
      "relay_len_unit"
    )
    assert.isAbove(cases.length, 10)
    for (const {
      in: { text },
      name,
      out
    } of cases) {
      assert.strictEqual(length(text, "chars"), out.chars, name)
      assert.strictEqual(length(text, "utf16"), typeof out.utf16 === "number" ? out.utf16 : text.length, name)
    }
  })

  it.prop("counts what the encoders count", [Mixed], ([parts]) => {
    const text = parts.join("")
    assert.strictEqual(length(text, "chars"), Array.from(text).length)
    assert.strictEqual(length(text, "utf8"), new TextEncoder().encode(text).length)
  })

  it.prop(
    "cuts the longest run of whole code points within the budget",
    [Mixed, Schema.Int, Schema.Literals(units)],
    ([parts, seed, unit]) => {
      const text = parts.join("")
      const budget = Math.abs(seed) % 12
      const from = codePointFloor(text, Math.abs(seed) % (text.length + 1))
      const end = cut(text, from, budget, unit)
      assert.strictEqual(codePointFloor(text, end), end)
      assert.isAtMost(length(text.slice(from, end), unit), budget)
      if (end < text.length) {
        const next = String.fromCodePoint(text.codePointAt(end)!)
        assert.isAbove(length(text.slice(from, end), unit) + length(next, unit), budget)
      }
    }
  )

  it.prop(
    "truncates to the limit and leaves a text that fits as it is",
    [Mixed, Schema.Literals(units)],
    ([parts, unit]) => {
      const text = parts.join("")
      assert.strictEqual(truncate(text, length(text, unit), unit), text)
      assert.isAtMost(length(truncate(text, 3, unit), unit), 3)
      assert.isTrue(text.startsWith(truncate(text, 3, unit)))
    }
  )
})
