import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { assign, parse } from "../../src/Config/EnvFile.ts"

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

  it("writes values where their names stood last, new ones at the end, and leaves the rest alone", () => {
    const before = '# mine\nexport A=1\nB="two\nlines" \nC=3 # note\nA=2\nnonsense\n\n'
    assert.strictEqual(
      assign(before, { A: "new", B: "x y", D: 'q"$' }),
      '# mine\nB="x y"\nC=3 # note\nA=new\nnonsense\nD="q\\"\\$"\n'
    )
    assert.strictEqual(assign("", { A: "1" }), "A=1\n")
  })

  const Name = Schema.Literals(["A", "B_C", "GATEWAY_RELAY_SECRET", "D9"])
  const Value = Schema.String

  it.prop(
    "reads back what it wrote, and every other value unchanged",
    [Schema.Array(Schema.Struct({ name: Name, value: Value })), Name, Value],
    ([others, name, value]) => {
      const before = others.reduce((text, other) => assign(text, { [other.name]: other.value }), "")
      const { malformed, values } = parse(assign(before, { [name]: value }))
      assert.deepStrictEqual(malformed, [])
      assert.deepStrictEqual(Object.fromEntries(values), Object.fromEntries([...parse(before).values, [name, value]]))
      assert.strictEqual(values.get(name), value)
    }
  )
})
