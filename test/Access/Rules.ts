/** Access rules and subjects for the tests of this room: everything empty unless said. */
import type { AccessRules } from "../../src/Access/AccessSettings.ts"
import type { Subject } from "../../src/Access/Decision.ts"
import { factsOf } from "../../src/Access/Platforms.ts"
import { noAliases } from "../../src/Message/WhatsAppIdentity.ts"
import * as Source from "../../src/Message/Source.ts"

export interface Given {
  readonly platform?: string
  readonly users?: ReadonlyArray<string>
  readonly gateway?: ReadonlyArray<string>
  readonly groupUsers?: ReadonlyArray<string>
  readonly groupChats?: ReadonlyArray<string>
  readonly groupAllowedChats?: ReadonlyArray<string>
  readonly allowFrom?: ReadonlyArray<string>
  readonly groupAllowFrom?: ReadonlyArray<string>
  readonly groups?: Readonly<Record<string, ReadonlyArray<string>>>
  readonly all?: boolean
  readonly gatewayAll?: boolean
  readonly bots?: "none" | "mentions" | "all"
  readonly dmPolicy?: string | null
  readonly groupPolicy?: string | null
  readonly dmBehavior?: "pair" | "ignore" | null
  readonly defaultDmBehavior?: "pair" | "ignore"
}

export const rules = (given: Given = {}): AccessRules => {
  const platform = given.platform ?? "telegram"
  return {
    platform,
    facts: factsOf(platform),
    allowedUsers: new Set(given.users),
    gatewayAllowedUsers: new Set(given.gateway),
    groupUsers: new Set(given.groupUsers),
    groupChats: new Set(given.groupChats),
    groupAllowedChats: new Set(given.groupAllowedChats),
    allowAll: given.all ?? false,
    gatewayAllowAll: given.gatewayAll ?? false,
    allowBots: given.bots ?? "none",
    allowFrom: new Set(given.allowFrom),
    groupAllowFrom: new Set(given.groupAllowFrom),
    dmPolicy: given.dmPolicy ?? null,
    groupPolicy: given.groupPolicy ?? null,
    groups: new Map(Object.entries(given.groups ?? {}).map(([id, list]) => [id, new Set(list)])),
    unauthorizedDmBehavior: given.dmBehavior ?? null,
    defaultDmBehavior: given.defaultDmBehavior ?? "pair"
  }
}

export const subject = (
  given: Given,
  userId: string | null,
  source: Partial<Source.Source> = {},
  more: Partial<Omit<Subject, "rules" | "source" | "paired">> & { readonly paired?: ReadonlyArray<string> | null } = {}
): Subject => {
  const { paired, ...rest } = more
  const set = new Set(paired ?? [])
  return {
    provenance: Source.untrusted,
    aliases: noAliases,
    isServed: true,
    ...rest,
    source: Source.make({ platform: given.platform ?? "telegram", chatId: "c", userId, ...source }),
    rules: rules(given),
    paired: paired === null ? null : (principal) => set.has(principal)
  }
}
