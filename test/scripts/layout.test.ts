/** The layout check finds every kind of fault it promises, points at its line, and leaves a sound tree alone. */
import { describe, expect, it } from "@effect/vitest"
import { layoutProblems, maximumLines, readTree } from "../../scripts/layout.ts"

const header = "/** Holds one idea and must never hold two. */\n"
const file = (path: string, body = "export const value = 1\n") => ({ path, text: header + body })
const report = (...files: ReadonlyArray<{ readonly path: string; readonly text: string }>) =>
  layoutProblems(files).map((problem) => `${problem.path}:${problem.line} ${problem.message}`)

describe("layout", () => {
  it("accepts imports from the own floor and from floors below", () => {
    expect(
      report(
        file(
          "src/Session/Actor.ts",
          `import { a } from "../Message/Source.ts"\nimport { b } from "./Key.ts"\nimport { Effect } from "effect"\n`
        ),
        file("src/Session/Key.ts"),
        file("src/Access/Rules.ts", `import { key } from "../Session/Key.ts"\n`),
        file("src/Main.ts", `import { gateway } from "./Gateway.ts"\nexport * from "./Operations/Status.ts"\n`)
      )
    ).toEqual([])
  })

  it.each([
    ["a value import", `import { x } from "../Conversation/Turn.ts"\n`],
    ["a type import", `import type { X } from "../Conversation/Turn.ts"\n`],
    ["an import over several lines", `import {\n  x\n} from "../Conversation/Turn.ts"\n`],
    ["a bare import", `import "../Conversation/Turn.ts"\n`],
    ["a re-export", `export { x } from "../Conversation/Turn.ts"\n`],
    ["a re-export of everything", `export * as Turn from "../Conversation/Turn.ts"\n`],
    ["a re-export of a type", `export type { X } from "../Conversation/Turn.ts"\n`],
    ["a dynamic import", `const load = () => import("../Conversation/Turn.ts")\n`],
    ["an import type", `export const x: import("../Conversation/Turn.ts").X | null = null\n`]
  ])("refuses %s from a higher floor and names both floors", (_, body) => {
    expect(report(file("src/Relay/Transport.ts", body))).toEqual([
      "src/Relay/Transport.ts:2 imports ../Conversation/Turn.ts: Relay is on floor 3, Conversation on floor 4"
    ])
  })

  it("takes no example in a comment for an import", () => {
    expect(
      report(
        file(
          "src/Relay/Transport.ts",
          `/**\n * import { x } from "../Conversation/Turn.ts"\n */\n// import("../Cli/Run.ts")\n`
        )
      )
    ).toEqual([])
  })

  it("judges the floors of src/ only: a test may import what it tests", () => {
    expect(report(file("test/Message/Source.test.ts", `import { run } from "../../src/Main.ts"\n`))).toEqual([])
  })

  it("refuses an import from outside src/", () => {
    expect(report(file("src/Cli/Run.ts", `import { x } from "../../test/support/Peer.ts"\n`))).toEqual([
      "src/Cli/Run.ts:2 imports ../../test/support/Peer.ts: it lies outside src/"
    ])
  })

  it("keeps internal/ for the folder it belongs to", () => {
    const body = `import { x } from "./internal/Frames.ts"\n`
    expect(report(file("src/Relay/Transport.ts", body), file("src/Relay/internal/Frames.ts"))).toEqual([])
    expect(report(file("src/Platforms/Slack/Send.ts", `import { x } from "../Discord/internal/Shard.ts"\n`))).toEqual([
      "src/Platforms/Slack/Send.ts:2 imports ../Discord/internal/Shard.ts: internal/ is for src/Platforms/Discord/ only"
    ])
    expect(report(file("src/Conversation/Turn.ts", `import { x } from "../Relay/internal/Frames.ts"\n`))).toEqual([
      "src/Conversation/Turn.ts:2 imports ../Relay/internal/Frames.ts: internal/ is for src/Relay/ only"
    ])
  })

  it("reports rooms of one floor that import each other, once per group", () => {
    const problems = report(
      file("src/Session/Actor.ts", `import { x } from "../Access/Rules.ts"\n`),
      file("src/Access/Rules.ts", `import { x } from "../Delivery/Outbox.ts"\n`),
      file("src/Delivery/Outbox.ts", `import { x } from "../Session/Key.ts"\n`),
      file("src/Session/Key.ts", `import { x } from "../Message/Source.ts"\n`)
    )
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain("rooms of one floor in a cycle: Access, Delivery, Session")
    expect(problems[0]).toContain("src/Delivery/Outbox.ts:2 imports ../Session/Key.ts")
  })

  it("accepts rooms of one floor that import in one direction", () => {
    expect(
      report(
        file(
          "src/Session/Actor.ts",
          `import { x } from "../Access/Rules.ts"\nimport { y } from "../Delivery/Outbox.ts"\n`
        ),
        file("src/Access/Rules.ts", `import { x } from "../Delivery/Outbox.ts"\n`),
        file("src/Delivery/Outbox.ts")
      )
    ).toEqual([])
  })

  it("refuses a room that is on no floor", () => {
    expect(report(file("src/Common/Thing.ts"))[0]).toMatch(/^src\/Common\/Thing\.ts:1 "Common" is on no floor/)
    expect(report(file("src/Other.ts"))[0]).toMatch(/^src\/Other\.ts:1 "Other\.ts" is on no floor/)
  })

  it("refuses a file over the limit and accepts one that just reaches it", () => {
    const lines = (count: number) => file("test/Long.test.ts", "a\n".repeat(count - 1))
    expect(report(lines(maximumLines))).toEqual([])
    expect(report(lines(maximumLines + 1))).toEqual([
      `test/Long.test.ts:501 501 lines, at most ${maximumLines}: which second idea moved in?`
    ])
  })

  it.each([
    ["nothing", "export const a = 1\n"],
    ["an empty comment", "/** */\nexport const a = 1\n"],
    ["a comment that comes later", "export const a = 1\n/** Says what the file is for. */\n"]
  ])("refuses a file that begins with %s", (_, text) => {
    expect(layoutProblems([{ path: "bench/Bench.ts", text }]).map((problem) => problem.message)).toEqual([
      "no header comment: say first what the file is for and what it must never do"
    ])
  })

  it("asks no header of a test, whose sentences say what it is for", () => {
    expect(layoutProblems([{ path: "test/Wire.test.ts", text: "export const a = 1\n" }])).toEqual([])
  })

  it.each([
    "/* Measures the wire against a raw client. */\n",
    "// Measures the wire\n// against a raw client.\n",
    "#!/usr/bin/env node\n/** Measures the wire. */\n"
  ])("accepts a header written as %j", (text) => {
    expect(layoutProblems([{ path: "bench/Bench.ts", text }])).toEqual([])
  })

  it.each([
    "src/Session/utils.ts",
    "src/Session/SessionManager.ts",
    "src/Session/misc/Key.ts",
    "test/stringHelpers.ts"
  ])("refuses the name %s", (path) => {
    expect(report(file(path))[0]).toContain("says nothing: name it after the idea it holds")
  })

  it("accepts names that only contain such a word", () => {
    expect(report(file("src/Access/Utility.ts"), file("src/Access/Miscount.ts"))).toEqual([])
  })

  it("reads this project's own tree", () => {
    const paths = readTree(".").map((read) => read.path)
    expect(paths).toContain("scripts/layout.ts")
    expect(paths).toContain("test/scripts/layout.test.ts")
    expect(paths.filter((path) => path.includes("node_modules"))).toEqual([])
  })
})
