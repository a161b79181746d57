import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { repeatMark } from "../../src/Delivery/Attempt.ts"
import { pass, until } from "../support/Passing.ts"
import { type Answer, keyed, marking } from "../support/ScriptedOutlet.ts"
import { type Bench, make, reply } from "./Bench.ts"

const states = (bench: Bench) => Effect.map(bench.states, (all) => Object.values(all))
const keysOf = (bench: Bench) => bench.platform.sent.map(({ key }) => key)
/** The first answers in order, then all is well. */
const first =
  (...answers: ReadonlyArray<Answer>) =>
  (_: unknown, n: number): Answer =>
    answers[n] ?? "ok"
const lost: Answer = { error: "ambiguous", carriedOut: true }

describe("an attempt of unknown outcome", () => {
  it.effect("is repeated under the same key where the platform takes keys", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: keyed })
      bench.platform.script = first(lost, lost, { error: "ambiguous" })
      yield* bench.owe([...reply("answer"), ...reply("next")])
      yield* until(() => bench.platform.texts().length === 2)
      assert.deepStrictEqual(bench.platform.texts(), ["answer", "next"])
      assert.strictEqual(new Set(keysOf(bench).slice(0, 4)).size, 1)
      assert.deepStrictEqual(yield* states(bench), ["sent", "sent"])
    })
  )

  it.effect("is said once more under a mark where it takes none, and then no more", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: marking })
      bench.platform.script = first(lost, lost)
      yield* bench.owe([...reply("answer"), ...reply("next")])
      yield* pass("5 minutes", "5 seconds")
      assert.deepStrictEqual(bench.platform.texts(), ["answer", `${repeatMark}answer`, "next"])
      assert.deepStrictEqual(yield* states(bench), ["dead", "sent"])
    })
  )

  it.effect("is sent when the marked repeat is confirmed; what fails before it is shown keeps the mark", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: marking })
      bench.platform.script = first({ error: "ambiguous" }, { error: "transient" })
      yield* bench.owe(reply("answer"))
      yield* pass("5 minutes", "5 seconds")
      assert.deepStrictEqual(bench.platform.texts(), [`${repeatMark}answer`])
      assert.deepStrictEqual(yield* states(bench), ["sent"])
    })
  )

  it.effect("is held on request, with the later texts of its reply", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: marking, settings: { "delivery.ambiguous": "hold" } })
      bench.platform.script = first(lost)
      const long = reply("word ".repeat(1500), { capabilities: marking })
      yield* bench.owe([...long, ...reply("next")])
      yield* pass("5 minutes", "5 seconds")
      assert.deepStrictEqual(yield* states(bench), [...long.map(() => "held"), "sent"])
      assert.strictEqual(bench.platform.sent.length, 2)
    })
  )

  it.effect("a marked chunk still fits, in every unit", () =>
    Effect.gen(function* () {
      for (const lengthUnit of ["chars", "utf16", "utf8"] as const) {
        const capabilities = { ...marking, lengthUnit, maxLength: 100 }
        const bench = yield* make({ capabilities })
        bench.platform.script = first(lost)
        yield* bench.owe(reply("ä".repeat(300), { capabilities }))
        yield* until(() => bench.platform.sent.length > 3)
        const marked = bench.platform.sent[1]!.text
        assert.isTrue(marked.startsWith(repeatMark))
        assert.isAtMost(lengthUnit === "utf8" ? Buffer.byteLength(marked) : marked.length, 100)
      }
    })
  )
})

