/**
 * An agent that speaks the Agent Client Protocol over the pipes of its process (`conversation T2`, A11, S3, H3). It keeps
 * its own history; what it does not know, because it is new or has crashed and cannot load, it is told from our transcript.
 */
import { createHash } from "node:crypto"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { type ContentBlock, type McpServer, methods, type PromptResponse } from "@agentclientprotocol/sdk"
import { Clock, Deferred, Duration, Effect, Fiber, Layer, Result, Schedule, Schema } from "effect"
import { Agent, type AgentError, type AgentRun, type AgentTurn } from "../Agent.ts"
import { errorOf } from "../OpenAi/Failure.ts"
import { type AgentProcess, type Launch, within } from "./AgentProcess.ts"
import * as Choices from "./Choices.ts"
import * as Pool from "./Pool.ts"
import * as Prompt from "./Prompt.ts"
import { type ActiveTurn, Session } from "./Session.ts"
import { ConfigOption } from "./Updates.ts"

export interface Options {
  readonly launch: Omit<Launch, "cwd">
  readonly limits: Pool.Limits
  /** The working folder of all sessions. */
  readonly workspace: string
  /** Each conversation gets a folder of its own below the working folder. */
  readonly isolated: boolean
  /** Given to a session of the agent; over HTTP only to one that takes that. */
  readonly mcpServers: (session: {
    readonly sessionKey: string
    readonly takesHttp: boolean
  }) => ReadonlyArray<McpServer>
}

/** `conversation S3`: an agent that does not end a cancelled prompt by then has its session taken away. */
const cancelWithin = Duration.seconds(5)
const openWithin = "2 minutes"
const answerWithin = "30 seconds"
/** `conversation T8`. */
const idleFor = 30 * 60_000
const sweepEvery = Duration.minutes(1)
const mostSessions = 10_000

/** What comes with a session that was begun, loaded or changed. */
const decodeOffer = Schema.decodeUnknownResult(
  Schema.Struct({
    configOptions: Schema.optionalKey(Schema.NullOr(Schema.Array(ConfigOption))),
    modes: Schema.optionalKey(
      Schema.NullOr(
        Schema.Struct({
          currentModeId: Schema.String,
          availableModes: Schema.Array(Schema.Struct({ id: Schema.String, name: Schema.String }))
        })
      )
    )
  })
)

