import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { isManaged } from "../../src/Cli/Successor.ts"
import { eventually } from "../support/Eventually.ts"

describe("starting again after a restart", () => {
  it("systemd, launchd and containers start us again; nobody else does", () => {
    const nowhere = () => false
    assert.isTrue(isManaged({ INVOCATION_ID: "a" }, nowhere))
    assert.isTrue(isManaged({ XPC_SERVICE_NAME: "gateway" }, nowhere))
    assert.isTrue(isManaged({}, (path) => path === "/.dockerenv"))
    assert.isFalse(isManaged({}, nowhere))
    assert.isFalse(isManaged({ XPC_SERVICE_NAME: "0", INVOCATION_ID: "" }, nowhere))
  })

  it.live("the successor has the same arguments, and begins when the one before has ended", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "successor-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
      )
      const script = join(folder, "program.ts")
      const [first, second] = [join(folder, "first"), join(folder, "second")]
      writeFileSync(
        script,
        `import { existsSync, writeFileSync } from "node:fs"
import { leave } from ${JSON.stringify(join(import.meta.dirname, "../../src/Cli/Successor.ts"))}
const first = ${JSON.stringify(first)}
if (existsSync(first)) {
  writeFileSync(${JSON.stringify(second)}, process.argv.slice(2).join(" ") + " " + existsSync(first + ".ended"))
} else {
  writeFileSync(first, "")
  leave()
  setTimeout(() => writeFileSync(first + ".ended", ""), 700)
}
`
      )
      spawn(process.execPath, [script, "run", "--profile", "a b"], { stdio: "ignore" })
      yield* eventually("the successor", () => existsSync(second) && readFileSync(second, "utf8") !== "", {
        seconds: 20
      })
      assert.strictEqual(readFileSync(second, "utf8"), "run --profile a b true")
    })
  )
})
