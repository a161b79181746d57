/**
 * `run` as a process: what it prints, what it writes down, and every way it ends (`operations B1`, `L4`, X1, S1–S3).
 */
import { createServer } from "node:net"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Eventually.ts"
import { makeHome, start, writeConfig } from "../support/GatewayProcess.ts"
import * as StrictConnector from "../support/StrictConnector.ts"
import { command } from "./CommandProcess.ts"

const stateOf = (home: string): Record<string, unknown> => {
  try {
    return JSON.parse(readFileSync(join(home, "gateway_state.json"), "utf8")) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** A port that somebody listens on, for as long as the scope. */
const takenPort = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(
        Effect.succeed({
          port: typeof address === "object" && address !== null ? address.port : 0,
          close: () => server.close()
        })
      )
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("run", () => {
  it.live(
    "prints where it listens, becomes ready, is seen by status and doctor, and ends with 0 on SIGTERM",
    () =>
      Effect.gen(function* () {
        const home = yield* makeHome
        const gateway = yield* start({ home, env: { SWITCHBOARD_CONNECTOR: "on" } })
        yield* gateway.awaitReady()
        const url = yield* gateway.httpUrl
        assert.strictEqual(gateway.stdout(), `listening on ${url}\nweb chat: ${url}/\n`)
        assert.notMatch(url, /:0$/)
        assert.strictEqual((yield* gateway.get("/health")).status, 200)
        assert.strictEqual((yield* gateway.get("/metrics")).status, 200)
        assert.strictEqual((yield* gateway.get("/")).status, 200)
        yield* eventually("the state file says running", () => stateOf(home)["gateway_state"] === "running")
        assert.strictEqual(statSync(join(home, "gateway_state.json")).mode & 0o777, 0o600)
        assert.deepInclude(stateOf(home), { pid: gateway.pid, home, kind: "switchboard-gateway", agent: "echo" })

        const status = yield* command(home, ["status"])
        assert.strictEqual(status.code, 0)
        assert.include(status.stdout, `running (PID ${gateway.pid})`)
        assert.match(status.stdout, new RegExp(`http +${url} \\(answers\\)`))
        assert.match(status.stdout, /^ +web +connected +key/m)
        const json = JSON.parse((yield* command(home, ["status", "--json"])).stdout)
        assert.deepInclude(json, { running: true, pid: gateway.pid, busy: false, drainable: true, http_answers: true })
        const doctor = yield* command(home, ["doctor"])
        assert.strictEqual(doctor.code, 0, doctor.stdout)
        assert.match(doctor.stdout, /^ok +listener .*, ours$/m)

        const exit = yield* gateway.kill("SIGTERM")
        assert.deepStrictEqual(exit, { code: 0, signal: null })
        assert.strictEqual(stateOf(home)["gateway_state"], "stopped")
        assert.strictEqual((yield* command(home, ["status"])).code, 3)
        const log = readFileSync(join(home, "logs/gateway.log"), "utf8")
        assert.match(log, /started .*version=.*home=.*storage=.*agent=echo platforms=web/)
        assert.match(log, /stopped reason=SIGTERM/)
        assert.strictEqual(gateway.stderr(), "")
      }),
    { timeout: 60_000 }
  )

  it.live("runs without a command, and ends with 0 on SIGINT", () =>
    Effect.gen(function* () {
      const gateway = yield* start({
        home: yield* makeHome,
        storage: "memory",
        args: [],
        env: { SWITCHBOARD_CONNECTOR: "off" }
      })
      const url = yield* gateway.httpUrl
      assert.strictEqual(gateway.stdout(), `listening on ${url}\n`)
      assert.deepStrictEqual(yield* gateway.kill("SIGINT"), { code: 0, signal: null })
    })
  )

  it.live("says where it listens even when told to be quiet, and -v shows its log", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      const quiet = yield* start({ home, storage: "memory", args: ["run", "-q"] })
      yield* quiet.httpUrl
      assert.match(quiet.stdout(), /^listening on http/)
      yield* quiet.kill("SIGTERM")
      assert.strictEqual(quiet.stderr(), "")
      const loud = yield* start({ home, storage: "memory", args: ["run", "-vv"] })
      yield* loud.httpUrl
      yield* loud.kill("SIGTERM")
      assert.match(loud.stderr(), / INFO .*started/)
    })
  )

  it.live("a second gateway of the same home is refused with the pid of the first, exit 1", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      const first = yield* start({ home, storage: "memory" })
      yield* first.httpUrl
      const second = yield* command(home, ["run"], { env: { SWITCHBOARD_STORAGE: "memory" } })
      assert.strictEqual(second.code, 1)
      assert.include(second.stderr, `PID ${first.pid}`)
      assert.strictEqual(second.stdout, "")
      yield* eventually("the first still runs", () => stateOf(home)["pid"] === first.pid && first.exited === undefined)
    })
  )

  it.live(
    "starts again after a kill without warning",
    () =>
      Effect.gen(function* () {
        const home = yield* makeHome
        const first = yield* start({ home })
        yield* first.awaitReady()
        yield* first.kill("SIGKILL")
        const dead = yield* command(home, ["status"])
        assert.strictEqual(dead.code, 3)
        assert.include(dead.stdout, "it ended without a stop")
        const second = yield* start({ home })
        yield* second.awaitReady()
      }),
    { timeout: 40_000 }
  )

  it.live("refuses configuration that does not decode before anything is made, exit 78, one line per problem", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      writeConfig(home, "delivery:\n  ambiguous: perhaps\n")
      const { code, stderr, stdout } = yield* command(home, ["run"], { env: { SWITCHBOARD_HTTP_PORT: "99999" } })
      assert.strictEqual(code, 78)
      assert.strictEqual(stdout, "")
      const lines = stderr.trim().split("\n")
      assert.lengthOf(lines, 2)
      assert.match(lines[0]!, /SWITCHBOARD_HTTP_PORT: found "99999", expected a port from 0 to 65535; /)
      assert.deepStrictEqual(stateOf(home), {})
    })
  )

  it.live(
    "a taken port is temporary, exit 75; so is a database that does not answer",
    () =>
      Effect.gen(function* () {
        const { port } = yield* takenPort
        const home = yield* makeHome
        const taken = yield* command(home, ["run"], {
          env: { SWITCHBOARD_HTTP_PORT: String(port), SWITCHBOARD_STORAGE: "memory" }
        })
        assert.strictEqual(taken.code, 75)
        assert.include(taken.stderr, `${port}: the port is taken`)
        const silent = yield* command(home, ["run"], {
          env: { SWITCHBOARD_STORAGE: "postgres://me:passw0rdpassw0rd@127.0.0.1:1/x" }
        })
        assert.strictEqual(silent.code, 75, silent.stderr)
        assert.notInclude(silent.stderr, "passw0rdpassw0rd")
        assert.deepInclude(stateOf(home), { gateway_state: "startup_failed" })
        assert.match((yield* command(home, ["status"])).stdout, /the last start failed: .*does not answer/)
      }),
    { timeout: 40_000 }
  )

  it.live("a file that is no database is a matter of configuration, exit 78", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      writeFileSync(
        join(home, "switchboard.db"),
        "this is no database, and long enough to be looked at as one by SQLite"
      )
      const { code, stderr } = yield* command(home, ["run"])
      assert.strictEqual(code, 78, stderr)
      assert.include(stderr, "switchboard.db")
    })
  )

  it.live(
    "waits for a running turn; the second signal ends the waiting, and the turn runs again at the next start",
    () =>
      Effect.gen(function* () {
        const connector = yield* StrictConnector.make()
        const home = yield* makeHome
        const options = { home, relayUrl: connector.url, env: { GATEWAY_ALLOW_ALL_USERS: "true" } }
        const gateway = yield* start(options)
        yield* gateway.awaitReady()
        connector.deliver({ chatId: "c", text: "!sleep 4000 late" })
        yield* eventually("the turn runs", () => stateOf(home)["active_agents"] === 1)
        gateway.signal("SIGTERM")
        yield* eventually("it drains", () => stateOf(home)["gateway_state"] === "draining")
        gateway.signal("SIGTERM")
        assert.deepStrictEqual(yield* gateway.awaitExit(8), { code: 0, signal: null })
        assert.lengthOf(
          connector.chat("c").shown.filter(({ text }) => text === "late"),
          0
        )
        yield* start(options)
        yield* eventually("the answer", () => connector.chat("c").shown.some(({ text }) => text === "late"), {
          seconds: 20
        })
      }),
    { timeout: 60_000 }
  )

  it.live(
    "a third signal ends it at once with 1",
    () =>
      Effect.gen(function* () {
        const connector = yield* StrictConnector.make()
        const home = yield* makeHome
        const gateway = yield* start({ home, relayUrl: connector.url, env: { GATEWAY_ALLOW_ALL_USERS: "true" } })
        yield* gateway.awaitReady()
        connector.deliver({ chatId: "c", text: "!sleep 60000 never" })
        yield* eventually("the turn runs", () => stateOf(home)["active_agents"] === 1)
        gateway.signal("SIGTERM")
        yield* eventually("it drains", () => stateOf(home)["gateway_state"] === "draining")
        gateway.signal("SIGINT")
        gateway.signal("SIGUSR1")
        const exit = yield* gateway.awaitExit(8)
        assert.strictEqual(exit.code, 1)
      }),
    { timeout: 40_000 }
  )

  it.live("SIGUSR1 asks for a restart: an orderly stop, exit 75", () =>
    Effect.gen(function* () {
      const gateway = yield* start({ home: yield* makeHome, storage: "memory" })
      yield* gateway.awaitReady()
      assert.deepStrictEqual(yield* gateway.kill("SIGUSR1"), { code: 75, signal: null })
    })
  )

  it.live("a relay URL that nobody can dial ends it with 78 before anything runs", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      const { code, stderr } = yield* command(home, ["run"], {
        env: { GATEWAY_RELAY_URL: "ftp://nowhere", SWITCHBOARD_STORAGE: "memory" }
      })
      assert.strictEqual(code, 78)
      assert.include(stderr, "GATEWAY_RELAY_URL")
      assert.deepStrictEqual(stateOf(home), {})
    })
  )

  it.live("says once what it ignores, and does not point to a web chat that answers 404", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      writeConfig(home, "delivery:\n  keep_days: soon\nno_such_key: 1\n")
      const gateway = yield* start({ home, storage: "memory", env: { SWITCHBOARD_HTTP_HOST: "0.0.0.0" } })
      const url = (yield* gateway.httpUrl).replace("0.0.0.0", "127.0.0.1")
      yield* eventually("started", () => readFileSync(join(home, "logs/gateway.log"), "utf8").includes("started"))
      assert.notInclude(gateway.stdout(), "web chat")
      assert.strictEqual((yield* Effect.promise(() => fetch(`${url}/`))).status, 404)
      const log = readFileSync(join(home, "logs/gateway.log"), "utf8")
      for (const key of ["delivery.keep_days", "no_such_key"]) {
        assert.lengthOf(
          log.split("\n").filter((line) => line.includes(key)),
          1,
          key
        )
      }
      assert.strictEqual(statSync(join(home, "gateway.lock")).mode & 0o777, 0o600)
      yield* gateway.kill("SIGTERM")
    })
  )

  it.live("a relay and the web chat run side by side under links of their own", () =>
    Effect.gen(function* () {
      const connector = yield* StrictConnector.make()
      const home = yield* makeHome
      const gateway = yield* start({
        home,
        relayUrl: connector.url,
        storage: "memory",
        env: { SWITCHBOARD_CONNECTOR: "on" }
      })
      yield* gateway.awaitReady()
      yield* eventually("both links", () => JSON.stringify(stateOf(home)).includes("relay:web"))
      const { links } = stateOf(home) as { links: ReadonlyArray<{ link: string }> }
      assert.deepStrictEqual(
        links.map(({ link }) => link),
        ["relay:", "relay:web"]
      )
    })
  )
})
