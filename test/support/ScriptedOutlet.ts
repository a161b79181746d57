/**
 * A platform in memory behind an `Outlet`: it shows messages, remembers keys when told to, and answers each call as the
 * test scripts it. What people would see is in `screen`; what was asked of it, with the time, is in `calls`.
 */
import { Clock, Effect, Latch } from "effect"
import type {
  Capabilities,
  EditRequest,
  MediaRequest,
  Outlet,
  PromptRequest,
  SendRequest
} from "../../src/Delivery/Outlet.ts"
import { SendError, type SendErrorKind } from "../../src/Message/SendError.ts"

export interface Call {
  readonly op: "send" | "edit" | "typing"
  readonly at: number
  readonly key: string
  readonly chat: string
  readonly text: string
  readonly replyTo: string | null
  /** The dialect that the text was said to be written in. */
  readonly dialect?: string
}

export interface Shown {
  readonly id: string
  readonly chat: string
  readonly replyTo: string | null
  text: string
}

/** What becomes of one call: carried out; carried out and no answer ever; an answer when the gate opens; an error. */
export type Answer =
  | "ok"
  | "hang"
  | "shown, then silence"
  | Latch.Latch
  | {
      readonly error: SendErrorKind
      readonly carriedOut?: boolean
      readonly retryAfter?: number
      readonly reach?: "chat" | "message"
    }

export const keyed: Capabilities = {
  maxLength: 4096,
  lengthUnit: "chars",
  dialect: "markdown",
  edit: true,
  typing: true,
  streaming: true,
  settle: "key"
}
export const marking: Capabilities = { ...keyed, settle: "mark" }

export class ScriptedOutlet {
  readonly calls: Array<Call> = []
  readonly screen: Array<Shown> = []
  /** Prompts with buttons, in the order in which they were shown. */
  readonly prompts: Array<PromptRequest> = []
  /** Files that were taken, where the capabilities name their kinds. */
  readonly files: Array<MediaRequest> = []
  refusesFiles = false
  /** Asked before every send and edit; the n-th call of its kind, from 0. */
  script: (call: Call, n: number) => Answer = () => "ok"
  givesIds = true
  capabilities: Capabilities
  readonly link: string
  private readonly up = Latch.makeUnsafe(true)
  private isUp = true
  private readonly keys = new Map<string, string>()
  private count = 0

  constructor(capabilities: Capabilities = keyed, link = "test:") {
    this.capabilities = capabilities
    this.link = link
  }

  down(): void {
    this.isUp = false
    this.up.closeUnsafe()
  }

  again(): void {
    this.isUp = true
    this.up.openUnsafe()
  }

  /** Sends and edits, without typing. */
  get sent(): ReadonlyArray<Call> {
    return this.calls.filter(({ op }) => op !== "typing")
  }

  /** Texts as a person in that chat sees them. */
  texts(chat = "1"): ReadonlyArray<string> {
    return this.screen.filter((shown) => shown.chat === chat).map(({ text }) => text)
  }

  private carryOut(request: SendRequest): string {
    const known = this.capabilities.settle === "key" ? this.keys.get(request.key) : undefined
    if (known !== undefined) return known
    const id = `id${++this.count}`
    this.keys.set(request.key, id)
    this.screen.push({ id, chat: request.target.chatId, text: request.text, replyTo: request.replyTo })
    return id
  }

  private answered<A>(call: Call, act: () => Effect.Effect<A, SendError>): Effect.Effect<A, SendError> {
    const answer = this.script(call, this.sent.length - 1)
    if (answer === "ok") return act()
    if (answer === "hang") return Effect.never
    if (answer === "shown, then silence") return Effect.andThen(act(), Effect.never)
    if ("open" in answer) return Effect.tap(act(), () => answer.await)
    const { carriedOut, error, ...rest } = answer
    const failure = Effect.fail(new SendError({ kind: error, message: `scripted ${error}`, ...rest }))
    return carriedOut === true ? Effect.andThen(act(), failure) : failure
  }

  private record(op: Call["op"], at: number, request: SendRequest | EditRequest): Call {
    const call: Call = {
      op,
      at,
      key: request.key,
      chat: request.target.chatId,
      text: request.text,
      replyTo: "replyTo" in request ? request.replyTo : null,
      ...(request.formatting && { dialect: request.formatting.dialect })
    }
    this.calls.push(call)
    return call
  }

  readonly outlet = (): Outlet => ({
    link: this.link,
    isUp: () => this.isUp,
    awaitUp: this.up.await,
    capabilities: () => this.capabilities,
    settle: () => this.capabilities.settle,
    send: (request) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) =>
        this.answered(this.record("send", at, request), () =>
          Effect.sync(() => {
            const id = this.carryOut(request)
            return { messageId: this.givesIds ? id : null }
          })
        )
      ),
    edit: (request) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) =>
        this.answered(this.record("edit", at, request), () =>
          Effect.suspend(() => {
            const shown = this.screen.find(({ id }) => id === request.messageId)
            if (shown === undefined)
              return Effect.fail(new SendError({ kind: "not_found", message: "no such message", reach: "message" }))
            shown.text = request.text
            return Effect.void
          })
        )
      ),
    prompt: (request) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) => {
        const asSend: SendRequest = { ...request, notify: true }
        return this.answered(this.record("send", at, asSend), () =>
          Effect.sync(() => {
            this.prompts.push(request)
            return { messageId: this.carryOut(asSend) }
          })
        )
      }),
    media: (request) =>
      Effect.suspend(() => {
        if (this.refusesFiles) return Effect.fail(new SendError({ kind: "unsupported", message: "no files" }))
        this.files.push(request)
        return Effect.succeed({ messageId: `file${this.files.length}` })
      }),
    typing: (target) =>
      Effect.map(Clock.currentTimeMillis, (at) => {
        this.calls.push({ op: "typing", at, key: "", chat: target.chatId, text: "", replyTo: null })
      })
  })
}