export const make = Effect.fnUntraced(function* (options: Options) {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const { environment, mediaCache } = options.launch
  yield* Effect.sync(() => mkdirSync(options.workspace, { recursive: true }))
  const pool = yield* Pool.make({ ...options.launch, cwd: options.workspace }, options.limits)
  const sessions = new Map<string, Session>()
  const mcpServersOf = (process: AgentProcess, { key }: Session): Array<McpServer> => [
    ...options.mcpServers({
      sessionKey: key,
      takesHttp: process.hello.agentCapabilities?.mcpCapabilities?.http === true
    })
  ]
  /** What the agent offered last, in whatever session. */
  let offer: Choices.Offer = { config: [], modes: [] }
  let commands: Session["commands"] = []

  const cwdOf = (key: string): string => {
    if (!options.isolated) return options.workspace
    const cwd = join(options.workspace, createHash("sha256").update(key).digest("hex").slice(0, 16))
    mkdirSync(cwd, { recursive: true })
    return cwd
  }

  /** Takes the session from its process, which is told where it wants to be. */
  const detach = (session: Session): Effect.Effect<void> =>
    Effect.suspend(() => {
      session.terminals.releaseAll()
      const process = pool.current(session)
      const { acpId } = session
      const closing =
        process !== null && acpId !== null && process.hello.agentCapabilities?.sessionCapabilities?.close != null
          ? process
              .ask((agent) => agent.request(methods.agent.session.close, { sessionId: acpId }))
              .pipe(
                within(answerWithin, "close a session"),
                Effect.catch((error) => Effect.logDebug("the agent did not close a session", error.message))
              )
          : Effect.void
      return Effect.andThen(closing, pool.release(session))
    })

  const drop = (session: Session) => {
    if (sessions.get(session.key) === session) sessions.delete(session.key)
    return Effect.asVoid(Effect.forkIn(detach(session), scope))
  }

  /** The session of this conversation. Before its first turn was stored, a conversation has no id yet. */
  const sessionOf = (turn: AgentTurn): Effect.Effect<Session> =>
    Effect.suspend(() => {
      const known = sessions.get(turn.sessionKey)
      if (known !== undefined && turn.sessionId !== "" && ["", turn.sessionId].includes(known.conversation)) {
        known.conversation = turn.sessionId
        // The one that was used last stands last.
        sessions.delete(known.key)
        sessions.set(known.key, known)
        return Effect.succeed(known)
      }
      const fresh = new Session(turn.sessionKey, turn.sessionId, cwdOf(turn.sessionKey), environment)
      const over: Array<Effect.Effect<void>> = known === undefined ? [] : [drop(known)]
      if (sessions.size >= mostSessions) {
        for (const old of sessions.values()) {
          if (old.turn !== null || old.isOpening) continue
          over.push(drop(old))
          break
        }
      }
      sessions.set(fresh.key, fresh)
      return Effect.as(Effect.all(over, { discard: true }), fresh)
    })

  const learn = (session: Session, told: unknown) => {
    const decoded = decodeOffer(told)
    const { configOptions, modes } = Result.isSuccess(decoded) ? decoded.success : {}
    session.config = configOptions ?? []
    for (const { currentValue, id } of session.config) {
      if (!session.defaults.has(id)) session.defaults.set(id, currentValue)
    }
    session.modes = modes?.availableModes ?? []
    session.mode = modes?.currentModeId ?? null
    offer = session
  }

  /** The agent may know the session from a process that is gone. */
  const load = (process: AgentProcess, session: Session, acpId: string) =>
    Effect.gen(function* () {
      const capabilities = process.hello.agentCapabilities
      const params = { sessionId: acpId, cwd: session.cwd, mcpServers: mcpServersOf(process, session) }
      process.adopt(acpId, session)
      if (capabilities?.sessionCapabilities?.resume != null) {
        const told = yield* process.ask((agent) => agent.request(methods.agent.session.resume, params))
        learn(session, told)
      } else if (capabilities?.loadSession === true) {
        const told = yield* process.ask((agent) => agent.request(methods.agent.session.load, params))
        learn(session, told)
      } else {
        return yield* errorOf("provider", "the agent loads no sessions")
      }
    }).pipe(Effect.onError(() => Effect.sync(() => process.dismiss(acpId, session))))

  const begin = Effect.fnUntraced(function* (process: AgentProcess, session: Session) {
    const told = yield* process.ask((agent) =>
      agent.request(methods.agent.session.new, { cwd: session.cwd, mcpServers: mcpServersOf(process, session) })
    )
    session.acpId = told.sessionId
    session.context = null
    session.knowsHistory = false
    session.defaults.clear()
    learn(session, told)
    process.adopt(told.sessionId, session)
  })

  /** A process with this session in it: the one it is in, else loaded, else begun anew. */
  const open = (session: Session): Effect.Effect<AgentProcess, AgentError> =>
    Effect.gen(function* () {
      const process = yield* pool.processFor(session)
      const { acpId } = session
      if (acpId !== null && process.sessions.get(acpId) === session) return process
      if (acpId !== null) {
        const loaded = yield* Effect.result(load(process, session, acpId))
        if (Result.isSuccess(loaded)) return process
        yield* Effect.logInfo("the agent does not know a session any more and is told its history", {
          why: loaded.failure.message
        })
      }
      yield* begin(process, session)
      return process
    }).pipe(within(openWithin, "open a session"))

  /** A stop must not wait for the agent to open a session, nor leave half a session behind: it goes on by itself. */
  const opened = (session: Session): Effect.Effect<AgentProcess, AgentError> =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<AgentProcess, AgentError>()
      session.isOpening = true
      yield* open(session).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            session.isOpening = false
            Deferred.doneUnsafe(done, exit)
          })
        ),
        Effect.exit,
        Effect.forkIn(scope)
      )
      return yield* Deferred.await(done)
    })

  const choose = Effect.fnUntraced(function* (process: AgentProcess, session: Session, turn: AgentTurn) {
    const sessionId = session.acpId ?? ""
    for (const change of Choices.changesFor(session, turn.choices)) {
      const changing =
        change._tag === "Mode"
          ? Effect.map(
              process.ask((agent) => agent.request(methods.agent.session.setMode, { sessionId, modeId: change.id })),
              () => void (session.mode = change.id)
            )
          : Effect.map(
              process.ask((agent) =>
                agent.request(methods.agent.session.setConfigOption, {
                  sessionId,
                  configId: change.id,
                  value: change.value
                })
              ),
              (told) => {
                const decoded = decodeOffer(told)
                if (Result.isSuccess(decoded)) session.config = decoded.success.configOptions ?? session.config
              }
            )
      yield* changing.pipe(
        within(answerWithin, "take a choice"),
        Effect.catch((error) =>
          Effect.logWarning("the agent did not take a choice of the conversation", { why: error.message })
        )
      )
    }
  })

  const conclude = (session: Session, active: ActiveTurn, response: PromptResponse) => {
    const { events, reading } = active
    pool.worked()
    if (session.commands.length > 0) commands = session.commands
    switch (response.stopReason) {
      case "refusal":
        if (reading.text === "") return events.fail(errorOf("policy", "the agent refused"))
        break
      case "cancelled":
        if (session.turn === active) return events.fail(errorOf("provider", "the agent cancelled the turn by itself"))
        break
      default:
    }
    events.push({ _tag: "Final", text: reading.text })
    events.end()
  }

  /** Sends the prompt; what comes of it arrives in the turn's events. It ends with the agent, not with the turn. */
  const send = (process: AgentProcess, session: Session, prompt: Array<ContentBlock>): Effect.Effect<ActiveTurn> =>
    Effect.gen(function* () {
      const active = session.begin()
      session.pending = yield* process
        .ask((agent) => agent.request(methods.agent.session.prompt, { sessionId: session.acpId ?? "", prompt }))
        .pipe(
          Effect.match({
            onSuccess: (response) => conclude(session, active, response),
            onFailure: (error) => active.events.fail(error)
          }),
          Effect.forkIn(scope)
        )
      return active
    })

  /** An agent that goes on with a cancelled prompt loses its session, and its process if nobody else is using it. */
  const takeAway = (process: AgentProcess, session: Session) =>
    Effect.gen(function* () {
      yield* Effect.logWarning("the agent does not end a cancelled turn", { agent: options.launch.name })
      if (yield* pool.retire(session)) return
      if (session.acpId !== null) process.dismiss(session.acpId, session)
      session.acpId = null
      session.pending = null
    })

  const drained = (process: AgentProcess, session: Session): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { pending } = session
      if (pending === null || pending.pollUnsafe() !== undefined) return Effect.void
      return Fiber.await(pending).pipe(
        Effect.timeoutOption(cancelWithin),
        Effect.flatMap((settled) =>
          settled._tag === "None" && session.pending === pending ? takeAway(process, session) : Effect.void
        )
      )
    })

  /** `/stop`, and the end of every turn: the agent hears of it at once; whether it obeys is watched apart. */
  const leave = (process: AgentProcess, session: Session, active: ActiveTurn) =>
    Effect.suspend(() => {
      const isCut = !active.events.isOver
      session.leave(active)
      session.lastUsed = clock.currentTimeMillisUnsafe()
      if (!isCut || !process.isAlive()) return Effect.void
      void process.connection.agent
        .notify(methods.agent.session.cancel, { sessionId: session.acpId ?? "" })
        .catch(() => {})
      return Effect.asVoid(Effect.forkIn(drained(process, session), scope))
    })

  const start = Effect.fnUntraced(function* (turn: AgentTurn) {
    const session = yield* sessionOf(turn)
    const before = pool.current(session)
    if (before !== null) yield* drained(before, session)
    const process = yield* opened(session)
    yield* choose(process, session, turn)
    const told: Array<ContentBlock> = []
    if (!Prompt.isCommand(turn.text)) {
      const history = session.knowsHistory
        ? []
        : yield* Effect.mapError(turn.history, () =>
            errorOf("provider", "the conversation could not be read from storage")
          )
      told.push(...Prompt.preamble(session.context === turn.context ? null : turn.context, history))
      session.context = turn.context
      session.knowsHistory = true
    }
    const prompt = yield* Prompt.blocks({
      text: turn.text,
      media: turn.media,
      before: told,
      takes: process.hello.agentCapabilities?.promptCapabilities ?? {},
      mediaCache
    })
    const active = yield* Effect.acquireRelease(send(process, session, prompt), (active) =>
      leave(process, session, active)
    )
    const started: AgentRun = {
      events: active.events.stream,
      answer: (promptId, answer) =>
        Effect.sync(() => {
          if (session.turn === active) session.answer(promptId, answer)
        }),
      steer: () => Effect.succeed(false)
    }
    return started
  })

  const sweep = Effect.suspend(() => {
    const before = clock.currentTimeMillisUnsafe() - idleFor
    const idle = [...sessions.values()].filter(
      (session) =>
        session.turn === null &&
        !session.isOpening &&
        session.lastUsed < before &&
        (options.limits.sessions === 1 ||
          pool.current(session)?.hello.agentCapabilities?.sessionCapabilities?.close != null)
    )
    return Effect.andThen(Effect.forEach(idle, detach, { concurrency: 8, discard: true }), pool.sweep)
  })
  yield* Effect.forkScoped(Effect.schedule(sweep, Schedule.spaced(sweepEvery)))

  /** Models are told within a session; without one yet, a session is opened to ask. */
  const probe = Effect.suspend(() => {
    const session = new Session("", "", options.workspace, environment)
    return Effect.andThen(opened(session), Effect.forkIn(detach(session), scope))
  })

  return Agent.of({
    name: options.launch.name,
    start,
    models: Effect.suspend(() =>
      offer.config.length > 0 || offer.modes.length > 0
        ? Effect.succeed(Choices.modelsOf(offer))
        : Effect.map(probe, () => Choices.modelsOf(offer))
    ),
    get reasoningLevels() {
      return Choices.reasoningLevelsOf(offer)
    },
    commands: (sessionKey) => sessions.get(sessionKey)?.commands ?? commands,
    forget: (sessionKey) =>
      Effect.suspend(() => {
        const session = sessions.get(sessionKey)
        return session === undefined ? Effect.void : drop(session)
      })
  })
})

export const layer = (options: Options): Layer.Layer<Agent> => Layer.effect(Agent, make(options))
