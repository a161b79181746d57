/**
 * The bots that one link fronts (`relay` Configuration): which they are, and which of them a chat's platform belongs to.
 * Pure; the first is the default and names the link.
 */
import { Result, Schema } from "effect"
import { platformName } from "./InboundEvent.ts"

export interface Identity {
  /** As the connector is told. */
  readonly platform: string
  readonly botId: string
}

export type Identities = readonly [Identity, ...ReadonlyArray<Identity>]

/** Identities of one link; more are left out. */
const maxIdentities = 64

const BotIds = Schema.Record(Schema.String, Schema.Struct({ botId: Schema.String }))
export type BotIds = typeof BotIds.Type
const decodeBotIds = Schema.decodeUnknownResult(Schema.Union([BotIds, Schema.fromJsonString(BotIds)]))

/** `{PLATFORM: {botId}}`, as JSON text or as it stands in a file; `undefined` = it cannot be read. */
export const botIds = (raw: unknown): BotIds | undefined => {
  if (raw === null || raw === "") return {}
  const decoded = decodeBotIds(raw)
  return Result.isSuccess(decoded) ? decoded.success : undefined
}

/** The list wins over the single identity; a platform without an entry has the bot id `""`. */
export const identities = (options: {
  readonly platforms: ReadonlyArray<string>
  readonly botIds: BotIds
  readonly single: Identity
}): Identities => {
  const ids = new Map(Object.entries(options.botIds).map(([name, { botId }]) => [name.trim().toLowerCase(), botId]))
  const found = new Map<string, Identity>()
  for (const platform of options.platforms) {
    const name = platform.toLowerCase()
    if (!found.has(name)) found.set(name, { platform, botId: ids.get(name) ?? "" })
  }
  const [first, ...others] = [...found.values()].slice(0, maxIdentities)
  return first === undefined ? [options.single] : [first, ...others]
}

/** `Outlet.link`: part of every stored row, so it stays the same while the default identity does. */
export const linkOf = ([first]: Identities): string => `relay:${first.botId}`

/** The identity that speaks on a chat's platform; the default where none is named for it. */
export const identityOf = (all: Identities, platform: string): Identity =>
  all.find((identity) => platformName(identity.platform) === platform) ?? all[0]

/**
 * Where duplicates are looked for (`relay I3a`): the bot. On a link that fronts one it is the link; on one that fronts
 * several the platform tells them apart, also where their bot ids are the same.
 */
export const scopeOf = (all: Identities, link: string, platform: string): string =>
  all.length === 1 ? link : `relay:${identityOf(all, platform).platform}:${identityOf(all, platform).botId}`
