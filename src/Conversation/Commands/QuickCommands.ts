/**
 * Quick commands of the configuration (`commands Q`): `exec` runs a fixed line of the operator's, `alias` is another
 * command. No text of a user ever becomes part of a command line; it comes as the variable `SWITCHBOARD_ARGS`.
 */
import { spawn } from "node:child_process"
import { Duration, Effect } from "effect"
import { redact } from "../../Config/Redact.ts"
import { commandLimits } from "./CommandTexts.ts"

export type QuickCommand =
  | { readonly type: "exec"; readonly command: string }
  | { readonly type: "alias"; readonly target: string }

/** What the environment of the line holds of ours: nothing but where things are. */
const passedOn = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"]

export interface ExecLimits {
  readonly time: Duration.Duration
  readonly bytes: number
}

const execLimits: ExecLimits = { time: Duration.seconds(30), bytes: 64 * 1024 }

/** Standard output, else standard error, redacted; the whole process group is killed at either limit or on interruption. */
export const exec = (
  command: string,
  args: string,
  limits: ExecLimits = execLimits
): Effect.Effect<{ readonly output: string; readonly end: "exit" | "time" | "bytes"; readonly code: number | null }> =>
  Effect.callback((resume) => {
    const environment: Record<string, string> = { SWITCHBOARD_ARGS: args.replaceAll("\0", "") }
    for (const name of passedOn) if (process.env[name] !== undefined) environment[name] = process.env[name]
    const child = spawn("/bin/sh", ["-c", command], {
      env: environment,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const out: Array<Buffer> = []
    const err: Array<Buffer> = []
    let bytes = 0
    let end: "exit" | "time" | "bytes" = "exit"
    let isOver = false
    const kill = () => {
      if (isOver || child.pid === undefined) return
      try {
        process.kill(-child.pid, "SIGKILL")
      } catch {
        child.kill("SIGKILL")
      }
    }
    const stop = (why: "time" | "bytes") => {
      if (end !== "exit") return
      end = why
      kill()
    }
    const collect = (into: Array<Buffer>) => (chunk: Buffer) => {
      const room = limits.bytes - bytes
      if (room > 0) into.push(chunk.subarray(0, room))
      bytes += chunk.length
      if (bytes > limits.bytes) stop("bytes")
    }
    child.stdout.on("data", collect(out))
    child.stderr.on("data", collect(err))
    const timer = setTimeout(() => stop("time"), Duration.toMillis(limits.time))
    const finish = (code: number | null, failure: string | null) => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      const text = Buffer.concat(out).toString("utf8").trim() || Buffer.concat(err).toString("utf8").trim()
      resume(Effect.succeed({ output: redact(failure ?? text), end, code }))
    }
    child.on("error", ({ message }) => finish(null, message))
    child.on("close", (code) => finish(code, null))
    return Effect.sync(() => {
      clearTimeout(timer)
      kill()
    })
  })

export const shown = ({ code, end, output }: Effect.Success<ReturnType<typeof exec>>): string =>
  commandLimits.execAnswer(output, end, code)
