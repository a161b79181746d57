import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { keyed } from "../support/ScriptedOutlet.ts"
import { until } from "../support/Passing.ts"
import { make, reply } from "./Bench.ts"

const telegram = { ...keyed, dialect: "telegram", lengthUnit: "utf16" } as const
const rows = (text: string, more: Parameters<typeof reply>[1] = {}) => reply(text, { capabilities: telegram, ...more })

describe("a row on its way into a chat", () => {
  it.effect("is printed in the chat's dialect when it leaves; stored is what the agent wrote", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: telegram })
      const [row] = yield* bench.owe(rows("**1.5** is _it_!"))
      assert.strictEqual(row?.payload.text, "**1.5** is _it_!")
      yield* until(() => bench.platform.sent.length === 1)
      const [call] = bench.platform.sent
      assert.deepStrictEqual([call?.text, call?.dialect], ["*1\\.5* is _it_\\!", "markdown_v2"])
    })
  )

  it.effect("is left as it is for a connector that prints itself, and measured as that prints it", () =>
    Effect.gen(function* () {
      const itself = { ...telegram, printsItself: true, maxLength: 200 }
      const bench = yield* make({ capabilities: itself })
      const owed = reply("a.b ".repeat(45).trim(), { capabilities: itself })
      assert.lengthOf(owed, 2)
      yield* bench.owe(owed)
      yield* until(() => bench.platform.sent.length === 2)
      assert.isTrue(bench.platform.sent[0]!.text.startsWith("a.b a.b"))
      assert.isUndefined(bench.platform.sent[0]!.dialect)
    })
  )

  it.effect("bad_format: once more without marks, whole, in as many pieces as it takes, under keys of their own", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: { ...telegram, maxLength: 300 } })
      bench.platform.script = ({ dialect }) => (dialect === "plain" ? "ok" : { error: "bad_format" })
      // Stored when the limit was higher, so that the plain text needs pieces.
      yield* bench.owe(rows(`**start** ${"word ".repeat(100)}_end_`))
      yield* until(() => bench.platform.texts().length === 2)
      assert.strictEqual(bench.platform.texts().join(" "), `start ${"word ".repeat(100)}end`)
      assert.strictEqual(new Set(bench.platform.sent.map(({ key }) => key)).size, 3)
      assert.deepStrictEqual(Object.values(yield* bench.states), ["sent"])
    })
  )

  it.effect("bad_format of the final edit: the preview becomes the plain text, the rest follows", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: { ...telegram, maxLength: 300 } })
      bench.platform.script = ({ dialect }) => (dialect === "markdown_v2" ? { error: "bad_format" } : "ok")
      const [row] = rows(`**start** ${"word ".repeat(100)}_end_`)
      yield* bench.owe([{ ...row!, preview: { text: "start ▉", messageId: null } }])
      yield* until(() => bench.platform.texts().length === 2)
      assert.strictEqual(bench.platform.texts().join(" "), `start ${"word ".repeat(100)}end`)
      assert.deepStrictEqual(Object.values(yield* bench.states), ["sent"])
    })
  )

  it.effect("bad_format without end: the row is given up, not repeated for ever", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: telegram })
      bench.platform.script = () => ({ error: "bad_format" })
      yield* bench.owe(rows("**a**"))
      yield* TestClock.adjust("10 minutes")
      yield* until(() => bench.platform.sent.length >= 2)
      assert.isAtMost(bench.platform.sent.length, 6)
      assert.deepStrictEqual(Object.values(yield* bench.states), ["dead"])
    })
  )
})
