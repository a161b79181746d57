/**
 * Commands that ask before they act, and lists to pick from (`conversation F`, A12): the question is stored, so it can be
 * answered after a restart, and what was chosen becomes a message of its own in the transaction that ends the question.
 */
import { Clock, Context, Duration, Effect, Layer } from "effect"
import { Access } from "../Access/Access.ts"
import { ended, type InboxRow, type NewInboxRow, taken } from "../Storage/Inbox.ts"
import { Journal, type JournalError } from "../Storage/Journal.ts"
import { stored } from "../Storage/Outbox.ts"
import {
  asked,
  preferred,
  promptEnded,
  PromptStore,
  type StoredOption,
  type StoredPrompt
} from "../Storage/PromptStore.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import * as Answers from "./Answers.ts"
import { mayConfirm } from "./MayAnswer.ts"
import { Prompts } from "./Prompts.ts"
import * as Texts from "./Texts.ts"
import { Voice } from "./Voice.ts"

/** A confirmation that nobody gave is void after this time (`conversation F3`). */
const lifetime = Duration.minutes(5)

export class Confirmations extends Context.Service<
  Confirmations,
  {
    /** Nobody said "always" to this kind of question yet. */
    readonly asks: (preference: string) => boolean
    /** Asks whether the command is meant; its row ends with the question. */
    readonly ask: (row: InboxRow, question: string, preference: string) => Effect.Effect<void, JournalError>
    /** Which option of the session's open prompt a typed message chooses; `null` = it is an ordinary message. */
    readonly answeredBy: (row: InboxRow) => StoredOption | null
    /** Carries out what a typed message chose; `null` = the prompt is gone meanwhile. */
    readonly choose: (
      row: InboxRow,
      option: StoredOption
    ) => Effect.Effect<ReadonlyArray<InboxRow> | null, JournalError>
    readonly chooseIn: (
      prompt: StoredPrompt,
      row: InboxRow,
      option: StoredOption
    ) => Effect.Effect<ReadonlyArray<InboxRow>, JournalError>
    /** Says something and puts rows into the Inbox, in one transaction; gives those rows as they were stored. */
    readonly sayAndTake: (
      row: InboxRow,
      cause: string,
      text: string,
      rows: ReadonlyArray<NewInboxRow>,
      writes: ReadonlyArray<Write>
    ) => Effect.Effect<ReadonlyArray<InboxRow>, JournalError>
  }
>()("Conversation/Confirmations") {
  static readonly layer = Layer.effect(
    Confirmations,
    Effect.gen(function* () {
      const access = yield* Access
      const prompts = yield* Prompts
      const store = yield* PromptStore
      const journal = yield* Journal
      const queues = yield* SendQueues
      const voice = yield* Voice
      const clock = yield* Clock.Clock
      const preferences = new Map(
        yield* Effect.catch(store.preferences, (error) =>
          Effect.as(Effect.logWarning("preferences could not be read", error.message), new Map<string, string>())
        )
      )

      const sayAndTake: Confirmations["Service"]["sayAndTake"] = Effect.fnUntraced(
        function* (row, cause, text, rows, writes) {
          const owed = voice.rows(voice.occasion(row, cause), { kind: "notice", text, notify: false })
          const receipt = yield* journal.commit([...rows.map(taken), ...owed.map(stored), ...writes])
          queues.offer(
            owed.flatMap((row, i) => {
              const returned = receipt[rows.length + i]
              return returned === undefined ? [] : [{ ...row, seq: Number(returned.seq) }]
            })
          )
          return rows.flatMap((row, i): ReadonlyArray<InboxRow> => {
            const returned = receipt[i]
            return returned === undefined ? [] : [{ ...row, id: Number(returned.id), state: "waiting", starts: 0 }]
          })
        }
      )

      const chooseIn: Confirmations["Service"]["chooseIn"] = Effect.fnUntraced(function* (prompt, row, option) {
        const at = clock.currentTimeMillisUnsafe()
        const done = ended(row.id, "done", at, "a choice")
        if (!mayConfirm(access, prompt, row)) {
          yield* journal.commit([ended(row.id, "done", at, "another user's prompt")])
          return []
        }
        const { event, ...provenance } = prompt.request
        const rows: ReadonlyArray<NewInboxRow> =
          option.run === null
            ? []
            : [
                {
                  // One name for every answer to this prompt: whatever is pressed twice runs once.
                  messageKey: `prompt:${prompt.id}`,
                  bufferKey: null,
                  link: prompt.link,
                  sessionKey: prompt.sessionKey,
                  event: { ...event, text: option.run, promptResponse: null },
                  provenance,
                  takenAt: at,
                  internal: "confirmed"
                }
              ]
        const text = option.run === null ? Texts.cancelled : ""
        const { remember } = option
        const stores = [done, promptEnded(prompt.id), ...(remember === null ? [] : [preferred(remember, "off")])]
        const put = yield* sayAndTake(row, `prompt:${row.id}`, text, rows, stores)
        if (remember !== null) preferences.set(remember, "off")
        prompts.takeStored(prompt)
        return put
      })

      const answeredBy = (row: InboxRow): StoredOption | null => {
        const prompt = prompts.storedOf(row.sessionKey)
        // What waits for approval has precedence, and so has a question (`conversation F3`, P1).
        if (prompt === null || row.internal !== undefined || row.event.media.length > 0) return null
        if (prompts.of(row.sessionKey).length > 0 || !mayConfirm(access, prompt, row)) return null
        return Answers.chosen(prompt, row.event.text)
      }

      return {
        asks: (preference) => preferences.get(preference) !== "off",
        ask: Effect.fnUntraced(function* (row, question, preference) {
          const at = clock.currentTimeMillisUnsafe()
          const { event, provenance } = row
          const id = prompts.idOf("confirm", row.id)
          const prompt: StoredPrompt = {
            id,
            sessionKey: row.sessionKey,
            link: row.link,
            kind: "confirm",
            request: { event, ...provenance },
            options: [
              { id: "once", label: "Yes", style: "primary", run: event.text, remember: null },
              { id: "always", label: "Always", style: null, run: event.text, remember: preference },
              { id: "cancel", label: "Cancel", style: "danger", run: null, remember: null }
            ],
            createdAt: at,
            expiresAt: at + Duration.toMillis(lifetime)
          }
          yield* voice.say(
            voice.occasion(row, `command:${row.id}`),
            {
              kind: "prompt",
              text: Texts.confirmation(question),
              prompt: {
                kind: "choice",
                promptId: id,
                text: question,
                options: prompt.options.map(({ id, label, style }) => ({ id, label, style })),
                timeoutSeconds: Duration.toSeconds(lifetime)
              }
            },
            [ended(row.id, "done", at, "asks first"), ...asked(prompt)]
          )
          prompts.keep(prompt)
        }),
        answeredBy,
        choose: (row, option) => {
          const prompt = prompts.storedOf(row.sessionKey)
          return prompt === null ? Effect.succeed(null) : chooseIn(prompt, row, option)
        },
        chooseIn,
        sayAndTake
      }
    })
  )
}
