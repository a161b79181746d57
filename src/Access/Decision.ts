/**
 * May this sender speak? A pure function of the source, what our intake found out about it, and the access settings
 * (`access D1`): the first rule that matches decides, and its number is logged and counted. Default: deny.
 */
import type { Provenance, Source } from "../Message/Source.ts"

/** The lists that apply to one platform; entries are exact ids, `*` is everyone. */
export interface AccessSettings {
  /** `<P>_ALLOWED_USERS`. */
  readonly allowedUsers: ReadonlySet<string>
  /** `<P>_ALLOW_ALL_USERS`. */
  readonly allowAll: boolean
  /** `GATEWAY_ALLOWED_USERS`. */
  readonly gatewayAllowedUsers: ReadonlySet<string>
  /** `GATEWAY_ALLOW_ALL_USERS`: counts only while no list applies. */
  readonly gatewayAllowAll: boolean
}

export interface Decision {
  readonly allow: boolean
  /** Number of the rule in `access D1`. */
  readonly rule: string
}

const allow = (rule: string): Decision => ({ allow: true, rule })
const deny = (rule: string): Decision => ({ allow: false, rule })

const lists = (list: ReadonlySet<string>, userId: string): boolean => list.has("*") || list.has(userId)

export const decide = (source: Source, provenance: Provenance, settings: AccessSettings): Decision => {
  if (provenance.viaRelay) return allow("2")
  const userId = source.userId?.trim()
  if (userId === undefined || userId === "") return deny("5")
  if (settings.allowAll) return allow("6")
  if (provenance.roleAuthorized) return allow("7")
  if (settings.allowedUsers.size === 0 && settings.gatewayAllowedUsers.size === 0) {
    return settings.gatewayAllowAll ? allow("D2c") : deny("D2d")
  }
  return lists(settings.allowedUsers, userId) || lists(settings.gatewayAllowedUsers, userId) ? allow("12") : deny("13")
}
