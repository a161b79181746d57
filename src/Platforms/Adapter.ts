/**
 * The contract of a platform adapter (`platforms-a A1`–`A10`): how it is made, what state it is in, how it sends.
 * An adapter knows its platform's ways and nothing of sessions, turns or the outbox.
 */
import { Schema, type Effect, type Scope, type SubscriptionRef } from "effect"
import type { Outlet } from "../Delivery/Outlet.ts"
import type { ForwardedRequests } from "./ForwardedRequests.ts"
import type { Intake } from "../Session/Intake.ts"
import type { KnownScopes } from "../Session/KnownScopes.ts"
import type { Settings } from "../Config/Settings.ts"

/** Why a link does not run; `retryable: false` waits for a change of configuration (`platforms-a A8`). */
export class AdapterError extends Schema.TaggedError<AdapterError>()("AdapterError", {
  platform: Schema.String,
  /** `missing_configuration`, `auth_error`, `connect_error`, … */
  code: Schema.String,
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

/**
 * `platforms-a A4`; `disabled`: refused after it had run, and waiting for other credentials (`relay L10`). `detail` says more in
 * the platform's own words (`asleep`, `auth_revoked`), redacted.
 */
export interface AdapterState {
  readonly status: "connecting" | "connected" | "retrying" | "disconnected" | "disabled" | "fatal"
  readonly detail: string | null
  /** Epoch milliseconds of the last thing that surely came in, and of the last that surely went out; the proof of law 10. */
  readonly lastIn: number | null
  readonly lastOut: number | null
  readonly reconnects: number
}

export interface Adapter {
  readonly platform: string
  readonly label: string
  readonly outlet: Outlet
  readonly state: SubscriptionRef.SubscriptionRef<AdapterState>
  /**
   * The cheapest call that shows that the other side hears and answers (`platforms-a A5`): made each minute, it proves a
   * link on which nobody speaks. Absent = what comes in and goes out has to prove it.
   */
  readonly probe?: Effect.Effect<void, AdapterError>
  /** Milliseconds after which a proof is void; absent = 150 s. */
  readonly proofPeriod?: number
  /** Connects at once, also when the adapter has given up (`relay C2`). */
  readonly resume?: Effect.Effect<void>
  /** Asks the other side to keep what comes from now on; called when the gateway begins to drain. Never fails. */
  readonly drain: Effect.Effect<void>
}

/** One row of the registry (`operations T1`): built-in and third-party adapters have the same form. */
export interface Registration<R = never> {
  readonly name: string
  readonly label: string
  /** The other end decides who may speak, and the adapter marks its events so (`access D1`, rule 2). */
  readonly authorizationIsUpstream?: boolean
  /** Connects within the given scope; everything it starts ends with that scope. */
  readonly make: Effect.Effect<
    Adapter,
    AdapterError,
    Scope.Scope | Intake | Settings | ForwardedRequests | KnownScopes | R
  >
}
