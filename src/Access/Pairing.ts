/**
 * The pairings as this process knows them: in memory, so that no message costs a query, and read anew when the rows have
 * changed, whoever changed them. While they cannot be read, nobody counts as paired, and `problem` says so (G-2).
 */
import { Context, Effect, Layer, Schedule, Semaphore, SubscriptionRef } from "effect"
import type { AliasLookup } from "../Message/WhatsAppIdentity.ts"
import { noAliases } from "../Message/WhatsAppIdentity.ts"
import { Database } from "../Storage/Database.ts"
import type { Paired } from "./Decision.ts"
import * as PairingStore from "./PairingStore.ts"
import { factsOf } from "./Platforms.ts"

/** How soon a change that another process made counts. */
const lookEvery = "1 second"

/** Platforms whose people have several ids (`session A`). */
const aliased: ReadonlyArray<string> = ["whatsapp", "whatsapp_cloud"].filter((name) => factsOf(name).hasAliases)

interface Picture {
  readonly revision: number
  readonly paired: ReadonlyMap<string, ReadonlySet<string>>
  readonly aliases: ReadonlyMap<string, AliasLookup>
}

const nobody: ReadonlySet<string> = new Set()

const placeOf = ({ platform, profile }: PairingStore.Place): string => JSON.stringify([profile, platform])

const lookupOf = (pairs: ReadonlyArray<readonly [id: string, alias: string]>): AliasLookup => {
  const others = new Map<string, Array<string>>()
  const add = (id: string, alias: string) => {
    const list = others.get(id)
    if (list === undefined) others.set(id, [alias])
    else list.push(alias)
  }
  for (const [id, alias] of pairs) {
    add(id, alias)
    add(alias, id)
  }
  return (id) => others.get(id) ?? []
}

/** `default` and absent are the same profile. */
export const profileOf = (name: string | null | undefined): string => (!name || name === "default" ? "" : name)

export class Pairing extends Context.Service<
  Pairing,
  {
    /** `null` = the pairings cannot be read at present. */
    readonly pairedOn: (place: PairingStore.Place) => Paired | null
    readonly aliasesOf: (platform: string) => AliasLookup
    /** A stranger asks for a code. */
    readonly request: PairingStore.Store["request"]
    /** Looks whether rows have changed, and reads them if so; never fails. */
    readonly look: Effect.Effect<void>
    /** Counts the pictures that differed from the one before. */
    readonly changes: SubscriptionRef.SubscriptionRef<number>
    /** For status; `null` = all is well. */
    readonly problem: () => string | null
  }
>()("Access/Pairing") {
  static readonly layer = Layer.effect(
    Pairing,
    Effect.gen(function* () {
      const database = yield* Database
      const changes = yield* SubscriptionRef.make(0)
      const alone = yield* Semaphore.make(1)
      let picture: Picture | null = null
      let problem: string | null = null

      const aliasesOf = (platform: string): AliasLookup => picture?.aliases.get(platform) ?? noAliases
      const store = PairingStore.make(database, (platform) => (id) => aliasesOf(platform)(id))

      const read = Effect.fnUntraced(function* (revision: number) {
        const aliases = new Map<string, AliasLookup>()
        for (const platform of aliased) aliases.set(platform, lookupOf(yield* store.aliases(platform)))
        const paired = new Map<string, Set<string>>()
        for (const user of yield* store.approved) {
          const place = placeOf(user)
          const set = paired.get(place) ?? new Set<string>()
          set.add(user.userId)
          paired.set(place, set)
        }
        picture = { revision, paired, aliases }
        yield* SubscriptionRef.update(changes, (n) => n + 1)
      })

      const look = alone
        .withPermit(
          Effect.gen(function* () {
            const revision = yield* store.revision
            if (picture?.revision !== revision) yield* read(revision)
            if (problem === null) return
            problem = null
            yield* Effect.logInfo("the pairings can be read again")
          })
        )
        .pipe(
          Effect.catch((error) =>
            Effect.suspend(() => {
              const isFirst = problem === null
              problem = `the pairings cannot be read (${error.message}); paired users are refused meanwhile`
              // What was known may have been taken back since: it admits nobody.
              picture = null
              return isFirst ? Effect.logError(`access: ${problem}`) : Effect.void
            })
          )
        )

      yield* look
      yield* Effect.forkScoped(Effect.schedule(look, Schedule.spaced(lookEvery)))

      return {
        pairedOn: (place) => {
          if (picture === null) return null
          const set = picture.paired.get(placeOf(place)) ?? nobody
          return (principal) => set.has(principal)
        },
        aliasesOf,
        request: store.request,
        look,
        changes,
        problem: () => problem
      }
    })
  )
}
