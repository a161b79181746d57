/**
 * One agent as a child process that speaks the Agent Client Protocol: begun, introduced, and ended with everything it
 * began itself. It is alive as long as its scope; what ends it otherwise is told once.
 */
import { type ChildProcess, spawn } from "node:child_process"
import {
  client,
  type ClientConnection,
  type ClientContext,
  type InitializeResponse,
  methods,
  PROTOCOL_VERSION,
  RequestError
} from "@agentclientprotocol/sdk"
import { Deferred, type Duration, Effect, type Scope } from "effect"
import { limited } from "../../Config/LogLimit.ts"
import { redact } from "../../Config/Redact.ts"
import type { AgentError } from "../Agent.ts"
import { categoryOf, errorOf } from "../OpenAi/Failure.ts"
import type { Session } from "./Session.ts"
import { killGroup } from "./Terminals.ts"
import * as Transport from "./Transport.ts"
import { decode, type Update } from "./Updates.ts"
import * as Workspace from "./Workspace.ts"

export interface Launch {
  /** Shown and logged; never with arguments, which may hold secrets. */
  readonly name: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** All that the process sees: nothing of ours is inherited. */
  readonly environment: Readonly<Record<string, string>>
  readonly cwd: string
  /** Files that came with messages; agents may read them. */
  readonly mediaCache: string
  /** How the agent wants to be logged in, where it asks. */
  readonly authMethod: string | null
  /** Of this program, for the greeting. */
  readonly version: string
}

export interface AgentProcess {
  readonly pid: number
  readonly connection: ClientConnection
  readonly hello: InitializeResponse
  /** By the agent's own session id. */
  readonly sessions: ReadonlyMap<string, Session>
  /** From now on this session hears what the agent says under that id, and what it said before we knew whose it was. */
  readonly adopt: (acpId: string, session: Session) => void
  readonly dismiss: (acpId: string, session: Session) => void
  /** Why it ended, once it has. */
  readonly ended: Deferred.Deferred<AgentError>
  /** An answer to a request. Where the connection breaks, the end of the process says best why. */
  readonly ask: <A>(request: (agent: ClientContext) => Promise<A>) => Effect.Effect<A, AgentError>
  readonly isAlive: () => boolean
  readonly startedAt: number
}

const helloWithin = "60 seconds"
const keptStderr = 2000
const mostEarly = 64
/** Between the polite end and the forced one. */
const politeFor = 2000
const drainFor = 200
const lastWordsWithin = "2 seconds"

/** The bound of a wait for the agent. */
export const within = (duration: Duration.Input, what: string) =>
  Effect.timeoutOrElse({
    duration,
    orElse: () => Effect.fail(errorOf("provider", `the agent did not ${what} in time`))
  })

/** What an agent's answer to a request means. */
const errorFrom = (cause: unknown): AgentError => {
  if (cause instanceof RequestError) {
    const data = cause.data
    const details =
      typeof data === "object" && data !== null && "details" in data && typeof data.details === "string"
        ? `: ${data.details}`
        : ""
    const words = `${cause.message}${details}`
    if (cause.code === -32_000) return errorOf("no_credentials", `the agent wants to be logged in: ${words}`)
    const category = categoryOf(null, words)
    return errorOf(category, `the agent answered with error ${cause.code}: ${words}`)
  }
  return errorOf("provider", `the agent could not be asked: ${cause instanceof Error ? cause.message : String(cause)}`)
}

/** Ends the whole group, politely first; resolves when the process is reaped. */
const end = (child: ChildProcess, exited: Promise<void>): Promise<void> => {
  child.stdin?.end()
  killGroup(child, "SIGTERM")
  const force = setTimeout(() => killGroup(child, "SIGKILL"), politeFor)
  return exited.finally(() => {
    clearTimeout(force)
    // What it left running is not its own any more.
    killGroup(child, "SIGKILL")
  })
}

const app = (sessions: Map<string, Session>, launch: Launch) => {
  const find = (id: string): Session => {
    const session = sessions.get(id)
    if (session === undefined) throw RequestError.resourceNotFound(id)
    return session
  }
  return client({ name: "switchboard" })
    .onRequest(methods.client.session.requestPermission, ({ params, signal }) =>
      find(params.sessionId).permission(params, signal)
    )
    .onRequest(methods.client.fs.readTextFile, async ({ params }) => ({
      content: await Workspace.readText(
        params.path,
        [find(params.sessionId).cwd, launch.mediaCache],
        params.line,
        params.limit
      )
    }))
    .onRequest(methods.client.fs.writeTextFile, async ({ params }) => {
      await Workspace.writeText(params.path, find(params.sessionId).cwd, params.content)
      return {}
    })
    .onRequest(methods.client.terminal.create, async ({ params }) => ({
      terminalId: await find(params.sessionId).terminals.create(params)
    }))
    .onRequest(methods.client.terminal.output, ({ params }) =>
      find(params.sessionId).terminals.output(params.terminalId)
    )
    .onRequest(methods.client.terminal.waitForExit, ({ params }) =>
      find(params.sessionId).terminals.wait(params.terminalId)
    )
    .onRequest(methods.client.terminal.kill, ({ params }) => {
      find(params.sessionId).terminals.kill(params.terminalId)
      return {}
    })
    .onRequest(methods.client.terminal.release, ({ params }) => {
      find(params.sessionId).terminals.release(params.terminalId)
      return {}
    })
}

