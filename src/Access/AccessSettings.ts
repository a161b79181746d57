/**
 * The settings by which access is decided, per platform (`access` Settings), and the rules read from them: one immutable
 * picture per platform. All are live: a change counts from the next message on.
 */
import { Effect } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import * as Setting from "../Config/Setting.ts"
import type { Settings } from "../Config/Settings.ts"
import type { AliasLookup } from "../Message/WhatsAppIdentity.ts"
import { defaultLoopGuard, type LoopGuard } from "./BotLoopGuard.ts"
import { entriesOf } from "./Identity.ts"
import { factsOf, type PlatformFacts } from "./Platforms.ts"

const live = true
const none: ReadonlyArray<string> = []

/** `access` Words: only these three words open a door; `on` is not one of them. */
const truthy = Setting.coerce(
  "true, 1 or yes",
  (raw): boolean | undefined => {
    const word = typeof raw === "boolean" || typeof raw === "number" ? String(raw) : raw
    if (typeof word !== "string") return undefined
    const said = word.trim().toLowerCase()
    if (["true", "1", "yes"].includes(said)) return true
    return ["false", "0", "no", "off", ""].includes(said) ? false : undefined
  },
  { lenient: true }
)

/** Any word, so that an unknown one keeps its platform down and not the gateway (`access A3`). */
const word = Setting.coerce("a word or nothing", (raw): string | null | undefined =>
  raw === null ? null : typeof raw === "string" ? raw.trim().toLowerCase() || null : undefined
)

const behavior = Setting.coerce(
  '"pair" or "ignore"',
  (raw): "pair" | "ignore" | undefined => {
    const said = typeof raw === "string" ? raw.trim().toLowerCase() : ""
    return said === "pair" || said === "ignore" ? said : undefined
  },
  { lenient: true }
)

type Groups = Readonly<Record<string, ReadonlyArray<string>>>

const listOf = (raw: unknown): ReadonlyArray<string> | undefined => {
  if (raw === null || raw === undefined) return []
  const items = Array.isArray(raw)
    ? raw
    : typeof raw === "string" || typeof raw === "number"
      ? String(raw).split(",")
      : [null]
  return items.every((item) => typeof item === "string" || typeof item === "number") ? items.map(String) : undefined
}

/** `groups.<id>.allow_from`, also spelled `allowFrom` (`access D2` a). */
const groups = Setting.coerce<Groups>("a map of group ids, each with allow_from", (raw) => {
  if (raw === null) return {}
  if (typeof raw !== "object" || Array.isArray(raw)) return undefined
  const found: Record<string, ReadonlyArray<string>> = Object.create(null)
  for (const [id, value] of Object.entries(raw)) {
    if (value === null) continue
    if (typeof value !== "object" || Array.isArray(value)) return undefined
    const entry: Readonly<Record<string, unknown>> = value
    const list = listOf(entry["allow_from"] ?? entry["allowFrom"])
    if (list === undefined) return undefined
    found[id] = list
  }
  return found
})

const atLeast = (raw: unknown, least: number, otherwise: number): number | undefined =>
  raw === undefined || raw === null
    ? otherwise
    : typeof raw === "number" && Number.isFinite(raw) && raw >= least
      ? raw
      : undefined

const loopGuard = Setting.coerce<LoopGuard>(
  "a map of enabled, max_events, window_seconds and cooldown_seconds",
  (raw) => {
    if (typeof raw === "boolean") return { ...defaultLoopGuard, enabled: raw }
    if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined
    const given: Readonly<Record<string, unknown>> = { ...raw }
    const enabled = given["enabled"] ?? true
    const maxEvents = atLeast(given["max_events"], 1, defaultLoopGuard.maxEvents)
    const window = atLeast(given["window_seconds"], 1, defaultLoopGuard.window / 1000)
    const cooldown = atLeast(given["cooldown_seconds"], 0, defaultLoopGuard.cooldown / 1000)
    if (typeof enabled !== "boolean" || maxEvents === undefined || window === undefined || cooldown === undefined) {
      return undefined
    }
    return { enabled, maxEvents, window: window * 1000, cooldown: cooldown * 1000 }
  },
  { lenient: true }
)

export const GatewayAllowedUsers = Setting.make({
  env: "GATEWAY_ALLOWED_USERS",
  kind: Setting.list,
  default: none,
  description: "users who may speak, on every platform",
  live
})

export const GatewayAllowAllUsers = Setting.make({
  env: "GATEWAY_ALLOW_ALL_USERS",
  kind: truthy,
  default: false,
  description: "everybody may speak while no list of users is set",
  live
})

