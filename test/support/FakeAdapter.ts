/** An adapter over a scripted outlet, made and unmade at the test's word. */
import { Effect, SubscriptionRef } from "effect"
import { type Inbound, Intake } from "../../src/Session/Intake.ts"
import { type Adapter, AdapterError, type AdapterState, type Registration } from "../../src/Platforms/Adapter.ts"
import { keyed, ScriptedOutlet } from "./ScriptedOutlet.ts"

export class FakeAdapter {
  /** How often it was made, and how often what was made has ended. */
  made = 0
  ended = 0
  drained = 0
  /** What making it comes to, the n-th time from 0; `null` = it runs. */
  script: (n: number) => Effect.Effect<void, AdapterError> = () => Effect.void
  drain: Effect.Effect<void> = Effect.sync(() => void this.drained++)
  probe: Adapter["probe"] = undefined
  proofPeriod: number | undefined = undefined
  /** Runs when its scope closes. */
  closing: Effect.Effect<void> = Effect.void
  readonly platform: ScriptedOutlet
  readonly name: string
  state: SubscriptionRef.SubscriptionRef<AdapterState> | null = null

  constructor(name = "test") {
    this.name = name
    this.platform = new ScriptedOutlet(keyed, `${name}:`)
  }

  /** Hands a batch to the intake that it was made with; completes when it was taken. */
  take: (batch: ReadonlyArray<Inbound>) => Effect.Effect<unknown> = () => Effect.void

  readonly set = (more: Partial<AdapterState>): Effect.Effect<void> =>
    Effect.suspend(() =>
      this.state === null ? Effect.void : SubscriptionRef.update(this.state, (state) => ({ ...state, ...more }))
    )

  get registration(): Registration {
    return {
      name: this.name,
      label: `Fake ${this.name}`,
      make: Effect.gen({ self: this }, function* () {
        yield* this.script(this.made++)
        yield* Effect.addFinalizer(() =>
          Effect.andThen(
            this.closing,
            Effect.sync(() => void this.ended++)
          )
        )
        this.state = yield* SubscriptionRef.make<AdapterState>({
          status: "connected",
          detail: null,
          lastIn: null,
          lastOut: null,
          reconnects: 0
        })
        const intake = yield* Intake
        this.take = (batch) => Effect.orDie(intake.take(batch))
        const adapter: Adapter = {
          platform: this.name,
          label: `Fake ${this.name}`,
          outlet: this.platform.outlet(),
          state: this.state,
          drain: Effect.suspend(() => this.drain),
          ...(this.probe === undefined ? {} : { probe: this.probe }),
          ...(this.proofPeriod === undefined ? {} : { proofPeriod: this.proofPeriod })
        }
        return adapter
      })
    }
  }
}

export const refusal = (retryable: boolean, code = "connect_error") =>
  new AdapterError({ platform: "test", code, message: "scripted", retryable })
