/**
 * Applies the access decision with this process's settings and pairings (`access D1`). Rules are read once per platform
 * and anew when the settings or the pairings have changed. What cannot be decided is refused, and said loudly (G-2).
 */
import { basename, dirname } from "node:path"
import { Context, Effect, Layer, Metric, Option, Stream, SubscriptionRef } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import { Settings } from "../Config/Settings.ts"
import type { Provenance, Source } from "../Message/Source.ts"
import { type AccessRules, OpenHostCommands, readRules, settingsOf } from "./AccessSettings.ts"
import { type Decision, decide, explain, misplacedGroups, type Step, type Subject } from "./Decision.ts"
import { Pairing, profileOf } from "./Pairing.ts"
import * as SlashAccess from "./SlashAccess.ts"

const refusals = Metric.counter("access_refused_total", {
  description: "messages of senders who may not speak",
  incremental: true
})
const errors = Metric.counter("access_undecided_total", {
  description: "messages refused because nothing could be decided",
  incremental: true
})

/** Platforms whose rules are remembered; names come from adapters, so there are few. */
const platformBound = 256

interface Known {
  readonly rules: AccessRules | ConfigError
  readonly slash: SlashAccess.Lists
}

export class Access extends Context.Service<
  Access,
  {
    /** Never fails: what cannot be decided is refused with rule `error`. */
    readonly decide: (source: Source, provenance: Provenance) => Effect.Effect<Decision>
    /** Every rule tried, the deciding one last (`access R4`). */
    readonly explain: (source: Source, provenance: Provenance) => Effect.Effect<ReadonlyArray<Step>, ConfigError>
    readonly rules: (platform: string) => Effect.Effect<AccessRules, ConfigError>
    /** Who may run which command where the source is from (`access S`). Asked for commands only, never per message. */
    readonly commands: (source: Source) => SlashAccess.Policy
    /** Moves when settings or pairings have changed: who was let in before is asked about again. */
    readonly changes: Stream.Stream<number>
    /** Why somebody is refused who should not be; empty = all is well. */
    readonly problems: () => ReadonlyArray<string>
  }
>()("Access/Access") {
  static readonly layer = Layer.effect(
    Access,
    Effect.gen(function* () {
      const settings = yield* Settings
      const pairing = yield* Pairing
      const served = basename(dirname(settings.home)) === "profiles" ? profileOf(basename(settings.home)) : ""
      // Settings are in memory: nothing here ever waits.
      const now = Effect.runSyncWith(yield* Effect.context<never>())
      let stamp = ""
      let known = new Map<string, Known>()
      let openHost = false
      const warned = new Set<string>()

      /** Lists as they were before the last change are not asked. */
      const forgetOld = (): void => {
        const fresh = `${SubscriptionRef.getUnsafe(settings.generation)} ${SubscriptionRef.getUnsafe(pairing.changes)}`
        if (fresh === stamp) return
        stamp = fresh
        known = new Map()
      }

      const warnOnce = (text: string) =>
        Effect.suspend(() => {
          if (warned.has(text) || warned.size >= platformBound) return Effect.void
          warned.add(text)
          return Effect.logWarning(text)
        })

      const read = Effect.fnUntraced(function* (platform: string) {
        const rules = yield* readRules(settings, platform, pairing.aliasesOf(platform)).pipe(
          Effect.catch((error) =>
            Effect.as(Effect.logError(`access: nobody may speak on ${platform}`, error.message), error)
          )
        )
        const own = settingsOf(platform)
        const slash = yield* SlashAccess.readLists(settings, own).pipe(
          Effect.catch((error) =>
            Effect.as(Effect.logError(`access: commands are closed on ${platform}`, error.message), SlashAccess.closed)
          )
        )
        openHost = yield* Effect.orElseSucceed(settings.get(OpenHostCommands), () => false)
        if (!("_tag" in rules)) {
          const misplaced = misplacedGroups(rules)
          if (misplaced.length > 0) {
            yield* warnOnce(
              `TELEGRAM_GROUP_ALLOWED_USERS names groups (${misplaced.slice(0, 10).join(", ")}): ` +
                "move them to TELEGRAM_GROUP_ALLOWED_CHATS"
            )
          }
        }
        const found: Known = { rules, slash }
        if (known.size < platformBound) known.set(platform, found)
        return found
      })

      const of = (platform: string): Effect.Effect<Known> =>
        Effect.suspend(() => {
          forgetOld()
          const found = known.get(platform)
          return found === undefined ? read(platform) : Effect.succeed(found)
        })

      const subjectOf = (source: Source, provenance: Provenance, rules: AccessRules): Subject => {
        const profile = profileOf(source.profile)
        return {
          source,
          provenance,
          rules,
          paired: pairing.pairedOn({ profile, platform: source.platform }),
          aliases: pairing.aliasesOf(source.platform),
          isServed: profile === "" || profile === served
        }
      }

      const undecided: Decision = { allow: false, rule: "error" }

      const rulesOf = (platform: string): Effect.Effect<AccessRules, ConfigError> =>
        Effect.flatMap(of(platform), ({ rules }) => ("_tag" in rules ? Effect.fail(rules) : Effect.succeed(rules)))

      return {
        decide: (source, provenance) =>
          Effect.flatMap(of(source.platform), ({ rules }) => {
            const decision = "_tag" in rules ? undecided : decide(subjectOf(source, provenance, rules))
            if (decision.allow) return Effect.succeed(decision)
            return Effect.as(Metric.update(decision.rule === "error" ? errors : refusals, 1), decision)
          }),
        explain: (source, provenance) =>
          Effect.map(rulesOf(source.platform), (rules) => explain(subjectOf(source, provenance, rules))),
        rules: rulesOf,
        commands: (source) =>
          SlashAccess.policyOf(now(of(source.platform)).slash, {
            platform: source.platform,
            chatType: source.chatType,
            userId: source.userId,
            aliases: pairing.aliasesOf(source.platform),
            openHost
          }),
        changes: Stream.merge(SubscriptionRef.changes(settings.generation), SubscriptionRef.changes(pairing.changes)),
        problems: () => {
          const broken = [...known]
            .filter(([, { rules }]) => "_tag" in rules)
            .map(([platform]) => `access: the settings of ${platform} cannot be used, nobody may speak there`)
          return Option.toArray(Option.fromNullOr(pairing.problem()))
            .map((problem) => `access: ${problem}`)
            .concat(broken)
        }
      }
    })
  )
}
