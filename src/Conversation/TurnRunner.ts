/**
 * One turn from a message to its reply on disk (`conversation T1`): agent, typing, preview, and at the end one transaction
 * with the transcript, the Outbox rows and the end of the Inbox row (law 2). What interrupts it may stop the agent, never
 * that transaction.
 */
import { homedir } from "node:os"
import { Cause, Clock, Context, Duration, Effect, Exit, Layer, Metric, Semaphore } from "effect"
import type { AgentError } from "../Agent/Agent.ts"
import {
  AgentGatewayTimeout,
  FilterSilenceNarration,
  GatewayMaxRunningTurns,
  MaxConcurrentSessions
} from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { Attachments, type MediaPart } from "../Delivery/Attachments.ts"
import * as DisplaySettings from "../Delivery/DisplaySettings.ts"
import type { Outlet } from "../Delivery/Outlet.ts"
import * as Reply from "../Delivery/Reply.ts"
import * as RuntimeFooter from "../Delivery/RuntimeFooter.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { isLiveSilence, isSilenceNarration, isUnattendedSilence } from "../Delivery/SilenceFilter.ts"
import * as ResetPolicy from "../Session/ResetPolicy.ts"
import { TurnGate } from "../Session/TurnGate.ts"
import type { StopReason, Turn } from "../Session/Turns.ts"
import { Inbox, type InboxRow, started } from "../Storage/Inbox.ts"
import { Journal } from "../Storage/Journal.ts"
import { Outbox, type OutboxRow, type Preview } from "../Storage/Outbox.ts"
import { headed } from "./Background.ts"
import { AgentCall, type Produced } from "./AgentCall.ts"
import type { Run } from "./Run.ts"
import * as Texts from "./Texts.ts"
import * as TurnEnd from "./TurnEnd.ts"
import { type Occasion, Voice } from "./Voice.ts"

/** Characters that a row can hold in place of a file (`delivery O7`); a longer answer is in the transcript alone. */
const longest = 1024 * 1024
/** Left for the line that points to a file. */
const headRoom = 80
/** Messages of an earlier run that are looked for. */
const mostEarlier = 100
const noPreviews: ReadonlyArray<Preview> = []
/** Processes that may die with the same turn before it is set aside (`session U5`). */
const maxStarts = 3
/** A link that is not there yet (the start of the gateway) is waited for; then its defaults must do. */
const linkPatience = Duration.seconds(10)

/** A message that waited longer may have been dropped by an operator meanwhile. */
const heldFor = 5000
/** Time without a free turn after which the sender hears of the limit (`conversation U1`). */
const limitPatience = Duration.seconds(60)

const turns = Metric.counter("turns_total", { description: "turns that ended", incremental: true })
const failedTurns = Metric.counter("turns_failed_total", {
  description: "turns that ended in an error",
  incremental: true
})

export class TurnRunner extends Context.Service<
  TurnRunner,
  {
    /** Never fails. Ends when the outcome is on disk, or deliberately not (`StopReason`). */
    readonly run: (turn: Turn) => Effect.Effect<void>
    /** Hands a message to the running agent of a session; its row then ends with the turn. */
    readonly steer: (sessionKey: string, row: InboxRow) => Effect.Effect<boolean>
    /** Turns that wait for one of the turns that may run at once. */
    readonly waiting: () => number
  }
