/**
 * What this connector says on the relay: its one identity, a person's message as an event, and why an action is refused
 * (`relay H4`, `I1`, `O2`). Shapes of frames are those of `Relay/Protocol`; nothing here does I/O.
 */
import { Result } from "effect"
import type { Descriptor } from "../Relay/Descriptor.ts"
import { decodeAction, type OutboundAction } from "../Relay/OutboundAction.ts"
import type { ChatMessage } from "./ChatModel.ts"

/** Of one message we show, in UTF-16 units (`relay H4`). */
export const maxMessageLength = 4096

const supportedOps: ReadonlyArray<string> = [
  "send",
  "edit",
  "typing",
  "get_chat_info",
  "follow_up",
  "send_media",
  "prompt"
]

/** `relay H4`; answered to every `hello`. */
export const descriptor: Descriptor = {
  contract_version: 1,
  platform: "relay",
  label: "Web chat",
  max_message_length: maxMessageLength,
  len_unit: "utf16",
  markdown_dialect: "markdown",
  supports_draft_streaming: false,
  supports_edit: true,
  supports_threads: false,
  supports_idempotency: true,
  supported_ops: supportedOps,
  emoji: "💬",
  platform_hint: "The user reads this in a web chat that renders CommonMark, with tables and fenced code blocks.",
  pii_safe: false,
  supports_context: false,
  supports_inchannel_continuable: false,
  supports_block_formatting: false
}

/** `relay O2`: every result says whether it succeeded. */
export interface ActionResult {
  readonly success: boolean
  readonly message_id?: string
  readonly error?: string
  readonly name?: string
  readonly type?: string
}

const encode = (frame: object): string => `${JSON.stringify(frame)}\n`

export const descriptorFrame = encode({ type: "descriptor", descriptor })
export const goingIdleAck = encode({ type: "going_idle_ack" })

export const outboundResult = (requestId: string, result: ActionResult): string =>
  encode({ type: "outbound_result", requestId, result })

/** Unique for good, so that the gateway recognises a redelivery (`relay I3`). */
export const bufferIdOf = (message: { readonly id: string }): string => `web:${message.id}`

/** (`relay I1`, `I2`) This page knows that no bot writes here and nothing is an edit, so it says so (`relay L9`). */
export const inboundFrame = (message: ChatMessage, title: string): string =>
  encode({
    type: "inbound",
    bufferId: bufferIdOf(message),
    event: {
      text: message.text,
      message_type: message.text.startsWith("/") ? "command" : "text",
      ...(message.press === null
        ? {}
        : {
            prompt_response: {
              prompt_id: message.press.promptId,
              option_id: message.press.optionId,
              label: message.text,
              prompt_message_id: message.press.messageId
            }
          }),
      message_id: message.id,
      source: {
        platform: "relay",
        chat_id: message.chatId,
        chat_type: "dm",
        chat_name: title,
        user_id: "web",
        user_name: "You",
        message_id: message.id,
        is_bot: false,
        message_is_edit: false
      }
    }
  })

const longestReason = 300

/** The operations that this connector carries out. */
export type KnownAction = Extract<
  OutboundAction,
  { readonly op: "send" | "edit" | "typing" | "get_chat_info" | "follow_up" | "send_media" | "prompt" }
>
const isKnown = (action: OutboundAction): action is KnownAction => supportedOps.includes(action.op)

/** An action that can be carried out, or the error text that answers it. The texts read as `delivery S3` classifies them. */
export const checkAction = (action: unknown): Result.Result<KnownAction, string> => {
  const op: unknown = typeof action === "object" && action !== null && "op" in action ? action.op : undefined
  if (typeof op !== "string") return Result.fail("invalid action: it has no op")
  if (!supportedOps.includes(op)) return Result.fail(`unsupported op: ${op.slice(0, 64)}`)
  const decoded = Result.filterOrFail(decodeAction(action), isKnown, () => ({ message: "it is not one of ours" }))
  if (Result.isFailure(decoded)) return Result.fail(`invalid ${op}: ${decoded.failure.message.slice(0, longestReason)}`)
  const problem = problemOf(decoded.success)
  return problem === null ? Result.succeed(decoded.success) : Result.fail(problem)
}

const problemOf = (action: KnownAction): string | null => {
  switch (action.op) {
    case "typing":
    case "get_chat_info":
      return null
    case "send_media":
      return (action.content ?? "").length > maxMessageLength ? contentProblem(action.content ?? "") : null
    case "prompt":
      return action.options.length === 0 || action.options.length > maxOptions
        ? "unsupported: a prompt has 1 to 10 options"
        : contentProblem(action.content)
    default:
      return contentProblem(action.content)
  }
}

/** `relay L1`. */
const maxOptions = 10

const contentProblem = (content: string): string | null =>
  content.length > maxMessageLength
    ? `message is too long: ${content.length} of ${maxMessageLength} UTF-16 units`
    : content.trim() === ""
      ? "invalid content: there is nothing to show"
      : null

type Metadata = OutboundAction["metadata"]

/** `null` when absent or empty; ids longer than any gateway mints are no keys. */
export const idempotencyKeyOf = (metadata: Metadata): string | null => {
  const key = metadata?.["idempotency_key"]
  return typeof key === "string" && key !== "" && key.length <= 512 ? key : null
}

/**
 * Whether a `send` or `edit` is the answer itself or a sign that one is being made (`delivery A3`, `A4`). A gateway that
 * says nothing about it sends answers and edits previews.
 */
export const isAnswer = (action: OutboundAction): boolean => {
  const { metadata } = action
  if (metadata?.["notify"] === true || metadata?.["final"] === true) return true
  if (metadata?.["notify"] === false || metadata?.["expect_edits"] === true) return false
  return action.op !== "edit"
}
