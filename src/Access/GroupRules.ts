/**
 * When a group message is for us, as configured (`access`, "When a group message is for us"): the same keys on every
 * platform that has groups, read into rules that `GroupTrigger` applies.
 */
import { Effect, Result } from "effect"
import { RE2JS } from "re2js"
import type { ConfigError } from "../Config/ConfigError.ts"
import * as Setting from "../Config/Setting.ts"
import type { Settings } from "../Config/Settings.ts"
import { factsOf } from "./Platforms.ts"

const live = true

/** A trigger is needed there unless configured otherwise. */
const mentionNeeded: ReadonlySet<string> = new Set(["discord", "slack", "mattermost", "matrix", "feishu"])
/** What a platform calls the places of its groups, in the names of keys. */
const placesOf = (platform: string): "channels" | "chats" | "rooms" =>
  platform === "matrix" ? "rooms" : ["telegram", "whatsapp", "dingtalk"].includes(platform) ? "chats" : "channels"
/** Where being part of a thread is enough (`access G1`). */
const threadsCount: ReadonlySet<string> = new Set(["discord", "slack", "matrix"])

/** A list, a JSON array, lines or commas; a comma within brackets belongs to its pattern. */
const patterns = Setting.coerce<ReadonlyArray<string>>("a list of regular expressions", (raw) => {
  if (raw === null) return []
  const listed =
    typeof raw === "string" && raw.trim().startsWith("[") ? Result.try(() => JSON.parse(raw) as unknown) : null
  const value: unknown =
    listed !== null && Result.isSuccess(listed) && Array.isArray(listed.success) ? listed.success : raw
  const items = Array.isArray(value)
    ? value
    : typeof value === "string"
      ? value.includes("\n")
        ? value.split("\n")
        : value.split(/,(?![^[({]*[\])}])/)
      : null
  if (items === null || !items.every((item) => typeof item === "string")) return undefined
  return items.map((item: string) => item.trim()).filter((item) => item !== "")
})

const declare = (platform: string) => {
  const { prefix } = factsOf(platform)
  const places = placesOf(platform)
  const named = (key: string) => ({ key: `platforms.${platform}.${key}`, env: `${prefix}_${key.toUpperCase()}` })
  const list = (key: string, description: string) =>
    Setting.make<ReadonlyArray<string>>({ ...named(key), kind: Setting.list, default: [], description, live })
  const flag = (key: string, value: boolean, description: string) =>
    Setting.make({ ...named(key), kind: Setting.boolean, default: value, description, live })
  return {
    requireMention: Setting.make({
      ...named("require_mention"),
      kind: Setting.boolean,
      default: mentionNeeded.has(platform),
      description: "a group message needs a mention or another trigger",
      // `access G5`: the older place of Telegram's.
      alternatives: platform === "telegram" ? [{ key: "require_mention", kind: Setting.boolean }] : [],
      live
    }),
    freeResponse: list(`free_response_${places}`, "here every message triggers; * = everywhere"),
    mentionPatterns: Setting.make<ReadonlyArray<string>>({
      ...named("mention_patterns"),
      kind: patterns,
      default: [],
      description: "regular expressions that trigger, in any case, anywhere in the text",
      live
    }),
    nativeMentionOnly: list(`native_mention_only_${places}`, "here the patterns do not count"),
    allowed: list(`allowed_${places}`, "set, every other place is ignored"),
    allowedTopics: list("allowed_topics", "forum topics that are served; empty = all"),
    ignored: list(`ignored_${places}`, "never answered there"),
    ignoredThreads: list("ignored_threads", "threads that are never answered"),
    exclusiveMentions: flag("exclusive_bot_mentions", true, "a message that names other bots and not us is not ours"),
    threadRequireMention: flag("thread_require_mention", false, "a trigger is needed also in threads we take part in"),
    strictMention: flag("strict_mention", false, "being part of a thread triggers nothing"),
    botsRequireMention: flag("bots_require_mention", false, "a bot's reply to us triggers nothing without a mention")
  }
}

const declared = new Map<string, ReturnType<typeof declare>>()

export const groupSettingsOf = (platform: string): ReturnType<typeof declare> => {
  const found = declared.get(platform) ?? declare(platform)
  if (declared.size < 256) declared.set(platform, found)
  return found
}

export interface GroupRules {
  readonly requireMention: boolean
  readonly freeResponse: ReadonlySet<string>
  readonly patterns: ReadonlyArray<RE2JS>
  readonly nativeMentionOnly: ReadonlySet<string>
  readonly allowed: ReadonlySet<string>
  readonly allowedTopics: ReadonlySet<string>
  readonly ignored: ReadonlySet<string>
  readonly ignoredThreads: ReadonlySet<string>
  readonly exclusiveMentions: boolean
  readonly threadRequireMention: boolean
  readonly strictMention: boolean
  readonly botsRequireMention: boolean
  /** Being part of a thread counts on this platform. */
  readonly threadsCount: boolean
}

/** The patterns that compile, and why the others do not (`access G4`). The engine is linear in the text. */
export const compile = (
  list: ReadonlyArray<string>
): { readonly patterns: ReadonlyArray<RE2JS>; readonly problems: ReadonlyArray<{ index: number; reason: string }> } => {
  const compiled: Array<RE2JS> = []
  const problems: Array<{ index: number; reason: string }> = []
  for (const [index, pattern] of list.entries()) {
    const result = Result.try({
      try: () => RE2JS.compile(pattern, RE2JS.CASE_INSENSITIVE),
      catch: (error) => (error instanceof Error ? error.message : String(error))
    })
    if (Result.isSuccess(result)) compiled.push(result.success)
    else problems.push({ index, reason: result.failure })
  }
  return { patterns: compiled, problems }
}

/**
 * The rules of one platform, for its adapter: read at its start, and again when `Settings.generation` moves. Patterns that
 * do not compile are named in the log once per reading and skipped.
 */
export const readGroupRules: (
  settings: Settings["Service"],
  platform: string
) => Effect.Effect<GroupRules, ConfigError> = Effect.fnUntraced(function* (settings, platform) {
  const own = groupSettingsOf(platform)
  const set = (setting: Setting.Setting<ReadonlyArray<string>>) =>
    Effect.map(settings.get(setting), (list): ReadonlySet<string> => new Set(list))
  const { patterns, problems } = compile(yield* settings.get(own.mentionPatterns))
  for (const { index, reason } of problems) {
    yield* Effect.logWarning("a mention pattern cannot be used and is skipped", { platform, index, reason })
  }
  return {
    requireMention: yield* settings.get(own.requireMention),
    freeResponse: yield* set(own.freeResponse),
    patterns,
    nativeMentionOnly: yield* set(own.nativeMentionOnly),
    allowed: yield* set(own.allowed),
    allowedTopics: yield* set(own.allowedTopics),
    ignored: yield* set(own.ignored),
    ignoredThreads: yield* set(own.ignoredThreads),
    exclusiveMentions: yield* settings.get(own.exclusiveMentions),
    threadRequireMention: yield* settings.get(own.threadRequireMention),
    strictMention: yield* settings.get(own.strictMention),
    botsRequireMention: yield* settings.get(own.botsRequireMention),
    threadsCount: threadsCount.has(platform)
  }
})
