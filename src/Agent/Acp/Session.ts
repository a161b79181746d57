/**
 * One session of an agent, as we hold it: the turn that runs in it, what it was allowed, what it offers. It outlives the
 * process it runs in; with a new one it is loaded or begun again. It waits for nothing and decides nothing about
 * processes.
 */
import type { RequestPermissionRequest, RequestPermissionResponse } from "@agentclientprotocol/sdk"
import type { Fiber } from "effect"
import type { AgentCommand, AgentError, Answer } from "../Agent.ts"
import * as Permission from "./Permission.ts"
import { Terminals } from "./Terminals.ts"
import { TurnEvents } from "./TurnEvents.ts"
import { type ConfigOption, TurnReading, type Update } from "./Updates.ts"
import * as Workspace from "./Workspace.ts"

/** Requests for permission of one session that wait; a further one is denied. */
const mostAsked = 32
/** Decisions for the session that are remembered; the oldest is asked again. */
const mostHeld = 256
const mostCommands = 200

interface Asking {
  readonly promptId: string
  readonly request: RequestPermissionRequest
  readonly asked: Permission.Asked
  readonly resolve: (response: RequestPermissionResponse) => void
}

export interface ActiveTurn {
  readonly events: TurnEvents
  readonly reading: TurnReading
}

export class Session {
  readonly key: string
  /** Of our conversation; another one is a boundary. */
  conversation: string
  readonly cwd: string
  readonly terminals: Terminals
  /** The agent's own id, as long as the agent may know it. */
  acpId: string | null = null
  turn: ActiveTurn | null = null
  /** Settles when the agent has ended its last prompt, also one that was cancelled. */
  pending: Fiber.Fiber<void> | null = null
  /** A turn is being prepared: the session is not idle. */
  isOpening = false
  /** Epoch milliseconds. */
  lastUsed = 0
  commands: ReadonlyArray<AgentCommand> = []
  config: ReadonlyArray<ConfigOption> = []
  mode: string | null = null
  modes: ReadonlyArray<{ readonly id: string; readonly name: string }> = []
  /** Where the agent speaks from, as it was last told; `null` = not yet. */
  context: string | null = null
  /** The agent knows what was said before. */
  knowsHistory = false
  /** What the agent chose itself, before anybody chose otherwise; by id of the option. */
  readonly defaults = new Map<string, string | boolean>()
  private readonly held = new Set<string>()
  private readonly asking: Array<Asking> = []
  private prompts = 0

  constructor(key: string, conversation: string, cwd: string, environment: Readonly<Record<string, string>>) {
    this.key = key
    this.conversation = conversation
    this.cwd = cwd
    this.terminals = new Terminals(cwd, environment)
  }

  get model(): string | null {
    const value = this.config.find(({ category }) => category === "model")?.currentValue
    return typeof value === "string" ? value : null
  }

  begin(): ActiveTurn {
    const events = new TurnEvents()
    const reading = new TurnReading(events, {
      model: () => this.model,
      attachable: (uri) => Workspace.attachable(uri, this.cwd)
    })
    this.turn = { events, reading }
    return this.turn
  }

  /** The turn is over for us; what the agent still says of it is not heard. */
  leave(turn: ActiveTurn): void {
    if (this.turn !== turn) return
    this.turn = null
    this.withdraw()
  }

  update(update: Update): void {
    switch (update.sessionUpdate) {
      case "available_commands_update":
        this.commands = update.availableCommands.slice(0, mostCommands).map(({ description, input, name }) => ({
          name,
          description,
          hint: input?.hint ?? null
        }))
        return
      case "config_option_update":
        this.config = update.configOptions
        return
      case "current_mode_update":
        this.mode = update.currentModeId
        return
      default:
        this.turn?.reading.take(update)
    }
  }

  /** The process is gone. */
  lost(error: AgentError): void {
    this.turn?.events.fail(error)
    this.withdraw()
    this.terminals.releaseAll()
  }

  permission(request: RequestPermissionRequest, signal: AbortSignal): Promise<RequestPermissionResponse> {
    if (this.turn === null) return Promise.resolve(Permission.cancelled)
    const asked = Permission.askedOf(request)
    if (this.held.has(asked.pattern)) {
      const response = Permission.held(request.options)
      if (response !== null) return Promise.resolve(response)
    }
    if (this.asking.length >= mostAsked) {
      return Promise.resolve(Permission.decide(request.options, { _tag: "Decision", choice: "deny" }).response)
    }
    return new Promise((resolve) => {
      const one: Asking = { promptId: `acp-${++this.prompts}`, request, asked, resolve }
      this.asking.push(one)
      signal.addEventListener("abort", () => this.settle(one, Permission.cancelled), { once: true })
      // One at a time: a bare "yes" must mean the only thing that was asked.
      if (this.asking.length === 1) this.show(one)
    })
  }

  answer(promptId: string, answer: Answer): void {
    const one = this.asking[0]
    if (one === undefined || one.promptId !== promptId) return
    const { remember, response } = Permission.decide(one.request.options, answer)
    if (remember) {
      if (this.held.size >= mostHeld) this.held.delete(this.held.values().next().value!)
      this.held.add(one.asked.pattern)
    }
    this.settle(one, response)
  }

  private show({ asked, promptId }: Asking): void {
    this.turn?.events.push({
      _tag: "Approval",
      promptId,
      command: asked.command,
      description: asked.description,
      allowPermanent: asked.allowPermanent
    })
  }

  private settle(one: Asking, response: RequestPermissionResponse): void {
    const at = this.asking.indexOf(one)
    if (at < 0) return
    this.asking.splice(at, 1)
    one.resolve(response)
    if (at > 0) return
    // The next may have been allowed with this one.
    for (let next = this.asking[0]; next !== undefined; next = this.asking[0]) {
      const response = this.held.has(next.asked.pattern) ? Permission.held(next.request.options) : null
      if (response === null) return this.show(next)
      this.asking.shift()
      next.resolve(response)
    }
  }

  private withdraw(): void {
    for (const { resolve } of this.asking.splice(0)) resolve(Permission.cancelled)
  }
}
