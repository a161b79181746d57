/**
 * The sending half of an adapter, as Delivery sees it: one attempt per call, no retries, no sleeping (`platforms-a A24`).
 * What it may never do: repeat on its own a send that may have been carried out.
 */
import type { Effect } from "effect"
import type { SendError } from "../Message/SendError.ts"

/** A place to speak to: the coordinates that stay fixed for all rows of one send queue. */
export interface Target {
  readonly platform: string
  readonly chatId: string
  readonly chatType: string
  readonly threadId: string | null
  /** Tenant of the chat; the relay's connector finds the bot by it (`relay O4`). */
  readonly scopeId: string | null
}

export type LengthUnit = "chars" | "utf16" | "utf8"

/**
 * How a send of unknown outcome is settled (law 3, `delivery O4`): `key` = the platform takes our idempotency key, so
 * the same send is repeated; `mark` = sent once more under a line that says it may be a repeat.
 */
export type Settle = "key" | "reconcile" | "mark"

/** What the platform can do in this chat; plain data (`platforms-a A22`). */
export interface Capabilities {
  /** Longest text of one message, in `lengthUnit`; at least 1. */
  readonly maxLength: number
  readonly lengthUnit: LengthUnit
  readonly dialect: string
  readonly edit: boolean
  readonly typing: boolean
  /** Send growing text as a preview that is edited in place, unless configured otherwise. */
  readonly streaming: boolean
  readonly settle: Settle
}

/** What is taken for granted of a chat whose link has not described it: the least that any platform does. */
export const assumedCapabilities: Capabilities = {
  maxLength: 4096,
  lengthUnit: "utf16",
  dialect: "plain",
  edit: false,
  typing: false,
  streaming: false,
  settle: "mark"
}

export interface SendRequest {
  /** Idempotency key: equal on every attempt of the same message. */
  readonly key: string
  readonly target: Target
  readonly text: string
  readonly replyTo: string | null
  /** Finals ring, previews and chrome do not (`delivery A3`). */
  readonly notify: boolean
  /** First send of a text that grows: the platform uses a form that can be edited (`delivery A4`). */
  readonly expectEdits?: boolean
}

export interface EditRequest {
  readonly key: string
  readonly target: Target
  readonly messageId: string
  readonly text: string
  readonly final: boolean
}

export interface SendReceipt {
  /** The platform's id of what is now shown; `null` where the platform gives none. */
  readonly messageId: string | null
}

export interface Outlet {
  /** Name of the link: platform and bot identity, for example `relay:` or `telegram:4711`. */
  readonly link: string
  /** `true` while sends can leave. Rows wait while it is `false`; direct calls then fail as `transient`. */
  readonly isUp: () => boolean
  /** Completes when `isUp` has become true; at once if it is. */
  readonly awaitUp: Effect.Effect<void>
  readonly capabilities: (target: Target) => Capabilities
  /** What the link declares as a whole (law 3), for status. */
  readonly settle: () => Settle
  readonly send: (request: SendRequest) => Effect.Effect<SendReceipt, SendError>
  readonly edit: (request: EditRequest) => Effect.Effect<void, SendError>
  /** Shows the typing indicator for a few seconds. Cosmetic: callers ignore its failure. */
  readonly typing: (target: Target) => Effect.Effect<void, SendError>
}
