#!/usr/bin/env node
/**
 * The command line's entry. Whatever Node it is started with, the program runs on Node 24 or newer: under an older one
 * this file hands everything to the Node that the package `node` installed. It must parse on Node 20: no other import.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const needed = 24
/** Set for the process that the older Node starts, and by nobody else. */
const marker = "SWITCHBOARD_UNDER_WRAPPER"

const majorOf = (text: string): number => Number(text.split(".")[0])

const newerNode = (): string | null => {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve("node/package.json"))
    const program = join(folder, "bin", process.platform === "win32" ? "node.exe" : "node")
    return existsSync(program) ? program : null
  } catch {
    return null
  }
}

/** Runs this file again under another Node; passes signals on, and ends as it ends. */
const runUnder = (program: string): void => {
  const child = spawn(program, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    // A group of its own: Ctrl-C in the terminal must reach it once, through us.
    detached: true,
    env: { ...process.env, [marker]: "1" },
    stdio: ["inherit", "inherit", "inherit", "ipc"]
  })
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
    process.on(signal, () => void child.kill(signal))
  }
  child.once("error", (error) => {
    console.error(`cannot start ${program}: ${error.message}`)
    process.exit(1)
  })
  child.once("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** An orphan would hold the home while nobody knows of it: the end of the channel is our end, at once. */
const endWithWrapper = (): void => {
  if (process.env[marker] === undefined) return
  delete process.env[marker]
  if (!process.connected) return
  process.once("disconnect", () => process.kill(process.pid, "SIGKILL"))
  // Listening alone must not keep the process alive.
  process.channel?.unref()
}

const runHere = async (): Promise<void> => {
  endWithWrapper()
  // A reader that went away (`… | head`) is its own affair; what it no longer reads is lost.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
  // Compiles schemas, and must be there before the first one is used.
  await import("effect/schema/SchemaJITCompiler/enable")
  const { main } = await import("./Cli/Program.ts")
  process.exit(await main(process.argv.slice(2)))
}

if (majorOf(process.versions.node) >= needed) await runHere()
else {
  const program = newerNode()
  if (program === null || process.env[marker] !== undefined) {
    console.error(
      `Switchboard needs Node ${needed} or newer, this is ${process.versions.node}; ` +
        "run npm ci (it brings one), or update Node"
    )
    process.exit(1)
  }
  runUnder(program)
}
