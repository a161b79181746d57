/** Scripted agents as real processes, and what the tests ask of them. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope, Stream } from "effect"
import * as Acp from "../../../src/Agent/Acp/Acp.ts"
import { Agent, type AgentEvent, type AgentTurn, type Answer } from "../../../src/Agent/Agent.ts"
import { turn } from "../Turns.ts"

export interface Stage {
  readonly workspace: string
  readonly cache: string
  readonly folder: string
  /** What the agent saw, by what. */
  readonly log: (what: string) => ReadonlyArray<Readonly<Record<string, unknown>>>
}

export const withAgent = <A, E>(
  script: "SdkAgent" | "RawAgent",
  body: (stage: Stage) => Effect.Effect<A, E, Agent | Scope.Scope>,
  more: {
    readonly environment?: Readonly<Record<string, string>>
    readonly limits?: Acp.Options["limits"]
    readonly command?: string
    readonly isolated?: boolean
  } = {}
) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-acp-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const stage: Stage = {
      folder,
      workspace: join(folder, "work"),
      cache: join(folder, "cache"),
      log: (what) => {
        const file = join(folder, "log")
        if (!existsSync(file)) return []
        const lines = readFileSync(file, "utf8").trim().split("\n")
        return lines
          .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
          .filter((l) => l["what"] === what)
      }
    }
    mkdirSync(stage.cache)
    const layer = Acp.layer({
      launch: {
        name: "scripted",
        command: more.command ?? process.execPath,
        args: [join(import.meta.dirname, `${script}.ts`)],
        environment: { PATH: process.env["PATH"] ?? "", ACP_LOG: join(folder, "log"), ...more.environment },
        mediaCache: stage.cache,
        authMethod: null,
        version: "1.2.3"
      },
      limits: more.limits ?? { processes: 2, sessions: 100 },
      workspace: stage.workspace,
      isolated: more.isolated ?? false,
      mcpServers: () => []
    })
    return yield* body(stage).pipe(Effect.provide(layer))
  }).pipe(Effect.scoped)

/** A turn of one chat after the other, each of a conversation that is known already. */
export const inChat = (chat: string, text: string, more: Partial<AgentTurn> = {}) =>
  turn(text, { sessionKey: chat, sessionId: `conversation of ${chat}`, ...more })

/** Runs a turn and answers every prompt. */
export const answering = (turn: AgentTurn, answer: (event: AgentEvent) => Answer | null) =>
  Effect.gen(function* () {
    const run = yield* (yield* Agent).start(turn)
    const all: Array<AgentEvent> = []
    yield* Stream.runForEach(run.events, (event) => {
      all.push(event)
      if (event._tag !== "Approval") return Effect.void
      const said = answer(event)
      return said === null ? Effect.void : run.answer(event.promptId, said)
    })
    return all
  }).pipe(Effect.scoped)

export const isAlive = (pid: number): boolean => {
  try {
    // A process that nobody has reaped is still there, as a zombie.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

export const children = (): ReadonlyArray<number> =>
  readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number)
