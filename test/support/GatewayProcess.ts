/**
 * The gateway as its users run it: `node dist/Main.js run` in a home of its own. Whatever happens to the test, the process
 * is killed and reaped; it never sees the environment of whoever runs the tests.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Schema, type Scope } from "effect"
import { eventually, eventuallyAsync, type WaitedTooLong } from "./Eventually.ts"

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..")
/** The program under test; `SWITCHBOARD_MAIN` names another build. */
export const mainFile = process.env.SWITCHBOARD_MAIN ?? join(root, "dist", "Main.js")

export class GatewayError extends Schema.TaggedError<GatewayError>()("GatewayError", {
  reason: Schema.Literals(["NotBuilt", "Exited", "NotStarted"]),
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.reason}: ${this.detail}`
  }
}

export interface GatewayOptions {
  readonly home: string
  readonly relayUrl?: string
  readonly relayId?: string
  readonly relaySecret?: string
  readonly storage?: string
  /** Further variables; they win over the ones made from the other options. */
  readonly env?: Readonly<Record<string, string>>
  readonly args?: ReadonlyArray<string>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const living = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of living) child.kill("SIGKILL")
})

/** A folder for one gateway, removed with the scope (kept when `SWITCHBOARD_KEEP_HOMES` is set). */
export const makeHome: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-test-"))),
  (home) =>
    Effect.sync(() => {
      if (process.env.SWITCHBOARD_KEEP_HOMES === undefined)
        rmSync(home, { recursive: true, force: true, maxRetries: 3 })
    })
)

export const writeConfig = (home: string, yaml: string): void => writeFileSync(join(home, "config.yaml"), yaml)

export class GatewayProcess {
  readonly pid: number
  readonly stdoutFile: string
  readonly stderrFile: string
  private readonly child: ChildProcess
  private readonly stdoutFrom: number
  private readonly stderrFrom: number
  private ended: Exit | undefined
  private address: string | undefined

  constructor(child: ChildProcess, files: { stdout: string; stderr: string; stdoutFrom: number; stderrFrom: number }) {
    this.child = child
    this.pid = child.pid ?? -1
    this.stdoutFile = files.stdout
    this.stderrFile = files.stderr
    this.stdoutFrom = files.stdoutFrom
    this.stderrFrom = files.stderrFrom
    living.add(child)
    child.once("exit", (code, signal) => {
      living.delete(child)
      this.ended = { code, signal }
    })
    child.once("error", () => {
      living.delete(child)
      this.ended ??= { code: null, signal: null }
    })
  }

  get exited(): Exit | undefined {
    return this.ended
  }

  /** What this process, not an earlier one of the same home, has written. */
  stdout(): string {
    return readFileSync(this.stdoutFile).subarray(this.stdoutFrom).toString("utf8")
  }

  stderr(): string {
    return readFileSync(this.stderrFile).subarray(this.stderrFrom).toString("utf8")
  }

  /** Bytes of both since this process began. */
  outputBytes(): number {
    return statSync(this.stdoutFile).size - this.stdoutFrom + statSync(this.stderrFile).size - this.stderrFrom
  }

  private lastWords(): string {
    return `${this.stdout()}\n${this.stderr()}`.trim().slice(-800)
  }

  /** The address that it printed (`operations S3`). */
  readonly httpUrl: Effect.Effect<string, WaitedTooLong | GatewayError> = Effect.suspend(() =>
    Effect.gen({ self: this }, function* () {
      yield* eventually(
        "the line `listening on http://…`",
        () => {
          this.address ??= /listening on (http:\/\/\S+?)\/?\s/.exec(`${this.stdout()}\n${this.stderr()}\n`)?.[1]
          return this.address !== undefined || this.ended !== undefined
        },
        { seconds: 30, seen: () => this.lastWords() }
      )
      if (this.address !== undefined) return this.address
      return yield* new GatewayError({ reason: "Exited", detail: `code ${this.ended?.code}: ${this.lastWords()}` })
    })
  )

  get(path: string): Effect.Effect<{ readonly status: number; readonly body: string }, WaitedTooLong | GatewayError> {
    return Effect.flatMap(this.httpUrl, (url) =>
      Effect.tryPromise({
        try: async () => {
          const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(5000) })
          return { status: response.status, body: await response.text() }
        },
        catch: (cause) => new GatewayError({ reason: "NotStarted", detail: String(cause) })
      })
    )
  }

  /** Polls `/ready` until it answers 200 (law 10). */
  awaitReady(seconds = 30): Effect.Effect<void, WaitedTooLong | GatewayError> {
    return Effect.gen({ self: this }, function* () {
      const url = yield* this.httpUrl
      let seen = ""
      yield* eventuallyAsync(
        "/ready",
        async () => {
          if (this.ended !== undefined) return true
          const response = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(2000) })
          seen = `${response.status} ${await response.text()}`
          return response.status === 200
        },
        { seconds, seen: () => seen }
      )
      if (this.ended !== undefined) {
        return yield* new GatewayError({ reason: "Exited", detail: `code ${this.ended.code}: ${this.lastWords()}` })
      }
    })
  }

  /** Sends a signal and goes on; `kill` waits as well. */
  signal(signal: NodeJS.Signals): void {
    if (this.ended === undefined) this.child.kill(signal)
  }

  /** How it ended; waits at most `seconds`. */
  awaitExit(seconds = 30): Effect.Effect<Exit, WaitedTooLong> {
    return eventually("the process to end", () => this.ended !== undefined, {
      seconds,
      seen: () => this.lastWords()
    }).pipe(Effect.map(() => this.ended!))
  }

  kill(signal: NodeJS.Signals = "SIGKILL", seconds = 30): Effect.Effect<Exit, WaitedTooLong> {
    return Effect.suspend(() => {
      this.signal(signal)
      return this.awaitExit(seconds)
    })
  }

  /** Resident memory in bytes, from `/proc`. */
  rss(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8")
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
  }
}

