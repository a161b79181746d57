/**
 * Takes answers to prompts of running turns, typed or pressed (`conversation` A4, A8, A9, C3, `relay L1`). The row of an
 * answer ends before the answer is handed on: what cannot be stored leaves the prompt open.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { Access } from "../Access/Access.ts"
import type { MessageEvent } from "../Message/MessageEvent.ts"
import { ended, type InboxRow } from "../Storage/Inbox.ts"
import { Journal, type JournalError } from "../Storage/Journal.ts"
import * as Answers from "./Answers.ts"
import { Confirmations } from "./Confirmations.ts"
import { mayAnswer } from "./MayAnswer.ts"
import { type Prompt, Prompts } from "./Prompts.ts"
import * as Texts from "./Texts.ts"
import { Voice } from "./Voice.ts"

type Press = NonNullable<MessageEvent["promptResponse"]>

/** Longest reason of a denial (`conversation A6`). */
const reasonBound = 280

export class PromptDesk extends Context.Service<
  PromptDesk,
  {
    /** `true`: the text was an answer and its row has ended. `denies`: other words refuse what waits for approval. */
    readonly type: (sessionKey: string, row: InboxRow, denies: boolean) => Effect.Effect<boolean, JournalError>
    /** Consumes a press, whatever it is; gives the rows that it put into the Inbox. */
    readonly press: (row: InboxRow, press: Press) => Effect.Effect<ReadonlyArray<InboxRow>, JournalError>
  }
>()("Conversation/PromptDesk") {
  static readonly layer = Layer.effect(
    PromptDesk,
    Effect.gen(function* () {
      const access = yield* Access
      const prompts = yield* Prompts
      const confirmations = yield* Confirmations
      const journal = yield* Journal
      const voice = yield* Voice
      const clock = yield* Clock.Clock

      const done = (row: InboxRow, note: string) => ended(row.id, "done", clock.currentTimeMillisUnsafe(), note)

      const consume = (row: InboxRow, note: string) => Effect.as(journal.commit([done(row, note)]), [])

      const say = (row: InboxRow, text: string, writes: Parameters<typeof voice.say>[2]) =>
        voice.say(voice.occasion(row, `prompt:${row.id}`), { kind: "notice", text, notify: false }, writes)

      const mean = Effect.fnUntraced(function* (row: InboxRow, prompt: Prompt, meaning: Answers.Meaning) {
        switch (meaning._tag) {
          case "NotThis":
            yield* say(row, Texts.noSuchChoice(prompt.choices.length), [done(row, "no such choice")])
            return
          case "Other":
            prompt.takesText = true
            yield* say(row, Texts.inOwnWords, [done(row, "an answer follows")])
            return
          case "Answer":
            yield* journal.commit([done(row, "an answer"), ...(prompt.outside?.(meaning.answer) ?? [])])
            if (prompts.take(prompt)) yield* prompt.resolve(meaning.answer)
        }
      })

      /** Words that answer nothing, while something waits for this user's word. */
      const pass = Effect.fnUntraced(function* (row: InboxRow, mine: ReadonlyArray<Prompt>, denies: boolean) {
        for (const prompt of mine) {
          if (prompt.kind === "question") {
            // It had buttons, and these words are none of them: the question is withdrawn (`conversation C3`).
            if (row.event.text.trim() !== "" && prompts.take(prompt))
              yield* prompt.resolve({ _tag: "None", why: "cancelled" })
          } else if (denies) {
            const reason = Array.from(row.event.text).slice(0, reasonBound).join("")
            if (prompts.take(prompt)) yield* prompt.resolve({ _tag: "Decision", choice: "deny", reason })
          } else {
            yield* say(row, Texts.approvalWaits, [])
            return
          }
        }
      })

      return {
        type: Effect.fnUntraced(function* (sessionKey, row, denies) {
          const mine = prompts.of(sessionKey).filter((prompt) => mayAnswer(access, prompt, row))
          // Bare words are for the question first: a "yes" to it must not approve a command.
          const prompt = mine.find(({ kind }) => kind === "question") ?? mine[0]
          if (prompt === undefined) return false
          const meaning = row.event.media.length > 0 ? null : Answers.typed(prompt, row.event.text)
          if (meaning !== null) {
            yield* mean(row, prompt, meaning)
            return true
          }
          yield* pass(row, mine, denies)
          return false
        }),
        press: Effect.fnUntraced(function* (row, press) {
          const found = prompts.find(press.promptId)
          switch (found._tag) {
            case "Foreign":
              return yield* consume(row, "a press of another gateway's button")
            case "Resolved":
              return yield* consume(row, "answered already")
            case "Gone":
              yield* say(row, Texts.promptOver, [done(row, "nothing waits for this press")])
              return []
            case "Stored": {
              const option = found.prompt.options.find(({ id }) => id === press.optionId)
              return option === undefined
                ? yield* consume(row, "no such button")
                : yield* confirmations.chooseIn(found.prompt, row, option)
            }
            case "Turn": {
              const { prompt } = found
              if (!mayAnswer(access, prompt, row)) return yield* consume(row, "another user's prompt")
              const meaning = Answers.pressed(prompt, press.optionId)
              if (meaning === null) return yield* consume(row, "no such button")
              yield* mean(row, prompt, meaning)
              return []
            }
          }
        })
      }
    })
  )
}
