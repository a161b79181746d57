/**
 * What the agent does in one turn, and what of it is seen meanwhile: typing, preview, tool lines, questions (`conversation`
 * K, G, A, C). It ends with the agent's outcome; nothing here ends the turn or its Inbox row.
 */
import { Clock, Context, Duration, Effect, type Fiber, Layer, Schedule, type Scope, Stream } from "effect"
import { Agent, type AgentError, type AgentEvent, type AgentRun, type Usage } from "../Agent/Agent.ts"
import {
  AgentClarifyTimeout,
  AgentGatewayTimeout,
  ApprovalsGatewayTimeout,
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
import { SendQueues } from "../Delivery/SendQueues.ts"
import type { Media, MessageEvent } from "../Message/MessageEvent.ts"
import type { Turn } from "../Session/Turns.ts"
import { Journal } from "../Storage/Journal.ts"
import { replay } from "../Session/Replay.ts"
import { Transcript } from "../Storage/Transcript.ts"
import { prepare as prepareWith } from "./Preparation.ts"
import * as Preview from "./Preview.ts"
import { Prompts } from "./Prompts.ts"
import { ContextPrompts } from "./ContextPrompt.ts"
import * as Texts from "./Texts.ts"
import * as TurnNotes from "./TurnNotes.ts"
import { Typing } from "./Typing.ts"
import * as Voice from "./Voice.ts"

const historyBound = 200

/** What a turn has come to before it is stored. */
export interface Produced {
  readonly text: string
  readonly attachments: ReadonlyArray<Named>
}

/** What one run keeps track of. */
export interface Run extends Voice.Occasion {
  readonly turn: Turn
  readonly outlet: Outlet | null
  preview: Preview.Preview | null
  attachments: Array<Named>
  /** Interim texts so far: each has keys of its own, the same in a second run of the turn. */
  interim: number
  prompts: number
  /** Size of the last prompt, as far as the agent told. */
  promptTokens: number | null
  /** Epoch milliseconds of the agent's last sign of life. */
  lastActive: number
  /** The agent gave none for too long, and its fiber was interrupted for that. */
  isStuck: boolean
  /** The latest figures that the agent told. */
  usage: Usage | null
  /** The tool that the last line told of. */
  lastTool: string | null
}

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

/** How often silent agents are looked for. */
const watchEvery = Duration.seconds(30)

export class AgentCall extends Context.Service<
  AgentCall,
  {
    /** Runs the agent to its end; closing the scope cancels it. */
    readonly produce: (run: Run) => Effect.Effect<Produced, AgentError, Scope.Scope>
    /** What the preview shows, without its cursor; `null` = surely nothing. */
    readonly shown: (run: Run) => string | null
    /** Hands text to the running agent of a session; `false`: none runs, or it takes none. */
    readonly steer: (sessionKey: string, text: string) => Effect.Effect<boolean>
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
      const voice = yield* Voice.Voice
      const settings = yield* Settings
      const clarifyTimeout = yield* settings.get(AgentClarifyTimeout)
      const approvalTimeout = yield* settings.get(ApprovalsGatewayTimeout)
      const streaming = yield* settings.get(StreamingEnabled)
      const previewSettings: Preview.PreviewSettings = {
        interval: Duration.toMillis(yield* settings.get(StreamingEditInterval)),
        threshold: yield* settings.get(StreamingBufferThreshold),
        cursor: yield* settings.get(StreamingCursor)
      }
      const inactivity = Duration.toMillis(yield* settings.get(AgentGatewayTimeout))
      const clock = yield* Clock.Clock
      const prepare = (event: MessageEvent) => Effect.provideService(prepareWith(event), MediaCache, cache)
      const display = yield* DisplaySettings.read
      const running = new Map<string, AgentRun>()
      const watched = new Map<Run, Fiber.Fiber<unknown, unknown>>()

      /** One watch for all turns: an agent without a sign of life is stopped, one that waits for its user is not (`conversation L4`). */
      const watch = Effect.sync(() => {
        const before = clock.currentTimeMillisUnsafe() - inactivity
        for (const [run, fiber] of watched) {
          if (run.lastActive > before || prompts.of(run.turn.sessionKey) !== null) continue
          run.isStuck = true
          fiber.interruptUnsafe()
        }
      })
      if (inactivity > 0) yield* Effect.forkScoped(Effect.schedule(watch, Schedule.spaced(watchEvery)))

      /** Something shown in the middle of a turn: its own commit, under a key that a second run of the turn repeats. */
      const interject = (run: Run, said: Voice.Said) =>
        Effect.catch(voice.say(run, said), (error) =>
          Effect.logWarning("an interim message was not stored", error.message)
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
          run.lastActive = clock.currentTimeMillisUnsafe()
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
          run.outlet !== null && run.capabilities.typing ? yield* typing.during(run.outlet, typingTarget(run)) : null
        const { choices, sessionId } = turn.route
        const prepared = yield* prepare({ ...event, media: yield* readable(run.outlet, event.media) })
        const agentRun = yield* agent.start({
          sessionKey: turn.sessionKey,
          sessionId,
          turnId: String(turn.row.id),
          event,
          text: [...TurnNotes.notesOf(turn), prepared.text].join("\n\n"),
          media: prepared.media,
          context: contextPrompts.of(event.source),
          choices,
          history: Effect.map(transcript.rows(sessionId, historyBound), (rows) =>
            replay(rows, { now: turn.row.takenAt, isShared: contextPrompts.isShared(event.source) })
          )
        })
        yield* Effect.acquireRelease(
          Effect.withFiber((fiber) => {
            run.lastActive = clock.currentTimeMillisUnsafe()
            running.set(turn.sessionKey, agentRun)
            watched.set(run, fiber)
            return Effect.void
          }),
          () =>
            Effect.sync(() => {
              watched.delete(run)
              if (running.get(turn.sessionKey) === agentRun) running.delete(turn.sessionKey)
            })
        )
        const { platform } = run.target
        const shown = {
          streaming: DisplaySettings.resolve(display, platform, "streaming"),
          tools: DisplaySettings.resolve(display, platform, "tool_progress"),
          previewLength: DisplaySettings.resolve(display, platform, "tool_preview_length"),
          interim: DisplaySettings.showsInterim(display, platform)
        }
        const streams =
          run.outlet !== null && run.capabilities.edit && (shown.streaming ?? streaming ?? run.capabilities.streaming)
        let text = ""
        yield* Stream.runForEach(agentRun.events, (event): Effect.Effect<void, never, Scope.Scope> => {
          run.lastActive = clock.currentTimeMillisUnsafe()
          switch (event._tag) {
            case "Final":
              text = event.text
              return Effect.void
            case "TextDelta":
              return streams && run.outlet !== null ? grow(run, run.outlet, event.text) : Effect.void
            case "Commentary":
              if (!shown.interim) return Effect.void
              return interject(run, {
                kind: "commentary",
                cause: `${run.cause}:${run.interim++}`,
                text: event.text,
                notify: false
              })
            case "ToolStarted": {
              const isSame = run.lastTool === event.tool
              run.lastTool = event.tool
              if (shown.tools === "off" || (shown.tools === "new" && isSame)) return Effect.void
              return interject(run, {
                kind: "tool",
                cause: `${run.cause}:${run.interim++}`,
                text: Texts.toolLine(event.tool, event.preview, shown.previewLength),
                notify: false,
                replyTo: null
              })
            }
            case "Usage":
              run.usage = event.usage
              run.promptTokens = event.usage.contextTokens ?? run.promptTokens
              return Effect.void
            case "ToolFinished":
            case "Reasoning":
            case "Plan":
              return Effect.void
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

      const grow = Effect.fnUntraced(function* (run: Run, outlet: Outlet, delta: string) {
        if (run.preview === null) {
          const [row] = voice.rows(run, { kind: "final", text: "…" })
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

      return {
        produce,
        shown: (run) => {
          const shown = run.preview?.shown() ?? null
          return shown === null ? null : shown.text.slice(0, shown.text.length - previewSettings.cursor.length) || "…"
        },
        steer: (sessionKey, text) => running.get(sessionKey)?.steer(text) ?? Effect.succeed(false)
      }
    })
  )
}
