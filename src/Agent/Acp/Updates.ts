/**
 * What an agent reports during a prompt (`session/update`), as our events (`conversation T2`). Decoding is tolerant: an
 * update that is unknown or does not decode is passed over and counted (law 4).
 */
import { Result, Schema } from "effect"
import type { AgentEvent, Usage } from "../Agent.ts"
import { previewOf } from "../OpenAi/Reading.ts"
import type { TurnEvents } from "./TurnEvents.ts"

const text = Schema.optionalKey(Schema.NullOr(Schema.String))

const Content = Schema.Struct({
  type: Schema.String,
  text,
  uri: text,
  title: text,
  name: text
})

const chunk = <const Tag extends string>(tag: Tag) =>
  Schema.Struct({ sessionUpdate: Schema.Literal(tag), content: Content, messageId: text })

const ToolContent = Schema.Struct({
  type: Schema.String,
  content: Schema.optionalKey(Schema.NullOr(Content)),
  path: text,
  oldText: text,
  newText: text
})

const toolFields = {
  toolCallId: Schema.String,
  title: text,
  name: text,
  kind: text,
  status: text,
  content: Schema.optionalKey(Schema.NullOr(Schema.Array(ToolContent))),
  rawInput: Schema.optionalKey(Schema.Unknown)
}

const Option = Schema.Struct({ value: Schema.String, name: Schema.String })

/** A choice that the agent offers for a session: model, mode, depth of thought … */
export const ConfigOption = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  category: text,
  type: text,
  currentValue: Schema.Union([Schema.String, Schema.Boolean]),
  options: Schema.optionalKey(
    Schema.Array(Schema.Union([Option, Schema.Struct({ name: Schema.String, options: Schema.Array(Option) })]))
  )
})
export type ConfigOption = typeof ConfigOption.Type

const Command = Schema.Struct({
  name: Schema.String,
  description: Schema.String,
  input: Schema.optionalKey(Schema.NullOr(Schema.Struct({ hint: text })))
})

const Update = Schema.Union([
  chunk("agent_message_chunk"),
  chunk("agent_thought_chunk"),
  Schema.Struct({ sessionUpdate: Schema.Literal("tool_call"), ...toolFields }),
  Schema.Struct({ sessionUpdate: Schema.Literal("tool_call_update"), ...toolFields }),
  Schema.Struct({
    sessionUpdate: Schema.Literal("plan"),
    entries: Schema.Array(Schema.Struct({ content: Schema.String, status: text }))
  }),
  Schema.Struct({
    sessionUpdate: Schema.Literal("available_commands_update"),
    availableCommands: Schema.Array(Command)
  }),
  Schema.Struct({ sessionUpdate: Schema.Literal("current_mode_update"), currentModeId: Schema.String }),
  Schema.Struct({
    sessionUpdate: Schema.Literal("config_option_update"),
    configOptions: Schema.Array(ConfigOption)
  }),
  Schema.Struct({
    sessionUpdate: Schema.Literal("usage_update"),
    used: Schema.Number,
    size: Schema.Number,
    cost: Schema.optionalKey(Schema.NullOr(Schema.Struct({ amount: Schema.Number, currency: Schema.String })))
  })
])
export type Update = typeof Update.Type

const Known = Schema.Literals([
  "agent_message_chunk",
  "agent_thought_chunk",
  "tool_call",
  "tool_call_update",
  "plan",
  "available_commands_update",
  "current_mode_update",
  "config_option_update",
  "usage_update"
])
const isKnown = Schema.is(Known)
const decodeUpdate = Schema.decodeUnknownResult(Update)
const decodeEnvelope = Schema.decodeUnknownResult(
  Schema.Struct({ sessionId: Schema.String, update: Schema.Struct({ sessionUpdate: Schema.String }) })
)

/** `unknown`: a kind of update that is not ours to read, which is no fault. */
export type Decoded =
  | { readonly _tag: "Update"; readonly sessionId: string; readonly update: Update }
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Malformed" }

export const decode = (params: { readonly update?: unknown } | null | undefined): Decoded => {
  const envelope = decodeEnvelope(params)
  if (Result.isFailure(envelope)) return { _tag: "Malformed" }
  if (!isKnown(envelope.success.update.sessionUpdate)) return { _tag: "Unknown" }
  const update = decodeUpdate(params?.update)
  return Result.isSuccess(update)
    ? { _tag: "Update", sessionId: envelope.success.sessionId, update: update.success }
    : { _tag: "Malformed" }
}

type ToolUpdate = Extract<Update, { readonly sessionUpdate: "tool_call" | "tool_call_update" }>

