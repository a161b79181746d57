/**
 * What a connector says of a platform it fronts (`relay H4`): limits, dialect, operations. Plain data as on the wire;
 * what follows from it for a chat is asked through the functions below, never by looking at the fields.
 */
import { Effect, Schema } from "effect"
import type { LengthUnit } from "../Delivery/Outlet.ts"

const flag = Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false)))

/** Unknown keys are dropped. A missing or ill-typed required field is a decode error. */
export const Descriptor = Schema.Struct({
  contract_version: Schema.Int,
  platform: Schema.String,
  label: Schema.String,
  /** Longest text of one message, in `len_unit`; 0 = not said. */
  max_message_length: Schema.Finite,
  supports_draft_streaming: Schema.Boolean,
  supports_edit: Schema.Boolean,
  supports_threads: Schema.Boolean,
  markdown_dialect: Schema.String,
  len_unit: Schema.String,
  emoji: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("🔌"))),
  platform_hint: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed(""))),
  pii_safe: flag,
  supports_context: flag,
  supports_inchannel_continuable: flag,
  supports_block_formatting: flag,
  /** The connector shows an `idempotency_key` once, however often it is sent (`relay O5`). */
  supports_idempotency: flag,
  supported_ops: Schema.optionalKey(Schema.Array(Schema.String))
})
export type Descriptor = typeof Descriptor.Type

/** What a connector that names no operations can do (`relay H4`). */
const presumedOps: ReadonlyArray<string> = ["send", "edit", "typing", "follow_up"]

/** Whether an operation may be sent at all (`relay H5`). */
export const supports = (descriptor: Descriptor, op: string): boolean =>
  (descriptor.supported_ops ?? presumedOps).includes(op)

const presumedLength = 4096

/** At least 1; 4096 where the connector names no usable limit. */
export const maxLength = (descriptor: Descriptor): number =>
  descriptor.max_message_length >= 1 ? Math.floor(descriptor.max_message_length) : presumedLength

/** `utf16` counts code units; `chars`, and every unit we do not know, counts code points. */
export const lengthUnit = (descriptor: Descriptor): LengthUnit => (descriptor.len_unit === "utf16" ? "utf16" : "chars")
