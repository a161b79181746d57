import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { spawn, type ChildProcess } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { paths, prepare } from "../../src/Operations/Home.ts"
import {
  acquire,
  HomeLocked,
  HomeLockError,
  identity,
  isGatewayCommand,
  isHeld,
  isLive,
  readRecord
} from "../../src/Operations/HomeLock.ts"

const temporaryHome = Effect.acquireRelease(
  Effect.sync(() => paths(mkdtempSync(join(tmpdir(), "switchboard-lock-")))),
  (home) => Effect.sync(() => rmSync(home.root, { recursive: true }))
)

const source = join(import.meta.dirname, "../../src/Operations")

/** A process of its own that takes the lock of the home, says so, and waits. */
const holder = (root: string) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<ChildProcess>((resolve, reject) => {
          const child = spawn(
            process.execPath,
            [
              "--input-type=module",
              "-e",
              `
          import { Effect } from "effect"
          import { paths } from ${JSON.stringify(join(source, "Home.ts"))}
          import { acquire } from ${JSON.stringify(join(source, "HomeLock.ts"))}
          setInterval(() => {}, 60_000)
          Effect.runFork(Effect.scoped(Effect.gen(function*() {
            yield* acquire(paths(${JSON.stringify(root)}))
            console.log("held")
            yield* Effect.never
          })))
        `
            ],
            { stdio: ["ignore", "pipe", "inherit"], cwd: join(import.meta.dirname, "../..") }
          )
          child.stdout.once("data", () => resolve(child))
          child.once("exit", (code) => reject(new Error(`holder ended with ${code}`)))
        })
    ),
    (child) => Effect.promise(() => kill(child))
  )

const kill = (child: ChildProcess) =>
  new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

describe("HomeLock", () => {
  it.live(
    "refuses a second gateway with the pid and the ways out, and is freed by kill -9",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const home = yield* temporaryHome
          const child = yield* holder(home.root)
          assert.isTrue(isHeld(home))
          const error = yield* Effect.flip(Effect.scoped(acquire(home)))
          assert.instanceOf(error, HomeLocked)
          if (error instanceof HomeLocked) {
            assert.strictEqual(error.pid, child.pid)
            assert.include(error.message, `kill ${child.pid}`)
            assert.include(error.message, "SWITCHBOARD_HOME=")
            assert.notMatch(error.message, /service stop|--replace/)
            assert.strictEqual(error.exitCode, 1)
          }
          yield* Effect.promise(() => kill(child))
          assert.isFalse(isHeld(home))
          assert.isTrue(existsSync(home.pid), "what kill -9 leaves behind")
          const record = yield* Effect.scoped(acquire(home))
          assert.strictEqual(record.pid, process.pid)
        })
      ),
    30_000
  )

  it.live("is held for the life of the scope and removes only its own record", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const home = yield* temporaryHome
        const scope = yield* Scope.make()
        const record = yield* Scope.provide(acquire(home), scope)
        assert.deepStrictEqual(readRecord(home.pid), record)
        assert.strictEqual(statSync(home.pid).mode & 0o777, 0o600)
        assert.instanceOf(yield* Effect.flip(Effect.scoped(acquire(home))), HomeLocked)
        assert.isTrue(existsSync(home.pid), "a refused second call leaves the record of the first")
        yield* Scope.close(scope, Exit.void)
        assert.isFalse(existsSync(home.pid))
        assert.isFalse(isHeld(home))
        const other = yield* Scope.make()
        yield* Scope.provide(acquire(home), other)
        writeFileSync(home.pid, JSON.stringify({ ...record, pid: 1 }))
        yield* Scope.close(other, Exit.void)
        assert.isTrue(existsSync(home.pid))
      })
    )
  )

  it.live("lets exactly one of many starters in", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const home = yield* temporaryHome
        const results = yield* Effect.forEach(Array.from({ length: 6 }), () => Effect.exit(acquire(home)), {
          concurrency: "unbounded"
        })
        assert.strictEqual(results.filter(Exit.isSuccess).length, 1)
      })
    )
  )

  it.live("is not disturbed by those who only ask", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const home = yield* temporaryHome
        assert.isFalse(isHeld(home))
        assert.isFalse(existsSync(home.lock))
        yield* acquire(home)
        for (let n = 0; n < 3; n++) assert.isTrue(isHeld(home))
      })
    )
  )

  it.live("never touches the record of another home", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const home = yield* temporaryHome
        const foreign = JSON.stringify({ ...identity("/somewhere/else"), pid: 1 })
        writeFileSync(home.pid, foreign)
        const error = yield* Effect.flip(Effect.scoped(acquire(home)))
        assert.isTrue(error instanceof HomeLockError && error.reason === "foreign")
        assert.strictEqual(readFileSync(home.pid, "utf8"), foreign)
        assert.isFalse(isHeld(home))
      })
    )
  )

  it.live("replaces torn, bare and stale records", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const home = yield* temporaryHome
        for (const content of ["", '{"pid": 12', "4711\n", JSON.stringify({ ...identity(home.root), pid: 999_999 })]) {
          writeFileSync(home.pid, content)
          assert.strictEqual((yield* Effect.scoped(acquire(home))).pid, process.pid)
        }
      })
    )
  )

  it("takes a record for live only when pid, start time, command and home agree", () => {
    const mine = identity("/home")
    assert.isFalse(isLive({ ...mine, home: "/other" }, "/home"))
    assert.isFalse(isLive({ ...mine, start_time: 1 }, "/home"))
    assert.isFalse(isLive({ ...mine, pid: 999_999 }, "/home"))
    assert.isFalse(isLive(mine, "/home"), "a test runner is no gateway")
  })

  it.each([
    ["node dist/Main.js", true],
    ["node dist/Main.js run", true],
    ["node /usr/bin/switchboard start -v", true],
    ["node dist/Main.js --home /srv/gateway", true],
    ["node dist/Main.js --home /srv/gateway run", true],
    ["node dist/Main.js --home=/srv/gateway run", true],
    ["node dist/Main.js -p work --home /srv/gateway -q run", true],
    ["node dist/Main.js --home run status", false],
    ["node dist/Main.js --home /srv/gateway inbox list", false],
    ["node dist/Main.js --profile work send web:c run", false],
    ["node vitest.mjs run", false]
  ])("%j is a gateway: %s", (line, expected) => {
    assert.strictEqual(isGatewayCommand(line.split(" ")), expected)
  })

  it.live("prepares a home that only its owner can read", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { root } = yield* temporaryHome
        writeFileSync(join(root, ".env"), "A=1", { mode: 0o644 })
        const home = yield* prepare(join(root, "deep"))
        assert.strictEqual(statSync(home.root).mode & 0o777, 0o700)
        yield* prepare(root)
        assert.strictEqual(statSync(join(root, ".env")).mode & 0o777, 0o600)
        writeFileSync(join(root, "file"), "")
        const error = yield* Effect.flip(prepare(join(root, "file", "home")))
        assert.strictEqual(error.reason, "create")
      })
    )
  )
})
