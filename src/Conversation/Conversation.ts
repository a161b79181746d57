/**
 * What one message means and what is done about it: the `Turns` that session actors ask (`conversation P1`). Turns are the
 * runner's, commands the table's; here they are put together and their answers become Outbox rows.
 */
import { Clock, Effect, Layer, Random } from "effect"
import { Access } from "../Access/Access.ts"
import * as Answering from "../Access/Answering.ts"
import * as SlashAccess from "../Access/SlashAccess.ts"
import { DisplayBusyAckEnabled } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import type { Source } from "../Message/Source.ts"
import { type Notice, Turns } from "../Session/Turns.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import { ended, type InboxRow, refused, waiting, waitingDropped } from "../Storage/Inbox.ts"
import { Journal } from "../Storage/Journal.ts"
import * as Commands from "./Commands.ts"
import { answerOf, type Prompt, Prompts } from "./Prompts.ts"
import * as SlashCommand from "./SlashCommand.ts"
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
    const journal = yield* Journal
    const prompts = yield* Prompts
    const clock = yield* Clock.Clock
    const voice = yield* Voice
    const settings = yield* Settings
    const acknowledges = yield* settings.get(DisplayBusyAckEnabled)
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

    /** `access S3`, by canonical name; a command that nobody has is answered as unknown to everybody. */
    const mayRun = (source: Source, command: Commands.CommandDef | null): boolean =>
      command === null || SlashAccess.canRun(access.commands(source), command.name)

    /** `access D6`. */
    const mayAnswer = (prompt: Prompt, row: InboxRow): boolean =>
      Answering.mayAnswer({
        asker: prompt.userId,
        isDirect: prompt.isDirect,
        answerer: row.event.source.userId,
        isBot: row.provenance.isBot,
        isConfiguredAdmin: () => access.commands(row.event.source).isConfiguredAdmin
      })

    /** `access G-9`: once more when its turn has come. What cannot be decided waits, undone, for the next sweep. */
    const ifStillAllowed = (row: InboxRow, then: Effect.Effect<void>): Effect.Effect<void> =>
      Effect.flatMap(access.decide(row.event.source, row.provenance), ({ allow, rule }) =>
        allow
          ? then
          : rule === "error"
            ? Effect.sleep("1 second")
            : journal
                .commit([ended(row.id, "revoked", clock.currentTimeMillisUnsafe(), `access rule ${rule}`)])
                .pipe(Effect.asVoid, notStored("a message whose sender may no longer speak was not set aside"))
      )
    return {
      classify: (event) => {
        const name = SlashCommand.parse(event.text)?.name ?? null
        if (name === null || name === "") return { _tag: "Message" as const }
        const command = Commands.find(name)
        // What its sender may not run touches no turn.
        const policy = command !== null && mayRun(event.source, command) ? command.policy : "now"
        return { _tag: "Command" as const, name, policy }
      },
      run: (turn) => ifStillAllowed(turn.row, runner.run(turn)),
      execute: Effect.fnUntraced(function* (row, name, session) {
        const { source } = row.event
        const decision = yield* access.decide(source, row.provenance)
        if (!decision.allow) return yield* ifStillAllowed(row, Effect.void)
        const command = Commands.find(name)
        if (command !== null && !mayRun(source, command)) {
          yield* Effect.logInfo(`Slash command /${command.name} denied for ${source.platform}:${source.userId ?? ""}`)
          const text = Texts.adminOnly(command.name, SlashAccess.offered(access.commands(source)))
          return yield* say(row, `command:${row.id}`, text, [ended(row.id, "done", clock.currentTimeMillisUnsafe())])
        }
        const now = clock.currentTimeMillisUnsafe()
        const prompt = prompts.of(session.sessionKey)
        const mine = prompt !== null && mayAnswer(prompt, row) ? prompt : null
        const outcome: Commands.Outcome =
          command === null
            ? { text: Texts.unknownCommand(name) }
            : command.run({
                row,
                args: SlashCommand.parse(row.event.text)?.args ?? "",
                session,
                prompt: mine,
                now,
                random: yield* Random.next
              })
        yield* say(row, `command:${row.id}`, outcome.text, [
          ended(row.id, "done", now),
          ...session.dropped.map((dropped) => ended(dropped.id, "dropped", now, `/${name}`)),
          ...(command?.policy === "stop" ? [waitingDropped(session.sessionKey, row.id, now, `/${name}`)] : []),
          ...(outcome.writes ?? [])
        ])
        if (outcome.routed !== undefined) session.routed(outcome.routed)
        if (outcome.answer !== undefined && mine !== null) {
          prompts.take(session.sessionKey, mine)
          yield* mine.resolve(outcome.answer)
        }
      }, notStored("a command was not carried out; it will be tried again")),
      answer: Effect.fnUntraced(
        function* (sessionKey, row) {
          const prompt = prompts.of(sessionKey)
          const answer = prompt === null || !mayAnswer(prompt, row) ? null : answerOf(prompt, row.event.text)
          if (prompt === null || answer === null) return false
          // Stored first: an answer that cannot be stored leaves the question open.
          yield* journal.commit([ended(row.id, "done", clock.currentTimeMillisUnsafe(), "an answer")])
          if (prompts.of(sessionKey) === prompt) {
            prompts.take(sessionKey, prompt)
            yield* prompt.resolve(answer)
          }
          return true
        },
        Effect.catch((error) => Effect.as(Effect.logError("an answer was not stored", error.message), false))
      ),
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
          acknowledges && mayTell(row.sessionKey, clock.currentTimeMillisUnsafe())
            ? say(row, `notice:${row.id}`, Texts.notices[notice], [])
            : Effect.void
        ).pipe(notStored("a notice was not stored")),
      mark: (row, state) => journal.append([state === "refused" ? refused(row.id) : waiting(row.id)])
    }
  })
)
