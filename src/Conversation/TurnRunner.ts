/**
 * One turn from a message to its reply on disk (`conversation T1`): agent, typing, preview, and at the end one transaction
 * with the transcript, the Outbox rows and the end of the Inbox row (law 2). What interrupts it may stop the agent, never
 * that transaction.
 */
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Layer,
  Metric,
  Random,
  Ref,
  type Scope,
  Semaphore,
  Stream
} from "effect"
import { Agent, type AgentError, type AgentEvent, type AgentRun } from "../Agent/Agent.ts"
import {
  AgentClarifyTimeout,
  ApprovalsGatewayTimeout,
  GatewayMaxRunningTurns,
  StreamingBufferThreshold,
  StreamingCursor,
  StreamingEditInterval,
  StreamingEnabled
} from "../Config/GatewaySettings.ts"
import { redact } from "../Config/Redact.ts"
import { Settings } from "../Config/Settings.ts"
import type { Capabilities, Outlet, Target } from "../Delivery/Outlet.ts"
import * as Reply from "../Delivery/Reply.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { isLiveSilence } from "../Delivery/SilenceFilter.ts"
import * as SessionId from "../Session/SessionId.ts"
import type { StopReason, Turn } from "../Session/Turns.ts"
import { ended, started } from "../Storage/Inbox.ts"
import { Installation } from "../Storage/Installation.ts"
import { Journal } from "../Storage/Journal.ts"
import { type OutboxRow, previewOf, stored } from "../Storage/Outbox.ts"
import { opened, type Route, said, touched, Transcript } from "../Storage/Transcript.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import * as Preview from "./Preview.ts"
import { Prompts } from "./Prompts.ts"
import * as Texts from "./Texts.ts"
import { Typing } from "./Typing.ts"

/** Processes that may die with the same turn before it is set aside (`session U5`). */
const maxStarts = 3
/** A link that is not there yet (the start of the gateway) is waited for; then its defaults must do. */
const linkPatience = Duration.seconds(10)
const historyBound = 200

const turns = Metric.counter("turns_total", { description: "turns that ended", incremental: true })
const failedTurns = Metric.counter("turns_failed_total", {
  description: "turns that ended in an error",
  incremental: true
})

/** What a turn has come to before it is stored. */
interface Produced {
  readonly text: string
  readonly attachments: ReadonlyArray<string>
}

/** What one run keeps track of. */
interface Run {
  readonly turn: Turn
  readonly cause: string
  readonly target: Target
  readonly outlet: Outlet | null
  readonly capabilities: Capabilities
  preview: Preview.Preview | null
  attachments: Array<string>
  tools: number
  prompts: number
}

export class TurnRunner extends Context.Service<
  TurnRunner,
  {
    /** Never fails. Ends when the outcome is on disk, or deliberately not (`StopReason`). */
    readonly run: (turn: Turn) => Effect.Effect<void>
    /** Hands text to the running agent of a session. */
    readonly steer: (sessionKey: string, text: string) => Effect.Effect<boolean>
  }
