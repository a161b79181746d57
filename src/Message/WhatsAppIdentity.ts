/**
 * One name for one WhatsApp person, however the bridge spells the id (`session A1`, A2, A4). Pure: the alias map is a
 * look-up function, never a file.
 */
import { Result, Schema } from "effect"

/** An id that holds characters no WhatsApp id has; its message is rejected (`session A4`). */
export class UnsafeIdentifier extends Schema.TaggedError<UnsafeIdentifier>()("UnsafeIdentifier", {
  identifier: Schema.String
}) {}

/** Aliases of a normalised id, in both directions of the map. */
export type AliasLookup = (id: string) => ReadonlyArray<string>

export const noAliases: AliasLookup = () => []

/** One person has a handful of ids; a map that joins more than this is corrupt, and the rest is ignored. */
const maxAliases = 64

/** Trimmed, the first `+` removed, cut at the first `:` (device), then at the first `@` (`session A1`). */
export const normalize = (value: string | null): string =>
  (value ?? "").trim().replace("+", "").split(":", 1)[0]!.split("@", 1)[0]!

const isSafe = (id: string): boolean => /^[A-Za-z0-9@.+-]+$/.test(id)

const isBetter = (a: string, b: string): boolean => a.length < b.length || (a.length === b.length && a < b)

/**
 * The canonical id: the shortest of all that can be reached through the aliases, ties by text order (`session A2`). Empty
 * stays empty. An alias with unsafe characters is not followed.
 */
export const canonical = (value: string | null, aliases: AliasLookup): Result.Result<string, UnsafeIdentifier> => {
  const start = normalize(value)
  if (start === "") return Result.succeed("")
  if (!isSafe(start)) return Result.fail(new UnsafeIdentifier({ identifier: start }))
  const reached = new Set([start])
  let best = start
  // A set that grows while it is walked: every id found is looked up in its turn.
  for (const id of reached) {
    for (const raw of aliases(id)) {
      const alias = normalize(raw)
      if (!isSafe(alias) || reached.size >= maxAliases) continue
      reached.add(alias)
      if (isBetter(alias, best)) best = alias
    }
  }
  return Result.succeed(best)
}
