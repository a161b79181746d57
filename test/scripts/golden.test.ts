/** The runner of golden vectors: over the given ones, and over broken ones, which must fail. */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { matches, runFile, runFolder } from "../../scripts/golden/Runner.ts"
import { Rejected, type Topic } from "../../scripts/golden/Topic.ts"
import { topics } from "../../scripts/golden/Topics.ts"

const root = join(import.meta.dirname, "../..")
const folders = [
  process.env["SWITCHBOARD_GOLDEN"] ?? join(root, "../shared/golden"),
  join(root, "test/fixtures/golden")
]
const given = folders.find((folder) => existsSync(folder))!

const golden = (folder: string) => {
  const { status, stdout } = spawnSync(process.execPath, [join(root, "scripts/golden.ts"), folder], {
    encoding: "utf8",
    timeout: 60_000
  })
  return { status, stdout }
}

const scratch = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-golden-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const write = (folder: string, topic: string, cases: ReadonlyArray<unknown>) => {
  const file = join(folder, `${topic}.json`)
  writeFileSync(file, JSON.stringify({ topic, cases }))
  return file
}

describe("the runner of golden vectors", () => {
  it("finds no failure in the given ones, and some passed in every topic of the table", () => {
    const reports = runFolder(given, topics)
    assert.deepStrictEqual(
      reports.flatMap(({ failures, topic }) => failures.map((failure) => ({ topic, ...failure }))),
      []
    )
    for (const report of reports) {
      assert.strictEqual(report.implemented, report.topic in topics, report.topic)
      if (report.implemented) assert.isAbove(report.passed, 0, report.topic)
    }
  })

  it.effect("fails when one output of any topic is not what ours gives", () =>
    Effect.gen(function* () {
      const folder = yield* scratch
      for (const { implemented, topic } of runFolder(given, topics)) {
        if (!implemented) continue
        const file = JSON.parse(readFileSync(join(given, `${topic}.json`), "utf8")) as {
          cases: Array<{ name: string; out: unknown }>
        }
        const passes = (one: unknown) => runFile(write(folder, topic, [one]), topics).passed === 1
        const healthy = file.cases.find((one) => !one.name.startsWith("lenient:") && passes(one))!
        const broken = { ...healthy, out: { broken: true } }
        const report = runFile(
          write(
            folder,
            topic,
            file.cases.map((one) => (one === healthy ? broken : one))
          ),
          topics
        )
        assert.deepStrictEqual(
          report.failures.map(({ name }) => name),
          [broken.name],
          topic
        )
      }
    })
  )

  it.effect(
    "exits with 1 when a vector is broken or a file is torn, with 2 without any, and lists unknown topics",
    () =>
      Effect.gen(function* () {
        const folder = yield* scratch
        assert.strictEqual(golden(folder).status, 2)
        assert.strictEqual(golden(join(folder, "nowhere")).status, 2)
        const silence = join(root, "test/fixtures/golden/silence_filter.json")
        cpSync(silence, join(folder, "silence_filter.json"))
        write(folder, "never_heard_of", [{ name: "a", in: 1, out: 2 }])
        const good = golden(folder)
        assert.strictEqual(good.status, 0, good.stdout)
        assert.match(good.stdout, /never_heard_of +1 +not implemented/)
        assert.match(good.stdout, /0 failed, 1 topics not implemented/)
        const text = readFileSync(silence, "utf8")
        writeFileSync(join(folder, "silence_filter.json"), text.replace('"live_silence":true', '"live_silence":false'))
        const bad = golden(folder)
        assert.strictEqual(bad.status, 1)
        assert.include(bad.stdout, "FAILED silence_filter")
        writeFileSync(join(folder, "silence_filter.json"), text.slice(0, 200))
        const torn = golden(folder)
        assert.strictEqual(torn.status, 1)
        assert.include(torn.stdout, "FAILED silence_filter: (file)")
      })
  )

  it.effect("judges errors, lenient names and declared differences by rule", () =>
    Effect.gen(function* () {
      const folder = yield* scratch
      const topic: Topic = {
        run: (input) => {
          if (input === "crash") throw new Error("out of order")
          return { output: input === "no" ? new Rejected("no") : input }
        },
        shared: (input, output, expected) =>
          input === "differs" ? { statement: "spec X1", output: String(output).length, expected } : null
      }
      const file = write(folder, "made_up", [
        { name: "same", in: { a: [1] }, out: { a: [1] } },
        { name: "rejected as the reference", in: "no", out: { error: "E" } },
        { name: "accepted where the reference failed", in: "yes", out: { error: "E" } },
        { name: "rejected where the reference did not", in: "no", out: "no" },
        { name: "lenient: rejected", in: "no", out: "something" },
        { name: "lenient: same", in: "x", out: "x" },
        { name: "lenient: another output", in: "x", out: "y" },
        { name: "lenient: crash", in: "crash", out: "y" },
        { name: "declared", in: "differs", out: 7 },
        { name: "declared, and wrong all the same", in: "differs", out: 8 }
      ])
      const report = runFile(file, { made_up: topic })
      assert.deepInclude(report, { cases: 10, passed: 3, lenient: 1, implemented: true })
      assert.deepStrictEqual([...report.different], [["spec X1", ["declared"]]])
      assert.deepStrictEqual(
        report.failures.map(({ name }) => name),
        [
          "accepted where the reference failed",
          "rejected where the reference did not",
          "lenient: another output",
          "lenient: crash",
          "declared, and wrong all the same"
        ]
      )
    })
  )

  it("compares every key and takes a rejection for an error alone", () => {
    assert.isTrue(matches({ a: new Rejected("x") }, { a: { error: "E" } }))
    assert.isFalse(matches({ a: 1, b: 2 }, { a: 1 }))
    assert.isFalse(matches({ a: 1 }, { a: 1, b: 2 }))
    assert.isFalse(matches([1], [1, 2]))
    assert.isFalse(matches(new Rejected("x"), {}))
    assert.isFalse(matches(null, {}))
  })
})
