/**
 * The sending half of an adapter, as Delivery sees it: one attempt per call, no retries, no sleeping (`platforms-a A24`).
 * What it may never do: repeat on its own a send that may have been carried out.
 */
import type { Effect } from "effect"
import type { SendError } from "../Message/SendError.ts"
import type { Rate } from "./Meter.ts"

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
  /** How its texts are marked up (`delivery` X). */
  readonly dialect: string
  /** The other end takes Markdown and prints the dialect itself: texts are measured in it, and leave as they are. */
  readonly printsItself?: boolean
  readonly edit: boolean
  readonly typing: boolean
  /** Send growing text as a preview that is edited in place, unless configured otherwise. */
  readonly streaming: boolean
  readonly settle: Settle
  /** Prompts with buttons; absent = a numbered list in their place (`relay H5`). */
  readonly prompt?: boolean
  /** Kinds of files that can be sent; absent = a link in their place. */
  readonly media?: ReadonlySet<MediaKind>
  /** Files of this machine can be sent, not only addresses of the web. */
  readonly uploads?: boolean
  /** Reactions; absent = nothing in their place. */
  readonly react?: boolean
  /** Threads can be opened and renamed. */
  readonly threads?: boolean
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

/** In what form a text is written; without it the text is the agent's Markdown, or a preview of it. */
export interface Formatting {
  /** `plain` = no mark in it means anything. */
  readonly dialect: string
  /** The same as HTML (matrix). */
  readonly html?: string
  /** `START:LENGTH:STYLE` in UTF-16 units (signal). */
  readonly styles?: ReadonlyArray<string>
}

export interface SendRequest {
  /** Idempotency key: equal on every attempt of the same message. */
  readonly key: string
  readonly target: Target
  readonly text: string
  readonly formatting?: Formatting
  readonly replyTo: string | null
  /** Finals ring, previews and chrome do not (`delivery A3`). */
  readonly notify: boolean
  /** First send of a text that grows: the platform uses a form that can be edited (`delivery A4`). */
  readonly expectEdits?: boolean
  /** Answer by the capability that came with the message of this session; by an ordinary send once it is gone (`relay P3`). */
  readonly followUp?: { readonly kind: string; readonly sessionKey: string }
  /** Place among what waits for the link (`delivery O11`); absent = as `notify` says. */
  readonly rank?: SendRank
}

/** Order of service (`delivery O11`). */
export type SendRank = "final" | "approval" | "notice" | "scheduled" | "interim" | "edit" | "typing"

export interface EditRequest {
  readonly key: string
  readonly target: Target
  readonly messageId: string
  readonly text: string
  readonly formatting?: Formatting
  readonly final: boolean
}

export type MediaKind = "image" | "voice" | "audio" | "video" | "document"

/** One file with its caption. */
export interface MediaRequest {
  readonly key: string
  readonly target: Target
  readonly kind: MediaKind
  /** URL, or absolute path of a file that may leave (`delivery M`). */
  readonly ref: string
  readonly caption: string | null
  readonly filename: string | null
  readonly mime: string | null
  readonly replyTo: string | null
  readonly notify: boolean
}

export interface PromptOption {
  /** At most 32 of `[A-Za-z0-9_.-]` (`relay L1`). */
  readonly id: string
  readonly label: string
  readonly style: "primary" | "danger" | null
}

/** A question with buttons; the press comes back as `MessageEvent.promptResponse`. */
export interface PromptRequest {
  readonly key: string
  readonly target: Target
  readonly kind: "approval" | "clarify" | "choice"
  readonly promptId: string
  readonly text: string
  readonly options: ReadonlyArray<PromptOption>
  /** Advisory: expiry is ours. */
  readonly timeoutSeconds: number | null
  readonly replyTo: string | null
}

export interface ReactionRequest {
  readonly target: Target
  readonly messageId: string
  readonly emoji: string
  readonly remove: boolean
}

export interface SendReceipt {
  /** The platform's id of what is now shown; `null` where the platform gives none. */
  readonly messageId: string | null
}

/** How the platform meters one bot account (`delivery O11`); its own file says with which figures. */
export interface Pace {
  /** Over all chats; `null` = not known. */
  readonly bot: Rate | null
  readonly chat: (target: Target) => Rate | null
  /** What has to pause when the platform asks for one: that chat, or the whole bot. */
  readonly flood: "chat" | "bot"
}

export interface Outlet {
  /** Name of the link: platform and bot identity, for example `relay:` or `telegram:4711`. */
  readonly link: string
  /** `true` while sends can leave. Rows wait while it is `false`; direct calls then fail as `transient`. */
  readonly isUp: () => boolean
  /** Completes when `isUp` has become true; at once if it is. */
  readonly awaitUp: Effect.Effect<void>
  readonly capabilities: (target: Target) => Capabilities
  /** Absent: no limit until the platform asks for a pause, which is then the chat's. */
  readonly pace?: Pace
  /** What the link declares as a whole (law 3), for status. */
  readonly settle: () => Settle
  readonly send: (request: SendRequest) => Effect.Effect<SendReceipt, SendError>
  readonly edit: (request: EditRequest) => Effect.Effect<void, SendError>
  /** Takes a message off the screen; absent = it cannot, and the message is edited to as good as nothing. */
  readonly remove?: (request: { readonly target: Target; readonly messageId: string }) => Effect.Effect<void, SendError>
  /** Shows the typing indicator for a few seconds. Cosmetic: callers ignore its failure. */
  readonly typing: (target: Target) => Effect.Effect<void, SendError>
  /** Ends the indicator where the platform shows it until told (`relay L4`). */
  readonly typingEnded?: (target: Target) => Effect.Effect<void, SendError>
  readonly media?: (request: MediaRequest) => Effect.Effect<SendReceipt, SendError>
  readonly prompt?: (request: PromptRequest) => Effect.Effect<SendReceipt, SendError>
  /** A file that came in, where the agent can read it: its path, or the address as it was. Waits a minute at most. */
  readonly localMedia?: (ref: string) => Effect.Effect<string>
  /** Cosmetic: a failure never fails a turn (`relay L3`). */
  readonly react?: (request: ReactionRequest) => Effect.Effect<void, SendError>
  /** Opens a thread and gives its id. */
  readonly createThread?: (request: {
    readonly key: string
    readonly target: Target
    readonly name: string
    readonly messageId: string | null
  }) => Effect.Effect<string, SendError>
  /** `false`: a person has renamed it, and that wins (`relay L2`). */
  readonly renameThread?: (request: {
    readonly target: Target
    readonly threadId: string
    readonly name: string
    readonly onlyIf: string | null
  }) => Effect.Effect<boolean, SendError>
}
