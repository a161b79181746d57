/**
 * Commands that an agent runs through us: in its working folder, in a process group of their own, with bounded output. All
 * of them end with the session that began them.
 */
import { type ChildProcess, spawn } from "node:child_process"
import {
  type CreateTerminalRequest,
  RequestError,
  type TerminalExitStatus,
  type TerminalOutputResponse
} from "@agentclientprotocol/sdk"
import { confine } from "./Workspace.ts"

/** At once, per session. */
const mostTerminals = 16
const mostOutput = 1024 * 1024

interface Terminal {
  readonly child: ChildProcess
  readonly exited: Promise<TerminalExitStatus>
  exit: TerminalExitStatus | null
  output: Buffer
  truncated: boolean
}

/** The end of it, beginning with a whole character. */
const tail = (bytes: Buffer, limit: number): Buffer => {
  let from = Math.max(0, bytes.length - limit)
  while (from > 0 && from < bytes.length && (bytes[from]! & 0xc0) === 0x80) from++
  return bytes.subarray(from)
}

/** The process with everything it began. */
export const killGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // Nothing of the group is left.
  }
}

export class Terminals {
  private readonly open = new Map<string, Terminal>()
  private count = 0

  private readonly cwd: string
  private readonly environment: Readonly<Record<string, string>>

  constructor(cwd: string, environment: Readonly<Record<string, string>>) {
    this.cwd = cwd
    this.environment = environment
  }

  async create(request: CreateTerminalRequest): Promise<string> {
    if (this.open.size >= mostTerminals) throw RequestError.invalidRequest({}, `more than ${mostTerminals} terminals`)
    const cwd = await confine(request.cwd ?? this.cwd, [this.cwd])
    const limit = Math.min(mostOutput, Math.max(0, request.outputByteLimit ?? mostOutput))
    const args = request.args ?? []
    const child = spawn(request.command, args, {
      cwd,
      env: { ...this.environment, ...Object.fromEntries((request.env ?? []).map(({ name, value }) => [name, value])) },
      // Agents send either a program with its arguments, or a whole line for the shell.
      shell: args.length === 0 && /[\s|&;<>]/.test(request.command),
      detached: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const terminal: Terminal = {
      child,
      exit: null,
      output: Buffer.alloc(0),
      truncated: false,
      exited: new Promise((resolve) => {
        const end = (exitCode: number | null, signal: string | null) => {
          terminal.exit ??= { exitCode, signal }
          resolve(terminal.exit)
        }
        child.once("close", end)
        child.once("error", () => end(127, null))
      })
    }
    const collect = (chunk: Buffer) => {
      const joined = Buffer.concat([terminal.output, chunk])
      terminal.truncated ||= joined.length > limit
      terminal.output = tail(joined, limit)
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    const id = `terminal-${++this.count}`
    this.open.set(id, terminal)
    return id
  }

  private find(id: string): Terminal {
    const terminal = this.open.get(id)
    if (terminal === undefined) throw RequestError.resourceNotFound(id)
    return terminal
  }

  output(id: string): TerminalOutputResponse {
    const { exit, output, truncated } = this.find(id)
    return { output: output.toString("utf8"), truncated, exitStatus: exit }
  }

  wait(id: string): Promise<TerminalExitStatus> {
    return this.find(id).exited
  }

  kill(id: string): void {
    killGroup(this.find(id).child, "SIGKILL")
  }

  release(id: string): void {
    this.kill(id)
    this.open.delete(id)
  }

  releaseAll(): void {
    for (const id of this.open.keys()) this.release(id)
  }
}
