/**
 * Who is let in, and by which words of which file (`access R4`): for the operator to read. It decides nothing; the
 * decision is `Decision.ts`.
 */
import type { Setting } from "../Config/Setting.ts"
import type { Settings } from "../Config/Settings.ts"
import {
  type AccessRules,
  GatewayAllowAllUsers,
  GatewayAllowedUsers,
  listedSettingsOf,
  settingsOf
} from "./AccessSettings.ts"
import type { Ground } from "./Decision.ts"

const nameOf = ({ env, key }: Setting<unknown>): string => env[0] ?? key ?? ""

const settingOf = (platform: string, ground: Exclude<Ground, "pairing">): Setting<unknown> =>
  ground === "gatewayAllowedUsers"
    ? GatewayAllowedUsers
    : ground === "gatewayAllowAll"
      ? GatewayAllowAllUsers
      : settingsOf(platform)[ground]

/** The setting behind a decision, and the place that set it. */
export const originOf = (
  settings: Settings["Service"],
  platform: string,
  ground: Ground
): { readonly name: string; readonly origin: string } => {
  if (ground === "pairing") return { name: "pairing", origin: "pairing approve" }
  const setting = settingOf(platform, ground)
  return { name: nameOf(setting), origin: settings.explain(setting).origin }
}

/** What operators do not expect (`access D7`). */
export const surprisesOf = (rules: AccessRules): ReadonlyArray<string> => {
  const notes: Array<string> = []
  const isListed = [rules.allowedUsers, rules.gatewayAllowedUsers].some(({ size }) => size > 0)
  const ofFile = [
    ...(rules.allowFrom.size > 0 ? ["allow_from"] : []),
    ...(rules.groupAllowFrom.size > 0 ? ["group_allow_from"] : []),
    ...(rules.groups.size > 0 ? ["groups"] : [])
  ]
  const variable = rules.allowedUsers.size > 0 ? `${rules.facts.prefix}_ALLOWED_USERS` : "GATEWAY_ALLOWED_USERS"
  if (isListed && ofFile.length > 0) {
    notes.push(`${variable} is set, so ${ofFile.join(", ")} of ${rules.platform} does not count`)
  }
  if (isListed && rules.gatewayAllowAll) notes.push(`${variable} is set, so GATEWAY_ALLOW_ALL_USERS does not count`)
  return notes
}

interface Grant {
  readonly platform: string
  readonly grant: string
  readonly who: string
  readonly origin: string
}

const grants: ReadonlySet<string> = new Set([
  "allowedUsers",
  "allowAll",
  "groupUsers",
  "groupChats",
  "groupAllowedChats",
  "allowBots",
  "allowFrom",
  "groupAllowFrom",
  "groups",
  "adminFrom",
  "groupAdminFrom"
])

/** Every setting that lets somebody in or makes him an admin, and is set. */
export const configured = (settings: Settings["Service"], platforms: ReadonlyArray<string>): ReadonlyArray<Grant> => {
  const found: Array<Grant> = []
  const add = (platform: string, setting: Setting<unknown>) => {
    const { origin, value } = settings.explain(setting)
    if (origin !== "default" && value !== "false") found.push({ platform, grant: nameOf(setting), who: value, origin })
  }
  add("all", GatewayAllowedUsers)
  add("all", GatewayAllowAllUsers)
  for (const platform of platforms) {
    const listed = new Set(listedSettingsOf(platform))
    for (const [name, setting] of Object.entries(settingsOf(platform))) {
      if (grants.has(name) && listed.has(setting)) add(platform, setting)
    }
  }
  return found
}
