/**
 * How much of a turn a chat sees (`delivery D1`–`D4`): tool lines, interim texts, streaming, by platform. Resolved from the
 * user's settings, then from what the platform's kind bears. Pure but for the reading of settings.
 */
import { Effect, Schema } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import * as Setting from "../Config/Setting.ts"
import { Settings } from "../Config/Settings.ts"

export type ToolProgress = "off" | "new" | "all" | "verbose"

/** The keys that may stand under `display`, and under `display.platforms.NAME`. */
export interface DisplayValues {
  readonly tool_progress: ToolProgress
  readonly tool_progress_grouping: "accumulate" | "separate"
  readonly show_reasoning: boolean
  readonly tool_preview_length: number
  /** `undefined` follows `streaming.enabled`. */
  readonly streaming: boolean | undefined
  readonly interim_assistant_messages: boolean
  readonly long_running_notifications: boolean
  readonly busy_ack_detail: boolean
  readonly cleanup_progress: boolean
}
export type DisplayKey = keyof DisplayValues

type Tier = Readonly<Partial<DisplayValues>>
const seen = { interim_assistant_messages: true, long_running_notifications: true, busy_ack_detail: true } as const
const unseen = {
  streaming: false,
  interim_assistant_messages: false,
  long_running_notifications: false,
  busy_ack_detail: false
} as const

const high: Tier = { ...seen, tool_progress: "all", tool_preview_length: 40 }
const medium: Tier = { ...seen, tool_progress: "new", tool_preview_length: 40 }
const low: Tier = { ...unseen, tool_progress: "off", tool_preview_length: 40 }
const minimal: Tier = { ...unseen, tool_progress: "off", tool_preview_length: 0 }

const tiers: Readonly<Record<string, Tier>> = {
  telegram: { ...high, tool_progress: "off", busy_ack_detail: false },
  discord: high,
  api_server: { ...high, tool_preview_length: 0 },
  slack: { ...medium, tool_progress: "off" },
  mattermost: medium,
  matrix: medium,
  feishu: medium,
  whatsapp: medium,
  signal: low,
  bluebubbles: low,
  weixin: low,
  wecom: low,
  wecom_callback: low,
  dingtalk: low,
  whatsapp_cloud: low,
  photon: low,
  email: minimal,
  sms: minimal,
  webhook: minimal,
  homeassistant: minimal
}

const defaults: DisplayValues = {
  tool_progress: "all",
  tool_progress_grouping: "accumulate",
  show_reasoning: false,
  tool_preview_length: 0,
  streaming: undefined,
  interim_assistant_messages: true,
  long_running_notifications: true,
  busy_ack_detail: true,
  cleanup_progress: false
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const at = (map: unknown, key: string): unknown =>
  isMap(map) && Object.hasOwn(map, key) ? (map[key] ?? undefined) : undefined

const word = (raw: unknown): string => String(raw).trim().toLowerCase()

const asBoolean = (raw: unknown): boolean =>
  typeof raw === "string" ? ["true", "1", "yes", "on"].includes(word(raw)) : Boolean(raw)

/** What a value of the user's means; it has to be one of the key's values, else the default holds (`delivery D3`). */
const meaning: { readonly [K in DisplayKey]: (raw: unknown) => DisplayValues[K] | undefined } = {
  tool_progress: (raw) => {
    if (raw === true) return "all"
    if (raw === false || raw === 0) return "off"
    const given = word(raw)
    return given === "off" || given === "new" || given === "all" || given === "verbose" ? given : undefined
  },
  tool_progress_grouping: (raw) => {
    const given = word(raw)
    return given === "accumulate" || given === "separate" ? given : undefined
  },
  tool_preview_length: (raw) => {
    const given = typeof raw === "boolean" ? Number.NaN : Number(raw)
    return Number.isFinite(given) ? Math.max(0, Math.trunc(given)) : 0
  },
  show_reasoning: asBoolean,
  streaming: asBoolean,
  interim_assistant_messages: asBoolean,
  long_running_notifications: asBoolean,
  busy_ack_detail: asBoolean,
  cleanup_progress: asBoolean
}

/** The value of one key in chats of a platform; `display` is the section of the configuration as it stands. */
export const resolve = <K extends DisplayKey>(display: unknown, platform: string, key: K): DisplayValues[K] => {
  const given = [
    at(at(at(display, "platforms"), platform), key),
    key === "tool_progress" ? at(at(display, "tool_progress_overrides"), platform) : undefined,
    key === "streaming" ? undefined : at(display, key)
  ]
  for (const raw of given) {
    if (raw === undefined) continue
    const value = meaning[key](raw)
    if (value !== undefined) return value
  }
  const tier = Object.hasOwn(tiers, platform) ? tiers[platform]! : {}
  return tier[key] ?? defaults[key]
}

/** Webhooks never get interim texts, Mattermost only where it is asked for by name (`delivery D4`). */
export const showsInterim = (display: unknown, platform: string): boolean => {
  if (platform === "webhook") return false
  if (
    platform === "mattermost" &&
    at(at(at(display, "platforms"), platform), "interim_assistant_messages") === undefined
  ) {
    return false
  }
  return resolve(display, platform, "interim_assistant_messages")
}

const anything = Setting.structure(Schema.NullOr(Schema.Unknown), "a value")
const make = (key: string, description: string) =>
  Setting.make({ key: `display.${key}`, kind: anything, default: null, description })

export const displaySettings = {
  tool_progress: make("tool_progress", "tool lines: off, new, all or verbose; by platform when not set"),
  tool_progress_grouping: make("tool_progress_grouping", "accumulate = one message that grows, separate = one each"),
  tool_preview_length: make("tool_preview_length", "characters of a tool's preview; 0 = 40"),
  show_reasoning: make("show_reasoning", "the agent's thoughts before its answer"),
  interim_assistant_messages: make("interim_assistant_messages", "what the agent says between two tools"),
  long_running_notifications: make("long_running_notifications", "a sign of life during long turns"),
  busy_ack_detail: make("busy_ack_detail", "more words when a message waits"),
  cleanup_progress: make("cleanup_progress", "tool lines are deleted after the answer"),
  runtime_footer: make("runtime_footer", "a line below answers: `{enabled: false, fields: [model, context_pct, cwd]}`"),
  platforms: make("platforms", "any of these for one platform: `telegram: {tool_progress: all}`"),
  tool_progress_overrides: make("tool_progress_overrides", "older form: `telegram: all`")
} as const

/** Where the agent works, as far as the environment tells; a part of the footer. */
export const TerminalCwd = Setting.make({
  env: "TERMINAL_CWD",
  kind: Setting.text,
  default: "",
  description: "folder the agent works in, shown in the footer"
})

/** The section `display`, as far as this file knows its keys. */
export const read: Effect.Effect<Readonly<Record<string, unknown>>, ConfigError, Settings> = Effect.gen(function* () {
  const settings = yield* Settings
  const found: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(displaySettings)) found[name] = yield* settings.get(setting)
  return found
})

export const fieldsOf = (
  display: unknown,
  platform: string
): { readonly enabled: boolean; readonly fields: ReadonlyArray<string> } => {
  let enabled = false
  let fields: ReadonlyArray<string> = ["model", "context_pct", "cwd"]
  for (const level of [at(display, "runtime_footer"), at(at(at(display, "platforms"), platform), "runtime_footer")]) {
    const switched = at(level, "enabled")
    if (switched !== undefined) enabled = asBoolean(switched)
    const named = at(level, "fields")
    if (Array.isArray(named) && named.length > 0) fields = named.map(String)
  }
  return { enabled, fields }
}
