/**
 * One gateway per home (`operations L1`–`L4`). The lock is SQLite's exclusive lock on `gateway.lock`: a POSIX lock that
 * the kernel frees with the process, however it dies. It alone says whether a gateway runs; `gateway.pid` says which.
 * Nobody may open `gateway.lock` by other means: closing any descriptor of it would free the lock.
 */
import { chmodSync, existsSync, readFileSync, unlinkSync, writeFileSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { Home, type HomePaths } from "./Home.ts"
import { readJson, readText } from "./JsonFile.ts"

const KIND = "switchboard-gateway"

/** `operations L2`. `start_time` is field 22 of `/proc/PID/stat`; `null` where there is no `/proc`. */
export const IdentityRecord = Schema.Struct({
  pid: Schema.Int,
  kind: Schema.String,
  argv: Schema.Array(Schema.String),
  start_time: Schema.NullOr(Schema.Int),
  home: Schema.String
})
export type IdentityRecord = typeof IdentityRecord.Type

const decodeRecord = Schema.decodeUnknownOption(IdentityRecord)

/** Another gateway runs in this home (exit 1). */
export class HomeLocked extends Schema.TaggedError<HomeLocked>()("HomeLocked", {
  home: Schema.String,
  /** `null`: the lock is held, but its holder left no readable record. */
  pid: Schema.NullOr(Schema.Int),
  /** What can be done about it; only what works. */
  waysOut: Schema.Array(Schema.String)
}) {
  readonly exitCode = 1
  override get message(): string {
    const holder = this.pid === null ? "a gateway" : `a gateway (PID ${this.pid})`
    return [`${holder} already runs in ${this.home}`, ...this.waysOut.map((way) => `  - ${way}`)].join("\n")
  }
}

/** The lock or the pid file cannot be used at all (exit 1). */
export class HomeLockError extends Schema.TaggedError<HomeLockError>()("HomeLockError", {
  path: Schema.String,
  /** `foreign`: the pid file belongs to another home and is never touched. `lost`: another starter was faster. */
  reason: Schema.Literals(["unusable", "foreign", "lost"]),
  detail: Schema.String
}) {
  readonly exitCode = 1
  override get message(): string {
    return `${this.path}: ${this.detail}`
  }
}

const locked = (home: HomePaths, pid: number | null) =>
  new HomeLocked({
    home: home.root,
    pid,
    waysOut: [
      `stop it: ${pid === null ? "end the process that switchboard status names" : `kill ${pid}`}`,
      "use another home: SWITCHBOARD_HOME=DIR switchboard run, or --home DIR, or --profile NAME"
    ]
  })

/** State letter and start time of a process; `null` when there is none, or no `/proc`. */
const processStat = (pid: number): { readonly state: string; readonly startTime: number } | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name in parentheses may hold blanks and parentheses; what follows the last one does not.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return { state: fields[0] ?? "", startTime: Number(fields[19]) }
  } catch {
    return null
  }
}

export const identity = (home: string): IdentityRecord => ({
  pid: process.pid,
  kind: KIND,
  argv: process.argv,
  start_time: processStat(process.pid)?.startTime ?? null,
  home
})

