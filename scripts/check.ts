/**
 * `npm run check`: types, lint, format, layout and dead code at once; one line per check, then what the failing tools said.
 * Exits non-zero when one fails, and changes no file. Names as arguments run only those: `npm run check -- lint layout`.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import path from "node:path"

const root = path.dirname(import.meta.dirname)
const installed = (file: string): string => path.join(root, "node_modules", file)

/** Rules that need types (floating promises) come from a package of their own; without it the others still run. */
const typeRules = existsSync(installed("oxlint-tsgolint/package.json"))

/** Each is a script for Node; the package `node` of this project runs them, whatever the shell's Node is. */
const checks: Readonly<Record<string, ReadonlyArray<string>>> = {
  types: [installed("typescript/bin/tsc"), "-p", "tsconfig.json"],
  lint: [
    installed("oxlint/bin/oxlint"),
    "--deny-warnings",
    "--report-unused-disable-directives",
    ...(typeRules ? ["--type-aware"] : [])
  ],
  format: [installed("oxfmt/bin/oxfmt"), "--check", "."],
  layout: [path.join(root, "scripts/layout.ts"), root],
  dead: [installed("knip/bin/knip.js"), "--no-progress"]
}

/** Longer than the slowest check takes on a busy machine; one that hangs fails instead of holding the run. */
const limitMilliseconds = 120_000

interface Outcome {
  readonly name: string
  readonly failed: boolean
  readonly output: string
}

const run = (name: string, args: ReadonlyArray<string>): Promise<Outcome> =>
  new Promise((resolve) => {
    const start = performance.now()
    let output = ""
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limitMilliseconds,
      killSignal: "SIGKILL"
    })
    const collect = (chunk: string) => {
      output += chunk
    }
    child.stdout.setEncoding("utf8").on("data", collect)
    child.stderr.setEncoding("utf8").on("data", collect)
    child.on("error", (error) => collect(`${error.message}\n`))
    child.on("close", (code, signal) => {
      if (signal !== null) output += `ended by ${signal} (limit ${limitMilliseconds / 1000} s)\n`
      const seconds = ((performance.now() - start) / 1000).toFixed(1)
      const note =
        name === "lint" && !typeRules ? "  (without the rules that need types: oxlint-tsgolint is not installed)" : ""
      console.log(`${code === 0 ? "ok    " : "FAILED"} ${name.padEnd(6)} ${seconds.padStart(5)} s${note}`)
      resolve({ name, failed: code !== 0, output })
    })
  })

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in checks))
if (unknown.length > 0) {
  console.log(`no such check: ${unknown.join(", ")}; there are ${Object.keys(checks).join(", ")}`)
  process.exitCode = 2
} else {
  const chosen = Object.entries(checks).filter(([name]) => wanted.length === 0 || wanted.includes(name))
  const outcomes = await Promise.all(chosen.map(([name, args]) => run(name, args)))
  const failed = outcomes.filter((outcome) => outcome.failed)
  for (const { name, output } of failed) console.log(`\n── ${name} ${"─".repeat(80 - name.length)}\n${output.trim()}`)
  if (failed.length > 0)
    console.log(`\n${failed.length} of ${outcomes.length} checks failed: ${failed.map(({ name }) => name).join(", ")}`)
  process.exitCode = failed.length > 0 ? 1 : 0
}
