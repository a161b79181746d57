import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { limited, sweep } from "../../src/Config/LogLimit.ts"
import { registerSecret } from "../../src/Config/Redact.ts"
import { Settings } from "../../src/Config/Settings.ts"
import { Log } from "../../src/Operations/Log.ts"
import * as LogFile from "../../src/Operations/LogFile.ts"
import { format, type LogEntry } from "../../src/Operations/LogLine.ts"
import * as LogSink from "../../src/Operations/LogSink.ts"

const entry = (message: unknown, more: Partial<LogEntry> = {}): LogEntry => ({
  at: new Date(0),
  level: "Info",
  message,
  annotations: {},
  spans: [],
  cause: Cause.empty,
  ...more
})

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-log-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const lines = (path: string) =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")

describe("a line", () => {
  it("names time, level, session, logger, message and fields", () => {
    const given = entry(["hello", { n: 1, who: "a b", key: "row:1" }], {
      level: "Warn",
      annotations: { session: "s:1", logger: "relay", link: "x" },
      spans: [["took", -5]]
    })
    assert.strictEqual(
      format(given, "text"),
      '1970-01-01T00:00:00.000Z WARNING [s:1] relay: hello n=1 who="a b" row_key=row:1 link=x took=5ms'
    )
    assert.deepStrictEqual(JSON.parse(format(given, "json")), {
      time: "1970-01-01T00:00:00.000Z",
      level: "WARNING",
      logger: "relay",
      message: "hello",
      session: "s:1",
      n: 1,
      who: "a b",
      row_key: "row:1",
      link: "x",
      took: "5ms"
    })
  })

  it("holds no secret, in message, field, cause or by a field's name", () => {
    registerSecret("swordfish-99")
    const given = entry(
      ["token=abcdefghijklmnopqrstuvwxyz for swordfish-99", { password: "hunter2", pin_token: 1234 }],
      {
        cause: Cause.fail(new Error("postgres://u:pw@h/d refused swordfish-99"))
      }
    )
    for (const as of ["text", "json"] as const) {
      const line = format(given, as)
      for (const secret of ["swordfish", "hunter2", "ghijkl", ":pw@", "1234"]) assert.notInclude(line, secret)
    }
  })

  it.prop(
    "is one line whatever the values are, and JSON stays JSON",
    [Schema.String, Schema.String, Schema.String],
    ([a, b, c]) => {
      const given = entry([a, { [b]: c }], { annotations: { session: c } })
      for (const as of ["text", "json"] as const)
        assert.notMatch(format(given, as), /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]/)
      assert.isObject(JSON.parse(format(given, "json")))
    },
    { arbitrary: { runs: 500 } }
  )

  it("is cut when it is too long", () => {
    assert.isBelow(format(entry("x".repeat(1e6)), "text").length, 20_000)
    assert.isBelow(
      format(
        entry(["x", Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`f${n}`, "y".repeat(5000)]))]),
        "json"
      ).length,
      20_000
    )
  })
})

describe("a file", () => {
  it.live("rotates by size, keeps its backups, and is opened anew when it was moved away", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const path = join(folder, "a.log")
        const file = LogFile.make({ path, maxBytes: 10, backups: 2 })
        for (const text of ["one4567\n", "two4567\n", "tri4567\n", "for4567\n"])
          yield* Effect.promise(() => file.write(text))
        assert.deepStrictEqual(
          [path, `${path}.1`, `${path}.2`].map((name) => lines(name)[0]),
          ["for4567", "tri4567", "two4567"]
        )
        assert.isFalse(existsSync(`${path}.3`))
        renameSync(path, join(folder, "away"))
        yield* Effect.promise(() => file.write("x\n"))
        assert.deepStrictEqual(lines(path), ["x"])
        yield* Effect.promise(() => file.close())
      })
    )
  )
})

