import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { parse } from "../../src/Config/EnvFile.ts"

describe("EnvFile", () => {
  it("reads names, quotes, comments, export, a BOM and any line end", () => {
    const { malformed, values } = parse(
      [
        "\uFEFF# head",
        "A=1",
        "export B = two words # note",
        "C='as $it \\n is'",
        'D="line\\nnext \\"q\\""',
        "E=a#b",
        "F=",
        "",
        "nonsense",
        'G="open'
      ].join("\r\n")
    )
    assert.deepStrictEqual(
      [...values],
      [
        ["A", "1"],
        ["B", "two words"],
        ["C", "as $it \\n is"],
        ["D", 'line\nnext "q"'],
        ["E", "a#b"],
        ["F", ""]
      ]
    )
    assert.deepStrictEqual(malformed, [9, 10])
  })

  it("keeps a private key that spans lines", () => {
    const { values } = parse('KEY="-----BEGIN X-----\nabc\n-----END X-----"\nNEXT=1')
    assert.strictEqual(values.get("KEY"), "-----BEGIN X-----\nabc\n-----END X-----")
    assert.strictEqual(values.get("NEXT"), "1")
  })

  it.prop("gives back any value that was quoted", [Schema.String], ([value]) => {
    const clean = value.replaceAll("\r", "")
    const quoted = clean.replace(/[\\"$]/g, "\\$&").replaceAll("\n", "\\n")
    assert.strictEqual(parse(`X="${quoted}"`).values.get("X"), clean)
  })
})
