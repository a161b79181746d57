/**
 * The commands that look and tell, as processes: what they print and how they end (`operations`, Commands, exit
 * table).
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { makeHome, writeConfig } from "../support/GatewayProcess.ts"
import { command } from "./CommandProcess.ts"

const Report = Schema.fromJsonString(
  Schema.Struct({
    ok: Schema.Boolean,
    problems: Schema.Array(Schema.Struct({ level: Schema.String, where: Schema.String, value: Schema.String }))
  })
)

describe("the command line", () => {
  it.live(
    "answers an unknown command or flag with one line, where to look, and exit 2",
    () =>
      Effect.gen(function* () {
        const home = yield* makeHome
        for (const args of [
          ["bogus"],
          ["--bogus"],
          ["status", "--bogus"],
          ["send", "only-a-target"],
          ["inbox", "show", "x"],
          ["run", "extra"]
        ]) {
          const { code, stderr, stdout } = yield* command(home, args)
          assert.strictEqual(code, 2, args.join(" "))
          assert.strictEqual(stdout, "", args.join(" "))
          const lines = stderr.trimEnd().split("\n")
          assert.lengthOf(lines, 2, stderr)
          assert.match(lines[1]!, /^See switchboard.* --help$/)
        }
        assert.deepStrictEqual(readdirSync(home), [])
      }),
    { timeout: 60_000 }
  )

  it.live("shows its help and its version with exit 0", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      const help = yield* command(home, ["--help"])
      assert.strictEqual(help.code, 0)
      for (const name of ["run", "status", "doctor", "config", "send", "inbox", "outbox"])
        assert.include(help.stdout, name)
      const version = yield* command(home, ["--version"])
      assert.strictEqual(version.code, 0)
      assert.match(version.stdout, /^switchboard \d+\.\d+\.\d+\n$/)
    })
  )
})

describe("config", () => {
  it.live("check accepts a home without any file", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* command(yield* makeHome, ["config", "check"])
      assert.strictEqual(code, 0)
      assert.strictEqual(stdout, "the configuration is usable\n")
    })
  )

  it.live("check names every value that does not decode, and its place, with exit 78", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      writeConfig(home, "delivery:\n  ambiguous: perhaps\n")
      const { code, stdout } = yield* command(home, ["config", "check"], { env: { SWITCHBOARD_HTTP_PORT: "many" } })
      assert.strictEqual(code, 78)
      const lines = stdout.trim().split("\n")
      assert.lengthOf(lines, 2)
      assert.match(lines[0]!, /^error: SWITCHBOARD_HTTP_PORT: found "many", expected a port/)
      assert.match(
        lines[1]!,
        /^error: config\.yaml:2:\d+ delivery\.ambiguous: found "perhaps", expected "mark" or "hold"/
      )
    })
  )

  it.live("check --json is one document, whatever is wrong", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      writeConfig(home, "delivery: {ambiguous: perhaps\n")
      const { code, stdout } = yield* command(home, ["config", "check", "--json"])
      assert.strictEqual(code, 78)
      const report = yield* Schema.decodeUnknownEffect(Report)(stdout)
      assert.isFalse(report.ok)
      assert.match(report.problems[0]!.where, /^config\.yaml:\d+:\d+/)
    })
  )

  it.live("check names the line that is no YAML, and what to do, without what stands there", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      for (const [yaml, says] of [
        ["relay_secret: abc: hunter2\n", "config.yaml:1:15: found a mistake in the line of relay_secret"],
        ["a: 1\nb:\n\tc: 1\n", "indent with blanks, not with tabs"],
        ["a: 1\na: 2\n", "keep one of the two lines"]
      ] as const) {
        writeConfig(home, yaml)
        const { code, stdout } = yield* command(home, ["config", "check"])
        assert.strictEqual(code, 78)
        assert.include(stdout, says)
        assert.lengthOf(stdout.trimEnd().split("\n"), 1)
        assert.notInclude(stdout, "hunter2")
      }
    })
  )

  it.live("check refuses a relay URL that nobody can dial, in the environment and in the file", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      const inEnvironment = yield* command(home, ["config", "check"], { env: { GATEWAY_RELAY_URL: "ftp://nowhere" } })
      assert.strictEqual(inEnvironment.code, 78)
      assert.match(inEnvironment.stdout, /^error: GATEWAY_RELAY_URL: found "ftp:\/\/nowhere", expected a URL/)
      writeConfig(home, "relay_url: connector.example\n")
      const inFile = yield* command(home, ["config", "check"])
      assert.strictEqual(inFile.code, 78)
      assert.match(inFile.stdout, /^error: config\.yaml:1:1 relay_url: found "connector\.example"/)
    })
  )

  it.live("check warns of a misspelt key and suggests the right one", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      writeConfig(home, "delivery:\n  ambigous: hold\n")
      const { code, stdout } = yield* command(home, ["config", "check"])
      assert.strictEqual(code, 0)
      assert.match(stdout, /warning: config\.yaml:2:\d+ .*ambigous.*did you mean "ambiguous"/)
    })
  )

  it.live("check refuses an agent that lacks what it needs", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* command(yield* makeHome, ["config", "check"], {
        env: { SWITCHBOARD_AGENT: "acp" }
      })
      assert.strictEqual(code, 78)
      assert.include(stdout, "SWITCHBOARD_ACP_COMMAND")
    })
  )

  it.live("show prints values with their origin, and no secret", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      writeConfig(home, "delivery:\n  keep_days: 3\n")
      writeFileSync(join(home, ".env"), "GATEWAY_RELAY_SECRET=a-very-secret-word\n")
      const env = {
        GATEWAY_RELAY_URL: "https://user:hunter2hunter2@connector.example",
        SWITCHBOARD_STORAGE: "postgres://me:passw0rdpassw0rd@db/x"
      }
      for (const args of [
        ["config", "show"],
        ["config", "show", "--json"]
      ]) {
        const { code, stderr, stdout } = yield* command(home, args, { env })
        assert.strictEqual(code, 0)
        for (const secret of ["a-very-secret-word", "hunter2hunter2", "passw0rdpassw0rd"])
          assert.notInclude(stdout + stderr, secret)
      }
      const { stdout } = yield* command(home, ["config", "show"], { env })
      assert.match(stdout, /^delivery\.keep_days +3 +config\.yaml:2$/m)
      assert.match(stdout, /^relay_secret +\(secret\) +\.env GATEWAY_RELAY_SECRET$/m)
      assert.match(stdout, /^delivery\.max_age_hours +24 +default$/m)
    })
  )

  it.live("path names the file of the home or profile that the flags name, although it does not parse", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      writeConfig(home, "{")
      assert.strictEqual((yield* command(home, ["config", "path"])).stdout, `${join(home, "config.yaml")}\n`)
      assert.strictEqual(
        (yield* command(home, ["config", "path", "-p", "work"])).stdout,
        `${join(home, "profiles/work/config.yaml")}\n`
      )
      assert.strictEqual(
        (yield* command(home, ["--home", "/elsewhere", "config", "path"])).stdout,
        "/elsewhere/config.yaml\n"
      )
      assert.strictEqual((yield* command(home, ["config", "path", "--profile", "../up"])).code, 2)
    })
  )
})

describe("status and doctor without a gateway", () => {
  it.live("status says that nothing runs, exit 3, and leaves no trace", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      const { code, stdout } = yield* command(home, ["status"])
      assert.strictEqual(code, 3)
      assert.include(stdout, "not running")
      const json = yield* command(home, ["status", "--json"])
      assert.strictEqual(json.code, 3)
      assert.deepInclude(JSON.parse(json.stdout), { running: false, pid: null, state: null })
      assert.deepStrictEqual(readdirSync(home), [])
    })
  )

  it.live("status tells of a gateway that ended without a stop", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      writeFileSync(
        join(home, "gateway_state.json"),
        JSON.stringify({ pid: 1, gateway_state: "running", updated_at: new Date(Date.now() - 600_000).toISOString() })
      )
      const { code, stdout } = yield* command(home, ["status"])
      assert.strictEqual(code, 3)
      assert.match(stdout, /not running; it ended without a stop, last heard of 10 min ago/)
    })
  )

  it.live("doctor passes a fresh home and does not make it", () =>
    Effect.gen(function* () {
      const home = join(yield* makeHome, "fresh")
      mkdirSync(home)
      const { code, stdout } = yield* command(home, ["--home", join(home, "not-there"), "doctor"])
      assert.strictEqual(code, 0, stdout)
      assert.notInclude(stdout, "FAIL")
      for (const check of ["node", "configuration", "home", "storage", "relay", "listener"])
        assert.match(stdout, new RegExp(`^ok +${check}`, "m"))
      assert.isFalse(existsSync(join(home, "not-there")))
    })
  )

  it.live("doctor names what is wrong, one line each, with exit 1", () =>
    Effect.gen(function* () {
      const home = yield* makeHome
      chmodSync(home, 0o755)
      writeFileSync(join(home, ".env"), "A=b\n", { mode: 0o644 })
      const { code, stdout } = yield* command(home, ["doctor"], {
        env: { GATEWAY_RELAY_URL: "ftp://nowhere", GATEWAY_RELAY_ID: "gw", SWITCHBOARD_HTTP_HOST: "192.0.2.1" }
      })
      assert.strictEqual(code, 1)
      assert.match(stdout, /^FAIL +home +open to other users: .*\.env/m)
      assert.match(stdout, /^FAIL +relay +error: GATEWAY_RELAY_URL/m)
      assert.match(stdout, /^FAIL +listener +cannot listen on 192\.0\.2\.1/m)
      assert.match(stdout, /^ok +storage/m)
    })
  )

  it.live("doctor still looks at the rest when the configuration does not decode", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* command(yield* makeHome, ["doctor"], {
        env: { SWITCHBOARD_STORAGE: "mysql://x" }
      })
      assert.strictEqual(code, 1)
      assert.match(stdout, /^FAIL +configuration +1 error/m)
      assert.match(stdout, /^ok +listener/m)
    })
  )
})
