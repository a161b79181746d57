/**
 * What one check of the kit is, how it ends, and how it waits. A check states what was seen from outside; it never looks
 * into the peer it judges.
 */
import { Cause, Context, Effect, Exit, Schema, type Scope } from "effect"

/** The peer did not do what the statement says. */
export class CheckFailed extends Schema.TaggedError<CheckFailed>()("CheckFailed", { detail: Schema.String }) {
  override get message(): string {
    return this.detail
  }
}

/** It cannot be judged here. */
export class CheckSkipped extends Schema.TaggedError<CheckSkipped>()("CheckSkipped", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

export type Judging = Effect.Effect<void, CheckFailed | CheckSkipped, Scope.Scope>

export interface Check<Stage> {
  /** Id of the statement of the contract, such as `I3`. */
  readonly statement: string
  /** Unique within the kit; names the check on the command line. */
  readonly name: string
  readonly about: string
  readonly run: (stage: Stage) => Judging
}

export interface Verdict {
  readonly statement: string
  readonly name: string
  readonly about: string
  readonly outcome: "pass" | "FAIL" | "skipped"
  readonly detail: string | null
}

export const fail = (detail: string): Effect.Effect<never, CheckFailed> => Effect.fail(new CheckFailed({ detail }))
export const skip = (reason: string): Effect.Effect<never, CheckSkipped> => Effect.fail(new CheckSkipped({ reason }))

export const expect = (holds: boolean, detail: () => string): Effect.Effect<void, CheckFailed> =>
  holds ? Effect.void : fail(detail())

/** What every bound is multiplied with; below 1 for a peer in the same process whose clock runs faster. */
export const Patience = Context.Reference<number>("Connector/Patience", { defaultValue: () => 1 })

/** Seconds that a peer has for what it owes at once. */
export const promptly = 15

/** Polls until `holds`; fails with what was waited for, and with what was seen instead. */
export const until = Effect.fnUntraced(function* (
  what: string,
  holds: () => boolean,
  options: { readonly seconds?: number; readonly seen?: () => string } = {}
): Effect.fn.Return<void, CheckFailed> {
  const seconds = (options.seconds ?? promptly) * (yield* Patience)
  const end = performance.now() + seconds * 1000
  while (!holds()) {
    if (performance.now() > end) {
      const seen = options.seen?.() ?? ""
      return yield* fail(`${what}: not within ${seconds} s${seen === "" ? "" : ` (${seen})`}`)
    }
    yield* Effect.sleep("10 millis")
  }
})

/** No check may hold up the others for ever. */
const longest = "120 seconds"

/** A defect of the kit is a failure of the check, with its words. */
export const judge = <Stage>(check: Check<Stage>, stage: Stage): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    const { about, name, statement } = check
    const exit = yield* Effect.exit(
      Effect.scoped(check.run(stage)).pipe(
        Effect.timeoutOrElse({ duration: longest, orElse: () => fail(`it did not end within ${longest}`) })
      )
    )
    if (Exit.isSuccess(exit)) return { statement, name, about, outcome: "pass", detail: null }
    const error = Cause.squash(exit.cause)
    return error instanceof CheckSkipped
      ? { statement, name, about, outcome: "skipped", detail: error.reason }
      : { statement, name, about, outcome: "FAIL", detail: error instanceof Error ? error.message : String(error) }
  })
