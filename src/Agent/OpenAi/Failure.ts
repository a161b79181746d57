/**
 * What a failed request means (`conversation E1`): pure, from what the server said to the category that the user is told
 * about, whether another attempt can help, and which optional field the server did not take.
 */
import { redact } from "../../Config/Redact.ts"
import { AgentError } from "../Agent.ts"
import type { Failing } from "./Wire.ts"

/** Fields and kinds of content without which a request still makes sense. */
export type Optional = "stream_options" | "reasoning_effort" | "max_tokens" | "attachments"

/** A request that came to nothing. `rejected`: the same request without this may succeed. */
export interface Failure {
  readonly error: AgentError
  readonly rejected: Optional | null
}

const contextWords =
  /context[ _](?:length|size|window)|maximum context|token limit|too many tokens|reduce the length|exceeds the limit|request entity too large|prompt is too long|payload too large|input is too long/i

export const saysContext = (message: string): boolean => contextWords.test(message)

const policyWords = /content[ _](?:policy|filter)|moderation|flagged|safety (?:system|policy)|violat\w+ .{0,40}polic/i
const balanceWords =
  /insufficient[ _](?:quota|balance|credit|funds)|exceeded your current quota|billing|payment required|out of credits/i
const overloadWords = /overloaded|over capacity|at capacity|server is busy|temporarily unavailable/i
const rateWords = /rate[ _-]?limit|too many requests|usage limit/i
const authWords =
  /invalid[ _]api[ _]key|incorrect api key|unauthori[sz]ed|authentication|invalid x-api-key|login required/i

/** By status first, then by words: servers behind proxies use 400 and 500 for everything. */
export const categoryOf = (status: number | null, message: string, historyLength = 0): AgentError["category"] => {
  if (status === 402 || balanceWords.test(message)) return "balance"
  if (status === 413 || saysContext(message)) return "context"
  if (status === 429 || (status === null && rateWords.test(message))) return "rate_limit"
  if (status === 401 || status === 403) return policyWords.test(message) ? "policy" : "auth"
  if (status === 529 || status === 503 || overloadWords.test(message)) return "overloaded"
  if (policyWords.test(message)) return "policy"
  if ((status === 400 || status === 500) && historyLength > 50) return "context"
  if (status !== null && status >= 400 && status < 500 && status !== 408 && status !== 409) return "bad_request"
  if (status === null && authWords.test(message)) return "auth"
  return "provider"
}

/** Whether the same request may succeed later. */
const passes = (category: AgentError["category"]): boolean =>
  category === "rate_limit" || category === "overloaded" || category === "provider"

const longest = 2000

/** An error for the log: redacted, and never longer than a screen. */
export const errorOf = (
  category: AgentError["category"],
  message: string,
  options?: { readonly retryAfter?: number | null; readonly retryable?: boolean }
): AgentError =>
  new AgentError({
    category,
    message: redact(message.slice(0, longest)),
    retryable: options?.retryable ?? passes(category),
    ...(options?.retryAfter == null ? {} : { retryAfter: options.retryAfter })
  })

export const failureOf = (error: AgentError, rejected: Optional | null = null): Failure => ({ error, rejected })

/** Seconds that the server asked for, by whichever header it uses; never negative, at most a day. */
export const retryAfterOf = (headers: Readonly<Record<string, string | undefined>>, now: number): number | null => {
  const millis = Number(headers["retry-after-ms"] ?? Number.NaN)
  if (Number.isFinite(millis)) return clamp(millis / 1000)
  const raw = headers["retry-after"]?.trim()
  if (raw === undefined || raw === "") return null
  const seconds = Number(raw)
  if (Number.isFinite(seconds)) return clamp(seconds)
  const at = Date.parse(raw)
  return Number.isNaN(at) ? null : clamp((at - now) / 1000)
}

const clamp = (seconds: number): number => Math.min(86_400, Math.max(0, seconds))

export const wordsOf = (failing: Failing): string =>
  typeof failing === "string"
    ? failing
    : [failing.message, failing.code, failing.type].filter((part) => part !== null && part !== undefined).join(" ")

/** The status that an error inside a stream speaks of. */
export const statusWithin = (failing: Failing): number | null => {
  if (typeof failing === "string") return null
  const code = Number(failing.code)
  return Number.isInteger(code) && code >= 400 && code < 600 ? code : null
}

const rejectable: ReadonlyArray<readonly [Optional, RegExp]> = [
  ["stream_options", /stream_options|include_usage/i],
  ["reasoning_effort", /reasoning[_.]?effort|reasoning/i],
  ["max_tokens", /max_(?:completion_)?tokens/i],
  [
    "attachments",
    /image|vision|multi-?modal|content (?:type|part)|input_audio|file_data|content.{0,40}must be a string|expected .{0,20}string/i
  ]
]

/** Which of the optional things that were sent the server complains about. */
export const rejectedOf = (status: number, message: string, sent: ReadonlySet<Optional>): Optional | null =>
  status !== 400 && status !== 404 && status !== 415 && status !== 422
    ? null
    : (rejectable.find(([name, words]) => sent.has(name) && words.test(message))?.[0] ?? null)