>()("Conversation/TurnRunner") {
  static readonly layer = Layer.effect(
    TurnRunner,
    Effect.gen(function* () {
      const agent = yield* Agent
      const journal = yield* Journal
      const queues = yield* SendQueues
      const transcript = yield* Transcript
      const typing = yield* Typing
      const prompts = yield* Prompts
      const installation = (yield* Installation).id
      const clock = yield* Clock.Clock
      const settings = yield* Settings
      const permits = yield* Semaphore.make(yield* settings.get(GatewayMaxRunningTurns))
      const clarifyTimeout = yield* settings.get(AgentClarifyTimeout)
      const approvalTimeout = yield* settings.get(ApprovalsGatewayTimeout)
      const streaming = yield* settings.get(StreamingEnabled)
      const previewSettings: Preview.PreviewSettings = {
        interval: Duration.toMillis(yield* settings.get(StreamingEditInterval)),
        threshold: yield* settings.get(StreamingBufferThreshold),
        cursor: yield* settings.get(StreamingCursor)
      }
      const running = new Map<string, AgentRun>()

      const now = () => clock.currentTimeMillisUnsafe()

      const rowsOf = (run: Run, options: Partial<Reply.ReplyOptions> & Pick<Reply.ReplyOptions, "kind" | "text">) =>
        Reply.rows({
          installation,
          cause: run.cause,
          link: run.turn.row.link,
          target: run.target,
          sessionKey: run.turn.sessionKey,
          replyTo: run.turn.row.event.messageId,
          notify: true,
          capabilities: run.capabilities,
          at: now(),
          ...options
        })

      /** Commits writes together with rows, then lets the rows that are new leave. */
      const commit = (writes: ReadonlyArray<Write>, rows: ReadonlyArray<OutboxRow>) =>
        Effect.map(journal.commit([...rows.map(stored), ...writes]), (receipt) => {
          const fresh: Array<OutboxRow> = []
          for (let i = 0; i < rows.length; i++) {
            const returned = receipt[i]
            if (returned === undefined) continue
            const row = rows[i]!
            fresh.push({ ...row, seq: Number(returned.seq), preview: row.preview ?? previewOf(returned.preview) })
          }
          return fresh
        })

      /** Something shown in the middle of a turn: its own commit, under a key that a second run of the turn repeats. */
      const interject = (run: Run, options: Partial<Reply.ReplyOptions> & Pick<Reply.ReplyOptions, "kind" | "text">) =>
        Effect.map(commit([], rowsOf(run, options)), queues.offer).pipe(
          Effect.catch((error) => Effect.logWarning("an interim message was not stored", error.message))
        )

      const ask = Effect.fnUntraced(function* (
        run: Run,
        agentRun: AgentRun,
        event: Extract<AgentEvent, { readonly _tag: "Question" | "Approval" }>,
        indicator: { readonly pause: () => void; readonly resume: () => void } | null
      ): Effect.fn.Return<void, never, Scope.Scope> {
        const { turn } = run
        const isQuestion = event._tag === "Question"
        const timeout = isQuestion ? clarifyTimeout : approvalTimeout
        const resume = () => {
          indicator?.resume()
          turn.awaiting(false)
        }
        const prompt = {
          kind: isQuestion ? ("question" as const) : ("approval" as const),
          choices: isQuestion ? event.choices : [],
          userId: turn.row.event.source.userId,
          isDirect: turn.row.event.source.chatType === "dm",
          resolve: (answer: Parameters<AgentRun["answer"]>[1]) =>
            Effect.andThen(Effect.sync(resume), agentRun.answer(event.promptId, answer))
        }
        yield* prompts.open(turn.sessionKey, prompt)
        indicator?.pause()
        turn.awaiting(true)
        // A second run asks again, so the key tells the runs apart (`conversation A12`).
        yield* interject(run, {
          kind: "prompt",
          cause: `${run.cause}:${turn.row.starts}:${run.prompts++}`,
          text: isQuestion
            ? Texts.question(event.question, event.choices)
            : Texts.approval(redact(event.command), event.description && redact(event.description))
        })
        // Without a limit a question waits; an approval that may not wait is none (`conversation A6`, C5).
        if (isQuestion && Duration.toMillis(timeout) <= 0) return
        yield* Effect.sleep(timeout).pipe(
          Effect.andThen(
            Effect.suspend(() => {
              if (prompts.of(turn.sessionKey) !== prompt) return Effect.void
              prompts.take(turn.sessionKey, prompt)
              return prompt.resolve({ _tag: "None", why: "timeout" })
            })
          ),
          Effect.forkScoped
        )
      })

      const produce = Effect.fnUntraced(function* (run: Run): Effect.fn.Return<Produced, AgentError, Scope.Scope> {
        const { turn } = run
        const { event } = turn.row
        const indicator =
          run.outlet !== null && run.capabilities.typing ? yield* typing.during(run.outlet, run.target) : null
        const sessionId = turn.route?.sessionId ?? ""
        const agentRun = yield* agent.start({
          sessionKey: turn.sessionKey,
          sessionId,
          turnId: String(turn.row.id),
          event,
          text: event.text,
          media: event.media,
          history: Effect.suspend(() =>
            sessionId === "" ? Effect.succeed([]) : transcript.history(sessionId, historyBound)
          )
        })
        yield* Effect.acquireRelease(
          Effect.sync(() => running.set(turn.sessionKey, agentRun)),
          () => Effect.sync(() => running.get(turn.sessionKey) === agentRun && running.delete(turn.sessionKey))
        )
        const streams = run.outlet !== null && run.capabilities.edit && (streaming ?? run.capabilities.streaming)
        const text = yield* Ref.make("")
        yield* Stream.runForEach(agentRun.events, (event): Effect.Effect<void, never, Scope.Scope> => {
          switch (event._tag) {
            case "Final":
              return Ref.set(text, event.text)
            case "TextDelta":
              return streams && run.outlet !== null ? grow(run, run.outlet, event.text) : Effect.void
            case "Commentary":
              return interject(run, { kind: "commentary", text: event.text, notify: false, ordinal: run.tools++ })
            case "ToolStarted":
              return interject(run, {
                kind: "tool",
                text: Texts.toolLine(event.tool, event.preview),
                notify: false,
                replyTo: null,
                ordinal: run.tools++
              })
            case "ToolFinished":
              return Effect.void
            case "Attachment":
              return Effect.sync(() => {
                run.attachments.push(Texts.attachment(event.ref, event.caption))
              })
            case "Question":
            case "Approval":
              return ask(run, agentRun, event, indicator)
          }
        })
        return { text: yield* Ref.get(text), attachments: run.attachments }
      })

      const grow = Effect.fnUntraced(function* (run: Run, outlet: Outlet, delta: string) {
        if (run.preview === null) {
          const [row] = rowsOf(run, { kind: "final", text: " " })
          if (row === undefined) return
          run.preview = yield* Preview.make({
            outlet,
            capabilities: run.capabilities,
            settings: previewSettings,
            row,
            canShow: () => outlet.isUp() && queues.isIdle(outlet.link, row.queue)
          }).pipe(Effect.provideService(Journal, journal))
        }
        run.preview.push(delta)
      })

      /** Texts of the turn's end, as rows; the first takes the place of what is shown already. */
      const replyRows = (run: Run, texts: ReadonlyArray<string>): ReadonlyArray<OutboxRow> => {
        const out: Array<OutboxRow> = []
        for (const text of texts) {
          out.push(
            ...rowsOf(run, {
              kind: "final",
              text,
              ordinal: out.length,
              preview: out.length === 0 ? (run.preview?.shown() ?? null) : null,
              replyTo: out.length === 0 ? run.turn.row.event.messageId : null
            })
          )
        }
        return out
      }

      const routeFor = (turn: Turn): Effect.Effect<Route> =>
        turn.route !== null
          ? Effect.succeed(turn.route)
          : Effect.map(Random.next, (random) => ({
              sessionKey: turn.sessionKey,
              sessionId: SessionId.make(now(), random),
              createdAt: now()
            }))

      /** Stores the turn's end with everything that belongs to it (`session B1`); gives the rows that may leave now. */
      const conclude = Effect.fnUntraced(function* (
        run: Run,
        end: {
          readonly texts: ReadonlyArray<string>
          readonly transcript: "exchange" | "unanswered" | "nothing"
          readonly answer: string
          readonly state?: "done" | "dead"
          readonly note?: string
        }
      ) {
        const { turn } = run
        const at = now()
        const route = yield* routeFor(turn)
        const writes: Array<Write> = [ended(turn.row.id, end.state ?? "done", at, end.note ?? null)]
        // Also of a turn that had just finished when the boundary was drawn.
        const isOver = turn.stopReason() === "reset"
        if (turn.route !== null) writes.push(touched(turn.sessionKey, at))
        else if (!isOver) writes.push(...opened(route, turn.row.event.source))
        if (end.transcript !== "nothing") {
          const message = {
            sessionId: route.sessionId,
            turn: run.cause,
            timestamp: turn.row.event.timestamp ?? turn.row.takenAt
          }
          writes.push(
            said({
              ...message,
              ordinal: 0,
              role: "user",
              content: turn.row.event.text,
              platformMessageId: turn.row.event.messageId,
              unanswered: end.transcript === "unanswered"
            })
          )
          if (end.transcript === "exchange") {
            writes.push(
              said({
                ...message,
                ordinal: 1,
                role: "assistant",
                content: end.answer,
                timestamp: at,
                platformMessageId: null,
                unanswered: false
              })
            )
          }
        }
        const fresh = yield* commit(writes, replyRows(run, end.texts))
        if (!isOver) turn.routed(route)
        return fresh
      })

      const concludeExit = (run: Run, exit: Exit.Exit<Produced, AgentError>) => {
        if (Exit.isSuccess(exit)) return concludeReply(run, exit.value)
        if (Cause.hasInterruptsOnly(exit.cause)) return concludeStopped(run, run.turn.stopReason())
        const error = Cause.findErrorOption(exit.cause)
        return Effect.andThen(
          Metric.update(failedTurns, 1),
          error._tag === "Some" ? concludeFailed(run, error.value) : concludeDefect(run, exit.cause)
        )
      }

      const concludeReply = (run: Run, { attachments, text }: Produced) => {
        if (isLiveSilence(text)) {
          return conclude(run, { texts: shownOnly(run), transcript: "exchange", answer: text })
        }
        const texts = text.trim() === "" ? attachments : [text, ...attachments]
        return conclude(run, {
          texts: texts.length === 0 ? [Texts.nothingSaid] : texts,
          transcript: "exchange",
          answer: text
        })
      }

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
            answer: ""
          })
        )

      const concludeDefect = Effect.fnUntraced(function* (run: Run, cause: Cause.Cause<AgentError>) {
        const errorId = Reply.keyOf({ installation, cause: run.cause, kind: "notice" }, run.turn.row.starts).slice(0, 8)
        yield* Effect.logError(`a turn died (error ${errorId})`, cause)
        return yield* conclude(run, { texts: [Texts.internal(errorId)], transcript: "unanswered", answer: "" })
      })

      /** Parts that were shown stay, without cursor; the rest is thrown away (`conversation Y2`, `delivery F5`). */
      const shownOnly = (run: Run): ReadonlyArray<string> => {
        const shown = run.preview?.shown() ?? null
        return shown === null ? [] : [shown.text.slice(0, shown.text.length - previewSettings.cursor.length) || "…"]
      }

      const concludeStopped = (run: Run, reason: StopReason | null) =>
        // Nothing is stored of a turn that the gateway's own end cut off: its message runs again (`session U3a`).
        reason === null || reason === "shutdown"
          ? Effect.succeed([])
          : conclude(run, {
              texts: shownOnly(run),
              transcript: reason === "reset" ? "nothing" : "unanswered",
              answer: ""
            })

      const runOf = (turn: Turn, outlet: Outlet | null): Run => {
        const target = Reply.targetOf(turn.row.event.source)
        return {
          turn,
          cause: `turn:${turn.row.id}`,
          target,
          outlet,
          capabilities: outlet?.capabilities(target) ?? Reply.assumedCapabilities,
          preview: null,
          attachments: [],
          tools: 0,
          prompts: 0
        }
      }

      const awaitOutlet = (link: string): Effect.Effect<Outlet | null> => {
        const outlet = queues.outlet(link)
        return outlet !== null
          ? Effect.succeed(outlet)
          : queues.awaitOutlet(link).pipe(
              Effect.timeoutOption(linkPatience),
              Effect.map((found) => (found._tag === "Some" ? found.value : null))
            )
      }

      type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

      const store = (concluded: Effect.Effect<ReadonlyArray<OutboxRow>, { readonly message: string }>) =>
        Effect.map(concluded, queues.offer).pipe(
          // Undone in the Inbox: the sweep finds it and it runs again.
          Effect.catch((error) => Effect.logError("a turn's outcome was not stored", error.message))
        )

      /** The agent may be stopped at any point; what it came to is then still stored, and what is owed is offered. */
      const attempt = (run: Run, restore: Restore): Effect.Effect<void> =>
        restore(Effect.scoped(produce(run))).pipe(
          Effect.exit,
          Effect.flatMap((exit) => store(concludeExit(run, exit)))
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
              ? store(concludeStopped(runOf(turn, null), turn.stopReason()))
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
                note: `its turn died with the process ${turn.row.starts} times`
              })
            )
          )
        }
        const room = run.outlet === null ? Effect.void : queues.awaitRoom(run.outlet.link, Reply.queueOf(run.target))
        return once(turn, restore(room), () =>
          journal
            .append([started(turn.row.id, turn.row.starts + 1)])
            .pipe(Effect.andThen(attempt(run, restore)), Effect.andThen(Metric.update(turns, 1)))
        )
      }

      return {
        steer: (sessionKey, text) => running.get(sessionKey)?.steer(text) ?? Effect.succeed(false),
        run: (turn) =>
          Effect.uninterruptibleMask((restore) =>
            once(turn, restore(permits.take(1)), () =>
              Effect.ensuring(
                once(turn, restore(awaitOutlet(turn.row.link)), (outlet) => begin(runOf(turn, outlet), restore)),
                permits.release(1)
              )
            )
          ).pipe(
            Effect.catchCause((cause) =>
              Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("a turn could not be carried out", cause)
            )
          )
      }
    })
  )
}
