/**
 * Started with an older Node, the program runs under Node 24 all the same: signals, exit codes and death are passed
 * on.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { eventually } from "../support/Eventually.ts"
import { mainFile, makeHome } from "../support/GatewayProcess.ts"
import { command } from "./CommandProcess.ts"

/** The system's own Node, if it is older than what we need. */
const olderNode = ["/usr/bin/node", "/usr/local/bin/node"].find(
  (path) => existsSync(path) && Number(execFileSync(path, ["-p", "parseInt(process.versions.node)"]).toString()) < 24
)

interface Wrapped {
  readonly wrapper: ChildProcess
  readonly child: number
  readonly ended: () => { readonly code: number | null; readonly signal: string | null } | undefined
}

const childrenOf = (pid: number): ReadonlyArray<number> => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter((text) => text !== "")
      .map(Number)
  } catch {
    return []
  }
}

/** A process that nobody has reaped yet is dead. */
const isAlive = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2))
  } catch {
    return false
  }
}

const wrapped = (node: string, home: string): Effect.Effect<Wrapped, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    let ended: ReturnType<Wrapped["ended"]>
    let stdout = ""
    const wrapper = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(node, [mainFile, "run"], {
          cwd: home,
          env: {
            PATH: process.env.PATH ?? "",
            HOME: home,
            SWITCHBOARD_HOME: home,
            SWITCHBOARD_HTTP_PORT: "0",
            SWITCHBOARD_STORAGE: "memory"
          },
          stdio: ["ignore", "pipe", "inherit"]
        })
      ),
      (wrapper) => Effect.sync(() => wrapper.kill("SIGKILL"))
    )
    wrapper.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk))
    wrapper.once("exit", (code, signal) => (ended = { code, signal }))
    yield* eventually("it listens", () => stdout.includes("listening on"), { seconds: 20 })
    const [child = 0] = childrenOf(wrapper.pid!)
    assert.isAbove(child, 1)
    yield* Effect.addFinalizer(() => Effect.sync(() => void (isAlive(child) && process.kill(child, "SIGKILL"))))
    return { wrapper, child, ended: () => ended }
  })

describe.runIf(olderNode !== undefined)("an older Node", () => {
  it.live("passes arguments, output and exit codes on", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      const path = yield* command(home, ["config", "path"], { node: olderNode! })
      assert.deepStrictEqual(path, { code: 0, stdout: `${join(home, "config.yaml")}\n`, stderr: "" })
      assert.strictEqual((yield* command(home, ["status"], { node: olderNode! })).code, 3)
      assert.strictEqual((yield* command(home, ["bogus"], { node: olderNode! })).code, 2)
      const bad = yield* command(home, ["run"], { node: olderNode!, env: { SWITCHBOARD_HTTP_PORT: "x" } })
      assert.strictEqual(bad.code, 78)
    })
  )

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.live(`passes ${signal} on, and ends as the gateway ends`, () =>
      Effect.gen(function* () {
        const { child, ended, wrapper } = yield* wrapped(olderNode!, yield* makeHome)
        wrapper.kill(signal)
        yield* eventually("the wrapper ends", () => ended() !== undefined)
        assert.deepStrictEqual(ended(), { code: 0, signal: null })
        assert.isFalse(isAlive(child))
      })
    )
  }

  it.live("leaves no orphan when it is killed without warning", () =>
    Effect.gen(function* () {
      const { child, wrapper } = yield* wrapped(olderNode!, yield* makeHome)
      assert.isTrue(isAlive(child))
      wrapper.kill("SIGKILL")
      yield* eventually("the gateway is gone too", () => !isAlive(child), { seconds: 5 })
    })
  )

  it.live("dies of the signal that killed the gateway", () =>
    Effect.gen(function* () {
      const { child, ended } = yield* wrapped(olderNode!, yield* makeHome)
      process.kill(child, "SIGKILL")
      yield* eventually("the wrapper ends", () => ended() !== undefined)
      assert.deepStrictEqual(ended(), { code: null, signal: "SIGKILL" })
    })
  )

  it.live("is refused clearly when no newer Node is installed", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      copyFileSync(mainFile, join(home, "Main.js"))
      writeFileSync(join(home, "package.json"), '{"type":"module"}')
      const ended = yield* Effect.sync(() => {
        try {
          execFileSync(olderNode!, [join(home, "Main.js")], { stdio: "pipe", env: {} })
          return { status: 0, stderr: "" }
        } catch (error) {
          return error as { readonly status: number; readonly stderr: unknown }
        }
      })
      assert.strictEqual(ended.status, 1)
      assert.match(String(ended.stderr), /^Switchboard needs Node 24 or newer, this is /)
    })
  )
})