export const UnauthorizedDmBehavior = Setting.make<"pair" | "ignore">({
  key: "unauthorized_dm_behavior",
  kind: behavior,
  default: "pair",
  description: "what a stranger's direct message gets: a pairing code, or nothing",
  live
})

export const OpenHostCommands = Setting.make({
  key: "gateway.open_host_commands",
  kind: Setting.boolean,
  default: false,
  description: "commands that reach this machine are open in groups without a list of admins",
  live
})

export const RedactPii = Setting.make({
  key: "privacy.redact_pii",
  kind: Setting.boolean,
  default: false,
  description: "ids and names of refused senders are hashed in the log",
  live
})

export const BotLoopGuard = Setting.make<LoopGuard>({
  key: "gateway.bot_loop_guard",
  kind: loopGuard,
  default: defaultLoopGuard,
  description: "bots that answer each other without end are not listened to for a while",
  live
})

const declare = (platform: string) => {
  const { admitsBots, allowFrom, groupAllowFrom, groupChats, groupUsers, prefix } = factsOf(platform)
  const at = (key: string) => `platforms.${platform}.${key}`
  const list = (options: { readonly env?: string | null; readonly key?: string; readonly description: string }) =>
    Setting.make({
      key: options.key === undefined ? undefined : at(options.key),
      env: options.env ?? undefined,
      kind: Setting.list,
      default: none,
      description: options.description,
      live
    })
  const policy = (key: string, description: string) =>
    Setting.make<string | null>({
      key: at(key),
      env: `${prefix}_${key.toUpperCase()}`,
      kind: word,
      default: null,
      description,
      live
    })
  return {
    allowedUsers: list({ env: `${prefix}_ALLOWED_USERS`, description: `users who may speak on ${platform}` }),
    allowAll: Setting.make({
      env: `${prefix}_ALLOW_ALL_USERS`,
      kind: truthy,
      default: false,
      description: `everybody may speak on ${platform}`,
      live
    }),
    groupUsers: list({ env: groupUsers, description: `users who may speak in groups of ${platform} only` }),
    groupChats: list({ env: groupChats, description: `groups of ${platform} in which everybody may speak` }),
    groupAllowedChats: list({
      key: "group_allowed_chats",
      description: "groups in which everybody may speak"
    }),
    allowBots: Setting.make<"none" | "mentions" | "all">({
      key: at("allow_bots"),
      env: admitsBots ? `${prefix}_ALLOW_BOTS` : undefined,
      kind: Setting.lenient(Setting.oneOf(["none", "mentions", "all"])),
      default: "none",
      description: "which messages of other bots are let in",
      live
    }),
    allowFrom: list({
      env: allowFrom,
      key: "allow_from",
      description: "users who may write directly; counts while no variable lists users"
    }),
    groupAllowFrom: list({
      env: groupAllowFrom,
      key: "group_allow_from",
      description: "who may speak in groups; counts while no variable lists users"
    }),
    dmPolicy: policy("dm_policy", "open, allowlist, pairing or disabled"),
    groupPolicy: policy("group_policy", "open, allowlist or disabled"),
    groups: Setting.make<Groups>({
      key: at("groups"),
      kind: groups,
      default: {},
      description: "per group id (or *): allow_from",
      live
    }),
    unauthorizedDmBehavior: Setting.make<"pair" | "ignore" | null>({
      key: at("unauthorized_dm_behavior"),
      kind: behavior,
      default: null,
      description: "what a stranger's direct message gets on this platform",
      live
    }),
    adminFrom: list({
      key: "allow_admin_from",
      description: "who may run every command in direct messages; set, all others have only the listed ones"
    }),
    userCommands: list({
      key: "user_allowed_commands",
      description: "commands that everybody else may run in direct messages"
    }),
    groupAdminFrom: list({ key: "group_allow_admin_from", description: "the same for groups" }),
    groupUserCommands: list({ key: "group_user_allowed_commands", description: "the same for groups" })
  }
}

export type PlatformSettings = ReturnType<typeof declare>

const declared = new Map<string, PlatformSettings>()

/** The access settings of one platform. The same objects for each name, but for names beyond any likely number. */
export const settingsOf = (platform: string): PlatformSettings => {
  const found = declared.get(platform) ?? declare(platform)
  if (declared.size < 256) declared.set(platform, found)
  return found
}

/** Those of them that a platform can have: a list without variable and key is not one. */
export const listedSettingsOf = (platform: string): ReadonlyArray<Setting.Setting<unknown>> =>
  Object.values(settingsOf(platform)).filter(({ env, key }) => env.length > 0 || key !== null)