describe("a sink", () => {
  it.live("drops at its bound without blocking, counts and reports", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const written: Array<string> = []
        const sink = yield* LogSink.make({
          write: (text) =>
            Effect.runPromise(Deferred.await(gate)).then(() => {
              written.push(...text.trimEnd().split("\n"))
            }),
          close: () => Promise.resolve(),
          dropLine: (count) => `lost ${count}`,
          capacity: 5
        })
        sink.offer("first")
        while (written.length === 0 && sink.offer("fill")) yield* Effect.yieldNow
        assert.isFalse(sink.offer("too many"))
        assert.isAtLeast(sink.dropped(), 1)
        yield* Deferred.succeed(gate, undefined)
        yield* sink.flush
        sink.offer("last")
        yield* sink.flush
        assert.include(written, `lost ${sink.dropped()}`)
        assert.strictEqual(written[0], "first")
        assert.isTrue(written.includes("last"))
      })
    )
  )

  it.effect("counts what the disk refuses and goes on", () =>
    Effect.scoped(
      Effect.gen(function* () {
        let broken = true
        const written: Array<string> = []
        const sink = yield* LogSink.make({
          write: (text) => (broken ? Promise.reject(new Error("ENOSPC")) : Promise.resolve(void written.push(text))),
          close: () => Promise.resolve(),
          dropLine: (count) => `lost ${count}`
        })
        sink.offer("a")
        yield* sink.flush
        assert.strictEqual(sink.dropped(), 1)
        broken = false
        yield* TestClock.adjust("1 second")
        sink.offer("b")
        yield* sink.flush
        assert.deepStrictEqual(written, ["b\nlost 1\n"])
      })
    )
  )
})

describe("Log", () => {
  const logged = (values: Record<string, unknown>, program: Effect.Effect<void, never, Log>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const home = yield* temporaryFolder
        const layer = Log.layer({ standardError: "None" }).pipe(
          Layer.provide(Settings.layerFrom({ SWITCHBOARD_HOME: home, ...values }))
        )
        yield* Effect.provide(program, layer)
        return {
          gateway: lines(join(home, "logs/gateway.log")),
          errors: existsSync(join(home, "logs/errors.log")) ? lines(join(home, "logs/errors.log")) : []
        }
      })
    )

  it.live("writes what was logged before it closes, by level", () =>
    Effect.gen(function* () {
      const { errors, gateway } = yield* logged(
        {},
        Effect.gen(function* () {
          yield* Effect.logDebug("fine")
          yield* Effect.logInfo("plain")
          yield* Effect.logError("bad", { n: 1 })
        })
      )
      assert.deepStrictEqual(
        gateway.map((line) => line.slice(25)),
        ["INFO gateway: plain", "ERROR gateway: bad n=1"]
      )
      assert.strictEqual(errors.length, 1)
      const debug = yield* logged({ "logging.level": "debug", "logging.format": "json" }, Effect.logDebug("fine"))
      assert.strictEqual(JSON.parse(debug.gateway[0]!).message, "fine")
    })
  )

  it.live("flushes on demand", () =>
    Effect.gen(function* () {
      let before: ReadonlyArray<string> = []
      yield* Effect.scoped(
        Effect.gen(function* () {
          const home = yield* temporaryFolder
          const layer = Log.layer({ standardError: "None" }).pipe(
            Layer.provide(Settings.layerFrom({ SWITCHBOARD_HOME: home }))
          )
          yield* Effect.provide(
            Effect.gen(function* () {
              yield* Effect.logInfo("now")
              yield* (yield* Log).flush
              before = lines(join(home, "logs/gateway.log"))
            }),
            layer
          )
        })
      )
      assert.strictEqual(before.length, 1)
    })
  )
})

describe("limited", () => {
  it.effect("lets N a second through for each key, then one line that counts the rest", () =>
    Effect.gen(function* () {
      let count = 0
      const log = limited(
        "bad frame",
        10
      )(
        Effect.sync(() => {
          count++
        })
      )
      for (let n = 0; n < 500; n++) yield* log
      yield* limited(
        "other",
        10
      )(
        Effect.sync(() => {
          count += 1000
        })
      )
      assert.strictEqual(count, 1010)
      yield* TestClock.adjust("1 second")
      yield* sweep
      yield* log
      assert.strictEqual(count, 1011)
    })
  )
})