const lines = (text: string | null | undefined): ReadonlyArray<string> =>
  text == null || text === "" ? [] : text.replace(/\n$/, "").split("\n")

/** How many lines a change adds and takes away, without looking where. */
export const sizeOfChange = (
  oldText: string | null | undefined,
  newText: string | null | undefined
): readonly [added: number, removed: number] => {
  const counts = new Map<string, number>()
  for (const line of lines(oldText)) counts.set(line, (counts.get(line) ?? 0) + 1)
  let added = 0
  for (const line of lines(newText)) {
    const left = counts.get(line) ?? 0
    if (left > 0) counts.set(line, left - 1)
    else added++
  }
  let removed = 0
  for (const left of counts.values()) removed += left
  return [added, removed]
}

const summaryOf = (content: ToolUpdate["content"]): string | null => {
  for (const part of content ?? []) {
    if (part.type === "diff" && part.path != null) {
      const [added, removed] = sizeOfChange(part.oldText, part.newText)
      return `${part.path} (+${added} −${removed})`
    }
  }
  const said = content?.find((part) => part.content?.text != null)?.content?.text?.trim()
  return said === undefined || said === "" ? null : said.slice(0, 500)
}

/** Calls that one turn may have open; further ones are not told. */
const mostTools = 1000

const statuses = { pending: "pending", in_progress: "running", completed: "done" } as const

export interface About {
  readonly model: () => string | null
  /** Where a file that the agent names may be taken from; `null` = it may not leave this machine. */
  readonly attachable: (uri: string) => string | null
}

/** Reads the updates of one prompt; the text of the reply grows in it. */
export class TurnReading {
  text = ""
  private tools = new Map<string, { readonly tool: string; isOver: boolean }>()
  private messageId: string | null = null
  /** The next text begins a paragraph of its own: a tool ran since the last. */
  private isApart = false

  private readonly out: TurnEvents
  private readonly about: About

  constructor(out: TurnEvents, about: About) {
    this.out = out
    this.about = about
  }

  take(update: Update): void {
    switch (update.sessionUpdate) {
      case "agent_message_chunk":
        return this.say(update.content, update.messageId ?? null)
      case "agent_thought_chunk":
        if (update.content.text) this.out.push({ _tag: "Reasoning", text: update.content.text })
        return
      case "tool_call":
      case "tool_call_update":
        return this.tool(update)
      case "plan":
        return this.out.push({
          _tag: "Plan",
          entries: update.entries.map(({ content, status }) => ({
            text: content,
            status: status === "in_progress" || status === "completed" ? statuses[status] : "pending"
          }))
        })
      case "usage_update": {
        const usage: Usage = {
          model: this.about.model(),
          contextTokens: update.used,
          contextWindow: update.size,
          ...(update.cost?.currency === "USD" ? { costUsd: update.cost.amount } : {})
        }
        return this.out.push({ _tag: "Usage", usage })
      }
      default:
        return
    }
  }

  private say(content: typeof Content.Type, messageId: string | null): void {
    if (content.type === "resource_link" && content.uri != null) {
      const ref = this.about.attachable(content.uri)
      if (ref !== null) this.out.push({ _tag: "Attachment", ref, caption: content.title ?? content.name ?? null })
      return
    }
    const said = content.text
    if (said == null || said === "") return
    const isOther = messageId !== null && this.messageId !== null && messageId !== this.messageId
    if (messageId !== null) this.messageId = messageId
    const apart = (this.isApart || isOther) && this.text !== "" && !/\n\s*$/.test(this.text) ? "\n\n" : ""
    this.isApart = false
    this.text += apart + said
    this.out.push({ _tag: "TextDelta", text: apart + said })
  }

  private tool(update: ToolUpdate): void {
    const callId = update.toolCallId
    let known = this.tools.get(callId)
    if (known === undefined) {
      if (this.tools.size >= mostTools) return
      known = { tool: update.name ?? update.kind ?? "tool", isOver: false }
      this.tools.set(callId, known)
      this.isApart = true
      const preview =
        update.title ?? (update.rawInput === undefined ? null : previewOf(JSON.stringify(update.rawInput)))
      this.out.push({ _tag: "ToolStarted", tool: known.tool, preview, callId })
    }
    if ((update.status === "completed" || update.status === "failed") && !known.isOver) {
      known.isOver = true
      this.isApart = true
      const summary = summaryOf(update.content)
      const finished: AgentEvent = {
        _tag: "ToolFinished",
        tool: known.tool,
        ok: update.status === "completed",
        callId,
        ...(summary === null ? {} : { summary })
      }
      this.out.push(finished)
    }
  }
}