/** The record of `gateway.pid`; a bare integer is read too (`operations L2`). */
export const readRecord = (path: string): IdentityRecord | null => {
  const record = decodeRecord(readJson(path))
  if (record._tag === "Some") return record.value
  const bare = readText(path)?.trim() ?? ""
  return /^\d{1,9}$/.test(bare) ? { pid: Number(bare), kind: KIND, argv: [], start_time: null, home: "" } : null
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Not permitted still means that it is there.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Global flags whose value is the word behind them. */
const flagsWithValue: ReadonlySet<string> = new Set(["-p", "--profile", "--home"])

/** `run`, `start`, or no command at all. */
export const isGatewayCommand = (argv: ReadonlyArray<string>): boolean => {
  const script = argv.findIndex((part) => /(?:^|\/)(?:Main\.[jt]s|switchboard)$/.test(part))
  if (script < 0) return false
  const rest = argv.slice(script + 1)
  for (let i = 0; i < rest.length; i++) {
    if (flagsWithValue.has(rest[i]!)) i++
    else if (!rest[i]!.startsWith("-")) return rest[i] === "run" || rest[i] === "start"
  }
  return true
}

/** `operations L3`: whether the recorded pid is the gateway of this home. */
export const isLive = (record: IdentityRecord, home: string): boolean => {
  if (record.home !== "" && record.home !== home) return false
  if (!isRunning(record.pid)) return false
  const stat = processStat(record.pid)
  // Without `/proc` being alive is all that can be known.
  if (stat === null) return !existsSync("/proc/self/stat")
  if (stat.state === "Z" || stat.state === "X" || stat.state === "T") return false
  if (record.start_time !== null && record.start_time !== stat.startTime) return false
  const argv =
    readText(`/proc/${record.pid}/cmdline`)
      ?.split("\0")
      .filter((part) => part !== "") ?? []
  return isGatewayCommand(argv)
}

/** Waiting this long lets a reader that only asked (`isHeld`) go away. */
const PATIENCE_MILLIS = 500

const isBusy = (error: unknown) => error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === 5

/** Private from its first moment: SQLite would make it readable by others. A new inode, so closing it frees no lock. */
const makePrivate = (path: string): void => {
  try {
    writeFileSync(path, "", { flag: "wx", mode: 0o600 })
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error
    chmodSync(path, 0o600)
  }
}

const takeLock = (home: HomePaths) =>
  Effect.try({
    try: () => {
      makePrivate(home.lock)
      const database = new DatabaseSync(home.lock, { timeout: PATIENCE_MILLIS })
      try {
        database.exec("BEGIN EXCLUSIVE")
        return database
      } catch (error) {
        database.close()
        throw error
      }
    },
    catch: (error) =>
      isBusy(error)
        ? locked(home, readRecord(home.pid)?.pid ?? null)
        : new HomeLockError({
            path: home.lock,
            reason: "unusable",
            detail: `the lock cannot be taken: ${error instanceof Error ? error.message : String(error)}`
          })
  })

/** Whether some process holds the lock of this home. It takes a shared lock for a moment and leaves nothing behind. */
export const isHeld = (home: HomePaths): boolean => {
  if (!existsSync(home.lock)) return false
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(home.lock, { readOnly: true, timeout: 0 })
    database.prepare("SELECT count(*) FROM sqlite_master").get()
    return false
  } catch (error) {
    return isBusy(error)
  } finally {
    database?.close()
  }
}

const claimPidFile = (home: HomePaths) =>
  Effect.try({
    try: () => {
      const found = readRecord(home.pid)
      if (found !== null && found.home !== "" && found.home !== home.root) {
        throw new HomeLockError({
          path: home.pid,
          reason: "foreign",
          detail: `the record names another home, ${found.home}; remove the file if that is a copy`
        })
      }
      // We hold the lock, so whatever is recorded here is of the past.
      if (existsSync(home.pid)) unlinkSync(home.pid)
      writeFileSync(home.pid, `${JSON.stringify(identity(home.root))}\n`, { flag: "wx", mode: 0o600 })
    },
    catch: (error) =>
      error instanceof HomeLockError
        ? error
        : new HomeLockError({
            path: home.pid,
            reason: error instanceof Error && "code" in error && error.code === "EEXIST" ? "lost" : "unusable",
            detail: `the pid file cannot be written: ${error instanceof Error ? error.message : String(error)}`
          })
  })

/** Takes lock and pid file for the life of the scope. A second call in the same process is refused like any other. */
export const acquire = (home: HomePaths): Effect.Effect<IdentityRecord, HomeLocked | HomeLockError, Scope.Scope> =>
  Effect.gen(function* () {
    // Closed last: until then nobody else may start.
    yield* Effect.acquireRelease(takeLock(home), (database) => Effect.sync(() => database.close()))
    yield* Effect.acquireRelease(claimPidFile(home), () =>
      Effect.sync(() => {
        if (readRecord(home.pid)?.pid === process.pid && existsSync(home.pid)) unlinkSync(home.pid)
      })
    )
    return identity(home.root)
  })

/** Held by this process while the layer lives. */
export class HomeLock extends Context.Service<HomeLock, IdentityRecord>()("Operations/HomeLock") {
  static readonly layer: Layer.Layer<HomeLock, HomeLocked | HomeLockError, Home> = Layer.effect(
    HomeLock,
    Effect.flatMap(Home, acquire)
  )
}
