/**
 * An Intake that keeps what it is given in memory and can be told to wait or to fail. It decides nothing.
 */
import { Effect, Latch, Layer } from "effect"
import { type Inbound, Intake } from "../../src/Session/Intake.ts"
import type { JournalError } from "../../src/Storage/Journal.ts"

export class IntakeDouble {
  /** In order: texts of messages, `interrupt KEY`, `bury ID`. */
  readonly log: Array<string> = []
  readonly taken: Array<Inbound> = []
  readonly batches: Array<ReadonlyArray<string>> = []
  readonly buried: Array<{
    readonly link: string
    readonly bufferId: string
    readonly raw: string
    readonly reason: string
  }> = []
  /** Closed: `take` and `bury` wait after they were called. */
  readonly gate = Latch.makeUnsafe(true)
  /** Answers a call with a failure; `null` lets it through. */
  refuse: (batch: ReadonlyArray<Inbound>) => JournalError | null = () => null
  private readonly refusal = (batch: ReadonlyArray<Inbound>) =>
    Effect.suspend(() => {
      const error = this.refuse(batch)
      return error === null ? Effect.void : Effect.fail(error)
    })

  readonly layer: Layer.Layer<Intake> = Layer.succeed(Intake, {
    take: (batch) =>
      Effect.suspend(() => {
        this.batches.push(batch.map(({ event }) => event.text))
        return this.gate.await
      }).pipe(
        Effect.andThen(this.refusal(batch)),
        Effect.andThen(
          Effect.sync(() => {
            this.taken.push(...batch)
            this.log.push(...batch.map(({ event }) => event.text))
            return batch.map(() => "taken" as const)
          })
        )
      ),
    bury: (dead) =>
      this.gate.await.pipe(
        Effect.andThen(this.refusal([])),
        Effect.andThen(
          Effect.sync(() => {
            this.buried.push(dead)
            this.log.push(`bury ${dead.bufferId}`)
          })
        )
      ),
    interrupt: (sessionKey) =>
      Effect.sync(() => {
        this.log.push(`interrupt ${sessionKey}`)
        return true
      })
  })

  get texts(): ReadonlyArray<string> {
    return this.taken.map(({ event }) => event.text)
  }
}
