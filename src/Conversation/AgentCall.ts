/**
 * What the agent does in one turn, and what of it is seen meanwhile: typing, preview, tool lines, questions (`conversation`
 * K, G, A, C). It ends with the agent's outcome; nothing here ends the turn or its Inbox row.
 */
import { Clock, Context, Duration, Effect, FiberSet, Layer, type Scope, Stream } from "effect"
import { Agent, type AgentError, type AgentEvent, type AgentRun, type Answer } from "../Agent/Agent.ts"
import {
  AgentClarifyTimeout,
  ApprovalsGatewayTimeout,
  ApprovalsMode,
  StreamingBufferThreshold,
  StreamingCursor,
  StreamingEditInterval,
  StreamingEnabled
} from "../Config/GatewaySettings.ts"
import { redact } from "../Config/Redact.ts"
import { Settings } from "../Config/Settings.ts"
import type { Named } from "../Delivery/Attachments.ts"
import * as DisplaySettings from "../Delivery/DisplaySettings.ts"
import { MediaCache } from "../Delivery/MediaCache.ts"
import type { Outlet } from "../Delivery/Outlet.ts"
import { measureOf } from "../Delivery/Markdown/Dialect.ts"
import * as Reply from "../Delivery/Reply.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { head } from "../Delivery/Splitter.ts"
import * as Consumer from "../Delivery/Stream/Consumer.ts"
import * as Machine from "../Delivery/Stream/Machine.ts"
import { withoutThoughts } from "../Delivery/Stream/Visible.ts"
import { length } from "../Delivery/TextLength.ts"
import { contentHash } from "../Delivery/IdempotencyKey.ts"
import type { Media, MessageEvent } from "../Message/MessageEvent.ts"
import { SendError } from "../Message/SendError.ts"
import type { InboxRow } from "../Storage/Inbox.ts"
import { Journal } from "../Storage/Journal.ts"
import type { OutboxRow } from "../Storage/Outbox.ts"
import { replay } from "../Session/Replay.ts"
import { Transcript } from "../Storage/Transcript.ts"
import * as Answers from "./Answers.ts"
import { Approvals } from "./Approvals.ts"
import { prepare as prepareWith } from "./Preparation.ts"
import * as Progress from "./Progress.ts"
import { type Prompt, Prompts } from "./Prompts.ts"
import { ContextPrompts } from "./ContextPrompt.ts"
import type { Run } from "./Run.ts"
import * as Texts from "./Texts.ts"
import * as TurnNotes from "./TurnNotes.ts"
import { Typing } from "./Typing.ts"
import * as Voice from "./Voice.ts"
import { Watch } from "./Watch.ts"

const historyBound = 200
/** Characters of an agent's thoughts that are kept. */
const mostThoughts = 64 * 1024
/** How long a message of progress is waited for before it counts as not to be edited. */
const progressPatience = Duration.minutes(5)
/** Left in a message that grows for the end of a fence. */
const fenceRoom = 8

/** What a turn has come to before it is stored. */
export interface Produced {
  readonly text: string
  readonly attachments: ReadonlyArray<Named>
}

/** What an agent waits for a person to answer. */
type Asking = Extract<AgentEvent, { readonly _tag: "Question" | "Approval" }>

/** The indicator belongs to the message, wherever its answer goes (`relay L11`). */
const typingTarget = ({ target, turn }: Run) => {
  const { answerIn } = turn.row.event
  return answerIn === undefined ? target : { ...target, threadId: answerIn.typing }
}

/** Files that came in, where the agent can read them (`relay O7`). */
const readable = (outlet: Outlet | null, media: ReadonlyArray<Media>): Effect.Effect<ReadonlyArray<Media>> => {
  const local = outlet?.localMedia
  return local === undefined || media.length === 0
    ? Effect.succeed(media)
    : Effect.forEach(media, (file) => Effect.map(local(file.ref), (ref) => ({ ...file, ref })), {
        concurrency: "unbounded"
      })
}

