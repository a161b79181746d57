/** Vectors of the rooms Conversation and Access. */
import { Effect, Schema } from "effect"
import { settingsOf } from "../../src/Access/AccessSettings.ts"
import { canRun, policyOf, readLists } from "../../src/Access/SlashAccess.ts"
import { Settings } from "../../src/Config/Settings.ts"
import { resolve } from "../../src/Conversation/Commands/Registry.ts"
import { coerceRestart, parse } from "../../src/Conversation/SlashCommand.ts"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { merge } from "../../src/Session/PendingMerge.ts"
import { Rejected, type Topic } from "./Topic.ts"

const Typed = Schema.decodeUnknownSync(
  Schema.Struct({
    text: Schema.String,
    coerce: Schema.optionalKey(Schema.Boolean),
    chat_type: Schema.optionalKey(Schema.NullOr(Schema.String))
  })
)

export const commandParse: Topic = {
  run: (given) => {
    const { chat_type, coerce, text } = Typed(given)
    if (coerce === true) return { output: { text: coerceRestart(text, chat_type ?? "dm") } }
    const command = parse(text)
    return {
      output: { is_command: command !== null, command: command?.name ?? null, args: command?.args ?? text }
    }
  }
}

export const commandResolve: Topic = {
  run: (given) => {
    const def = resolve(Typed(given).text)
    return {
      output:
        def === null
          ? null
          : {
              canonical: def.name,
              cli_only: def.surface === "terminal",
              gateway_only: def.surface === "chat",
              // None of them is ever queued as text (`commands W1`).
              bypasses_active_session: true
            }
    }
  }
}

const Asked = Schema.decodeUnknownSync(
  Schema.Struct({
    platforms: Schema.Record(Schema.String, Schema.Struct({ extra: Schema.Unknown })),
    platform: Schema.String,
    chat_type: Schema.NullOr(Schema.String),
    user_id: Schema.NullOr(Schema.String),
    command: Schema.String
  })
)

export const slashAccess: Topic = {
  run: (given) => {
    const { chat_type, command, platform, platforms, user_id } = Asked(given)
    const values = Object.fromEntries(
      Object.entries(platforms).map(([name, { extra }]) => [`platforms.${name}`, extra])
    )
    const decided = Effect.flatMap(Settings, (settings) => readLists(settings, settingsOf(platform))).pipe(
      Effect.map((lists): unknown => {
        const policy = policyOf(lists, { platform, chatType: chat_type ?? "", userId: user_id })
        return {
          enabled: policy.isSplit,
          is_admin: !policy.isSplit || policy.isConfiguredAdmin,
          can_run: canRun(policy, command)
        }
      }),
      Effect.catch((error) => Effect.succeed<unknown>(new Rejected(error.message))),
      Effect.provide(Settings.layerFrom(values))
    )
    return { output: Effect.runSync(Effect.orDie(decided)) }
  }
}

const Wire = Schema.Struct({
  text: Schema.String,
  message_type: MessageEvent.MessageType,
  media_urls: Schema.Array(Schema.String),
  media_types: Schema.Array(Schema.String)
})
const Pending = Schema.decodeUnknownSync(Schema.Struct({ events: Schema.Array(Wire), merge_text: Schema.Boolean }))

const eventOf = (wire: typeof Wire.Type): MessageEvent.MessageEvent => ({
  ...MessageEvent.text(Source.make({ platform: "golden", chatId: "1" }), wire.text),
  type: wire.message_type,
  media: wire.media_urls.map((ref, i) => ({
    ref,
    kind: "image",
    mime: wire.media_types[i] ?? null,
    size: null,
    filename: null,
    caption: null
  }))
})

export const pendingMerge: Topic = {
  run: (given) => {
    const { events, merge_text } = Pending(given)
    const [first, ...others] = events.map(eventOf)
    if (first === undefined) return { output: new Rejected("nothing to merge") }
    // Where ours would run both, the reference lets the newer one replace the older.
    const out = others.reduce((merged, next) => merge(merged, next, merge_text) ?? next, first)
    return {
      output: {
        text: out.text,
        message_type: out.type,
        media_urls: out.media.map(({ ref }) => ref),
        media_types: out.media.map(({ mime }) => mime ?? "")
      }
    }
  }
}