const environment = (options: GatewayOptions): Record<string, string> => ({
  PATH: process.env.PATH ?? "",
  HOME: options.home,
  XDG_STATE_HOME: join(options.home, "state-of-user"),
  TZ: "UTC",
  LANG: "C.UTF-8",
  SWITCHBOARD_HOME: options.home,
  SWITCHBOARD_HTTP_PORT: "0",
  SWITCHBOARD_STORAGE: options.storage ?? "sqlite",
  ...(options.relayUrl === undefined ? {} : { GATEWAY_RELAY_URL: options.relayUrl }),
  ...(options.relayId === undefined ? {} : { GATEWAY_RELAY_ID: options.relayId }),
  ...(options.relaySecret === undefined ? {} : { GATEWAY_RELAY_SECRET: options.relaySecret }),
  ...options.env
})

/** Starts the process; it is running, not necessarily ready. Its output is appended to two files of its home. */
export const start = (options: GatewayOptions): Effect.Effect<GatewayProcess, GatewayError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      if (!existsSync(mainFile)) {
        return Effect.fail(
          new GatewayError({ reason: "NotBuilt", detail: `${mainFile} is missing; npm run build makes it` })
        )
      }
      const stdout = join(options.home, "captured.stdout")
      const stderr = join(options.home, "captured.stderr")
      const descriptors = [openSync(stdout, "a"), openSync(stderr, "a")] as const
      const from = [statSync(stdout).size, statSync(stderr).size] as const
      const child = spawn(process.execPath, [mainFile, ...(options.args ?? ["run"])], {
        env: environment(options),
        cwd: options.home,
        stdio: ["ignore", ...descriptors]
      })
      for (const descriptor of descriptors) closeSync(descriptor)
      if (child.pid === undefined) {
        return Effect.fail(new GatewayError({ reason: "NotStarted", detail: "the process could not be spawned" }))
      }
      return Effect.succeed(new GatewayProcess(child, { stdout, stderr, stdoutFrom: from[0], stderrFrom: from[1] }))
    }),
    (gateway) => gateway.kill("SIGKILL").pipe(Effect.ignore)
  )
