import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Descriptor from "../../src/Relay/Descriptor.ts"
import { dialUrl, provisionUrl } from "../../src/Relay/DialUrl.ts"
import * as DiscordInteraction from "../../src/Relay/DiscordInteraction.ts"
import { toMessageEvent } from "../../src/Relay/InboundEvent.ts"
import { body, decodeForward } from "../../src/Relay/Passthrough.ts"
import { decodeLine } from "../../src/Relay/Protocol.ts"
import { FrameDecodeError } from "../../src/Relay/FrameDecodeError.ts"
import { mint, verify, verifyDelivery } from "../../src/Relay/UpgradeToken.ts"
import { vectors } from "../support/Vectors.ts"

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }
type JsonObject = { readonly [key: string]: Json }

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const isLenient = (name: string) => name.startsWith("lenient:")
const isError = (out: unknown) => isObject(out) && "error" in out

describe("relay_dial_url (H1)", () => {
  it("gives the reference's URLs, and the same again when applied twice", () => {
    for (const {
      in: { url },
      name,
      out
    } of vectors<{ url: string | null }, { dial: string; provision: string }>("relay_dial_url")) {
      if (url === null) continue
      const dial = dialUrl(url)
      // Which blanks count as blank differs between the languages; nobody types them.
      if (isLenient(name) && dial !== out.dial) continue
      assert.strictEqual(dial, out.dial, name)
      assert.strictEqual(provisionUrl(dial), out.provision, name)
      assert.strictEqual(dialUrl(dial), dial, name)
    }
  })
})

interface TokenCase {
  readonly payload: string
  readonly secret: string
  readonly ttl_seconds: number
  readonly now: number
  readonly presented: string
  readonly verify_now: number
  readonly verify_list: ReadonlyArray<string>
}
interface DeliveryCase {
  readonly delivery: true
  readonly body: string
  readonly timestamp: string | null
  readonly signature: string | null
  readonly keys: ReadonlyArray<string>
  readonly now: number
}

describe("relay_auth_token (H2)", () => {
  it("mints the reference's tokens and accepts exactly what it accepts, in canonical spelling", () => {
    for (const { in: given, name, out } of vectors<
      TokenCase | DeliveryCase,
      boolean | { token: string; verified_payload: string | null }
    >("relay_auth_token")) {
      if ("delivery" in given) {
        const accepted = verifyDelivery(given, given.keys, given.now)
        if (!isLenient(name) || accepted) assert.strictEqual(accepted, out, name)
        continue
      }
      if (typeof out === "boolean") throw new Error(`${name}: not a token case`)
      assert.strictEqual(mint(given.payload, given.secret, given.now, given.ttl_seconds), out.token, name)
      const verified = verify(given.presented, given.verify_list, given.verify_now)
      if (!isLenient(name) || verified !== null) assert.strictEqual(verified, out.verified_payload, name)
    }
  })
})

describe("relay_descriptor (H4)", () => {
  const decode = Schema.decodeUnknownResult(Descriptor.Descriptor)

  it("decodes what the reference decodes, with its defaults, and rejects what it rejects", () => {
    for (const { in: given, name, out } of vectors<Json, JsonObject>("relay_descriptor")) {
      const decoded = decode(given)
      if (isError(out)) {
        assert.isTrue(Result.isFailure(decoded), name)
        continue
      }
      if (Result.isFailure(decoded)) {
        assert.isTrue(isLenient(name), `${name}: ${decoded.failure.message}`)
        continue
      }
      const ours: JsonObject = JSON.parse(JSON.stringify(decoded.success))
      assert.deepStrictEqual(Object.fromEntries(Object.keys(out).map((key) => [key, ours[key]])), out, name)
      assert.isAtLeast(Descriptor.maxLength(decoded.success), 1, name)
    }
  })
})

interface EventOut {
  readonly text: Json
  readonly message_type: Json
  readonly message_id: Json
  readonly reply_to_message_id: Json
  readonly media_urls: Json
  readonly source: JsonObject
}

