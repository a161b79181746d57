/**
 * A streamed completion as it is read: events of the stream in, agent events out (`conversation T2`). It keeps the whole
 * text for the end. What does not decode is counted and passed over (law 4); nothing here waits or throws.
 */
import { Result } from "effect"
import type { AgentEvent, Usage } from "../Agent.ts"
import { categoryOf, errorOf, type Failure, failureOf, statusWithin, wordsOf } from "./Failure.ts"
import { decodeChunk, type Said, type UsageReport } from "./Wire.ts"

/** Longer answers are cut here: nobody reads them, and a model that runs wild must not fill the memory. */
const mostText = 4 * 1024 * 1024
const mostArguments = 64 * 1024
const mostTools = 1000

interface OpenTool {
  readonly callId: string
  name: string
  input: string
}

const contentOf = (content: Said["content"]): string =>
  typeof content === "string" ? content : (content?.map((part) => part.text ?? "").join("") ?? "")

/** The first text among the arguments, else all of them: what a tool line shows. */
export const previewOf = (input: string): string | null => {
  if (input.trim() === "") return null
  try {
    const value: unknown = JSON.parse(input)
    const found =
      typeof value === "object" && value !== null ? Object.values(value).find((v) => typeof v === "string") : value
    return typeof found === "string" && found !== "" ? found.slice(0, 500) : input.slice(0, 500)
  } catch {
    return input.slice(0, 500)
  }
}

const usageOf = (usage: UsageReport, model: string | null, contextWindow: number | null): Usage => ({
  model,
  ...(usage.prompt_tokens == null ? {} : { inputTokens: usage.prompt_tokens, contextTokens: usage.prompt_tokens }),
  ...(usage.completion_tokens == null ? {} : { outputTokens: usage.completion_tokens }),
  ...(usage.prompt_tokens_details?.cached_tokens == null
    ? {}
    : { cacheReadTokens: usage.prompt_tokens_details.cached_tokens }),
  ...(usage.cost == null ? {} : { costUsd: usage.cost }),
  ...(contextWindow === null ? {} : { contextWindow })
})

export class Reading {
  /** The reply so far. */
  text = ""
  /** Something was shown to the user, so that no other attempt may begin anew. */
  hasShown = false
  /** Events that did not decode. */
  malformed = 0
  /** Events that did. */
  understood = 0
  failure: Failure | null = null
  private model: string | null
  private finish: string | null = null
  private isDone = false
  private tools = new Map<number, OpenTool>()
  private started: Array<OpenTool> = []
  private calls = 0
  private readonly contextWindow: number | null

  constructor(model: string | null, contextWindow: number | null) {
    this.model = model
    this.contextWindow = contextWindow
  }

  /** Takes the data of one event; what follows from it is appended to `out`. */
  take(data: string, out: Array<AgentEvent>): void {
    if (this.failure !== null || this.isDone) return
    if (data.trim() === "[DONE]") {
      this.isDone = true
      return
    }
    let value: unknown
    try {
      value = JSON.parse(data)
    } catch {
      this.malformed++
      return
    }
    const decoded = decodeChunk(value)
    if (Result.isFailure(decoded)) {
      this.malformed++
      return
    }
    this.understood++
    const { choices, error, model, usage } = decoded.success
    if (error != null) {
      const words = wordsOf(error)
      this.failure = failureOf(errorOf(categoryOf(statusWithin(error), words), words))
      return
    }
    if (model != null && model !== "") this.model = model
    const choice = choices?.[0]
    const said = choice?.delta ?? choice?.message
    if (said != null) this.hear(said, out)
    if (choice?.finish_reason != null) this.finish = choice.finish_reason
    if (usage != null) out.push({ _tag: "Usage", usage: usageOf(usage, this.model, this.contextWindow) })
  }

  private hear(said: Said, out: Array<AgentEvent>): void {
    const thought = said.reasoning_content ?? said.reasoning
    if (thought != null && thought !== "") out.push({ _tag: "Reasoning", text: thought })
    const text = contentOf(said.content) || (said.refusal ?? "")
    if (text !== "") {
      this.endTools(out)
      const room = mostText - this.text.length
      if (room > 0) {
        const taken = text.length > room ? text.slice(0, room) : text
        this.text += taken
        this.hasShown = true
        out.push({ _tag: "TextDelta", text: taken })
      }
    }
    for (const call of said.tool_calls ?? []) this.hearTool(call, out)
  }

  /** Deltas of one call share an index; its start is told when its arguments are complete. */
  private hearTool(call: NonNullable<NonNullable<Said["tool_calls"]>[number]>, out: Array<AgentEvent>): void {
    const index = call.index ?? (call.id == null ? Math.max(0, this.tools.size - 1) : this.tools.size)
    let tool = this.tools.get(index)
    if (tool === undefined) {
      if (this.calls >= mostTools) return
      this.announce(out)
      tool = { callId: call.id ?? `call-${this.calls}`, name: "", input: "" }
      this.calls++
      this.tools.set(index, tool)
    }
    tool.name += call.function?.name ?? ""
    const input = call.function?.arguments ?? ""
    if (tool.input.length + input.length <= mostArguments) tool.input += input
  }

  private announce(out: Array<AgentEvent>): void {
    for (const tool of this.tools.values()) {
      if (this.started.includes(tool)) continue
      this.started.push(tool)
      this.hasShown = true
      out.push({
        _tag: "ToolStarted",
        tool: tool.name || "tool",
        preview: previewOf(tool.input),
        callId: tool.callId
      })
    }
  }

  /** The server runs its own tools: when it goes on talking, they are over. */
  private endTools(out: Array<AgentEvent>): void {
    if (this.tools.size === 0) return
    this.announce(out)
    for (const tool of this.started) {
      out.push({ _tag: "ToolFinished", tool: tool.name || "tool", ok: true, callId: tool.callId })
    }
    this.tools = new Map()
    this.started = []
  }

  /** The stream is over: the final reply, or why there is none. */
  end(out: Array<AgentEvent>): Failure | null {
    if (this.failure !== null) return this.failure
    const leftOver = this.tools.size > 0
    this.endTools(out)
    if (this.text === "") {
      if (this.finish === "content_filter") return failureOf(errorOf("policy", "the provider filtered the answer"))
      if (this.understood === 0) {
        return failureOf(
          errorOf("provider", `the answer is no chat completion (${this.malformed} events do not decode)`)
        )
      }
      if (leftOver || this.finish === "tool_calls") {
        return failureOf(
          errorOf("bad_request", "the model asked for tools, and none were offered", { retryable: false })
        )
      }
      if (this.isCutOff) return failureOf(errorOf("provider", "the connection ended before an answer came"))
    }
    out.push({ _tag: "Final", text: this.text })
    return null
  }

  /** The connection ended before the server said that it was done (`conversation X1`: what came is delivered). */
  get isCutOff(): boolean {
    return !this.isDone && this.finish === null
  }
}
