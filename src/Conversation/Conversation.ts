/**
 * What one message means and what is done about it: the `Turns` that session actors ask (`conversation P1`). Turns are the
 * runner's, commands the table's, prompts the desk's; here they are put together and their answers become Outbox rows.
 */
import { Clock, Duration, Effect, Layer } from "effect"
import { Access } from "../Access/Access.ts"
import {
  BusySteerAckEnabled,
  DisplayBusyAckEnabled,
  DisplayBusyInputMode,
  TelegramFollowupGrace
} from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { type Busy, type Notice, type Turn, Turns } from "../Session/Turns.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import { ended, Inbox, type InboxRow, refused, waiting } from "../Storage/Inbox.ts"
import { Journal } from "../Storage/Journal.ts"
import { Dispatcher } from "./Commands/Dispatcher.ts"
import { Confirmations } from "./Confirmations.ts"
import { PromptDesk } from "./PromptDesk.ts"
import { Prompts } from "./Prompts.ts"
import * as Texts from "./Texts.ts"
import { TurnRunner } from "./TurnRunner.ts"
import { Voice } from "./Voice.ts"

/** One acknowledgement per session in this time (`conversation Y7`). */
const ackEvery = 30_000
/** Sessions whose last acknowledgement is remembered; the oldest is forgotten first, and is then told once more. */
const ackBound = 10_000
/** Undone rows of one session from which on a further one is given up (`conversation Q1`). */
const undoneBound = 1000

export const layer = Layer.effect(
  Turns,
  Effect.gen(function* () {
    const access = yield* Access
    const dispatcher = yield* Dispatcher
    const runner = yield* TurnRunner
    const journal = yield* Journal
    const inbox = yield* Inbox
    const desk = yield* PromptDesk
    const prompts = yield* Prompts
    const confirmations = yield* Confirmations
    const clock = yield* Clock.Clock
    const voice = yield* Voice
    const settings = yield* Settings
    const mode = yield* settings.follow(DisplayBusyInputMode)
    const acknowledges = yield* settings.follow(DisplayBusyAckEnabled)
    const acknowledgesSteers = yield* settings.follow(BusySteerAckEnabled)
    const grace = Duration.toMillis(yield* settings.get(TelegramFollowupGrace))
    const acknowledged = new Map<string, number>()

    /** A short text that answers one row, with whatever belongs into its transaction. */
    const say = (row: InboxRow, cause: string, text: string, writes: ReadonlyArray<Write>) =>
      Effect.asVoid(voice.say(voice.occasion(row, cause), { kind: "notice", text, notify: false }, writes))

    const mayTell = (sessionKey: string, now: number): boolean => {
      const last = acknowledged.get(sessionKey)
      if (last !== undefined && now - last < ackEvery) return false
      acknowledged.delete(sessionKey)
      acknowledged.set(sessionKey, now)
      if (acknowledged.size > ackBound) acknowledged.delete(acknowledged.keys().next().value!)
      return true
    }

    const isTold = (notice: Notice): boolean =>
      notice === "draining" || (acknowledges() && (notice !== "steered" || acknowledgesSteers()))

    const tell = (row: InboxRow, notice: Notice) =>
      Effect.suspend(() =>
        isTold(notice) && mayTell(row.sessionKey, clock.currentTimeMillisUnsafe())
          ? say(row, `notice:${row.id}`, Texts.notices[notice], [])
          : Effect.void
      ).pipe(notStored("a notice was not stored", undefined))

    const notStored =
      <A>(what: string, otherwise: A) =>
      <B>(effect: Effect.Effect<B, { readonly message: string }>): Effect.Effect<A | B> =>
        Effect.catch(effect, (error) => Effect.as(Effect.logError(what, error.message), otherwise))

    const busy = (row: InboxRow, startedAt: number): Busy => {
      const wanted = mode()
      const isEarly = row.event.source.platform === "telegram" && clock.currentTimeMillisUnsafe() - startedAt < grace
      return { mode: wanted === "interrupt" && isEarly ? "queue" : wanted, because: null }
    }

    /** `access G-9`: once more when its turn has come. What cannot be decided waits, undone, for the next sweep. */
    const ifStillAllowed = <A>(row: InboxRow, then: Effect.Effect<A>): Effect.Effect<A | undefined> =>
      Effect.flatMap(access.decide(row.event.source, row.provenance), ({ allow, rule }) =>
        allow
          ? then
          : rule === "error"
            ? Effect.as(Effect.sleep("1 second"), undefined)
            : journal
                .commit([ended(row.id, "revoked", clock.currentTimeMillisUnsafe(), `access rule ${rule}`)])
                .pipe(
                  Effect.as(undefined),
                  notStored("a message whose sender may no longer speak was not set aside", undefined)
                )
      )

    const runs = (turn: Turn): Effect.Effect<void> =>
      Effect.suspend(() =>
        Effect.ensuring(runner.run(turn), Effect.sync(prompts.attend(turn.sessionKey, turn.awaiting)))
      )

    /** A question from outside waits without a turn: the message that would begin one answers it instead. */
    const begin = (turn: Turn): Effect.Effect<void> => {
      const { row, sessionKey } = turn
      if (row.internal !== undefined || prompts.of(sessionKey).every(({ outside }) => outside === undefined)) {
        return runs(turn)
      }
      return desk.type(sessionKey, row, false).pipe(
        notStored("an answer was not stored", false),
        Effect.flatMap((answered) => (answered ? Effect.void : runs(turn)))
      )
    }

    return {
      classify: (row) => {
        const { event } = row
        if (event.promptResponse !== null && row.internal === undefined) return { _tag: "Press" as const }
        if (confirmations.answeredBy(row) !== null) return { _tag: "Press" as const }
        const command = row.internal === "queued" || row.internal === "background" ? null : dispatcher.read(event)
        return command === null ? { _tag: "Message" as const } : { _tag: "Command" as const, ...command }
      },
      busy,
      run: (turn) => Effect.asVoid(ifStillAllowed(turn.row, begin(turn))),
      execute: (row, _name, session) =>
        ifStillAllowed(
          row,
          dispatcher.execute(row, session).pipe(notStored("a command was not carried out; it will be tried again", []))
        ).pipe(Effect.map((rows) => rows ?? [])),
      press: (_, row) =>
        Effect.suspend(() => {
          const option = confirmations.answeredBy(row)
          if (option !== null) return confirmations.choose(row, option)
          if (row.event.promptResponse === null) return Effect.succeed(null)
          return desk.press(row, row.event.promptResponse)
        }).pipe(notStored("a press was not stored; it will be tried again", [])),
      answer: (sessionKey, row) =>
        desk.type(sessionKey, row, mode() === "interrupt").pipe(notStored("an answer was not stored", false)),
      steer: (sessionKey, row) =>
        Effect.tap(runner.steer(sessionKey, row), (taken) => (taken ? tell(row, "steered") : Effect.void)),
      tell,
      mark: (row, state) => journal.append([state === "refused" ? refused(row.id) : waiting(row.id)]),
      overflow: (row) =>
        inbox.countUndone(row.sessionKey, undoneBound + 1).pipe(
          Effect.flatMap((undone) =>
            undone <= undoneBound
              ? Effect.void
              : say(row, `overflow:${row.id}`, Texts.tooManyWaiting, [
                  ended(row.id, "dropped", clock.currentTimeMillisUnsafe(), "too many messages wait")
                ])
          ),
          notStored("a message too many was not given up", undefined)
        )
    }
  })
)
