/** Vectors of the relay contract. */
import { Result, Schema } from "effect"
import type { MessageEvent } from "../../src/Message/MessageEvent.ts"
import * as Descriptor from "../../src/Relay/Descriptor.ts"
import { dialUrl, isDialable, provisionUrl } from "../../src/Relay/DialUrl.ts"
import * as DiscordInteraction from "../../src/Relay/DiscordInteraction.ts"
import { FrameDecodeError } from "../../src/Relay/FrameDecodeError.ts"
import { toMessageEvent } from "../../src/Relay/InboundEvent.ts"
import { body, decodeForward } from "../../src/Relay/Passthrough.ts"
import { decodeLine } from "../../src/Relay/Protocol.ts"
import { mint, verify, verifyDelivery } from "../../src/Relay/UpgradeToken.ts"
import { isObject, type JsonObject, Rejected, type Topic } from "./Topic.ts"

const Url = Schema.decodeUnknownSync(Schema.Struct({ url: Schema.NullOr(Schema.String) }))

export const relayDialUrl: Topic = {
  run: (given) => {
    const { url } = Url(given)
    if (url === null) return { output: new Rejected("no URL is configured") }
    const dial = dialUrl(url)
    return {
      output: { dial, provision: provisionUrl(dial) },
      refused: isDialable(dial) ? undefined : "no http, https, ws or wss URL"
    }
  }
}

const TokenCase = Schema.Struct({
  payload: Schema.String,
  secret: Schema.String,
  ttl_seconds: Schema.Number,
  now: Schema.Number,
  presented: Schema.String,
  verify_now: Schema.Number,
  verify_list: Schema.Array(Schema.String)
})
const DeliveryCase = Schema.Struct({
  delivery: Schema.Literal(true),
  body: Schema.String,
  timestamp: Schema.NullOr(Schema.String),
  signature: Schema.NullOr(Schema.String),
  keys: Schema.Array(Schema.String),
  now: Schema.Number
})
const TokenInput = Schema.decodeUnknownSync(Schema.Union([DeliveryCase, TokenCase]))

export const relayAuthToken: Topic = {
  run: (given) => {
    const input = TokenInput(given)
    if ("delivery" in input) {
      const output = verifyDelivery(input, input.keys, input.now)
      return { output, refused: output ? undefined : "the signature is refused" }
    }
    const verified = verify(input.presented, input.verify_list, input.verify_now)
    return {
      output: { token: mint(input.payload, input.secret, input.now, input.ttl_seconds), verified_payload: verified },
      refused: verified === null ? "the token is refused" : undefined
    }
  }
}

const decodeDescriptor = Schema.decodeUnknownResult(Descriptor.Descriptor)
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** Fields that the reference does not have (H4, later and ours). */
const laterFields: ReadonlySet<string> = new Set([
  "supports_context",
  "supports_inchannel_continuable",
  "supports_block_formatting",
  "supports_idempotency",
  "supported_ops"
])

export const relayDescriptor: Topic = {
  run: (given) => {
    const decoded = decodeDescriptor(given)
    if (Result.isFailure(decoded)) return { output: new Rejected(decoded.failure.message) }
    const ours = plain(decoded.success)
    return {
      output: isObject(ours) ? Object.fromEntries(Object.entries(ours).filter(([key]) => !laterFields.has(key))) : ours
    }
  }
}

const eventOutput = ({ media, messageId, replyTo, source, text, type }: MessageEvent): JsonObject => ({
  text,
  message_type: type,
  message_id: messageId,
  reply_to_message_id: replyTo?.messageId ?? null,
  media_urls: media.map(({ ref }) => ref),
  source: {
    platform: source.platform,
    chat_id: source.chatId,
    chat_type: source.chatType,
    chat_name: source.chatName,
    user_id: source.userId,
    user_name: source.userName,
    thread_id: source.threadId,
    chat_topic: source.chatTopic,
    user_id_alt: source.userIdAlt,
    chat_id_alt: source.chatIdAlt,
    guild_id: source.scopeId,
    parent_chat_id: source.parentChatId,
    message_id: source.messageId
  }
})

