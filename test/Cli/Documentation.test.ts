/** What the documentation says about commands, settings and exit codes is what the program does. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { exitCode } from "../../src/Cli/Exit.ts"
import { knownSettings } from "../../src/Cli/KnownSettings.ts"
import * as GatewaySettings from "../../src/Config/GatewaySettings.ts"
import * as RelaySettings from "../../src/Relay/RelaySettings.ts"
import * as commandTables from "../../scripts/command-tables.ts"
import { page, withTables } from "../../scripts/settings-tables.ts"
import { makeHome } from "../support/GatewayProcess.ts"
import { command } from "./CommandProcess.ts"

const root = join(import.meta.dirname, "../..")
const read = (file: string) => readFileSync(join(root, file), "utf8")
const pages = ["README.md", "AGENTS.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith(".md")
)

/** First cells of a page's rows that are code: what the row is about. */
const commandsOf = (file: string): ReadonlyArray<string> => {
  const [, section = ""] = read(file).split("\n## Commands\n")
  return section
    .split("\n## ")[0]!
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => Array.from(line.split(" | ")[0]!.matchAll(/`([^`]+)`/g), ([, code]) => code!))
}

/** Words of a command before its arguments, flags and capitals. */
const wordsOf = (line: string): ReadonlyArray<string> => {
  const words = line.split(/\s+/)
  const end = words.findIndex((word) => !/^[a-z]+$/.test(word))
  return end < 0 ? words : words.slice(0, end)
}

describe("the documentation", () => {
  it("has the settings as they are declared (npx node scripts/settings-tables.ts writes them)", () => {
    const text = readFileSync(page, "utf8")
    assert.strictEqual(withTables(text), text)
  })

  it("has the commands as they are registered (npx node scripts/command-tables.ts writes them)", () => {
    const text = readFileSync(commandTables.page, "utf8")
    assert.strictEqual(commandTables.withTables(text), text)
  })

  it("names each declared setting that nothing reads, and no other, as without effect", () => {
    const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => read(join("src", name)))
      .join("\n")
    const unread = Object.entries({ ...GatewaySettings, ...RelaySettings }).flatMap(([name, setting]) =>
      "kind" in setting && !new RegExp(`\\b(?:get|follow)\\(${name}\\)`).test(sources)
        ? [setting.key ?? setting.env[0]]
        : []
    )
    const [, said = ""] = /\n([^\n]*and do nothing in this one:[^]*?)\n\n/.exec(read("docs/configure.md")) ?? []
    assert.deepStrictEqual(
      Array.from(said.matchAll(/`([^`]+)`/g), ([, name]) => name),
      unread
    )
  })

  it("names no variable that the program does not know", () => {
    const known = new Set([
      ...knownSettings.flatMap(({ env }) => env),
      "SWITCHBOARD_HOME",
      "SWITCHBOARD_ACP_COMMAND",
      "OPENAI_BASE_URL",
      // For quick commands, set by the gateway.
      "SWITCHBOARD_ARGS",
      // For contributors: another build, another database server.
      "SWITCHBOARD_MAIN",
      "SWITCHBOARD_TEST_POSTGRES_URL"
    ])
    for (const file of pages) {
      const named = read(file).match(/\b(?:SWITCHBOARD|GATEWAY|OPENAI)_[A-Z][A-Z_]*[A-Z]\b/g) ?? []
      for (const name of named) assert.isTrue(known.has(name), `${file} names ${name}`)
    }
  })

  it("gives every exit code the program has, and no other", () => {
    for (const file of ["README.md", "docs/operate.md"]) {
      const codes = Array.from(read(file).matchAll(/^\| (\d+) \|/gm), ([, code]) => Number(code))
      assert.deepStrictEqual(codes, Object.values(exitCode), file)
    }
  })

  it("links to files that are there", () => {
    for (const file of pages) {
      for (const [, target] of read(file).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
        assert.isTrue(existsSync(join(root, dirname(file), target!)), `${file} links to ${target}`)
      }
    }
  })

  it.live(
    "names commands that exist, all of them, and scripts that exist",
    () =>
      Effect.gen(function* () {
        const home = yield* makeHome
        const documented = commandsOf("README.md").map((line) => wordsOf(line).join(" "))
        const inText = pages.flatMap((file) =>
          Array.from(read(file).matchAll(/`switchboard ([a-z][^`]*)`/g), ([, line]) => wordsOf(line!).join(" "))
        )
        for (const line of new Set([...documented, ...inText])) {
          const { code, stdout } = yield* command(home, [...line.split(" "), "--help"])
          assert.strictEqual(code, 0, `switchboard ${line}`)
          assert.include(stdout, `switchboard ${line}`)
        }
        const { stdout } = yield* command(home, ["--help"])
        const all = Array.from(stdout.split("SUBCOMMANDS")[1]!.matchAll(/^ {2}([a-z]+)/gm), ([, name]) => name!)
        assert.sameMembers([...new Set(documented.map((line) => line.split(" ")[0]!))], all)

        const scripts = Object.keys((JSON.parse(read("package.json")) as { scripts: object }).scripts)
        for (const file of pages) {
          for (const [, name] of read(file).matchAll(/npm run ([a-z][a-z:-]*)/g)) assert.include(scripts, name, file)
        }
      }),
    { timeout: 90_000 }
  )
})
