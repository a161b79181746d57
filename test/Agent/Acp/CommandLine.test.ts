import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { join, words } from "../../../src/Agent/Acp/CommandLine.ts"

describe("a command line", () => {
  for (const [line, expected] of [
    ["", []],
    ["  claude-agent-acp  ", ["claude-agent-acp"]],
    ["gemini --experimental-acp", ["gemini", "--experimental-acp"]],
    [`node "a b.js" 'c "d"' e\\ f ""`, ["node", "a b.js", 'c "d"', "e f", ""]],
    [`a"b"'c'd`, ["abcd"]],
    [`"\\n \\" \\\\"`, ['\\n " \\']],
    ["$HOME | cat", ["$HOME", "|", "cat"]],
    ["'open", null],
    ['"open', null],
    ["end\\", null]
  ] as const) {
    it(JSON.stringify(line), () => {
      assert.deepStrictEqual(words(line), expected)
    })
  }

  it.prop("is read back as the words it was made of", [Schema.Array(Schema.String)], ([all]) => {
    assert.deepStrictEqual(words(join(all)), all)
  })
})
