import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { parse } from "../../src/Config/EnvFile.ts"
import { withList } from "../../src/Config/FileEdit.ts"

const add = (entry: string) => (entries: ReadonlyArray<string>) => [...entries, entry]
const drop = (entry: string) => (entries: ReadonlyArray<string>) => entries.filter((other) => other !== entry)

describe("a list in a .env file", () => {
  it("is changed in its line, and nothing else is", () => {
    const before = "# keep\r\nA=1\r\nexport T=1, 2 # two\r\nB='x'\r\n"
    assert.strictEqual(withList(before, "T", add("3")), "# keep\r\nA=1\r\nexport T=1,2,3 # two\r\nB='x'\r\n")
    assert.strictEqual(withList('T="1,2"', "T", drop("1")), "T=2")
    assert.strictEqual(withList("T=1\nT=2\n", "T", add("3")), "T=1\nT=2,3\n")
  })

  it("is left alone where it is not set, not changed, or spans lines", () => {
    assert.isNull(withList("# T=1\nTT=1\n", "T", add("2")))
    assert.isNull(withList("T=1,2\n", "T", drop("3")))
    assert.isNull(withList('T="1\n2"\n', "T", add("3")))
  })

  it.prop("whatever is added is read back", [Schema.Array(Schema.String), Schema.String], ([others, entry]) => {
    const clean = (text: string) => text.replaceAll(/[,\s"'#\\$\0]/g, "") || "x"
    const before = `A=1\nT=${["first", ...others.map(clean)].join(",")}\n`
    const after = withList(before, "T", add(clean(entry)))
    assert.isTrue(after !== null && parse(after).values.get("T")!.split(",").at(-1) === clean(entry))
    assert.strictEqual(parse(after!).values.get("A"), "1")
  })
})
