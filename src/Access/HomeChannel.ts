/**
 * Where a platform's scheduled output and notices go when no target is named (`access H1`–`H3`). It grants nobody anything
 * (H5). Read when it is needed, so that what was set a moment ago counts.
 */
import { join } from "node:path"
import { Effect } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import { edit, type FileEditError, withKey } from "../Config/FileEdit.ts"
import * as Setting from "../Config/Setting.ts"
import type { Settings } from "../Config/Settings.ts"
import { factsOf } from "./Platforms.ts"

export interface HomeChannel {
  readonly chatId: string
  readonly name: string
  readonly threadId: string | null
}

/** What the variables of a platform begin with, where that is not the usual. */
const bases: Readonly<Record<string, ReadonlyArray<string> | undefined>> = {
  matrix: ["MATRIX_HOME_ROOM", "MATRIX_HOME_CHANNEL"],
  email: ["EMAIL_HOME_ADDRESS"],
  qqbot: ["QQBOT_HOME_CHANNEL", "QQ_HOME_CHANNEL"]
}

const declare = (platform: string) => {
  const names = bases[platform] ?? [`${factsOf(platform).prefix}_HOME_CHANNEL`]
  const part = (key: string, suffix: string, description: string) =>
    Setting.make<string | null>({
      key: `platforms.${platform}.home_channel.${key}`,
      env: names.map((name) => `${name}${suffix}`),
      kind: Setting.optionalText,
      default: null,
      description,
      live: true
    })
  return {
    chatId: part("chat_id", "", "chat that takes what names no other"),
    name: part("name", "_NAME", "what people call it"),
    threadId: part("thread_id", "_THREAD_ID", "thread within it")
  }
}

const declared = new Map<string, ReturnType<typeof declare>>()

export const homeSettingsOf = (platform: string): ReturnType<typeof declare> => {
  const found = declared.get(platform) ?? declare(platform)
  if (declared.size < 256) declared.set(platform, found)
  return found
}

/** `null`: none is set. */
export const read: (settings: Settings["Service"], platform: string) => Effect.Effect<HomeChannel | null, ConfigError> =
  Effect.fnUntraced(function* (settings, platform) {
    const own = homeSettingsOf(platform)
    const chatId = yield* settings.get(own.chatId)
    if (chatId === null) return null
    return {
      chatId,
      name: (yield* settings.get(own.name)) ?? "Home",
      threadId: yield* settings.get(own.threadId)
    }
  })

/**
 * Writes it into `config.yaml`, comments and unknown keys kept (`access H3`); it enables no platform. It counts once the
 * settings are read anew (`Settings.reload`). A variable of the environment still outranks it: see `read`.
 */
export const write = (
  home: string,
  platform: string,
  { chatId, name, threadId }: HomeChannel
): Effect.Effect<void, FileEditError> =>
  Effect.asVoid(
    edit(join(home, "config.yaml"), (content) =>
      withKey(content, ["platforms", platform, "home_channel"], {
        chat_id: chatId,
        name,
        ...(threadId === null ? {} : { thread_id: threadId })
      })
    )
  )
