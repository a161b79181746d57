/** The example of an Effect application with the gateway inside, run as its reader would run it, on the sources. */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeHome } from "../support/GatewayProcess.ts"

const root = join(import.meta.dirname, "../..")

/** Preloaded: `switchboard` means this checkout's sources, as after a build it means `dist`. */
const selfReference = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module"
  const url = ${JSON.stringify(pathToFileURL(join(root, "src/index.ts")).href)}
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "switchboard" ? { url, shortCircuit: true } : next(specifier, context)
  })`)}`

describe("the embedded example", () => {
  it.live(
    "answers through its own agent and its own adapter, and speaks first",
    () =>
      Effect.gen(function* () {
        const home = yield* makeHome
        const ended = yield* Effect.callback<{
          readonly failed: boolean
          readonly stdout: string
          readonly stderr: string
        }>((resume) => {
          const child = execFile(
            process.execPath,
            ["--import", selfReference, join(root, "examples/embedded.ts")],
            { cwd: home, timeout: 30_000, env: { PATH: process.env.PATH ?? "", HOME: home } },
            (error, stdout, stderr) => resume(Effect.succeed({ failed: error !== null, stdout, stderr }))
          )
          return Effect.sync(() => child.kill("SIGKILL"))
        })
        assert.deepStrictEqual(ended, {
          failed: false,
          stdout: "IS ANYBODY THERE?\nThe gateway can speak first, too.\n",
          stderr: ""
        })
      }),
    { timeout: 40_000 }
  )
})