>()("Conversation/TurnRunner") {
  static readonly layer = Layer.effect(
    TurnRunner,
    Effect.gen(function* () {
      const calls = yield* AgentCall
      const journal = yield* Journal
      const queues = yield* SendQueues
      const voice = yield* Voice
      const clock = yield* Clock.Clock
      const inactivity = yield* (yield* Settings).get(AgentGatewayTimeout)
      const inbox = yield* Inbox
      const outbox = yield* Outbox
      const settings = yield* Settings
      const wanted = yield* settings.get(MaxConcurrentSessions)
      const limit = Math.min(yield* settings.get(GatewayMaxRunningTurns), wanted > 0 ? wanted : Infinity)
      const permits = yield* Semaphore.make(limit)
      let waiting = 0
      let taken = 0
      const files = yield* Attachments
      const filtersNarration = yield* settings.get(FilterSilenceNarration)
      const display = yield* DisplaySettings.read
      const workingDirectory = yield* settings.get(DisplaySettings.TerminalCwd)
      const gate = yield* TurnGate
      const policies = yield* ResetPolicy.configured
      const now = () => clock.currentTimeMillisUnsafe()

      /** What the turn's end says, as rows: texts, then files; the first takes the place of what is shown already. */
      const replyRows = (run: Run, { media = [], texts }: TurnEnd.TurnEnd): ReadonlyArray<OutboxRow> => {
        const out: Array<OutboxRow> = []
        const add = (said: { readonly text: string; readonly media?: MediaPart; readonly indicators?: boolean }) =>
          out.push(
            ...voice.rows(run, {
              kind: "final",
              ...said,
              ordinal: out.length,
              replyTo: out.length === 0 ? run.turn.row.event.messageId : null
            })
          )
        const [answer = "", ...others] = texts ?? []
        // What is shown can become a text, never a file.
        const first = answer === "" && media.length > 0 && isShowing(run) ? Texts.filesFollow : answer
        const { previews, texts: said } = calls.ending(run, texts === null ? null : first)
        for (const text of said) add({ text, indicators: said.length === 1 })
        for (const text of others) add({ text })
        while (out.length < previews.length) {
          const from = out.length
          add({ text: Texts.gone })
          out[from] = { ...out[from]!, payload: { ...out[from]!.payload, removes: true, notify: false } }
        }
        for (const enclosed of media) add(enclosed)
        // By ordinal alone: what a message shows is replaced by its row, whatever the texts are.
        return out.map((row) => ({ ...row, preview: previews[row.ordinal] ?? null }))
      }

      const isShowing = (run: Run): boolean => calls.ending(run, "").previews.length > 0

      /** Stores the turn's end with everything that belongs to it (`session B1`); gives the rows that may leave now. */
      const conclude = Effect.fnUntraced(function* (run: Run, end: TurnEnd.TurnEnd) {
        const { turn } = run
        const at = now()
        // Also of a turn that had just finished when the boundary was drawn.
        const isOver = turn.stopReason() === "reset"
        const promptTokens = TurnEnd.tokensOf(turn, end, run.promptTokens)
        const { steered } = run
        const writes = TurnEnd.writesOf({ turn, end, promptTokens, steered, cause: run.cause, at, isOver })
        const fresh = yield* voice.commit(writes, replyRows(run, end))
        if (!isOver) {
          turn.routed({
            ...turn.route,
            lastPromptTokens: promptTokens ?? turn.route.lastPromptTokens,
            suspended: end.suspends === true
          })
        }
        return fresh
      })

      /** A conversation that began anew by itself is announced once, with the boundary itself (`session P6`–P8). */
      const announce = (run: Run): Effect.Effect<void> => {
        const { begun, route, row } = run.turn
        const { source } = row.event
        if (begun.reset === null) return Effect.void
        const policy = ResetPolicy.policyOf(policies, source)
        if (!ResetPolicy.isAnnounced(policy, begun.reset, source.platform)) return Effect.void
        const said = {
          kind: "notice" as const,
          cause: `reset:${row.id}`,
          text: Texts.sessionReset(begun.reset.reason, policy),
          notify: false,
          replyTo: null
        }
        return Effect.matchEffect(voice.say(run, said, route.pending), {
          onFailure: (error) => Effect.logWarning("a reset was not announced", error.message),
          onSuccess: () => Effect.sync(() => run.turn.routed(route))
        })
      }

      const concludeExit = (run: Run, exit: Exit.Exit<Produced, AgentError>) => {
        if (Exit.isSuccess(exit)) return concludeReply(run, exit.value)
        if (Cause.hasInterruptsOnly(exit.cause)) {
          return run.isStuck && run.turn.stopReason() === null
            ? concludeStuck(run)
            : concludeStopped(run, run.turn.stopReason())
        }
        const error = Cause.findErrorOption(exit.cause)
        return Effect.andThen(
          Metric.update(failedTurns, 1),
          error._tag === "Some" ? concludeFailed(run, error.value) : concludeDefect(run, exit.cause)
        )
      }

      /** Nothing is sent, and the transcript keeps it (`delivery F1`, F3, F4). */
      const isSilent = (run: Run, text: string): Effect.Effect<boolean> => {
        if (isLiveSilence(text)) return Effect.succeed(true)
        if (run.target.platform === "webhook" && isUnattendedSilence(text)) return Effect.succeed(true)
        return filtersNarration && isSilenceNarration(text)
          ? Effect.as(Effect.logWarning("an answer that says only that it is silent was not sent"), true)
          : Effect.succeed(false)
      }

      const concludeReply = Effect.fnUntraced(function* (run: Run, { attachments, text }: Produced) {
        if (yield* isSilent(run, text)) {
          return yield* conclude(run, { texts: [], transcript: "exchange", answer: text })
        }
        const { row, sessionKey } = run.turn
        const reply = yield* files.of(text, attachments)
        const said = reply.refused.length === 0 ? reply.text : `${reply.text}\n\n${Texts.notSent(reply.refused)}`.trim()
        const thought =
          run.reasoning.trim() === "" || said === "" ? said : `${Texts.thoughts(run.reasoning)}\n\n${said}`
        const whole = said === "" ? said : headed(sessionKey, row.event.text, withFooter(run, thought))
        const enclosed = reply.media.map((media) => ({ media, text: Texts.attachment(media) }))
        const { media, texts } = yield* fitting(run, whole, enclosed)
        const isNothing = texts.length === 0 && media.length === 0
        if (isNothing && text.trim() !== "") {
          yield* Effect.logError("response_delivery_dropped: nothing was left of a reply", {
            session: sessionKey
          })
        }
        return yield* conclude(run, {
          texts: isNothing ? [Texts.nothingSaid] : texts,
          media,
          transcript: "exchange",
          answer: text
        })
      })

      /** Below the answer, never in the transcript (`delivery G3`). */
      const withFooter = (run: Run, text: string): string => {
        if (text.trim() === "") return text
        const { usage } = run
        const line = RuntimeFooter.footer(display, run.target.platform, {
          model: usage?.model ?? null,
          contextTokens: usage?.contextTokens ?? null,
          contextWindow: usage?.contextWindow ?? null,
          cwd: workingDirectory,
          userHome: homedir()
        })
        return line === "" ? text : `${text}\n\n${line}`
      }

      /** A text of too many messages is its beginning and a file, where the chat takes files (`delivery C9` h). */
      const fitting = Effect.fnUntraced(function* (run: Run, text: string, media: ReadonlyArray<TurnEnd.Enclosed>) {
        if (text.trim() === "") return { texts: [], media }
        const { capabilities } = run
        const takesFiles = capabilities.media?.has("document") === true && capabilities.uploads === true
        if (run.outlet?.media === undefined || !takesFiles) return { texts: [text], media }
        const most = Reply.mostChunks(run.target.platform)
        const chunks = Reply.chunksOf(text, { ...capabilities, maxLength: capabilities.maxLength - headRoom }, most)
        const whole = chunks.length > most ? yield* files.document(text, "answer.md") : null
        return whole === null
          ? { texts: [text], media }
          : {
              texts: [`${Reply.bare(chunks[0]!)}\n\n${Texts.wholeInFile}`],
              // Where the file is refused after all, the text goes out in pieces.
              media: [{ media: whole, text: text.length > longest ? Texts.tooLongForChat : text }, ...media]
            }
      })

      const concludeFailed = (run: Run, error: AgentError) =>
        Effect.andThen(
          Effect.logWarning("a turn failed", {
            category: error.category,
            message: error.message,
            session: run.turn.sessionKey
          }),
          conclude(run, {
            texts: [Texts.failures[error.category]],
            transcript: error.category === "context" ? "nothing" : "unanswered",
            answer: "",
            note: `failed: ${error.category}`
          })
        )

      const concludeStuck = (run: Run) =>
        Effect.andThen(
          Effect.logWarning("an agent gave no sign of life and was stopped", { session: run.turn.sessionKey }),
          conclude(run, {
            texts: [Texts.stuck(Math.round(Duration.toMinutes(inactivity)), run.tool)],
            transcript: "unanswered",
            answer: "",
            note: "failed: stuck"
          })
        )

      const concludeDefect = Effect.fnUntraced(function* (run: Run, cause: Cause.Cause<AgentError>) {
        const errorId = voice.errorId(run.cause, run.turn.row.starts)
        yield* Effect.logError(`a turn died (error ${errorId})`, cause)
        return yield* conclude(run, {
          texts: [Texts.internal(errorId)],
          transcript: "unanswered",
          answer: "",
          note: `failed: error ${errorId}`
        })
      })

      const concludeStopped = (run: Run, reason: StopReason | null) =>
        // Nothing is stored of a turn that the gateway's own end cut off: its message runs again (`session U3a`).
        reason === null || reason === "shutdown"
          ? Effect.succeed([])
          : conclude(run, {
              // Parts that were shown stay, without cursor (`conversation Y2`, `delivery F5`).
              texts: null,
              transcript: reason === "reset" ? "nothing" : "unanswered",
              answer: "",
              note: `stopped: ${reason}`,
              ...(reason === "revoked" ? { state: "revoked" as const, note: "access was taken away" } : {})
            })

      const runOf = Effect.fnUntraced(function* (turn: Turn, outlet: Outlet | null): Effect.fn.Return<Run> {
        const occasion = voice.occasion(turn.row, `turn:${turn.row.id}`)
        return {
          ...occasion,
          turn,
          outlet,
          stream: null,
          ended: null,
          attachments: [],
          interim: 0,
          lastActive: now(),
          isStuck: false,
          isStopped: false,
          tool: null,
          usage: null,
          lastTool: null,
          bubble: null,
          plan: null,
          reasoning: "",
          prompts: 0,
          promptTokens: null,
          steered: [],
          earlier: turn.row.starts === 0 ? [] : yield* earlierOf(occasion)
        }
      })

      /** Previews of an earlier run that a process did not survive: they end with this one, whatever this one says. */
      const earlierOf = Effect.fnUntraced(
        function* (occasion: Occasion): Effect.fn.Return<ReadonlyArray<Preview>, { readonly message: string }> {
          const found: Array<Preview> = []
          while (found.length < mostEarlier) {
            const [row] = voice.rows(occasion, { kind: "final", text: "…", ordinal: found.length })
            const stored = row === undefined ? null : yield* outbox.find(row.key)
            if (stored?.state !== "preview" || stored.preview === null) break
            found.push(stored.preview)
          }
          return found
        },
        Effect.catch((error) =>
          Effect.as(Effect.logWarning("an earlier preview could not be read", error.message), noPreviews)
        )
      )

      const served = (link: string): Effect.Effect<Outlet | null> => {
        const outlet = queues.outlet(link)
        return outlet !== null
          ? Effect.succeed(outlet)
          : queues.awaitOutlet(link).pipe(
              Effect.timeoutOption(linkPatience),
              Effect.map((found) => (found._tag === "Some" ? found.value : null))
            )
      }

      /** After a start a link has to come up before it says what its chats take; an earlier run may have shown things there. */
      const awaitOutlet = ({ row }: Turn): Effect.Effect<Outlet | null> =>
        row.starts === 0
          ? served(row.link)
          : Effect.tap(served(row.link), (outlet) =>
              outlet === null || outlet.isUp() ? Effect.void : Effect.timeoutOption(outlet.awaitUp, linkPatience)
            )

      type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

      const store = (concluded: Effect.Effect<ReadonlyArray<OutboxRow>, { readonly message: string }>) =>
        Effect.map(concluded, queues.offer).pipe(
          // Undone in the Inbox: the sweep finds it and it runs again.
          Effect.catch((error) => Effect.logError("a turn's outcome was not stored", error.message))
        )

      /** The agent may be stopped at any point; what it came to is then still stored, and what is owed is offered. */
      const attempt = (run: Run, restore: Restore): Effect.Effect<void> =>
        restore(Effect.scoped(calls.produce(run))).pipe(
          Effect.exit,
          Effect.flatMap((exit) => {
            const waiting = calls.finish(run)
            run.isStopped = Exit.isFailure(exit)
            const stored = store(concludeExit(run, exit))
            return waiting.length === 0 || run.isStopped
              ? stored
              : Effect.andThen(
                  Effect.forEach(waiting, (show) => show, { discard: true }),
                  stored
                )
          })
        )

      /** What a turn waits for before its agent starts; stopped there, its message has come to its end all the same. */
      const once = <A>(
        turn: Turn,
        waiting: Effect.Effect<A>,
        then: (ready: A) => Effect.Effect<void>
      ): Effect.Effect<void> =>
        Effect.matchCauseEffect(waiting, {
          onSuccess: then,
          onFailure: (cause) =>
            Cause.hasInterruptsOnly(cause)
              ? store(Effect.flatMap(runOf(turn, null), (run) => concludeStopped(run, turn.stopReason())))
              : Effect.logError("a turn could not be carried out", cause)
        })

      const begin = (run: Run, restore: Restore): Effect.Effect<void> => {
        const { turn } = run
        if (turn.row.starts >= maxStarts) {
          return Effect.andThen(
            Effect.logError("a message was set aside: the gateway died with its turn", { inbox: turn.row.id }),
            store(
              conclude(run, {
                texts: [Texts.diedTooOften],
                transcript: "nothing",
                answer: "",
                state: "dead",
                note: `its turn died with the process ${turn.row.starts} times`,
                suspends: true
              })
            )
          )
        }
        const room = run.outlet === null ? Effect.void : queues.awaitRoom(run.outlet.link, Reply.queueOf(run.target))
        const { sessionId } = turn.route
        const alone = (then: Effect.Effect<void>) =>
          once(turn, restore(gate.enter(sessionId)), () => Effect.ensuring(then, gate.leave(sessionId)))
        return once(turn, restore(room), () =>
          alone(
            journal
              .append([turn.row, ...turn.joined].map((row) => started(row.id, row.starts + 1)))
              .pipe(
                Effect.andThen(announce(run)),
                Effect.andThen(attempt(run, restore)),
                Effect.andThen(Metric.update(turns, 1))
              )
          )
        )
      }

      /** An operator may have dropped a message that waited for long; what has just come is run without a look. */
      const isStillOwed = (turn: Turn): Effect.Effect<boolean> =>
        now() - turn.row.takenAt < heldFor
          ? Effect.succeed(true)
          : inbox.stillUndone([turn.row.id]).pipe(
              Effect.map((undone) => undone.has(turn.row.id)),
              Effect.catch((error) =>
                Effect.as(Effect.logWarning("a message could not be looked at again", error.message), true)
              )
            )

      /** In the order of asking; who waits for long is told so once (`conversation U1`). */
      const takePermit = (turn: Turn): Effect.Effect<unknown> =>
        Effect.suspend(() => {
          if (taken < limit) return permits.take(1)
          waiting++
          const patience = Effect.andThen(Effect.sleep(limitPatience), tellLimit(turn))
          return Effect.flatMap(Effect.forkChild(patience), (telling) =>
            Effect.ensuring(
              permits.take(1),
              Effect.sync(() => {
                waiting--
                telling.interruptUnsafe()
              })
            )
          )
        })

      const tellLimit = (turn: Turn) =>
        Effect.catch(
          Effect.asVoid(
            voice.say(voice.occasion(turn.row, `limit:${turn.row.id}`), {
              kind: "notice",
              text: Texts.atLimit(limit),
              notify: false
            })
          ),
          (error) => Effect.logWarning("a notice was not stored", error.message)
        )

      return {
        steer: calls.steer,
        waiting: () => waiting,
        run: (turn) =>
          Effect.uninterruptibleMask((restore) =>
            once(turn, restore(takePermit(turn)), () => {
              taken++
              return Effect.ensuring(
                Effect.flatMap(isStillOwed(turn), (isOwed) =>
                  isOwed
                    ? once(turn, restore(awaitOutlet(turn)), (outlet) =>
                        Effect.flatMap(runOf(turn, outlet), (run) => begin(run, restore))
                      )
                    : Effect.logInfo("a message was dropped before its turn began", { inbox: turn.row.id })
                ),
                Effect.suspend(() => {
                  taken--
                  return permits.release(1)
                })
              )
            })
          ).pipe(
            Effect.catchCause((cause) =>
              Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("a turn could not be carried out", cause)
            )
          )
      }
    })
  )
}