const without = (value: JsonObject, ...keys: ReadonlyArray<string>): JsonObject =>
  Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)))

export const relayEventFromWire: Topic = {
  run: (given) => {
    const frame = decodeLine(JSON.stringify({ type: "inbound", event: given, bufferId: "b" }))
    if (frame instanceof FrameDecodeError) return { output: new Rejected(frame.detail) }
    if (frame.type !== "inbound") return { output: null }
    return { output: eventOutput(toMessageEvent(frame.event)) }
  },
  // Names and scopes that are newer than the reference, and null where it stands for the default (I1, I2).
  shared: (given, output, expected) => {
    if (!isObject(given) || !isObject(output) || !isObject(expected)) return null
    if (!isObject(output.source) || !isObject(expected.source)) return null
    const source = isObject(given.source) ? given.source : {}
    const newer = [
      ...(source.user_display_name || source.user_handle ? ["user_name"] : []),
      ...("scope_id" in source ? ["guild_id"] : []),
      ...(source.chat_id === null ? ["chat_id"] : []),
      ...(source.chat_type === null ? ["chat_type"] : [])
    ]
    const whole = given.text === null ? ["text", "source"] : ["source"]
    if (newer.length === 0 && whole.length === 1) return null
    return {
      statement: given.text === null ? "relay I1" : "relay I2",
      output: [without(output, ...whole), without(output.source, ...newer)],
      expected: [without(expected, ...whole), without(expected.source, ...newer)]
    }
  }
}

const isTextOrAbsent = (value: unknown): boolean => value === undefined || typeof value === "string"

const isPair = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === "string")

const isWellTyped = ({ bodyB64, botId, headers, method, path, platform }: JsonObject): boolean =>
  [platform, botId, method, path].every(isTextOrAbsent) &&
  (bodyB64 == null || typeof bodyB64 === "string") &&
  (headers == null || (Array.isArray(headers) && headers.every(isPair)))

export const relayPassthrough: Topic = {
  run: (given) => {
    const decoded = decodeForward(given)
    if (Result.isFailure(decoded)) return { output: new Rejected(decoded.failure.message) }
    const { botId, headers, method, path, platform } = decoded.success
    return {
      output: {
        platform,
        bot_id: botId,
        method,
        path,
        headers: headers ?? [],
        body_hex: Buffer.from(body(decoded.success)).toString("hex")
      }
    }
  },
  // Ours rejects fields of another type and base64 that is not canonical; the reference makes text or bytes of them.
  shared: (given, output) => {
    if (!(output instanceof Rejected) || !isObject(given)) return null
    if (!isWellTyped(given)) return { statement: "relay W3", output: null, expected: null }
    const text = given.bodyB64
    const isCanonical = typeof text !== "string" || Buffer.from(text, "base64").toString("base64") === text
    return isCanonical ? null : { statement: "relay P1", output: null, expected: null }
  }
}

const BodyHex = Schema.decodeUnknownSync(Schema.Struct({ body_hex: Schema.String }))

export const relayDiscordInteraction: Topic = {
  run: (given) => {
    const interaction = DiscordInteraction.decode(Buffer.from(BodyHex(given).body_hex, "hex"), "relay")
    return interaction === null || interaction.event === null
      ? { output: null, refused: "it is dropped" }
      : { output: eventOutput(interaction.event) }
  },
  // A command's slash and options, a form's fields: the vectors have the bare name and nothing of what was filled in.
  shared: (_, output, expected) => {
    if (!isObject(output) || !isObject(expected)) return null
    const text = String(output.text)
    const name = String(expected.text)
    const isCommand = text === `/${name}` || text.startsWith(`/${name} `)
    return { statement: "relay P2", output: { ...output, text: isCommand || name === "" ? name : text }, expected }
  }
}
