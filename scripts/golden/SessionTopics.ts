/** Vectors of the rooms Session and Delivery. */
import { Result, Schema } from "effect"
import { classify } from "../../src/Delivery/SendErrorClass.ts"
import { isLiveSilence, isSilenceNarration } from "../../src/Delivery/SilenceFilter.ts"
import { length } from "../../src/Delivery/TextLength.ts"
import * as Pseudonym from "../../src/Session/Pseudonym.ts"
import { isUnsafe } from "../../src/Session/SafeName.ts"
import * as SessionKey from "../../src/Session/SessionKey.ts"
import { describe, encode, SourceCodec } from "../../src/Session/SourceCodec.ts"
import { canonical, noAliases, normalize } from "../../src/Message/WhatsAppIdentity.ts"
import { isObject, Rejected, type Topic } from "./Topic.ts"

const decodeSource = Schema.decodeUnknownSync(SourceCodec)

const orRejected = <A>(result: Result.Result<A, { readonly message: string }>): A | Rejected =>
  Result.isSuccess(result) ? result.success : new Rejected(result.failure.message)

const KeyInput = Schema.decodeUnknownSync(
  Schema.Struct({
    source: Schema.Unknown,
    group_sessions_per_user: Schema.Boolean,
    thread_sessions_per_user: Schema.Boolean,
    profile: Schema.NullOr(Schema.String)
  })
)

export const sessionKey: Topic = {
  run: (given) => {
    const { group_sessions_per_user, profile, source, thread_sessions_per_user } = KeyInput(given)
    const decoded = decodeSource(source)
    const sharing = { groupSessionsPerUser: group_sessions_per_user, threadSessionsPerUser: thread_sessions_per_user }
    return {
      output: {
        key: orRejected(SessionKey.make(decoded, { ...sharing, profile })),
        shared: SessionKey.isShared(decoded, sharing)
      }
    }
  }
}

export const sessionSource: Topic = {
  run: (given) => {
    const source = decodeSource(given)
    const dict = { ...encode(source) }
    return {
      output: { to_dict: dict, description: describe(source), from_dict_to_dict: { ...encode(decodeSource(dict)) } }
    }
  }
}

const Value = Schema.decodeUnknownSync(Schema.Struct({ value: Schema.NullOr(Schema.String) }))

export const whatsappIdentity: Topic = {
  run: (given) => {
    const { value } = Value(given)
    return {
      output: {
        normalized: normalize(value),
        canonical_without_alias_files: orRejected(canonical(value, noAliases))
      }
    }
  }
}

const Id = Schema.decodeUnknownSync(
  Schema.Struct({ value: Schema.NullOr(Schema.Union([Schema.String, Schema.Number])) })
)

export const sessionPii: Topic = {
  hasParts: true,
  run: (given) => {
    const value = String(Id(given).value ?? "")
    return {
      output: {
        id: Pseudonym.ofId(value, null),
        sender: Pseudonym.ofSender(value, null),
        chat: Pseudonym.ofChat(value, null),
        path_unsafe: isUnsafe(value)
      }
    }
  }
}

const Text = Schema.decodeUnknownSync(Schema.Struct({ text: Schema.String }))

export const silenceFilter: Topic = {
  run: (given) => {
    const { text } = Text(given)
    return { output: { live_silence: isLiveSilence(text), silence_narration: isSilenceNarration(text) } }
  }
}

const ErrorText = Schema.decodeUnknownSync(Schema.Struct({ error_text: Schema.NullOr(Schema.String) }))

export const sendErrorClass: Topic = {
  run: (given) => ({ output: classify(ErrorText(given).error_text ?? "") }),
  // A send whose outcome nobody knows is a kind of its own here; the reference has one word for all it does not know.
  shared: (_, output, expected) =>
    output === "ambiguous" ? { statement: "delivery S3", output: "unknown", expected } : null
}

export const lengthUnit: Topic = {
  run: (given) => {
    const { text } = Text(given)
    return { output: { chars: length(text, "chars"), utf16: length(text, "utf16") } }
  },
  // Half a character counts as one unit; the reference fails on it.
  shared: (given, output, expected) =>
    isObject(output) &&
    isObject(expected) &&
    !Text(given).text.isWellFormed() &&
    output.utf16 === Text(given).text.length
      ? { statement: "delivery C1", output: output.chars, expected: expected.chars }
      : null
}
