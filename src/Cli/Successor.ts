/**
 * How this program starts again after a restart that was asked for in a chat (`conversation D3`, `operations X9`): by the
 * manager that watches it, else by a small process that waits for our end. It never runs beside the one before.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"

/** A service manager or a container starts us again after exit 75. */
export const isManaged = (
  environment: Readonly<Record<string, string | undefined>>,
  exists: (path: string) => boolean = existsSync
): boolean =>
  (environment["INVOCATION_ID"] ?? "") !== "" ||
  !["", "0"].includes(environment["XPC_SERVICE_NAME"] ?? "") ||
  exists("/.dockerenv") ||
  exists("/run/.containerenv")

/** Waits for the process of the first argument, at most five minutes, then becomes the rest of the arguments. */
const helper = `
const [pid, ...command] = process.argv.slice(1)
const until = Date.now() + 300000
const look = () => {
  try {
    process.kill(Number(pid), 0)
    if (Date.now() < until) return setTimeout(look, 200)
  } catch {}
  require("node:child_process").spawn(process.execPath, command, { detached: true, stdio: "ignore" }).unref()
}
look()
`

/** Leaves a process behind that starts this program anew, with the same arguments, when this one has ended. */
export const leave = (): void => {
  spawn(process.execPath, ["-e", helper, String(process.pid), ...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: "ignore"
  }).unref()
}
