import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Targets from "../../src/Delivery/Targets.ts"

const platforms = new Set(["telegram", "slack"])
const parse = (text: string) => Targets.parse(text, platforms)

describe("Targets", () => {
  const table: ReadonlyArray<readonly [string, string, string | null, string | null]> = [
    ["telegram", "telegram", null, null],
    [" Telegram ", "telegram", null, null],
    ["TELEGRAM:-100:7", "telegram", "-100", "7"],
    ["slack:C0AbC", "slack", "C0AbC", null],
    ["slack:C0AbC:17.5:x", "slack", "C0AbC", "17.5:x"],
    ["telegram:", "telegram", null, null],
    ["telegram::7", "telegram", null, "7"],
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
