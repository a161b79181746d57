import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Source from "../../src/Message/Source.ts"
import { codecFor, describe as description, encode, encodeForPeer, SourceCodec } from "../../src/Session/SourceCodec.ts"
import { vectors } from "../support/Vectors.ts"

const decode = Schema.decodeUnknownSync(SourceCodec)

describe("SourceCodec", () => {
  it("encodes, describes and decodes every vector as the reference does", () => {
    const cases = vectors<
      unknown,
      {
        readonly to_dict: object
        readonly from_dict_to_dict: object
        readonly description: string
      }
    >("session_source")
    assert.isAbove(cases.length, 10)
    for (const { in: given, name, out } of cases) {
      const source = decode(given)
      assert.deepStrictEqual({ ...encode(source) }, out.to_dict, name)
      assert.deepStrictEqual({ ...encode(decode(out.to_dict)) }, out.from_dict_to_dict, name)
      assert.strictEqual(description(source), out.description, name)
    }
  })

  it("takes the workspace under either name, the new one first, and tells peers both", () => {
    const of = (fields: object) => decode({ platform: "slack", chat_id: "c", ...fields }).scopeId
    assert.strictEqual(of({ guild_id: "old", scope_id: "new" }), "new")
    assert.strictEqual(of({ guild_id: "old", scope_id: null }), "old")
    const source = Source.make({ platform: "slack", chatId: "c", scopeId: "w" })
    const { guild_id, scope_id } = encodeForPeer(source)
    assert.deepStrictEqual([guild_id, scope_id], ["w", "w"])
    assert.isFalse("scope_id" in encode(source))
  })

  it("turns numeric ids into text and supplies the chat type", () => {
    const source = decode({ platform: "telegram", chat_id: -100123, user_id: 7, thread_id: 0 })
    assert.deepStrictEqual(
      [source.chatId, source.userId, source.threadId, source.chatType],
      ["-100123", "7", "0", "dm"]
    )
  })

  it("ignores what a peer claims about trust", () => {
    const forged = decode({ platform: "slack", chat_id: "c", is_bot: false, delivered_via_upstream_relay: true })
    assert.deepStrictEqual(forged, Source.make({ platform: "slack", chatId: "c" }))
  })

  it("refuses a source without platform or chat, and platforms nobody registered", () => {
    const result = Schema.decodeUnknownResult(SourceCodec)
    assert.isTrue(Result.isFailure(result({ chat_id: "c" })))
    assert.isTrue(Result.isFailure(result({ platform: "slack" })))
    assert.isTrue(Result.isFailure(result({ platform: "slack", chat_id: null })))
    assert.isTrue(Result.isFailure(result({ platform: "slack", chat_id: "c", user_id: {} })))
    const known = Schema.decodeUnknownResult(codecFor(new Set(["plugin"])))
    assert.isTrue(Result.isSuccess(known({ platform: "plugin", chat_id: "c" })))
    assert.isTrue(Result.isSuccess(known({ platform: "telegram", chat_id: "c" })))
    assert.isTrue(Result.isFailure(known({ platform: "other", chat_id: "c" })))
  })

  const json = Schema.fromJsonString(SourceCodec)

  it.prop("survives a row, except that empty optional fields become absent", [Source.Source], ([source]) => {
    const orNull = (value: string | null) => value || null
    const back = Schema.decodeUnknownSync(json)(Schema.encodeSync(json)(source))
    assert.deepStrictEqual(back, {
      ...source,
      userIdAlt: orNull(source.userIdAlt),
      chatIdAlt: orNull(source.chatIdAlt),
      scopeId: orNull(source.scopeId),
      parentChatId: orNull(source.parentChatId),
      messageId: orNull(source.messageId),
      profile: orNull(source.profile)
    })
    assert.isAbove(description(source).length, -1)
  })
})
