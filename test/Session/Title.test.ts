import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Title from "../../src/Session/Title.ts"

describe("Title", () => {
  it("keeps what can be seen", () => {
    for (const [given, expected] of [
      ["  a \t b\n", "a b"],
      ["a\u0000\u200b\u202eb\ufeff\ufffc", "ab"],
      ["\ud800x", "x"],
      ["\u2028", ""],
      ["👩‍👩‍👧", "👩👩👧"]
    ] as const) {
      assert.strictEqual(Title.clean(given), expected)
    }
  })

  it.prop("cleaning twice is cleaning once", [Schema.String], ([text]) => {
    assert.strictEqual(Title.clean(Title.clean(text)), Title.clean(text))
  })

  it("numbers continuations after the highest", () => {
    assert.strictEqual(Title.next("trip", []), "trip")
    assert.strictEqual(Title.next("trip", ["trip"]), "trip #2")
    assert.strictEqual(Title.next("trip", ["trip #7", "trip #x", "trip #2"]), "trip #8")
    assert.strictEqual(Title.next("trip", ["tripod #3"]), "trip")
    assert.strictEqual(Title.baseOf("trip #12"), "trip")
    assert.strictEqual(Title.unwrapped(" <a b> "), "a b")
    assert.strictEqual(Title.unwrapped("<"), "<")
  })
})
