/**
 * What chat completions look like on the wire, as far as it is read: the fields of the common servers, each optional,
 * because every server leaves some of them out (law 4). It knows nothing of turns.
 */
import { Schema } from "effect"

const text = Schema.optionalKey(Schema.NullOr(Schema.String))
const count = Schema.optionalKey(Schema.NullOr(Schema.Number))

/** Some servers stream content as parts. */
const Content = Schema.optionalKey(
  Schema.NullOr(Schema.Union([Schema.String, Schema.Array(Schema.Struct({ type: text, text }))]))
)

const ToolCall = Schema.Struct({
  index: count,
  id: text,
  function: Schema.optionalKey(Schema.NullOr(Schema.Struct({ name: text, arguments: text })))
})

const Said = Schema.Struct({
  content: Content,
  /** DeepSeek, vLLM, llama.cpp, SGLang … */
  reasoning_content: text,
  /** OpenRouter, Ollama, newer vLLM … */
  reasoning: text,
  refusal: text,
  tool_calls: Schema.optionalKey(Schema.NullOr(Schema.Array(ToolCall)))
})
export type Said = typeof Said.Type

const UsageReport = Schema.Struct({
  prompt_tokens: count,
  completion_tokens: count,
  prompt_tokens_details: Schema.optionalKey(Schema.NullOr(Schema.Struct({ cached_tokens: count }))),
  /** OpenRouter and LiteLLM tell what it cost. */
  cost: count
})
export type UsageReport = typeof UsageReport.Type

const Failing = Schema.Union([
  Schema.String,
  Schema.Struct({
    message: text,
    type: text,
    code: Schema.optionalKey(Schema.NullOr(Schema.Union([Schema.String, Schema.Number]))),
    param: text
  })
])
export type Failing = typeof Failing.Type

/** One event of the stream, or the whole answer of a server that does not stream (`message` in place of `delta`). */
const Chunk = Schema.Struct({
  model: text,
  choices: Schema.optionalKey(
    Schema.NullOr(
      Schema.Array(
        Schema.Struct({
          delta: Schema.optionalKey(Schema.NullOr(Said)),
          message: Schema.optionalKey(Schema.NullOr(Said)),
          finish_reason: text
        })
      )
    )
  ),
  usage: Schema.optionalKey(Schema.NullOr(UsageReport)),
  error: Schema.optionalKey(Schema.NullOr(Failing))
})

export const decodeChunk = Schema.decodeUnknownResult(Chunk)
/** Errors come as `{error: …}`, `{detail: …}` or `{message: …}`. */
export const decodeErrorBody = Schema.decodeUnknownResult(
  Schema.Struct({ error: Schema.optionalKey(Schema.NullOr(Failing)), detail: text, message: text })
)
export const decodeModels = Schema.decodeUnknownResult(
  Schema.Struct({ data: Schema.Array(Schema.Struct({ id: Schema.String })) })
)

/** Parts of a user's message. */
export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } }
  | { readonly type: "input_audio"; readonly input_audio: { readonly data: string; readonly format: "wav" | "mp3" } }
  | { readonly type: "file"; readonly file: { readonly filename: string; readonly file_data: string } }

export type Message =
  | { readonly role: "system" | "assistant"; readonly content: string }
  | { readonly role: "user"; readonly content: string | ReadonlyArray<Part> }