describe("an attempt that was refused", () => {
  it.effect(
    "too_long: the same text in smaller pieces without numbers, anchored once, each under a key of its own",
    () =>
      Effect.gen(function* () {
        const bench = yield* make()
        bench.platform.script = ({ text }) => (text.length > 2048 ? { error: "too_long" } : "ok")
        yield* bench.owe([...reply("word ".repeat(800)), ...reply("next")])
        yield* until(() => bench.platform.texts().includes("next"))
        const pieces = bench.platform.screen.slice(0, -1)
        assert.isAtLeast(pieces.length, 2)
        assert.strictEqual(pieces.map(({ text }) => text.trim()).join(" "), "word ".repeat(800).trim())
        assert.deepStrictEqual(
          pieces.map(({ replyTo }) => replyTo),
          ["question", ...pieces.slice(1).map(() => null)]
        )
        assert.strictEqual(new Set(keysOf(bench)).size, keysOf(bench).length)
        assert.deepStrictEqual(yield* states(bench), ["sent", "sent"])
      })
  )

  it.effect("too_long, and then a piece fails: the repeat begins under the same keys, nothing is shown twice", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      let failures = 1
      bench.platform.script = ({ text }, n) =>
        text.length > 2048 ? { error: "too_long" } : n === 2 && failures-- > 0 ? { error: "transient" } : "ok"
      yield* bench.owe(reply("word ".repeat(800)))
      yield* pass("1 minute", "1 second")
      const texts = bench.platform.texts()
      assert.strictEqual(new Set(texts).size, texts.length)
      assert.deepStrictEqual(yield* states(bench), ["sent"])
    })
  )

  it.effect(
    "too_long where no key is taken: what is unknown of one piece marks that piece alone, over a restart too",
    () =>
      Effect.gen(function* () {
        const bench = yield* make({ capabilities: marking })
        let silent = true
        bench.platform.script = ({ text }, n) => {
          if (text.length > 2048) return { error: "too_long" }
          if (n !== 2 || !silent) return "ok"
          silent = false
          return "shown, then silence"
        }
        yield* bench.owe(reply("word ".repeat(800), { capabilities: marking }))
        yield* until(() => !silent)
        yield* bench.restart
        yield* pass("1 minute", "1 second")
        const texts = bench.platform.texts()
        const repeated = texts.filter((text) => text.startsWith(repeatMark))
        assert.lengthOf(repeated, 1)
        assert.strictEqual(texts.filter((text) => text === repeated[0]!.slice(repeatMark.length)).length, 1)
        const once = texts.filter((text) => !text.startsWith(repeatMark))
        assert.strictEqual(once.map((text) => text.trim()).join(" "), "word ".repeat(800).trim())
        assert.deepStrictEqual(yield* states(bench), ["sent"])
      })
  )

  it.effect("not_found of the message it answers: once more without it", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.script = ({ replyTo }) => (replyTo === null ? "ok" : { error: "not_found", reach: "message" })
      yield* bench.owe(reply("answer"))
      assert.deepStrictEqual(
        bench.platform.screen.map(({ replyTo, text }) => [text, replyTo]),
        [["answer", null]]
      )
      assert.deepStrictEqual(yield* states(bench), ["sent"])
    })
  )

  it.effect("not_found of the chat: dead at once", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.script = () => ({ error: "not_found", reach: "chat" })
      yield* bench.owe(reply("answer"))
      yield* pass("1 minute", "5 seconds")
      assert.lengthOf(bench.platform.sent, 1)
      assert.deepStrictEqual(yield* states(bench), ["dead"])
    })
  )

  it.effect("unknown: three attempts in all", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.script = () => ({ error: "unknown" })
      yield* bench.owe(reply("answer"))
      yield* pass("10 minutes", "5 seconds")
      assert.lengthOf(bench.platform.sent, 3)
      assert.deepStrictEqual(yield* states(bench), ["dead"])
    })
  )

  it.effect("transient where no key is taken: repeated without a mark, for it surely was not shown", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: marking })
      bench.platform.script = first({ error: "transient" }, { error: "transient" })
      yield* bench.owe(reply("answer"))
      yield* pass("1 minute", "1 second")
      assert.deepStrictEqual(bench.platform.texts(), ["answer"])
    })
  )

  it.effect("its error is on the row, for whoever asks", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.script = () => ({ error: "forbidden" })
      yield* bench.owe(reply("answer"))
      yield* bench.states
      const [row] = yield* Effect.orDie(bench.database.execute("SELECT error, error_kind, attempts FROM outbox", []))
      assert.deepStrictEqual({ ...row }, { error: "scripted forbidden", error_kind: "forbidden", attempts: 1 })
    })
  )
})

