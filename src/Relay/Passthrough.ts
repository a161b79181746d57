/**
 * A webhook request that the connector has answered already and hands on (`relay P1`). The body is exactly the bytes
 * that came: base64 that is not in its one canonical form is refused, never repaired.
 */
import { Effect, Schema } from "effect"

const isCanonicalBase64 = (text: string): boolean => Buffer.from(text, "base64").toString("base64") === text

const text = Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("")))

export const Forward = Schema.Struct({
  platform: text,
  botId: text,
  method: text,
  path: text,
  /** In order of arrival; names may repeat. */
  headers: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Tuple([Schema.String, Schema.String])))),
  bodyB64: Schema.optionalKey(
    Schema.NullOr(Schema.String.check(Schema.makeFilter((text) => isCanonicalBase64(text) || "not canonical base64")))
  ),
  profile: Schema.optionalKey(Schema.NullOr(Schema.String))
})
export type Forward = typeof Forward.Type

export const decodeForward = Schema.decodeUnknownResult(Forward)

/** The bytes of a forward that decoded. */
export const body = (forward: Forward): Uint8Array => Buffer.from(forward.bodyB64 ?? "", "base64")