/** Time that a prompt has to reach its chat (`conversation A3`, C1). */
const promptPatience = Duration.seconds(15)
export class AgentCall extends Context.Service<
  AgentCall,
  {
    /** Runs the agent to its end; closing the scope cancels it. */
    readonly produce: (run: Run) => Effect.Effect<Produced, AgentError, Scope.Scope>
    /** What is shown no longer grows; gives what had still to be said below it. */
    readonly finish: (run: Run) => ReadonlyArray<Effect.Effect<void>>
    /** What becomes of the messages that are shown (`Machine.ending`). */
    readonly ending: (run: Run, answer: string | null) => Machine.Ending
    /** Hands a message to the running agent of a session; `false`: none runs, or it takes none. */
    readonly steer: (sessionKey: string, row: InboxRow) => Effect.Effect<boolean>
  }
>()("Conversation/AgentCall") {
  static readonly layer = Layer.effect(
    AgentCall,
    Effect.gen(function* () {
      const agent = yield* Agent
      const cache = yield* MediaCache
      const journal = yield* Journal
      const queues = yield* SendQueues
      const transcript = yield* Transcript
      const contextPrompts = yield* ContextPrompts
      const typing = yield* Typing
      const prompts = yield* Prompts
      const approvals = yield* Approvals
      const watch = yield* Watch
      const voice = yield* Voice.Voice
      const settings = yield* Settings
      const clarifyTimeout = yield* settings.get(AgentClarifyTimeout)
      const approvalTimeout = yield* settings.get(ApprovalsGatewayTimeout)
      const approvalsMode = yield* settings.follow(ApprovalsMode)
      const streaming = yield* settings.get(StreamingEnabled)
      const interval = Duration.toMillis(yield* settings.get(StreamingEditInterval))
      const threshold = yield* settings.get(StreamingBufferThreshold)
      const cursor = yield* settings.get(StreamingCursor)
      const senders = yield* FiberSet.make<void>()
      const fork = yield* FiberSet.runtime(senders)<never>()
      const clock = yield* Clock.Clock
      const prepare = (event: MessageEvent) => Effect.provideService(prepareWith(event), MediaCache, cache)
      const display = yield* DisplaySettings.read
      const running = new Map<string, { readonly run: Run; readonly agentRun: AgentRun }>()
      /** Something shown in the middle of a turn: its own commit, under a key that a second run of the turn repeats. */
      const interject = (run: Run, said: Voice.Said) =>
        Effect.catch(Effect.asVoid(voice.say(run, said)), (error) =>
          Effect.logWarning("an interim message was not stored", error.message)
        )

      /** Below what was said before it (`delivery B12`, Z18). */
      const below = (run: Run, show: Effect.Effect<void>, isChrome: boolean) =>
        run.stream === null ? show : run.stream.below(show, isChrome)

      /** A complete text of its own; what was streamed already is only brought to its end (`delivery B13`). */
      const comment = (run: Run, text: string): Effect.Effect<void> => {
        run.bubble = null
        if (run.stream?.hasSaid(text) === true) return below(run, Effect.void, true)
        const cause = `${run.cause}:${run.interim++}`
        return below(run, interject(run, { kind: "commentary", cause, text, notify: false }), false)
      }

      /** One message of progress, edited in place; `say` begins it below what was said before. */
      const progress = (run: Run): Progress.Progress =>
        Progress.make({
          clock,
          say: (text, tell) => {
            const said: Voice.Said = {
              kind: "tool",
              cause: `${run.cause}:${run.interim++}`,
              text,
              notify: false,
              replyTo: null
            }
            const [row] = voice.rows(run, said)
            const id = row === undefined ? Effect.succeed(null) : queues.shownAs(row.key)
            // Watched before it may leave: its confirmation can come at once.
            fork(
              Effect.map(Effect.timeoutOption(id, progressPatience), (found) =>
                tell(found._tag === "Some" ? found.value : null)
              )
            )
            return below(run, interject(run, said), true)
          },
          edit: (messageId, text) =>
            run.outlet === null || run.isStopped
              ? Effect.fail(new SendError({ kind: "unsupported", message: "the turn was stopped" }))
              : run.outlet.edit({
                  key: `${run.cause}:progress:${contentHash(text)}`,
                  target: run.target,
                  messageId,
                  text,
                  final: false
                }),
          fork: (effect) => void fork(effect)
        })

      const toolLine = (run: Run, line: string, gathers: boolean): Effect.Effect<void> =>
        Effect.suspend(() => {
          const { bubble } = run
          const lines = Progress.withLine(bubble?.lines ?? Progress.noLines, line)
          const isNew = !gathers || bubble === null || Progress.isFull(lines, run.capabilities.maxLength)
          const current = isNew
            ? { progress: progress(run), lines: Progress.withLine(Progress.noLines, line) }
            : { ...bubble, lines }
          run.bubble = current
          return Effect.flatMap(current.progress.show(Progress.textOf(current.lines)), (isShown) => {
            if (isShown || isNew) return Effect.void
            run.bubble = null
            return toolLine(run, line, gathers)
          })
        })

      const planned = (run: Run, text: string): Effect.Effect<void> =>
        Effect.suspend(() => {
          const plan = (run.plan ??= progress(run))
          return Effect.map(plan.show(text), (isShown) => {
            if (!isShown) run.plan = null
          })
        })

      /** A prompt that reaches nobody must not hold the agent up (`conversation A3`, C1). */
      const undelivered = (rows: ReadonlyArray<OutboxRow>) => {
        const [first] = rows
        return first === undefined
          ? Effect.succeed(true)
          : queues.settled(first.key).pipe(
              Effect.timeoutOption(promptPatience),
              Effect.map((sent) => sent._tag === "None" || !sent.value),
              Effect.tap((failed) => (failed ? Effect.forEach(rows, queues.withdraw, { discard: true }) : Effect.void))
            )
      }

      const saidOf = (run: Run, event: Asking, prompt: Prompt): Voice.Said => {
        const timeout = event._tag === "Question" ? clarifyTimeout : approvalTimeout
        const [text, question, options] =
          event._tag === "Question"
            ? [
                Texts.question(event.question, event.choices),
                `❓ ${event.question}`,
                Answers.questionOptions(event.choices)
              ]
            : [
                Texts.approval(redact(event.command), event.description && redact(event.description)),
                Texts.approvalQuestion(redact(event.command), event.description && redact(event.description)),
                Answers.approvalOptions(prompt.allowPermanent)
              ]
        const said: Voice.Said = {
          kind: "prompt",
          // A second run asks again, so the key tells the runs apart (`conversation A12`).
          cause: `${run.cause}:${run.turn.row.starts}:${run.prompts}`,
          text
        }
        if (options.length === 0 || run.capabilities.prompt !== true || voice.rows(run, said).length > 1) return said
        const seconds = Math.round(Duration.toSeconds(timeout))
        return {
          ...said,
          prompt: {
            kind: event._tag === "Question" ? "clarify" : "approval",
            promptId: prompt.id,
            text: question,
            options,
            timeoutSeconds: seconds > 0 ? seconds : null
          }
        }
      }

      const patternsOf = (event: Extract<AgentEvent, { readonly _tag: "Approval" }>) =>
        event.patternKeys ?? [event.command]

      /** What is answered without a person: everything is allowed, or this was allowed for longer (`conversation A10`, A11). */
      const standing = Effect.fnUntraced(function* (run: Run, event: Asking): Effect.fn.Return<Answer | null> {
        if (event._tag === "Question") return null
        if (approvalsMode() === "off") return { _tag: "Decision", choice: "once" }
        const held = yield* approvals.held(run.turn.route.sessionId, patternsOf(event))
        if (held !== null) return { _tag: "Decision", choice: held }
        return Duration.toMillis(approvalTimeout) <= 0 ? { _tag: "None", why: "timeout" } : null
      })

      const ask = Effect.fnUntraced(function* (
        run: Run,
        agentRun: AgentRun,
        event: Asking,
        indicator: { readonly pause: () => void; readonly resume: () => void } | null
      ): Effect.fn.Return<void, never, Scope.Scope> {
        const { turn } = run
        const { source } = turn.row.event
        const settled = yield* standing(run, event)
        if (settled !== null) return yield* agentRun.answer(event.promptId, settled)
        const prompt: Prompt = {
          id: prompts.idOf(run.cause, turn.row.starts, run.prompts),
          sessionKey: turn.sessionKey,
          kind: event._tag === "Question" ? "question" : "approval",
          choices: event._tag === "Question" ? event.choices : [],
          allowPermanent: event._tag === "Approval" && event.allowPermanent !== false,
          userId: source.userId,
          isDirect: source.chatType === "dm",
          takesText: true,
          resolve: (answer) =>
            Effect.gen(function* () {
              const isLast = prompts.of(turn.sessionKey).length === 0
              run.lastActive = clock.currentTimeMillisUnsafe()
              if (isLast) {
                indicator?.resume()
                turn.awaiting(false)
              }
              if (event._tag === "Approval" && answer._tag === "Decision") {
                const { choice } = answer
                if (choice === "session" || choice === "always")
                  yield* approvals.grant(choice, turn.route.sessionId, patternsOf(event))
              }
              yield* agentRun.answer(event.promptId, answer)
            })
        }
        run.bubble = null
        const said = saidOf(run, event, prompt)
        prompt.takesText = said.prompt === undefined
        run.prompts++
        const giveUp = (why: "timeout" | "undeliverable") =>
          Effect.suspend(() => (prompts.take(prompt) ? prompt.resolve({ _tag: "None", why }) : Effect.void))
        yield* prompts.open(prompt)
        indicator?.pause()
        turn.awaiting(true)
        // Watched before it may leave: its confirmation can come at once.
        yield* undelivered(voice.rows(run, said)).pipe(
          Effect.flatMap((failed) => (failed ? giveUp("undeliverable") : Effect.void)),
          Effect.forkScoped({ startImmediately: true })
        )
        yield* below(
          run,
          Effect.suspend(() => (prompts.of(turn.sessionKey).includes(prompt) ? interject(run, said) : Effect.void)),
          true
        )
        const timeout = event._tag === "Question" ? clarifyTimeout : approvalTimeout
        // Without a limit a question waits (`conversation C5`).
        if (Duration.toMillis(timeout) > 0) {
          yield* Effect.sleep(timeout).pipe(Effect.andThen(giveUp("timeout")), Effect.forkScoped)
        }
      })

      const produce = Effect.fnUntraced(function* (run: Run): Effect.fn.Return<Produced, AgentError, Scope.Scope> {
        const { turn } = run
        const { event } = turn.row
        const indicator =
          run.outlet !== null && run.capabilities.typing ? yield* typing.during(run.outlet, typingTarget(run)) : null
        const { choices, sessionId } = turn.route
        const prepared = yield* prepare({ ...event, media: yield* readable(run.outlet, event.media) })
        const notes = TurnNotes.notesOf(turn)
        const agentRun = yield* agent.start({
          sessionKey: turn.sessionKey,
          sessionId,
          turnId: String(turn.row.id),
          event,
          text: [...notes, prepared.text].join("\n\n"),
          notes,
          media: prepared.media,
          context: contextPrompts.of(event.source),
          choices,
          history: Effect.map(transcript.rows(sessionId, historyBound), (rows) =>
            replay(rows, { now: turn.row.takenAt, isShared: contextPrompts.isShared(event.source) })
          )
        })
        yield* Effect.acquireRelease(
          Effect.sync(() => running.set(turn.sessionKey, { run, agentRun })),
          () =>
            Effect.sync(() => {
              if (running.get(turn.sessionKey)?.run === run) running.delete(turn.sessionKey)
            })
        )
        yield* watch.during(run)
        const { platform } = run.target
        const shown = {
          streaming: DisplaySettings.resolve(display, platform, "streaming"),
          tools: DisplaySettings.resolve(display, platform, "tool_progress"),
          previewLength: DisplaySettings.resolve(display, platform, "tool_preview_length"),
          interim: DisplaySettings.showsInterim(display, platform),
          reasoning: DisplaySettings.resolve(display, platform, "show_reasoning"),
          // A second run repeats its lines under the keys of the first, one by one.
          gathers:
            DisplaySettings.resolve(display, platform, "tool_progress_grouping") === "accumulate" &&
            run.capabilities.edit &&
            turn.row.starts === 0
        }
        const streams =
          run.outlet !== null && run.capabilities.edit && (shown.streaming ?? streaming ?? run.capabilities.streaming)
        let text = ""
        yield* Stream.runForEach(agentRun.events, (event): Effect.Effect<void, never, Scope.Scope> => {
          run.lastActive = clock.currentTimeMillisUnsafe()
          switch (event._tag) {
            case "Final":
              text = withoutThoughts(event.text, true)
              return Effect.void
            case "TextDelta":
              if (streams && run.outlet !== null) grow(run, run.outlet, event.text)
              return Effect.void
            case "Commentary":
              return shown.interim ? comment(run, event.text) : Effect.void
            case "ToolStarted": {
              const isSame = run.lastTool === event.tool
              run.lastTool = event.tool
              run.tool = event.tool
              if (shown.tools === "off" || (shown.tools === "new" && isSame)) return Effect.void
              const length = shown.tools === "verbose" && shown.previewLength === 0 ? Infinity : shown.previewLength
              return toolLine(run, Texts.toolLine(event.tool, event.preview, length), shown.gathers)
            }
            case "Usage":
              run.usage = event.usage
              run.promptTokens = event.usage.contextTokens ?? run.promptTokens
              return Effect.void
            case "ToolFinished":
              if (run.tool === event.tool) run.tool = null
              return Effect.void
            case "Reasoning":
              if (shown.reasoning) run.reasoning = (run.reasoning + event.text).slice(0, mostThoughts)
              return Effect.void
            case "Plan":
              return shown.tools === "off" || event.entries.length === 0
                ? Effect.void
                : planned(run, Texts.plan(event.entries))
            case "Attachment":
              return Effect.sync(() => {
                run.attachments.push({ ref: event.ref, caption: event.caption })
              })
            case "Question":
            case "Approval":
              return ask(run, agentRun, event, indicator)
          }
        })
        return { text, attachments: run.attachments }
      })

      const rulesOf = ({ capabilities, target }: Run): Machine.Rules => {
        const { dialect, lengthUnit: unit, maxLength, settle } = capabilities
        // Matrix shows edits as they are: no cursor there (`delivery` Stream consumer).
        const mark = target.platform === "matrix" ? "" : cursor
        const limit = Math.max(1, Math.min(Reply.limitOf(capabilities), maxLength - length(mark, unit) - fenceRoom))
        const print = measureOf(dialect)
        // What grows is shown as it stands, and printed at its end: it has to fit both ways.
        const convert =
          print &&
          ((text: string) => {
            const printed = print(text)
            return length(printed, unit) > length(text, unit) ? printed : text
          })
        return {
          interval,
          threshold,
          cursor: mark,
          isKeyed: settle === "key",
          head: (text) => head(text, { limit, unit, convert })
        }
      }

      const grow = (run: Run, outlet: Outlet, delta: string): void => {
        run.stream ??= Consumer.make({
          outlet,
          journal,
          clock,
          rules: rulesOf(run),
          earlier: run.earlier,
          rowOf: (ordinal) =>
            voice.rows(run, {
              kind: "final",
              text: "…",
              ordinal,
              replyTo: ordinal === 0 ? run.turn.row.event.messageId : null
            })[0] ?? null,
          canShow: (queue) => queues.isIdle(outlet.link, queue),
          hold: queues.hold,
          fork: (effect) => void fork(effect)
        })
        // What comes below a bubble closes it (`delivery E4`).
        run.bubble = null
        run.stream.push(delta)
      }

      return {
        produce,
        finish: (run) => {
          if (run.stream === null || run.ended !== null) return []
          const { state, waiting } = run.stream.finish()
          run.ended = state
          return waiting
        },
        ending: (run, answer) => {
          const rules = rulesOf(run)
          return Machine.ending(run.ended ?? Machine.initial(rules, run.earlier), answer, rules.cursor)
        },
        steer: (sessionKey, row) =>
          Effect.suspend(() => {
            const found = running.get(sessionKey)
            if (found === undefined) return Effect.succeed(false)
            // Noted first: whatever ends the turn from here on ends the row with it, or neither.
            found.run.steered.push(row)
            return Effect.tap(found.agentRun.steer(row.event.text), (taken) =>
              Effect.sync(() => {
                const at = taken ? -1 : found.run.steered.indexOf(row)
                if (at >= 0) found.run.steered.splice(at, 1)
              })
            )
          })
      }
    })
  )
}