describe("a reply of which something is shown already", () => {
  const finalOf = (text: string, preview: { text: string; messageId: string | null }, capabilities = keyed) =>
    reply(text, { preview, capabilities })

  it.effect("is the last edit of that message", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.screen.push({ id: "shown", chat: "1", replyTo: null, text: "half ▉" })
      yield* bench.owe([...finalOf("half and whole", { text: "half ▉", messageId: "shown" }), ...reply("next")])
      assert.deepStrictEqual(bench.platform.texts(), ["half and whole", "next"])
    })
  )

  it.effect("an edit of unknown outcome is repeated without a mark", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: marking })
      bench.platform.screen.push({ id: "shown", chat: "1", replyTo: null, text: "half ▉" })
      bench.platform.script = first(lost, lost, { error: "transient" })
      yield* bench.owe(finalOf("whole", { text: "half ▉", messageId: "shown" }, marking))
      yield* pass("1 minute", "1 second")
      assert.deepStrictEqual(bench.platform.texts(), ["whole"])
      assert.deepStrictEqual(yield* states(bench), ["sent"])
    })
  )

  for (const wasShown of [true, false]) {
    it.effect(`intended, ${wasShown ? "shown" : "never sent"}, no id known: the key finds it, one message`, () =>
      Effect.gen(function* () {
        const bench = yield* make()
        const [row] = finalOf("whole", { text: "half ▉", messageId: null })
        const outlet = bench.platform.outlet()
        if (wasShown) {
          yield* Effect.orDie(
            outlet.send({
              key: row!.key,
              target: { platform: "test", chatId: "1", chatType: "dm", threadId: null, scopeId: null },
              text: "half ▉",
              replyTo: null,
              notify: false
            })
          )
        }
        yield* bench.owe([row!])
        assert.deepStrictEqual(bench.platform.texts(), ["whole"])
      })
    )
  }

  it.effect("intended, no id known, no keys: the final says that it may be a repeat", () =>
    Effect.gen(function* () {
      const bench = yield* make({ capabilities: marking })
      yield* bench.owe(finalOf("whole", { text: "half ▉", messageId: null }, marking))
      yield* pass("10 seconds", "1 second")
      assert.deepStrictEqual(bench.platform.texts(), [`${repeatMark}whole`])
      yield* bench.restart
      yield* pass("10 seconds", "1 second")
      assert.deepStrictEqual(bench.platform.texts(), [`${repeatMark}whole`])
    })
  )

  it.effect("somebody deleted the preview: the reply is sent anew", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      yield* bench.owe(finalOf("whole", { text: "half ▉", messageId: "gone" }))
      assert.deepStrictEqual(bench.platform.texts(), ["whole"])
      assert.deepStrictEqual(yield* states(bench), ["sent"])
    })
  )

  it.effect("somebody deleted the preview where no key is taken, and the new message got no answer: marked, once", () =>
    Effect.gen(function* () {
      for (const restarts of [false, true]) {
        const bench = yield* make({ capabilities: marking })
        bench.platform.script = first("ok", restarts ? "shown, then silence" : lost)
        yield* bench.owe(finalOf("whole", { text: "half ▉", messageId: "gone" }, marking))
        if (restarts) yield* bench.restart
        yield* pass("1 minute", "1 second")
        assert.deepStrictEqual(bench.platform.texts(), ["whole", `${repeatMark}whole`])
        assert.deepStrictEqual(yield* states(bench), ["sent"])
      }
    })
  )

  it.effect("the platform gives no ids: the reply follows as a message of its own", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.givesIds = false
      yield* bench.owe(finalOf("whole", { text: "half ▉", messageId: null }))
      assert.deepStrictEqual(bench.platform.texts(), ["half ▉", "whole"])
    })
  )

  it.effect("it is too long for one message: the first chunk takes the place, the rest follows", () =>
    Effect.gen(function* () {
      const bench = yield* make()
      bench.platform.screen.push({ id: "shown", chat: "1", replyTo: null, text: "half ▉" })
      const rows = finalOf("word ".repeat(2000), { text: "half ▉", messageId: "shown" })
      yield* bench.owe(rows)
      assert.deepStrictEqual(
        bench.platform.texts(),
        rows.map(({ payload }) => payload.text)
      )
    })
  )
})
