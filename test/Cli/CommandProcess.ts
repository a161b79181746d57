/** One command of the built program as a process of its own: what it said, and how it ended. */
import { spawn } from "node:child_process"
import { Effect } from "effect"
import { mainFile } from "../support/GatewayProcess.ts"

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs in a clean environment; killed after a minute and a half. */
export const command = (
  home: string,
  args: ReadonlyArray<string>,
  options: { readonly env?: Readonly<Record<string, string>>; readonly node?: string } = {}
): Effect.Effect<Ended> =>
  Effect.callback<Ended>((resume) => {
    const child = spawn(options.node ?? process.execPath, [mainFile, ...args], {
      cwd: home,
      env: {
        PATH: process.env.PATH ?? "",
        HOME: home,
        TZ: "UTC",
        SWITCHBOARD_HOME: home,
        SWITCHBOARD_HTTP_PORT: "0",
        ...options.env
      },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 90_000,
      killSignal: "SIGKILL"
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk))
    child.once("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    child.once("error", (error) => resume(Effect.succeed({ code: null, stdout, stderr: String(error) })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })
