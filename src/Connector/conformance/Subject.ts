/**
 * The gateway that is judged, as something that can be started, asked to stop, and killed. A command runs in a process
 * group of its own with an environment and a home of its own, and never outlives the kit.
 */
import { spawn } from "node:child_process"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"

export interface Running {
  /** As SIGKILL does it: nothing more is said or written. */
  readonly kill: Effect.Effect<void>
  /** As SIGTERM does it; it returns at once. */
  readonly stop: Effect.Effect<void>
  /** The exit code; `undefined` while it runs, `null` after a signal. */
  readonly exited: () => number | null | undefined
  /** The last of what it wrote. */
  readonly lastWords: () => string
}

export interface Subject {
  /** A place that outlives a kill, for one gateway at a time. */
  readonly home: Effect.Effect<string, never, Scope.Scope>
  readonly start: (home: string, env: Readonly<Record<string, string>>) => Effect.Effect<Running, never, Scope.Scope>
}

const groups = new Set<number>()
process.once("exit", () => {
  for (const pid of groups) signal(pid, "SIGKILL")
})

/** To the whole group: the command may be a shell or a wrapper. */
const signal = (pid: number, name: NodeJS.Signals): void => {
  if (!groups.has(pid)) return
  try {
    process.kill(-pid, name)
  } catch {
    groups.delete(pid)
  }
}

/** A command line, run by the shell in the present folder. */
export const command = (line: string, more: Readonly<Record<string, string>> = {}): Subject => ({
  home: Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "conformance-"))),
    (home) => Effect.sync(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }))
  ),
  start: (home, env) =>
    Effect.acquireRelease(
      Effect.sync((): Running => {
        const log = join(home, "output.log")
        const output = openSync(log, "a")
        const child = spawn("/bin/sh", ["-c", `exec ${line}`], {
          detached: true,
          stdio: ["ignore", output, output],
          env: {
            PATH: process.env["PATH"] ?? "",
            HOME: home,
            XDG_STATE_HOME: join(home, "state-of-user"),
            TZ: "UTC",
            LANG: "C.UTF-8",
            SWITCHBOARD_HOME: home,
            SWITCHBOARD_HTTP_PORT: "0",
            ...env,
            ...more
          }
        })
        closeSync(output)
        const pid = child.pid
        let ended: number | null | undefined
        if (pid !== undefined) groups.add(pid)
        child.once("error", () => {
          ended ??= null
        })
        child.once("exit", (code) => {
          ended = code
        })
        const send = (name: NodeJS.Signals) =>
          Effect.sync(() => {
            if (pid !== undefined) signal(pid, name)
          })
        return {
          kill: Effect.andThen(
            send("SIGKILL"),
            Effect.callback<void>((resume) => {
              if (pid === undefined || ended !== undefined) return resume(Effect.void)
              child.once("exit", () => resume(Effect.void))
            })
          ),
          stop: send("SIGTERM"),
          exited: () => ended,
          lastWords: () => readFileSync(log, "utf8").trim().slice(-600)
        }
      }),
      (running) => running.kill
    )
})
