/**
 * Prompts: what running turns ask, and the confirmations and pickers of commands, which outlive a restart (`conversation` A,
 * C, F). It knows which one an answer belongs to and sees that each is answered once. Who may answer is `Access/Answering`;
 * what an answer does is its asker's.
 */
import { Clock, Context, Effect, Layer, type Scope } from "effect"
import { createHash } from "node:crypto"
import type { Answer } from "../Agent/Agent.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import { Installation } from "../Storage/Installation.ts"
import { PromptStore, type StoredPrompt } from "../Storage/PromptStore.ts"

/** What a running turn asked. It ends with the turn. */
export interface Prompt {
  /** `NONCE.8hex` (`relay L1`). */
  readonly id: string
  readonly sessionKey: string
  readonly kind: "question" | "approval"
  readonly choices: ReadonlyArray<string>
  /** An approval may be given for good. */
  readonly allowPermanent: boolean
  /** The user whose message started the turn (`access D6`); `null` = the platform names no users. */
  readonly userId: string | null
  readonly isDirect: boolean
  /** Words of one's own are an answer: always, but for a question with buttons until "other" is pressed (`conversation C3`). */
  takesText: boolean
  readonly resolve: (answer: Answer) => Effect.Effect<void>
  /** No turn of ours asked it: it ends with its own time, and this belongs into the transaction of its answer. */
  readonly outside?: (answer: Answer) => ReadonlyArray<Write>
}

/** Resolved prompts whose further presses are consumed without a word (`relay L1`). */
const resolvedBound = 256
/** Stored prompts that are known without asking storage; beyond it the oldest are forgotten. */
const storedBound = 1000

/** `foreign`: another gateway's. `resolved`: answered already. `gone`: it waits no more, or never did. */
export type Found =
  | { readonly _tag: "Turn"; readonly prompt: Prompt }
  | { readonly _tag: "Stored"; readonly prompt: StoredPrompt }
  | { readonly _tag: "Foreign" | "Resolved" | "Gone" }

export class Prompts extends Context.Service<
  Prompts,
  {
    /** The same parts give the same id, in every process on this database. */
    readonly idOf: (...parts: ReadonlyArray<string | number>) => string
    /** Lets a prompt of a turn wait until it is answered or the scope closes. */
    readonly open: (prompt: Prompt) => Effect.Effect<void, never, Scope.Scope>
    /** What waits in a session, in the order in which it was asked. */
    readonly of: (sessionKey: string) => ReadonlyArray<Prompt>
    /** Takes the prompt out, so that a second answer finds nothing; `false`: it was out already. */
    readonly take: (prompt: Prompt) => boolean
    /** Until it is called, a question from outside makes the running turn of that session wait for its answer. */
    readonly attend: (sessionKey: string, awaiting: (waits: boolean) => void) => () => void
    /** A stored prompt was committed; it takes the place of the session's earlier one. */
    readonly keep: (prompt: StoredPrompt) => void
    readonly storedOf: (sessionKey: string) => StoredPrompt | null
    readonly takeStored: (prompt: StoredPrompt) => boolean
    readonly find: (id: string) => Found
  }
>()("Conversation/Prompts") {
  static readonly layer = Layer.effect(
    Prompts,
    Effect.gen(function* () {
      const store = yield* PromptStore
      const clock = yield* Clock.Clock
      const nonce = (yield* Installation).promptNonce
      const waiting = new Map<string, Array<Prompt>>()
      const byId = new Map<string, Prompt>()
      const stored = new Map<string, StoredPrompt>()
      const storedById = new Map<string, StoredPrompt>()
      const resolved = new Set<string>()
      const attending = new Map<string, (waits: boolean) => void>()

      const noteResolved = (id: string): void => {
        resolved.add(id)
        if (resolved.size > resolvedBound) resolved.delete(resolved.values().next().value!)
      }

      const remove = (prompt: Prompt): boolean => {
        if (byId.get(prompt.id) !== prompt) return false
        byId.delete(prompt.id)
        const others = (waiting.get(prompt.sessionKey) ?? []).filter((other) => other !== prompt)
        if (others.length === 0 && prompt.outside !== undefined) attending.get(prompt.sessionKey)?.(false)
        if (others.length === 0) waiting.delete(prompt.sessionKey)
        else waiting.set(prompt.sessionKey, others)
        return true
      }

      const forget = (prompt: StoredPrompt): boolean => {
        if (storedById.get(prompt.id) !== prompt) return false
        storedById.delete(prompt.id)
        if (stored.get(prompt.sessionKey) === prompt) stored.delete(prompt.sessionKey)
        return true
      }

      const keep = (prompt: StoredPrompt): void => {
        const earlier = stored.get(prompt.sessionKey)
        if (earlier !== undefined) forget(earlier)
        stored.set(prompt.sessionKey, prompt)
        storedById.set(prompt.id, prompt)
        if (stored.size > storedBound) forget(stored.values().next().value!)
      }

      const isOver = (prompt: StoredPrompt): boolean => prompt.expiresAt <= clock.currentTimeMillisUnsafe()

      yield* store.open(clock.currentTimeMillisUnsafe(), storedBound).pipe(
        Effect.map((prompts) => prompts.forEach(keep)),
        Effect.catch((error) => Effect.logWarning("earlier prompts could not be read and have expired", error.message))
      )

      return {
        idOf: (...parts) => `${nonce}.${createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 8)}`,
        open: (prompt) =>
          Effect.asVoid(
            Effect.acquireRelease(
              Effect.sync(() => {
                byId.set(prompt.id, prompt)
                waiting.set(prompt.sessionKey, [...(waiting.get(prompt.sessionKey) ?? []), prompt])
                if (prompt.outside !== undefined) attending.get(prompt.sessionKey)?.(true)
              }),
              () => Effect.sync(() => remove(prompt))
            )
          ),
        of: (sessionKey) => waiting.get(sessionKey) ?? none,
        take: (prompt) => {
          const isMine = remove(prompt)
          if (isMine) noteResolved(prompt.id)
          return isMine
        },
        attend: (sessionKey, awaiting) => {
          attending.set(sessionKey, awaiting)
          if (waiting.has(sessionKey)) awaiting(true)
          return () => {
            if (attending.get(sessionKey) === awaiting) attending.delete(sessionKey)
          }
        },
        keep,
        storedOf: (sessionKey) => {
          const prompt = stored.get(sessionKey)
          if (prompt === undefined) return null
          if (!isOver(prompt)) return prompt
          forget(prompt)
          return null
        },
        takeStored: (prompt) => {
          const isMine = forget(prompt)
          if (isMine) noteResolved(prompt.id)
          return isMine
        },
        find: (id) => {
          if (!id.startsWith(`${nonce}.`)) return { _tag: "Foreign" }
          const prompt = byId.get(id)
          if (prompt !== undefined) return { _tag: "Turn", prompt }
          const kept = storedById.get(id)
          if (kept !== undefined && !isOver(kept)) return { _tag: "Stored", prompt: kept }
          return { _tag: resolved.has(id) ? "Resolved" : "Gone" }
        }
      }
    })
  )
}

const none: ReadonlyArray<Prompt> = []
