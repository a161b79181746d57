/** Lines and columns that commands print. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Output from "../../src/Cli/Output.ts"

describe("output", () => {
  it("pads every column but the last to its widest cell", () => {
    assert.deepStrictEqual(
      Output.table([
        ["a", "bb", "c"],
        ["aaa", "", "long last cell"],
        ["", "b", ""]
      ]),
      ["a    bb  c", "aaa      long last cell", "     b"]
    )
  })

  it.prop("makes one line of anything, and not longer than asked", [Schema.String], ([text]) => {
    const line = Output.oneLine(text, 10)
    assert.notMatch(line, /[\n\r\u2028\u2029\x00-\x1f]/)
    assert.isAtMost(Array.from(line).length, 10)
  })

  it("keeps a short text and marks where a long one was cut", () => {
    assert.strictEqual(Output.oneLine("  a\tb\n"), "a b")
    assert.strictEqual(Output.oneLine("0123456789", 5), "0123…")
  })
})
