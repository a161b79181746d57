import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Source from "../../src/Message/Source.ts"
import * as SessionKey from "../../src/Session/SessionKey.ts"
import { SourceCodec } from "../../src/Session/SourceCodec.ts"
import { vectors } from "../support/Vectors.ts"

interface KeyInput {
  readonly source: unknown
  readonly group_sessions_per_user: boolean
  readonly thread_sessions_per_user: boolean
  readonly profile: string | null
}

const decode = Schema.decodeUnknownSync(SourceCodec)
const options = { ...SessionKey.defaultSharing, profile: null }
const keyOf = (source: Source.Source, more: Partial<SessionKey.KeyOptions> = {}): string =>
  Result.getOrThrow(SessionKey.make(source, { ...options, ...more }))

describe("SessionKey", () => {
  it("equals the reference's key byte for byte, and its idea of shared", () => {
    const cases = vectors<KeyInput, { readonly key: string | { readonly error: string }; readonly shared: boolean }>(
      "session_key"
    )
    assert.isAbove(cases.length, 10)
    for (const { in: given, name, out } of cases) {
      const source = decode(given.source)
      const sharing = {
        groupSessionsPerUser: given.group_sessions_per_user,
        threadSessionsPerUser: given.thread_sessions_per_user
      }
      const key = SessionKey.make(source, { ...sharing, profile: given.profile })
      if (typeof out.key === "string") assert.deepStrictEqual(key, Result.succeed(out.key), name)
      else assert.isTrue(Result.isFailure(key) && key.failure._tag === "UnsafeIdentifier", name)
      assert.strictEqual(SessionKey.isShared(source, sharing), out.shared, name)
    }
  })

  it("adds no participant to a direct message that has a chat, and one platform-wide session without any id", () => {
    assert.strictEqual(
      keyOf(Source.make({ platform: "signal", chatId: "c", userId: "u", threadId: "t" })),
      "agent:main:signal:dm:c:t"
    )
    assert.strictEqual(keyOf(Source.make({ platform: "signal", chatId: "", userId: "u" })), "agent:main:signal:dm:u")
    assert.strictEqual(keyOf(Source.make({ platform: "signal", chatId: "" })), "agent:main:signal:dm")
  })

  it("gives one WhatsApp person one session, whichever of their ids a message carries", () => {
    const aliases = (id: string) => (id === "998877" ? ["5511"] : id === "5511" ? ["998877"] : [])
    const of = (chatId: string) => keyOf(Source.make({ platform: "whatsapp", chatId }), { aliases })
    assert.strictEqual(of("998877@lid"), "agent:main:whatsapp:dm:5511")
    assert.strictEqual(of("5511:4@s.whatsapp.net"), "agent:main:whatsapp:dm:5511")
  })

  it("names the senders wherever several people reach one session, also where the key lost its user", () => {
    const thread = Source.make({ platform: "slack", chatId: "c", chatType: "group", threadId: "t", userId: "u" })
    const odd = { groupSessionsPerUser: false, threadSessionsPerUser: true }
    assert.isFalse(SessionKey.isShared(thread, odd))
    assert.isTrue(SessionKey.isMultiUser(thread, odd))
    const anonymous = Source.make({ platform: "slack", chatId: "c", chatType: "group" })
    assert.isFalse(SessionKey.isShared(anonymous, SessionKey.defaultSharing))
    assert.isTrue(SessionKey.isMultiUser(anonymous, SessionKey.defaultSharing))
    assert.isFalse(SessionKey.isMultiUser({ ...thread, chatType: "dm" }, odd))
    assert.isFalse(SessionKey.isMultiUser({ ...thread, threadId: null }, SessionKey.defaultSharing))
  })

  it("lets a platform override each sharing option by itself", () => {
    assert.deepStrictEqual(SessionKey.sharingOf(SessionKey.defaultSharing, { threadSessionsPerUser: true }), {
      groupSessionsPerUser: true,
      threadSessionsPerUser: true
    })
    assert.deepStrictEqual(SessionKey.sharingOf(SessionKey.defaultSharing, undefined), SessionKey.defaultSharing)
  })

  it("heeds a source's profile only while profiles are multiplexed", () => {
    const source = Source.make({ platform: "telegram", chatId: "1", profile: "coder" })
    assert.strictEqual(SessionKey.profileOf(source, { multiplexed: false, active: "ops" }), null)
    assert.strictEqual(SessionKey.profileOf(source, { multiplexed: true, active: "ops" }), "coder")
    assert.strictEqual(SessionKey.profileOf({ ...source, profile: null }, { multiplexed: true, active: "ops" }), "ops")
  })

  it.prop(
    "is never longer than 512 bytes, and differs where a long id differs",
    [Schema.Literals(["a", "é", "日", "😀"]), Schema.Int],
    ([letter, seed]) => {
      const chatId = letter.repeat(100 + (Math.abs(seed) % 800))
      const key = keyOf(Source.make({ platform: "matrix", chatId }))
      const full = `agent:main:matrix:dm:${chatId}`
      if (Buffer.byteLength(full) <= 512) return assert.strictEqual(key, full)
      assert.isAtMost(Buffer.byteLength(key), 400 + 33)
      assert.match(key, /^[^\ufffd]*#[0-9a-f]{32}$/u)
      assert.isTrue(full.startsWith(key.slice(0, -33)))
      assert.notStrictEqual(keyOf(Source.make({ platform: "matrix", chatId: `${chatId}x` })), key)
    }
  )

  it.prop("has the platform as its third part, whatever the ids hold", [Source.Source], ([source]) => {
    const key = SessionKey.make({ ...source, platform: "discord" }, { ...options, profile: "coder" })
    assert.strictEqual(SessionKey.platformOf(Result.getOrThrow(key)), "discord")
    assert.deepStrictEqual(SessionKey.make({ ...source, platform: "discord" }, { ...options, profile: "coder" }), key)
  })

  it("finds no platform in what is not a session key", () => {
    assert.strictEqual(SessionKey.platformOf("agent:main"), null)
    assert.strictEqual(SessionKey.platformOf("cron:main:telegram"), null)
    assert.strictEqual(SessionKey.platformOf(""), null)
  })
})
