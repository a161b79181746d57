/**
 * What the access rules know of each platform: its variables, who authenticates its events, who owns its policy. Facts
 * only (`access` Settings); a platform that is not named here follows the general pattern.
 */

export interface PlatformFacts {
  /** What its variables begin with. */
  readonly prefix: string
  /** Its adapter authenticates every request by token, HMAC or client state (`access D1`, rule 1). */
  readonly isAuthenticated: boolean
  /** Its adapter has a policy of its own, applied before access (`access D2` a). */
  readonly ownsPolicy: boolean
  /** Bots can be admitted there (`access D1`, rule 4). */
  readonly admitsBots: boolean
  /** Variable of chats whose members may all speak (`access D1`, rules 3 and 10). */
  readonly groupChats: string | null
  /** Variable of users who may speak in groups (`access D3`). */
  readonly groupUsers: string | null
  /** The part before `@` names the same account (`access R13`). */
  readonly hasLocalPart: boolean
  /** Ids are spelled in several ways and compared by their aliases (`access I1`). */
  readonly hasAliases: boolean
  /** Variables that set `allow_from` and `group_allow_from`. */
  readonly allowFrom: string | null
  readonly groupAllowFrom: string | null
  /** Strangers are not answered unless the platform's own key says so (`access U2` 2). */
  readonly isMailbox: boolean
}

const prefixOf = (platform: string): string => platform.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")

const ordinary = (platform: string): PlatformFacts => ({
  prefix: prefixOf(platform),
  isAuthenticated: false,
  ownsPolicy: false,
  admitsBots: false,
  groupChats: null,
  groupUsers: null,
  hasLocalPart: false,
  hasAliases: false,
  allowFrom: null,
  groupAllowFrom: null,
  isMailbox: false
})

const special: Readonly<Record<string, Partial<PlatformFacts>>> = Object.assign(Object.create(null), {
  telegram: {
    admitsBots: true,
    groupChats: "TELEGRAM_GROUP_ALLOWED_CHATS",
    groupUsers: "TELEGRAM_GROUP_ALLOWED_USERS"
  },
  discord: { admitsBots: true },
  slack: { admitsBots: true },
  feishu: { admitsBots: true },
  whatsapp: { ownsPolicy: true, hasLocalPart: true, hasAliases: true },
  whatsapp_cloud: {
    ownsPolicy: true,
    hasLocalPart: true,
    hasAliases: true,
    allowFrom: "WHATSAPP_CLOUD_ALLOW_FROM",
    groupAllowFrom: "WHATSAPP_CLOUD_GROUP_ALLOW_FROM"
  },
  signal: { hasLocalPart: true },
  sms: { hasLocalPart: true },
  xmpp: { hasLocalPart: true },
  email: { isMailbox: true },
  wecom: { ownsPolicy: true },
  weixin: {
    ownsPolicy: true,
    allowFrom: "WEIXIN_ALLOWED_USERS",
    groupAllowFrom: "WEIXIN_GROUP_ALLOWED_USERS"
  },
  qqbot: {
    prefix: "QQ",
    ownsPolicy: true,
    groupChats: "QQ_GROUP_ALLOWED_USERS",
    allowFrom: "QQ_ALLOWED_USERS",
    groupAllowFrom: "QQ_GROUP_ALLOWED_USERS"
  },
  yuanbao: {
    ownsPolicy: true,
    allowFrom: "YUANBAO_DM_ALLOW_FROM",
    groupAllowFrom: "YUANBAO_GROUP_ALLOW_FROM"
  },
  homeassistant: { isAuthenticated: true },
  webhook: { isAuthenticated: true },
  msgraph_webhook: { isAuthenticated: true },
  // Every request carries its bearer key, and there is no pairing there (`access` Settings).
  api_server: { isAuthenticated: true }
} satisfies Record<string, Partial<PlatformFacts>>)

export const factsOf = (platform: string): PlatformFacts => ({ ...ordinary(platform), ...special[platform] })

/** Chat types that are a direct message; every other one is a group (`access` Words). */
export const scopeOf = (chatType: string): "dm" | "group" =>
  ["dm", "direct", "private"].includes(chatType.trim().toLowerCase()) ? "dm" : "group"
