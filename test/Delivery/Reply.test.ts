import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { repeatMark } from "../../src/Delivery/Attempt.ts"
import * as Reply from "../../src/Delivery/Reply.ts"
import { length } from "../../src/Delivery/TextLength.ts"
import * as Source from "../../src/Message/Source.ts"
import { keyed, marking } from "../support/ScriptedOutlet.ts"

const target = { platform: "test", chatId: "1", chatType: "dm", threadId: null, scopeId: null }
const rows = (text: string, more: Partial<Reply.ReplyOptions> = {}) =>
  Reply.rows({
    installation: "i",
    cause: "turn:7",
    link: "test:",
    target,
    sessionKey: "s",
    kind: "final",
    text,
    replyTo: "m",
    notify: true,
    capabilities: keyed,
    at: 5,
    ...more
  })

describe("Reply", () => {
  it("is one row when it fits, and nothing when there is nothing to say", () => {
    assert.deepStrictEqual(
      rows("hello").map(({ ordinal, payload, state }) => [payload.text, ordinal, state]),
      [["hello", 0, "pending"]]
    )
    for (const nothing of ["", " ", "\n\t ", " \n".repeat(5000)]) assert.deepStrictEqual(rows(nothing), [])
  })

  it("is anchored, and shown by a preview, in its first chunk alone", () => {
    const preview = { text: "p", messageId: "x" }
    const chunks = rows("word ".repeat(3000), { preview })
    assert.isAbove(chunks.length, 2)
    assert.deepStrictEqual(
      chunks.map(({ payload }) => payload.replyTo),
      ["m", ...chunks.slice(1).map(() => null)]
    )
    assert.deepStrictEqual(
      chunks.map((row) => row.preview),
      [preview, ...chunks.slice(1).map(() => null)]
    )
    assert.deepStrictEqual(
      chunks.map(({ ordinal }) => ordinal),
      chunks.map((_, i) => i)
    )
  })

  it("has the same keys whatever the text is, and others for every other cause, kind, number and installation", () => {
    const keys = [
      rows("a"),
      rows("a", { cause: "turn:8" }),
      rows("a", { cause: "command:7" }),
      rows("a", { kind: "notice" }),
      rows("a", { ordinal: 1 }),
      rows("a", { installation: "j" }),
      rows("a", { cause: "turn:71" })
    ].map(([row]) => row!.key)
    assert.strictEqual(new Set(keys).size, keys.length)
    assert.strictEqual(rows("b", { at: 9, replyTo: null, link: "other:" })[0]!.key, keys[0])
    for (const key of keys) assert.match(key, /^[0-9a-f]{32}$/)
  })

  it("leaves room for the mark where a repeat would need one", () => {
    for (const lengthUnit of ["chars", "utf16", "utf8"] as const) {
      for (const { payload } of rows("ß😀 ".repeat(500), {
        capabilities: { ...marking, lengthUnit, maxLength: 120 }
      })) {
        assert.isAtMost(length(repeatMark + payload.text, lengthUnit), 120)
      }
    }
  })

  it.prop(
    "every chunk of every text fits, and the same text gives the same rows",
    [Schema.String, Schema.Literals(["chars", "utf16", "utf8"])],
    ([text, lengthUnit]) => {
      const options = { capabilities: { ...keyed, lengthUnit, maxLength: 60 } }
      const long = `${text} words ${text} 😀`.repeat(4)
      for (const { payload } of rows(long, options)) assert.isAtMost(length(payload.text, lengthUnit), 60)
      assert.deepStrictEqual(rows(long, options), rows(long, options))
    }
  )

  it("a send queue is one chat and thread of a link", () => {
    const queues = [
      Reply.queueOf(target),
      Reply.queueOf({ ...target, threadId: "t" }),
      Reply.queueOf({ ...target, chatId: "2" }),
      Reply.queueOf({ ...target, platform: "other" })
    ]
    assert.strictEqual(new Set(queues).size, 4)
    assert.strictEqual(Reply.queueOf({ ...target, scopeId: "s", chatType: "group" }), queues[0])
    assert.isTrue(Reply.queueOf({ ...target, chatId: "\ud800\u0000" }).isWellFormed())
  })

  it("goes where the message came from", () => {
    const source = Source.make({
      platform: "p",
      chatId: "c",
      chatType: "group",
      threadId: "t",
      scopeId: "s",
      userId: "u"
    })
    assert.deepStrictEqual(Reply.targetOf(source), {
      platform: "p",
      chatId: "c",
      chatType: "group",
      threadId: "t",
      scopeId: "s"
    })
  })
})
