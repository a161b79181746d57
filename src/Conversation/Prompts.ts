/**
 * Questions and approvals of running turns: at most one waits per session, and it ends with its turn (`conversation A`, C).
 * Who may answer is `Access/Answering`; what the answer does is the agent's.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import type { Answer } from "../Agent/Agent.ts"
import type { Write } from "../Storage/BatchStatement.ts"

export interface Prompt {
  readonly kind: "question" | "approval"
  readonly choices: ReadonlyArray<string>
  /** The user whose message started the turn (`access D6`); `null` = the platform names no users. */
  readonly userId: string | null
  readonly isDirect: boolean
  readonly resolve: (answer: Answer) => Effect.Effect<void>
  /** Asked from outside of a turn: it ends with its own time, and what belongs into the transaction of its answer. */
  readonly outside?: (answer: Answer) => ReadonlyArray<Write>
}

export class Prompts extends Context.Service<
  Prompts,
  {
    /** Lets a prompt wait until it is answered or the scope closes. */
    readonly open: (sessionKey: string, prompt: Prompt) => Effect.Effect<void, never, Scope.Scope>
    readonly of: (sessionKey: string) => Prompt | null
    /** Takes the prompt out, so that a second answer finds nothing. */
    readonly take: (sessionKey: string, prompt: Prompt) => void
    /** Until it is called, a question from outside makes the running turn of that session wait for its answer. */
    readonly attend: (sessionKey: string, awaiting: (waits: boolean) => void) => () => void
  }
>()("Conversation/Prompts") {
  static readonly layer = Layer.sync(Prompts, () => {
    const waiting = new Map<string, Prompt>()
    const outside = new Map<string, Prompt>()
    const attending = new Map<string, (waits: boolean) => void>()
    const take = (sessionKey: string, prompt: Prompt) => {
      if (waiting.get(sessionKey) === prompt) waiting.delete(sessionKey)
      if (outside.get(sessionKey) !== prompt) return
      outside.delete(sessionKey)
      if (!waiting.has(sessionKey)) attending.get(sessionKey)?.(false)
    }
    return {
      open: (sessionKey, prompt) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => {
              if (prompt.outside === undefined) return void waiting.set(sessionKey, prompt)
              outside.set(sessionKey, prompt)
              attending.get(sessionKey)?.(true)
            }),
            () => Effect.sync(() => take(sessionKey, prompt))
          )
        ),
      of: (sessionKey) => waiting.get(sessionKey) ?? outside.get(sessionKey) ?? null,
      take,
      attend: (sessionKey, awaiting) => {
        attending.set(sessionKey, awaiting)
        if (outside.has(sessionKey)) awaiting(true)
        return () => {
          if (attending.get(sessionKey) === awaiting) attending.delete(sessionKey)
        }
      }
    }
  })
}

const words: Readonly<Record<string, "once" | "session" | "always" | "deny">> = Object.assign(Object.create(null), {
  ...Object.fromEntries(["approve", "yes", "ok", "okay", "confirm", "y", "👍"].map((word) => [word, "once"])),
  ...Object.fromEntries(["deny", "no", "reject", "cancel", "n", "👎"].map((word) => [word, "deny"])),
  always: "always",
  "approve always": "always",
  session: "session",
  "approve session": "session"
})

/** What a typed text answers to a prompt; `null` = it is not an answer (`conversation A4`, C3). */
export const answerOf = (prompt: Prompt, text: string): Answer | null => {
  const said = text.trim()
  if (prompt.kind === "approval") {
    const choice = words[said.toLowerCase()]
    return choice === undefined ? null : { _tag: "Decision", choice }
  }
  if (said === "") return null
  const number = /^\d+$/.test(said) ? Number(said) : 0
  const chosen =
    prompt.choices[number - 1] ?? prompt.choices.find((choice) => choice.toLowerCase() === said.toLowerCase())
  return { _tag: "Text", text: chosen ?? said }
}