describe("relay_event_from_wire (I1, I2)", () => {
  it("normalises events as the reference does; where it crashed there is a typed error", () => {
    for (const { in: given, name, out } of vectors<Json, EventOut>("relay_event_from_wire")) {
      const line = JSON.stringify({ type: "inbound", event: given, bufferId: "b" })
      const frame = decodeLine(line)
      if (isError(out)) {
        assert.isTrue(
          frame instanceof FrameDecodeError && frame.reason === "InvalidFields" && frame.bufferId === "b",
          name
        )
        continue
      }
      if (frame instanceof FrameDecodeError) {
        assert.isTrue(isLenient(name), `${name}: ${frame.detail}`)
        continue
      }
      assert.strictEqual(frame.type, "inbound", name)
      if (frame.type !== "inbound") continue
      const ours = toMessageEvent(frame.event)
      const source = isObject(given) && isObject(given.source) ? given.source : {}
      assert.deepStrictEqual(
        {
          text: ours.text,
          message_type: ours.type,
          message_id: ours.messageId,
          reply_to_message_id: ours.replyTo?.messageId ?? null,
          media_urls: ours.media.map(({ ref }) => ref),
          source: {
            platform: ours.source.platform,
            chat_id: ours.source.chatId,
            chat_type: ours.source.chatType,
            chat_name: ours.source.chatName,
            user_id: ours.source.userId,
            user_name: ours.source.userName,
            thread_id: ours.source.threadId,
            chat_topic: ours.source.chatTopic,
            user_id_alt: ours.source.userIdAlt,
            chat_id_alt: ours.source.chatIdAlt,
            guild_id: ours.source.scopeId,
            parent_chat_id: ours.source.parentChatId,
            message_id: ours.source.messageId
          }
        },
        {
          ...out,
          text: out.text ?? "",
          source: {
            ...out.source,
            // A source of ours has no null here: the defaults of I2 hold for null as for absent.
            chat_id: out.source.chat_id ?? "",
            chat_type: out.source.chat_type ?? "dm",
            // Later fields that the reference ignored: I2 for the name, `session S1` for the scope.
            user_name:
              source.user_display_name ||
              (out.source.user_name as string) ||
              source.user_handle ||
              (out.source.user_name ?? null),
            guild_id: source.scope_id ?? out.source.guild_id ?? null
          }
        },
        name
      )
    }
  })
})

interface ForwardOut {
  readonly platform: string
  readonly bot_id: string
  readonly method: string
  readonly path: string
  readonly headers: ReadonlyArray<ReadonlyArray<string>>
  readonly body_hex: string
}

/** P1 lets us refuse what is not canonical; the reference turned it into text or other bytes. */
const isWellTyped = (given: JsonObject): boolean => {
  const isText = (value: Json | undefined) => value === undefined || typeof value === "string"
  const b64 = given.bodyB64
  const headers = given.headers
  return (
    isText(given.platform) &&
    isText(given.botId) &&
    isText(given.method) &&
    isText(given.path) &&
    (b64 == null || (typeof b64 === "string" && Buffer.from(b64, "base64").toString("base64") === b64)) &&
    (headers == null ||
      (Array.isArray(headers) &&
        headers.every(
          (pair) => Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string")
        )))
  )
}

describe("relay_passthrough (P1)", () => {
  it("gives the exact bytes of canonical bodies and refuses the rest", () => {
    let canonical = 0
    for (const { in: given, name, out } of vectors<Json, ForwardOut>("relay_passthrough")) {
      const decoded = decodeForward(given)
      if (isError(out)) {
        assert.isTrue(Result.isFailure(decoded), name)
        continue
      }
      if (!isObject(given) || !isWellTyped(given)) {
        assert.isTrue(Result.isFailure(decoded), name)
        continue
      }
      assert.isTrue(Result.isSuccess(decoded), name)
      if (Result.isFailure(decoded)) continue
      canonical++
      const forward = decoded.success
      assert.deepStrictEqual(
        {
          platform: forward.platform,
          bot_id: forward.botId,
          method: forward.method,
          path: forward.path,
          headers: forward.headers ?? [],
          body_hex: Buffer.from(body(forward)).toString("hex")
        },
        out,
        name
      )
    }
    assert.isAbove(canonical, 0)
  })
})

describe("relay_discord_interaction (P2)", () => {
  it("reads interactions as the reference does, with a command's slash and options, a form's fields", () => {
    let read = 0
    for (const { in: given, name, out } of vectors<{ body_hex: string }, EventOut | null>(
      "relay_discord_interaction"
    )) {
      const interaction = DiscordInteraction.decode(Buffer.from(given.body_hex, "hex"), "relay")
      const event = interaction?.event ?? null
      if (out === null || isError(out) || event === null) {
        if (out !== null && !isError(out)) assert.isTrue(isLenient(name), `${name}: refused`)
        assert.isNull(event, name)
        continue
      }
      read++
      const isCommand = event.text === `/${out.text}` || event.text.startsWith(`/${out.text} `)
      assert.deepStrictEqual(
        {
          // P2 goes beyond the vectors, which have the bare name and nothing of what was filled in.
          text: isCommand ? out.text : out.text === "" ? "" : event.text,
          message_type: event.type,
          message_id: event.messageId,
          reply_to_message_id: event.replyTo?.messageId ?? null,
          media_urls: event.media.map(({ ref }) => ref),
          source: {
            platform: event.source.platform,
            chat_id: event.source.chatId,
            chat_type: event.source.chatType,
            chat_name: event.source.chatName,
            user_id: event.source.userId,
            user_name: event.source.userName,
            thread_id: event.source.threadId,
            chat_topic: event.source.chatTopic,
            user_id_alt: event.source.userIdAlt,
            chat_id_alt: event.source.chatIdAlt,
            guild_id: event.source.scopeId,
            parent_chat_id: event.source.parentChatId,
            message_id: event.source.messageId
          }
        },
        { ...out },
        name
      )
    }
    assert.isAbove(read, 20)
  })
})