/** Everything about one platform that a decision needs, besides sender and pairings. */
export interface AccessRules {
  readonly platform: string
  readonly facts: PlatformFacts
  readonly allowedUsers: ReadonlySet<string>
  readonly gatewayAllowedUsers: ReadonlySet<string>
  readonly groupUsers: ReadonlySet<string>
  readonly groupChats: ReadonlySet<string>
  readonly groupAllowedChats: ReadonlySet<string>
  readonly allowAll: boolean
  readonly gatewayAllowAll: boolean
  readonly allowBots: "none" | "mentions" | "all"
  readonly allowFrom: ReadonlySet<string>
  readonly groupAllowFrom: ReadonlySet<string>
  readonly dmPolicy: string | null
  readonly groupPolicy: string | null
  readonly groups: ReadonlyMap<string, ReadonlySet<string>>
  /** `access U2` 1 and 3. */
  readonly unauthorizedDmBehavior: "pair" | "ignore" | null
  readonly defaultDmBehavior: "pair" | "ignore"
}

/** Weixin's own default (`access` Settings); elsewhere an absent policy says nothing. */
const defaultPolicies: Readonly<Record<string, { readonly dm: string; readonly group: string } | undefined>> = {
  weixin: { dm: "pairing", group: "disabled" }
}

/** Reads the rules of one platform; fails when one of its settings does not decode, and then nobody is let in. */
export const readRules: (
  settings: Settings["Service"],
  platform: string,
  aliases: AliasLookup
) => Effect.Effect<AccessRules, ConfigError> = Effect.fnUntraced(function* (settings, platform, aliases) {
  const own = settingsOf(platform)
  const entries = (setting: Setting.Setting<ReadonlyArray<string>>) =>
    Effect.map(settings.get(setting), (list) => entriesOf(platform, list, aliases))
  const exact = (setting: Setting.Setting<ReadonlyArray<string>>) =>
    Effect.map(settings.get(setting), (list) => new Set(list.map((id) => id.trim()).filter((id) => id !== "")))
  const fallback = platform === "whatsapp_cloud" ? settingsOf("whatsapp") : null
  const defaults = defaultPolicies[platform]
  const inherited = function* (setting: Setting.Setting<string | null>, of: "dmPolicy" | "groupPolicy") {
    const found = yield* settings.get(setting)
    return found ?? (fallback === null ? null : yield* settings.get(fallback[of]))
  }
  const byGroup = Object.entries(yield* settings.get(own.groups))
  return {
    platform,
    facts: factsOf(platform),
    allowedUsers: yield* entries(own.allowedUsers),
    gatewayAllowedUsers: yield* entries(GatewayAllowedUsers),
    groupUsers: yield* entries(own.groupUsers),
    groupChats: yield* exact(own.groupChats),
    groupAllowedChats: yield* exact(own.groupAllowedChats),
    allowAll: yield* settings.get(own.allowAll),
    gatewayAllowAll: yield* settings.get(GatewayAllowAllUsers),
    allowBots: yield* settings.get(own.allowBots),
    allowFrom: yield* entries(own.allowFrom),
    groupAllowFrom: yield* entries(own.groupAllowFrom),
    dmPolicy: (yield* inherited(own.dmPolicy, "dmPolicy")) ?? defaults?.dm ?? null,
    groupPolicy: (yield* inherited(own.groupPolicy, "groupPolicy")) ?? defaults?.group ?? null,
    groups: new Map(byGroup.map(([id, list]) => [id, entriesOf(platform, list, aliases)])),
    unauthorizedDmBehavior: yield* settings.get(own.unauthorizedDmBehavior),
    defaultDmBehavior: yield* settings.get(UnauthorizedDmBehavior)
  }
})

/** The reasons for which a platform must not be started (`access A2`, A3); empty = it may. */
export const refusalsOf = (
  rules: AccessRules
): ReadonlyArray<{ readonly isFatal: boolean; readonly reason: string }> => {
  const found: Array<{ readonly isFatal: boolean; readonly reason: string }> = []
  const policies = [
    { key: "dm_policy", value: rules.dmPolicy, known: ["open", "allowlist", "pairing", "disabled"] },
    { key: "group_policy", value: rules.groupPolicy, known: ["open", "allowlist", "pairing", "disabled"] }
  ]
  for (const { key, known, value } of policies) {
    if (value === null) continue
    if (!known.includes(value)) {
      found.push({ isFatal: false, reason: `${key} is "${value}", which is none of ${known.join(", ")}` })
    } else if (value === "open" && rules.facts.ownsPolicy && !rules.allowAll && !rules.gatewayAllowAll) {
      found.push({
        isFatal: true,
        reason: `${key} is open, but neither ${rules.facts.prefix}_ALLOW_ALL_USERS nor GATEWAY_ALLOW_ALL_USERS is set`
      })
    }
  }
  return found
}
