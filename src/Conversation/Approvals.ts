/**
 * What was allowed for longer than once (`conversation A5`, A11): for a conversation until its boundary, or for good. It only
 * remembers; what is asked, and of whom, is decided elsewhere. `once` never gets here.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { Journal } from "../Storage/Journal.ts"
import { granted, PromptStore } from "../Storage/PromptStore.ts"

/** Conversations whose grants are in memory; the longest unused is read again when it asks. */
const knownBound = 1000
const forGood = "*"

export type Scope = "session" | "always"

export class Approvals extends Context.Service<
  Approvals,
  {
    /** The scope under which all of these patterns are held; `null` = a person must be asked. */
    readonly held: (sessionId: string, patterns: ReadonlyArray<string>) => Effect.Effect<Scope | null>
    readonly grant: (scope: Scope, sessionId: string, patterns: ReadonlyArray<string>) => Effect.Effect<void>
  }
>()("Conversation/Approvals") {
  static readonly layer = Layer.effect(
    Approvals,
    Effect.gen(function* () {
      const store = yield* PromptStore
      const journal = yield* Journal
      const clock = yield* Clock.Clock
      const known = new Map<string, Set<string>>()

      const read = (scope: string): Effect.Effect<Set<string>> =>
        Effect.suspend(() => {
          const found = known.get(scope)
          if (found !== undefined) {
            known.delete(scope)
            known.set(scope, found)
            return Effect.succeed(found)
          }
          return store.grantsOf(scope).pipe(
            Effect.map((patterns) => {
              const read = known.get(scope) ?? new Set(patterns)
              known.set(scope, read)
              if (known.size > knownBound) known.delete(known.keys().next().value!)
              return read
            }),
            // Asking once too often is the safe side; what could not be read is not remembered as empty.
            Effect.catch((error) =>
              Effect.as(Effect.logWarning("earlier approvals could not be read", error.message), new Set<string>())
            )
          )
        })

      return {
        held: Effect.fnUntraced(function* (sessionId, patterns) {
          if (patterns.length === 0) return null
          const always = yield* read(forGood)
          if (patterns.every((pattern) => always.has(pattern))) return "always"
          const session = yield* read(sessionId)
          return patterns.every((pattern) => always.has(pattern) || session.has(pattern)) ? "session" : null
        }),
        grant: Effect.fnUntraced(
          function* (scope, sessionId, patterns) {
            const name = scope === "always" ? forGood : sessionId
            const at = clock.currentTimeMillisUnsafe()
            yield* journal.commit(patterns.map((pattern) => granted(name, pattern, at)))
            const held = yield* read(name)
            for (const pattern of patterns) held.add(pattern)
          },
          Effect.catch((error) => Effect.logError("an approval was not remembered; it holds once", error.message))
        )
      }
    })
  )
}
