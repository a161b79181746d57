/**
 * Who may run which slash command (`access S1`–`S6`, S3a; `commands A1`–`A5`): pure, and the same for every way in which a
 * command can start. It says nothing about who may speak at all.
 */
import { Effect } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import type { Settings } from "../Config/Settings.ts"
import { type AliasLookup, noAliases } from "../Message/WhatsAppIdentity.ts"
import type { PlatformSettings } from "./AccessSettings.ts"
import { entriesOf, identitiesOf } from "./Identity.ts"
import { factsOf, scopeOf } from "./Platforms.ts"

/** The lists of one platform, as configured. */
export interface Lists {
  readonly adminFrom: ReadonlyArray<string>
  readonly userCommands: ReadonlyArray<string>
  readonly groupAdminFrom: ReadonlyArray<string>
  readonly groupUserCommands: ReadonlyArray<string>
}

/** What everybody may run wherever commands are split (`access S3`). */
const floor: ReadonlyArray<string> = ["help", "whoami"]

/** Stands for lists that could not be read: split everywhere, and nobody is an admin. */
export const closed: Lists = { adminFrom: ["\0"], userCommands: [], groupAdminFrom: ["\0"], groupUserCommands: [] }

export const readLists: (settings: Settings["Service"], own: PlatformSettings) => Effect.Effect<Lists, ConfigError> =
  Effect.fnUntraced(function* (settings, own) {
    return {
      adminFrom: yield* settings.get(own.adminFrom),
      userCommands: yield* settings.get(own.userCommands),
      groupAdminFrom: yield* settings.get(own.groupAdminFrom),
      groupUserCommands: yield* settings.get(own.groupUserCommands)
    }
  })

/** What one person may run in one place. */
export interface Policy {
  readonly scope: "dm" | "group"
  /** Somebody configured admins for this scope. */
  readonly isSplit: boolean
  /** Named in the admin list; with no list nobody is (`access D6`, `commands A4`). */
  readonly isConfiguredAdmin: boolean
  /** For `/whoami`. */
  readonly tier: "admin" | "user" | "unrestricted"
  /** Commands of class `host` need a configured admin here (`access S3a`). */
  readonly guardsHost: boolean
  /** What is open to somebody who is no admin, floor first; `null` = everything. */
  readonly open: ReadonlyArray<string> | null
}

const commandName = (raw: string): string => raw.trim().replace(/^\/+/, "").trim().toLowerCase()

const commandNames = (list: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set(list.map(commandName).filter((name) => name !== ""))
]

export const policyOf = (
  lists: Lists,
  who: {
    readonly platform: string
    readonly chatType: string
    readonly userId: string | null
    readonly aliases?: AliasLookup
    readonly openHost?: boolean
  }
): Policy => {
  const scope = scopeOf(who.chatType)
  const aliases = who.aliases ?? noAliases
  const isDirect = scope === "dm"
  const admins = entriesOf(who.platform, isDirect ? lists.adminFrom : lists.groupAdminFrom, aliases)
  // Comparison is exact; only where one person has several ids these stand for each other.
  const ids = factsOf(who.platform).hasAliases
    ? identitiesOf(who.platform, who.userId, aliases)
    : who.userId === null
      ? []
      : [factsOf(who.platform).isMailbox ? who.userId.trim().toLowerCase() : who.userId.trim()]
  const isSplit = admins.size > 0
  const isConfiguredAdmin = ids.some((id) => id !== "" && admins.has(id))
  const own = commandNames(isDirect ? lists.userCommands : lists.groupUserCommands)
  const open = own.length === 0 && isDirect ? commandNames(lists.groupUserCommands) : own
  return {
    scope,
    isSplit,
    isConfiguredAdmin,
    tier: !isSplit ? "unrestricted" : isConfiguredAdmin ? "admin" : "user",
    guardsHost: !isDirect && who.openHost !== true,
    open: !isSplit || isConfiguredAdmin ? null : [...new Set([...floor, ...open])]
  }
}

/** `name` is canonical: an alias has been resolved. `isHost`: the command reaches this machine (`commands A5`). */
export const canRun = (policy: Policy, name: string, isHost = false): boolean => {
  if (isHost && policy.guardsHost && !policy.isConfiguredAdmin) return false
  return policy.open === null || policy.open.includes(commandName(name))
}

/** Commands a refused caller is told of (`access S6`); `more` = there are others. */
export const offered = (policy: Policy): { readonly names: ReadonlyArray<string>; readonly more: boolean } => {
  const names = policy.open ?? []
  return { names: names.slice(0, 12), more: names.length > 12 }
}
