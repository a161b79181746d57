/**
 * The events of one turn between an agent that pushes and a consumer that pulls. It never makes the agent wait, because
 * other conversations hang on the same process; so it merges what can be merged, and has a bound (law 6).
 */
import { Cause, Effect, Stream } from "effect"
import type { AgentError, AgentEvent } from "../Agent.ts"
import { errorOf } from "../OpenAi/Failure.ts"

/** Events that wait; beyond it signs of progress are left out, text and prompts never. */
const mostWaiting = 1024
/** Characters of one reply. */
const mostText = 4 * 1024 * 1024

type Taken = Effect.Effect<readonly [AgentEvent, ...Array<AgentEvent>], AgentError | Cause.Done>

const isNonEmpty = (events: Array<AgentEvent>): events is [AgentEvent, ...Array<AgentEvent>] => events.length > 0

export class TurnEvents {
  private waiting: Array<AgentEvent> = []
  private ended: AgentError | "done" | null = null
  private wake: (() => void) | null = null
  private characters = 0

  get isOver(): boolean {
    return this.ended !== null
  }

  push(event: AgentEvent): void {
    if (this.ended !== null) return
    const last = this.waiting.at(-1)
    if (event._tag === "TextDelta" || event._tag === "Reasoning") {
      this.characters += event.text.length
      if (this.characters > mostText) {
        this.fail(errorOf("provider", "the agent's answer is too long", { retryable: false }))
        return
      }
      if (last?._tag === event._tag) {
        this.waiting[this.waiting.length - 1] = { _tag: event._tag, text: last.text + event.text }
        return
      }
    } else if (last !== undefined && last._tag === event._tag && (event._tag === "Plan" || event._tag === "Usage")) {
      this.waiting[this.waiting.length - 1] = event
      return
    } else if (
      this.waiting.length >= mostWaiting &&
      (event._tag === "ToolStarted" || event._tag === "ToolFinished" || event._tag === "Plan" || event._tag === "Usage")
    ) {
      return
    }
    this.waiting.push(event)
    this.signal()
  }

  end(): void {
    this.ended ??= "done"
    this.signal()
  }

  fail(error: AgentError): void {
    this.ended ??= error
    this.signal()
  }

  private signal(): void {
    const wake = this.wake
    this.wake = null
    wake?.()
  }

  private take(): Taken | null {
    if (isNonEmpty(this.waiting)) {
      const taken = this.waiting
      this.waiting = []
      return Effect.succeed(taken)
    }
    if (this.ended === null) return null
    return this.ended === "done" ? Cause.done() : Effect.fail(this.ended)
  }

  readonly stream: Stream.Stream<AgentEvent, AgentError> = Stream.fromPull(
    Effect.succeed(
      Effect.suspend(
        () =>
          this.take() ??
          Effect.callback<readonly [AgentEvent, ...Array<AgentEvent>], AgentError | Cause.Done>((resume) => {
            this.wake = () => resume(this.take() ?? Cause.done())
            return Effect.sync(() => {
              this.wake = null
            })
          })
      )
    )
  )
}
