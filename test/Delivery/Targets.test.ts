import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Targets from "../../src/Delivery/Targets.ts"
import { platformNames } from "../../src/Message/Platform.ts"
import { vectors } from "../support/Vectors.ts"

const platforms = new Set(["telegram", "slack"])
const parse = (text: string) => Targets.parse(text, platforms)

describe("Targets", () => {
  const table: ReadonlyArray<readonly [string, string, string | null, string | null]> = [
    ["telegram", "telegram", null, null],
    [" Telegram ", "telegram", null, null],
    ["TELEGRAM:-100:7", "telegram", "-100", "7"],
    ["slack:C0AbC", "slack", "C0AbC", null],
    ["slack:C0AbC:17.5:x", "slack", "C0AbC", "17.5:x"],
    ["telegram:", "telegram", "", null],
    ["telegram::7", "telegram", "", "7"],
    ["nowhere:1", "local", null, null],
    ["", "local", null, null],
    [":1", "local", null, null]
  ]
  for (const [text, platform, chatId, threadId] of table) {
    it(`${JSON.stringify(text)} is ${platform}, ${chatId}, ${threadId}`, () => {
      const { chatId: chat, platform: found, threadId: thread } = parse(text)
      assert.deepStrictEqual([found, chat, thread], [platform, chatId, threadId])
    })
  }

  it("reads and writes every vector as the reference does", () => {
    interface Out {
      readonly platform: string
      readonly chat_id: string | null
      readonly thread_id: string | null
      readonly is_origin: boolean
      readonly is_explicit: boolean
      readonly to_string: string
    }
    interface In {
      readonly target: string
      readonly origin: { readonly platform: string; readonly chat_id: string; readonly thread_id: string | null } | null
    }
    const cases = vectors<In, Out>("delivery_target")
    assert.isAbove(cases.length, 10)
    for (const { in: given, name, out } of cases) {
      const { origin } = given
      const from = origin && { platform: origin.platform, chatId: origin.chat_id, threadId: origin.thread_id }
      const found = Targets.parse(given.target, new Set(platformNames), from)
      const { chatId, isExplicit, isOrigin, platform, threadId } = found
      assert.deepStrictEqual(
        {
          platform,
          chat_id: chatId,
          thread_id: threadId,
          is_origin: isOrigin,
          is_explicit: isExplicit,
          to_string: Targets.format(found)
        },
        out,
        name
      )
    }
  })

  it("a list names each target once, and tells what it could not read", () => {
    const found = Targets.parseAll(" telegram:1, Slack:C ,TELEGRAM:1,nope:1,,telegram:1:2", platforms)
    assert.deepStrictEqual(
      found.map(({ target, written }) => [written, Targets.format(target)]),
      [
        ["telegram:1", "telegram:1"],
        ["Slack:C", "slack:C"],
        ["nope:1", "local"],
        ["telegram:1:2", "telegram:1:2"]
      ]
    )
    assert.strictEqual(Targets.parseAll(" ", platforms)[0]?.target.platform, "local")
  })

  it("is explicit when a chat was named", () => {
    assert.isTrue(parse("telegram:1").isExplicit)
    assert.isFalse(parse("telegram").isExplicit)
    assert.isFalse(parse("nowhere:1").isExplicit)
  })

  it.prop(
    "takes apart what was put together",
    [Schema.Literals(["telegram", "slack"]), Schema.Int, Schema.Int],
    ([platform, chat, thread]) => {
      const [chatId, threadId] = [`C${chat}x`, `${thread}`]
      const again = parse(`${platform}:${chatId}:${threadId}`)
      assert.deepStrictEqual([again.platform, again.chatId, again.threadId], [platform, chatId, threadId])
    }
  )
})
