/**
 * What one message means and what is done about it: the `Turns` that session actors ask (`conversation P1`). Turns are the
 * runner's, commands the table's; here they are put together and their answers become Outbox rows.
 */
import { Clock, Effect, Layer } from "effect"
import { Access } from "../Access/Access.ts"
import { DisplayBusyAckEnabled } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { type Notice, type Turn, Turns } from "../Session/Turns.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import { ended, type InboxRow, refused, waiting } from "../Storage/Inbox.ts"
import { Journal } from "../Storage/Journal.ts"
import { Dispatcher } from "./Commands/Dispatcher.ts"
import { mayAnswer } from "./MayAnswer.ts"
import { answerOf, Prompts } from "./Prompts.ts"
import * as Texts from "./Texts.ts"
import { TurnRunner } from "./TurnRunner.ts"
import { Voice } from "./Voice.ts"

/** One acknowledgement per session in this time (`conversation Y7`). */
const ackEvery = 30_000
/** Sessions whose last acknowledgement is remembered; the oldest is forgotten first, and is then told once more. */
const ackBound = 10_000

export const layer = Layer.effect(
  Turns,
  Effect.gen(function* () {
    const access = yield* Access
    const runner = yield* TurnRunner
    const dispatcher = yield* Dispatcher
    const journal = yield* Journal
    const prompts = yield* Prompts
    const clock = yield* Clock.Clock
    const voice = yield* Voice
    const settings = yield* Settings
    const acknowledges = yield* settings.follow(DisplayBusyAckEnabled)
    const acknowledged = new Map<string, number>()

    /** A short text that answers one row, with whatever belongs into its transaction. */
    const say = (row: InboxRow, cause: string, text: string, writes: ReadonlyArray<Write>) =>
      voice.say(voice.occasion(row, cause), { kind: "notice", text, notify: false }, writes)

    const mayTell = (sessionKey: string, now: number): boolean => {
      const last = acknowledged.get(sessionKey)
      if (last !== undefined && now - last < ackEvery) return false
      acknowledged.delete(sessionKey)
      acknowledged.set(sessionKey, now)
      if (acknowledged.size > ackBound) acknowledged.delete(acknowledged.keys().next().value!)
      return true
    }

    const notStored = (what: string) =>
      Effect.catch((error: { readonly message: string }) => Effect.logError(what, error.message))

    /** `access G-9`: once more when its turn has come. What cannot be decided waits, undone, for the next sweep. */
    const ifStillAllowed = <A>(row: InboxRow, then: Effect.Effect<A>): Effect.Effect<A | void> =>
      Effect.flatMap(access.decide(row.event.source, row.provenance), ({ allow, rule }) =>
        allow
          ? then
          : rule === "error"
            ? Effect.sleep("1 second")
            : journal
                .commit([ended(row.id, "revoked", clock.currentTimeMillisUnsafe(), `access rule ${rule}`)])
                .pipe(Effect.asVoid, notStored("a message whose sender may no longer speak was not set aside"))
      )
    const answer: Turns["Service"]["answer"] = Effect.fnUntraced(
      function* (sessionKey, row) {
        const prompt = prompts.of(sessionKey)
        const answer = prompt === null || !mayAnswer(access, prompt, row) ? null : answerOf(prompt, row.event.text)
        if (prompt === null || answer === null) return false
        // Stored first: an answer that cannot be stored leaves the question open.
        yield* journal.commit([
          ended(row.id, "done", clock.currentTimeMillisUnsafe(), "an answer"),
          ...(prompt.outside?.(answer) ?? [])
        ])
        if (prompts.of(sessionKey) === prompt) {
          prompts.take(sessionKey, prompt)
          yield* prompt.resolve(answer)
        }
        return true
      },
      Effect.catch((error) => Effect.as(Effect.logError("an answer was not stored", error.message), false))
    )

    /** A question from outside waits without a turn: the message that would begin one answers it instead. */
    const runs = (turn: Turn): Effect.Effect<void> =>
      Effect.suspend(() =>
        Effect.ensuring(runner.run(turn), Effect.sync(prompts.attend(turn.sessionKey, turn.awaiting)))
      )
    const begin = (turn: Turn): Effect.Effect<void> =>
      turn.row.internal !== undefined || prompts.of(turn.sessionKey)?.outside === undefined
        ? runs(turn)
        : Effect.flatMap(answer(turn.sessionKey, turn.row), (answered) => (answered ? Effect.void : runs(turn)))

    return {
      classify: (row) => {
        const command = row.internal === "queued" || row.internal === "background" ? null : dispatcher.read(row.event)
        return command === null ? { _tag: "Message" as const } : { _tag: "Command" as const, ...command }
      },
      run: (turn) => Effect.asVoid(ifStillAllowed(turn.row, begin(turn))),
      execute: (row, _name, session) =>
        ifStillAllowed(
          row,
          dispatcher
            .execute(row, session)
            .pipe(
              Effect.catch((error) =>
                Effect.as(Effect.logError("a command was not carried out; it will be tried again", error.message), [])
              )
            )
        ).pipe(Effect.map((rows) => rows ?? [])),
      answer,
      steer: Effect.fnUntraced(
        function* (sessionKey, row) {
          if (!(yield* runner.steer(sessionKey, row.event.text))) return false
          yield* journal.commit([ended(row.id, "done", clock.currentTimeMillisUnsafe(), "steered")])
          return true
        },
        Effect.catch((error) => Effect.as(Effect.logError("a steered message was not stored", error.message), true))
      ),
      tell: (row, notice: Notice) =>
        Effect.suspend(() =>
          acknowledges() && mayTell(row.sessionKey, clock.currentTimeMillisUnsafe())
            ? say(row, `notice:${row.id}`, Texts.notices[notice], [])
            : Effect.void
        ).pipe(notStored("a notice was not stored")),
      mark: (row, state) => journal.append([state === "refused" ? refused(row.id) : waiting(row.id)])
    }
  })
)
