/**
 * An agent's request for permission as an approval of ours, and the user's decision as one of its options (`conversation
 * A11`): pure. A decision never becomes a wider one than was given.
 */
import type { PermissionOption, RequestPermissionRequest, RequestPermissionResponse } from "@agentclientprotocol/sdk"
import type { Answer } from "../Agent.ts"
import { previewOf } from "../OpenAi/Reading.ts"

export interface Asked {
  readonly command: string
  readonly description: string | null
  /** The agent would remember it for good. */
  readonly allowPermanent: boolean
  /** What a decision for the session is remembered by. */
  readonly pattern: string
}

export const cancelled: RequestPermissionResponse = { outcome: { outcome: "cancelled" } }

const selected = (option: PermissionOption | undefined): RequestPermissionResponse =>
  option === undefined ? cancelled : { outcome: { outcome: "selected", optionId: option.optionId } }

const longest = 4000

/** The command itself where the agent tells it, else the title of its call. */
export const askedOf = ({ options, toolCall }: RequestPermissionRequest): Asked => {
  const input = toolCall.rawInput
  const told =
    typeof input === "object" && input !== null && "command" in input
      ? typeof input.command === "string"
        ? input.command
        : Array.isArray(input.command)
          ? input.command.join(" ")
          : null
      : null
  const title = toolCall.title ?? null
  const command = told ?? title ?? (input === undefined ? null : previewOf(JSON.stringify(input))) ?? "a tool"
  return {
    command: command.slice(0, longest),
    description: told === null || title === told ? (toolCall.kind ?? null) : title,
    allowPermanent: options.some(({ kind }) => kind === "allow_always"),
    pattern: `${toolCall.kind ?? ""} ${command}`
  }
}

/** `remember`: this session answers the same request by itself from now on. */
export const decide = (
  options: ReadonlyArray<PermissionOption>,
  answer: Answer
): { readonly response: RequestPermissionResponse; readonly remember: boolean } => {
  const of = (kind: PermissionOption["kind"]) => options.find((option) => option.kind === kind)
  const deny = { response: selected(of("reject_once") ?? of("reject_always")), remember: false }
  if (answer._tag === "None") return answer.why === "cancelled" ? { response: cancelled, remember: false } : deny
  // A decision that was typed where no choices fit is none.
  if (answer._tag === "Text") return deny
  const once = of("allow_once")
  const always = of("allow_always")
  switch (answer.choice) {
    case "deny":
      return deny
    case "once":
      // What can only be allowed for good is not allowed by "once".
      return once === undefined ? deny : { response: selected(once), remember: false }
    case "session":
      return once === undefined ? deny : { response: selected(once), remember: true }
    case "always":
      return { response: selected(always ?? once), remember: true }
  }
}

/** The answer to a request that the session holds already; `null` = ask. */
export const held = (options: ReadonlyArray<PermissionOption>): RequestPermissionResponse | null => {
  const once = options.find(({ kind }) => kind === "allow_once")
  return once === undefined ? null : selected(once)
}