/** Starts the process and says hello. Fails when it does not start, does not answer, or speaks another protocol. */
export const start = (launch: Launch): Effect.Effect<AgentProcess, AgentError, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const log = Effect.runForkWith(context)
    const ended = yield* Deferred.make<AgentError>()
    const sessions = new Map<string, Session>()
    const early: Array<readonly [string, Update]> = []
    let stderr = ""
    let alive = true

    const { child } = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(launch.command, launch.args, {
          cwd: launch.cwd,
          env: launch.environment,
          detached: true,
          stdio: ["pipe", "pipe", "pipe"]
        })
        const exited = new Promise<void>((resolve) => {
          const over = (words: string) => {
            if (!alive) return
            alive = false
            const said = stderr.trim() === "" ? "" : `; it said: ${redact(stderr.trim())}`
            const error = errorOf("provider", `the agent's process ${words}${said}`)
            Deferred.doneUnsafe(ended, Effect.succeed(error))
            for (const session of sessions.values()) session.lost(error)
            sessions.clear()
            resolve()
          }
          child.once("exit", (code, signal) => {
            const words = signal === null ? `ended with code ${code}` : `ended by ${signal}`
            // What it wrote last may still be in the pipe; what it left running could hold the pipe open.
            killGroup(child, "SIGKILL")
            const drained = setTimeout(() => over(words), drainFor)
            child.once("close", () => {
              clearTimeout(drained)
              over(words)
            })
          })
          child.once("error", (error) => over(`did not start: ${error.message}`))
        })
        child.stdin.on("error", () => {})
        child.stderr.on("data", (chunk: Buffer) => {
          const text = chunk.toString("utf8")
          stderr = (stderr + text).slice(-keptStderr)
          log(
            limited(`acp.stderr.${launch.name}`, 20)(Effect.logDebug("the agent says", { text: redact(text.trim()) }))
          )
        })
        return { child, exited }
      }),
      ({ child, exited }) => Effect.promise(() => end(child, exited))
    )

    const stream = Transport.make(child.stdout, child.stdin, {
      update: (params) => {
        const decoded = decode(params)
        if (decoded._tag === "Update") {
          const session = sessions.get(decoded.sessionId)
          if (session !== undefined) session.update(decoded.update)
          else {
            // What a session offers may come in the same breath as its id.
            early.push([decoded.sessionId, decoded.update])
            if (early.length > mostEarly) early.shift()
          }
        } else if (decoded._tag === "Malformed") {
          log(limited("acp.malformed", 1)(Effect.logWarning("an update of the agent did not decode")))
        }
      },
      noise: (line) =>
        log(
          limited(
            "acp.noise",
            1
          )(Effect.logWarning("the agent prints what is no message", { text: redact(line.slice(0, 200)) }))
        )
    })
    const connection = app(sessions, launch).connect(stream)
    yield* Effect.addFinalizer(() => Effect.sync(() => connection.close()))

    // A process that can no longer be spoken to is of no use.
    void connection.closed.then(() => {
      if (alive) killGroup(child, "SIGKILL")
    })
    const failed = Effect.flatMap(Deferred.await(ended), Effect.fail)
    const ask = <A>(request: (agent: ClientContext) => Promise<A>): Effect.Effect<A, AgentError> =>
      Effect.tryPromise({ try: () => request(connection.agent), catch: (cause) => cause }).pipe(
        Effect.catch((cause) =>
          cause instanceof RequestError
            ? Effect.fail(errorFrom(cause))
            : Effect.flatMap(Effect.timeoutOption(Deferred.await(ended), lastWordsWithin), (last) =>
                Effect.fail(last._tag === "Some" ? last.value : errorFrom(cause))
              )
        ),
        Effect.raceFirst(failed)
      )
    const hello = yield* ask((agent) =>
      agent.request(methods.agent.initialize, {
        protocolVersion: PROTOCOL_VERSION,
        clientInfo: { name: "switchboard", title: "Switchboard", version: launch.version },
        clientCapabilities: {
          fs: { readTextFile: true, writeTextFile: true },
          terminal: true,
          session: { configOptions: { boolean: {} } }
        }
      })
    ).pipe(within(helloWithin, "answer the greeting"))
    if (hello.protocolVersion !== PROTOCOL_VERSION) {
      return yield* errorOf("provider", `the agent speaks version ${hello.protocolVersion} of the protocol`, {
        retryable: false
      })
    }
    const { authMethod } = launch
    if (authMethod !== null) {
      yield* ask((agent) => agent.request(methods.agent.authenticate, { methodId: authMethod })).pipe(
        within(helloWithin, "log in")
      )
    }
    return {
      pid: child.pid ?? -1,
      connection,
      hello,
      sessions,
      adopt: (acpId, session) => {
        sessions.set(acpId, session)
        for (const [id, update] of early.splice(0)) {
          if (id === acpId) session.update(update)
          else early.push([id, update])
        }
      },
      dismiss: (acpId, session) => {
        if (sessions.get(acpId) === session) sessions.delete(acpId)
      },
      ended,
      ask,
      isAlive: () => alive && !connection.signal.aborted,
      startedAt: Date.now()
    }
  })
