/**
 * Who a sender is, for comparing with a list (`access I1`, R13): ids only, never a display name. Comparison is exact after
 * trimming; look-alike characters are other characters.
 */
import { type AliasLookup, normalize } from "../Message/WhatsAppIdentity.ts"
import { factsOf } from "./Platforms.ts"

/** One person has a handful of ids; a map that joins more is corrupt, and the rest is ignored. */
const maxAliases = 64

const isSafe = (id: string): boolean => /^[A-Za-z0-9@.+-]+$/.test(id)

/** The normalised id and everything its aliases lead to, both ways and transitively. */
const withAliases = (id: string, aliases: AliasLookup): ReadonlyArray<string> => {
  const start = normalize(id)
  const reached = new Set(start === "" ? [] : [start])
  // A set that grows while it is walked: every id found is looked up in its turn.
  for (const known of reached) {
    if (!isSafe(known)) continue
    for (const raw of aliases(known)) {
      const alias = normalize(raw)
      if (isSafe(alias) && reached.size < maxAliases) reached.add(alias)
    }
  }
  return [...reached]
}

/** Every spelling under which a list may name this sender; empty = the sender has no identity. */
export const identitiesOf = (platform: string, userId: string | null, aliases: AliasLookup): ReadonlyArray<string> => {
  const id = userId?.trim() ?? ""
  if (id === "") return []
  const { hasAliases, hasLocalPart, isMailbox } = factsOf(platform)
  if (isMailbox) {
    const address = id.toLowerCase()
    const at = address.lastIndexOf("@")
    return at > 0 && at < address.length - 1 ? [address, address.slice(at)] : [address]
  }
  const found = new Set([id])
  const at = id.indexOf("@")
  if (hasLocalPart && at > 0) found.add(id.slice(0, at))
  if (hasAliases) for (const alias of withAliases(id, aliases)) found.add(alias)
  return [...found]
}

/** The entries of a list as they are compared: trimmed, none empty, aliases expanded where the platform has them. */
export const entriesOf = (platform: string, list: ReadonlyArray<string>, aliases: AliasLookup): ReadonlySet<string> => {
  const { hasAliases, isMailbox } = factsOf(platform)
  const entries = new Set<string>()
  for (const raw of list) {
    const entry = raw.trim()
    if (entry === "") continue
    if (isMailbox) {
      // A name without a domain would let that name in at any domain.
      if (entry === "*" || entry.includes("@")) entries.add(entry.toLowerCase())
      continue
    }
    entries.add(entry)
    if (hasAliases && entry !== "*") for (const alias of withAliases(entry, aliases)) entries.add(alias)
  }
  return entries
}

/** The one spelling under which pairings keep a sender, whatever spelling the message used (`access P2`). */
export const principalOf = (platform: string, userId: string, aliases: AliasLookup): string => {
  const id = userId.trim()
  const { hasAliases, isMailbox } = factsOf(platform)
  if (isMailbox) return id.toLowerCase()
  if (!hasAliases) return id
  const all = withAliases(id, aliases)
  return all.reduce(
    (best, other) => (other.length < best.length || (other.length === best.length && other < best) ? other : best),
    all[0] ?? id
  )
}
