/** Vectors of what becomes of an answer: targets, files in a text, display settings, footer. */
import { Schema } from "effect"
import { resolve } from "../../src/Delivery/DisplaySettings.ts"
import { extractFiles, extractImages } from "../../src/Delivery/MediaTags.ts"
import { footer } from "../../src/Delivery/RuntimeFooter.ts"
import * as Targets from "../../src/Delivery/Targets.ts"
import { platformNames } from "../../src/Message/Platform.ts"
import { isObject, type Topic } from "./Topic.ts"

const platforms = new Set(platformNames)
const Text = Schema.NullOr(Schema.String)

const Target = Schema.decodeUnknownSync(
  Schema.Struct({
    target: Schema.String,
    origin: Schema.NullOr(Schema.Struct({ platform: Schema.String, chat_id: Schema.String, thread_id: Text }))
  })
)

export const deliveryTarget: Topic = {
  run: (given) => {
    const { origin, target } = Target(given)
    const from = origin && { platform: origin.platform, chatId: origin.chat_id, threadId: origin.thread_id }
    const found = Targets.parse(target, platforms, from)
    return {
      output: {
        platform: found.platform,
        chat_id: found.chatId,
        thread_id: found.threadId,
        is_origin: found.isOrigin,
        is_explicit: found.isExplicit,
        to_string: Targets.format(found)
      }
    }
  }
}

const Reply = Schema.decodeUnknownSync(Schema.Struct({ text: Schema.String, home: Schema.String }))
const Found = Schema.decodeUnknownOption(
  Schema.Struct({
    media: Schema.Tuple([Schema.Array(Schema.Tuple([Schema.String, Schema.Boolean])), Schema.String]),
    images: Schema.Unknown
  })
)

export const mediaExtract: Topic = {
  run: (given) => {
    const { home, text } = Reply(given)
    const files = extractFiles(text, home)
    const images = extractImages(text)
    return {
      output: {
        media: [files.files.map(({ isVoice, path }) => [path, isVoice]), files.text],
        images: [images.images.map(({ alt, url }) => [url, alt]), images.text]
      }
    }
  },
  // The reference takes two tags, or a tag and something else, for one path.
  shared: (_, output, expected) => {
    const theirs = Found(expected)
    if (theirs._tag === "None" || !isObject(output)) return null
    return theirs.value.media[0].some(([file]) => /MEDIA:|<|\[\[|!\[|\n/.test(file))
      ? { statement: "delivery M5", output: output.images, expected: theirs.value.images }
      : null
  }
}

const Display = Schema.Struct({ display: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)) })

const Setting = Schema.decodeUnknownSync(
  Schema.Struct({
    config: Display,
    platform: Schema.String,
    setting: Schema.Literals([
      "tool_progress",
      "tool_progress_grouping",
      "show_reasoning",
      "tool_preview_length",
      "streaming",
      "interim_assistant_messages",
      "long_running_notifications",
      "busy_ack_detail",
      "cleanup_progress"
    ]),
    fallback: Schema.Unknown
  })
)

export const displaySetting: Topic = {
  run: (given) => {
    const { config, fallback, platform, setting } = Setting(given)
    return { output: resolve(config.display, platform, setting) ?? fallback }
  },
  // A 0 in the place of a word is `off` here; there it becomes the text "0".
  shared: (_, output, expected) =>
    output === "off" && expected === "0" ? { statement: "delivery D1", output: "off", expected: "off" } : null
}

const Footer = Schema.decodeUnknownSync(
  Schema.Struct({
    config: Display,
    home: Schema.String,
    platform_key: Text,
    model: Text,
    context_tokens: Schema.NullOr(Schema.Number),
    context_length: Schema.NullOr(Schema.Number),
    cwd: Text
  })
)

export const runtimeFooter: Topic = {
  run: (given) => {
    const { config, context_length, context_tokens, cwd, home, model, platform_key } = Footer(given)
    return {
      output: footer(config.display, platform_key ?? "", {
        model,
        contextTokens: context_tokens,
        contextWindow: context_length,
        cwd,
        userHome: home
      })
    }
  }
}
