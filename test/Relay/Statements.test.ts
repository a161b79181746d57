/** The table of docs/relay.md: every statement of the contract has its row, and names a test that speaks of it. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const root = join(import.meta.dirname, "../..")
const series = (letter: string, count: number) => Array.from({ length: count }, (_, i) => `${letter}${i + 1}`)
const statements = [
  ...series("W", 3),
  ...series("H", 5),
  ...series("I", 7),
  "I3a",
  ...series("P", 4),
  ...series("O", 7),
  ...series("C", 7),
  ...series("V", 3),
  "V1a",
  ...series("L", 11)
]

const rows = Array.from(
  readFileSync(join(root, "docs/relay.md"), "utf8").matchAll(/^\| (\w+) \| [^|]+ \| (?:`([^`]+)`|not yet) \|$/gm),
  ([, statement, test]) => ({ statement: statement!, test: test ?? null })
)

/** Titles of suites and tests, and comments: where a test says what it is about. */
const saidIn = (source: string): string =>
  [
    ...source.matchAll(/\/\*[^]*?\*\/|\/\/[^\n]*/g),
    ...source.matchAll(/\b(?:describe|it(?:\.\w+)*)\(\s*("(?:[^"\\]|\\.)*"|`[^`]*`)/g)
  ]
    .map(([whole]) => whole)
    .join("\n")

describe("the statements of the relay contract", () => {
  it("each have one row in docs/relay.md", () => {
    assert.deepStrictEqual(rows.map(({ statement }) => statement).toSorted(), statements.toSorted())
  })

  it("are named in a title or comment of the test that proves them", () => {
    const silent = rows.filter(
      ({ statement, test }) =>
        test !== null &&
        (!existsSync(join(root, test)) ||
          !new RegExp(`\\b${statement}\\b`).test(saidIn(readFileSync(join(root, test), "utf8"))))
    )
    assert.deepStrictEqual(silent, [])
  })
})
