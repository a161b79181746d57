/**
 * The link to a connector as the rest of the gateway sees it: its state, requests with answers, notices without, drain.
 * How it is kept alive is the implementation's affair.
 */
import { Context, type Effect, type SubscriptionRef } from "effect"
import type { Descriptor } from "./Descriptor.ts"
import type { ActionResult, ChatInfo, OutboundAction } from "./OutboundAction.ts"
import type { Rank } from "./PendingRequests.ts"
import type { NotConnected, RequestError } from "./RequestError.ts"

/** `relay` Connection life. */
export type LinkState =
  | {
      readonly _tag: "Disconnected"
      /** On purpose, until it is woken (`relay L5`). */
      readonly isAsleep?: boolean
    }
  | { readonly _tag: "Dialing" }
  | { readonly _tag: "Handshaking" }
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Draining" }
  | {
      readonly _tag: "Closed"
      /** `AuthRevoked`: the connector does not take our credentials any more (`relay C2`). `Drained`: closed on purpose. */
      readonly reason: "AuthRevoked" | "Drained"
    }

export interface LinkActivity {
  /** Epoch milliseconds of the last thing that surely came in, and of the last that went out. */
  readonly lastIn: number | null
  readonly lastOut: number | null
  /** Handshakes completed after the first. */
  readonly reconnects: number
}

export class Transport extends Context.Service<
  Transport,
  {
    readonly state: SubscriptionRef.SubscriptionRef<LinkState>
    readonly activity: () => LinkActivity
    /** What the connector said of a platform, or of the one it named first; `null` before the first handshake. Kept while down. */
    readonly descriptor: (platform: string) => Descriptor | null
    readonly isUp: () => boolean
    /** Completes when `isUp` has become true; at once if it is. Whoever waits here wakes a link that sleeps. */
    readonly awaitUp: Effect.Effect<void>
    /** Asks and waits for the answer, at most 30 s (`relay O1`); fails at once while the link is down (`relay C5`). */
    readonly request: (options: {
      readonly action: Exclude<OutboundAction, { readonly op: "get_chat_info" }>
      readonly platform: string
      readonly rank: Rank
    }) => Effect.Effect<ActionResult, RequestError>
    /** The connector's idea of a chat; the defaults where it is not asked or does not say (`relay H5`). */
    readonly chatInfo: (platform: string, chatId: string) => Effect.Effect<ChatInfo, RequestError>
    /** Tells the connector that a turn which runs elsewhere is stopped by our side. */
    readonly interrupt: (sessionKey: string, reason: string | null) => Effect.Effect<void, NotConnected>
    /** Asks that new inbound be buffered and waits for the word, at most 10 s (`relay C4`). Afterwards the link is not dialled again. */
    readonly drain: Effect.Effect<void>
    /**
     * Goes to sleep (`relay L5`): has new inbound buffered, lets what is under way end, closes, and is not dialled before
     * it is woken. Completes when the connection has ended; does nothing unless the link is ready.
     */
    readonly sleep: Effect.Effect<void>
    /** Dials at once when asleep or between attempts; does nothing to `Closed(AuthRevoked)`. */
    readonly poke: Effect.Effect<void>
    /** Dials at once: ends a wait between attempts, and the state `Closed(AuthRevoked)`. */
    readonly redial: Effect.Effect<void>
  }
>()("Relay/Transport") {}
