/**
 * What relay contract 1 allows a gateway to send (`relay W`, `O`, `L`), frame by frame, as a list of complaints. Pure: it
 * sees one frame and the descriptor; what needs memory (unique ids, known messages) is the connector's to check.
 */

export interface Descriptor {
  readonly contract_version: number
  readonly platform: string
  readonly label: string
  readonly max_message_length: number
  readonly supports_draft_streaming: boolean
  readonly supports_edit: boolean
  readonly supports_threads: boolean
  readonly markdown_dialect: string
  readonly len_unit: string
  readonly supports_idempotency: boolean
  readonly supported_ops?: ReadonlyArray<string>
  readonly supports_block_formatting?: boolean
}

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

type Rule = "string" | "text" | "boolean" | "number" | "object" | "array" | "nullable"

const fits = (rule: Rule, value: Json | undefined): boolean => {
  switch (rule) {
    case "string":
    case "boolean":
    case "number":
      return typeof value === rule
    case "text":
      return typeof value === "string" && value.trim() !== ""
    case "object":
      return isObject(value)
    case "array":
      return Array.isArray(value)
    case "nullable":
      return value === null || typeof value === "string"
  }
}

interface Shape {
  readonly required: Readonly<Record<string, Rule>>
  readonly optional: Readonly<Record<string, Rule>>
}

const frames: Readonly<Record<string, Shape>> = {
  hello: { required: { platform: "string", botId: "string" }, optional: { command_manifest: "array" } },
  outbound: { required: { requestId: "string", action: "object" }, optional: { platform: "string", botId: "string" } },
  interrupt: { required: { session_key: "string", reason: "nullable" }, optional: {} },
  inbound_ack: { required: { bufferId: "string" }, optional: {} },
  going_idle: { required: {}, optional: {} }
}

const metadata = { metadata: "object" } as const
const actions: Readonly<Record<string, Shape>> = {
  send: { required: { chat_id: "string", content: "text" }, optional: { reply_to: "nullable", ...metadata } },
  edit: { required: { chat_id: "string", message_id: "string", content: "text" }, optional: metadata },
  typing: { required: { chat_id: "string" }, optional: { content: "string", ...metadata } },
  follow_up: { required: { session_key: "string", kind: "string", content: "text" }, optional: metadata },
  get_chat_info: { required: { chat_id: "string" }, optional: metadata },
  send_media: {
    required: { chat_id: "string", media_kind: "string", source_url: "string" },
    optional: { content: "string", filename: "string", reply_to: "nullable", ...metadata }
  },
  prompt: {
    required: { chat_id: "string", prompt_kind: "string", prompt_id: "string", content: "text", options: "array" },
    optional: { timeout_s: "number", reply_to: "nullable", ...metadata }
  },
  react: {
    required: { chat_id: "string", message_id: "string", emoji: "string" },
    optional: { remove: "boolean", ...metadata }
  },
  thread_create: {
    required: { chat_id: "string", thread_name: "text" },
    optional: { message_id: "string", ...metadata }
  },
  thread_rename: {
    required: { chat_id: "string", message_id: "string", thread_name: "text" },
    optional: { only_if_current_name: "string", ...metadata }
  }
}

const keyed = new Set(["send", "edit", "follow_up", "send_media", "prompt", "thread_create"])
const defaultOps: ReadonlyArray<string> = ["send", "edit", "typing", "follow_up"]
const promptPart = /^[A-Za-z0-9_.-]{1,32}$/

const compare = (where: string, shape: Shape, value: JsonObject, known: ReadonlyArray<string>): Array<string> => {
  const complaints: Array<string> = []
  for (const [field, rule] of Object.entries(shape.required)) {
    if (!fits(rule, value[field]))
      complaints.push(`${where}.${field} must be ${rule}, is ${JSON.stringify(value[field])}`)
  }
  for (const [field, rule] of Object.entries(shape.optional)) {
    if (field in value && !fits(rule, value[field])) {
      complaints.push(`${where}.${field} must be ${rule} when present, is ${JSON.stringify(value[field])}`)
    }
  }
  for (const field of Object.keys(value)) {
    if (!(field in shape.required) && !(field in shape.optional) && !known.includes(field)) {
      complaints.push(`${where} has the unknown field ${field}`)
    }
  }
  return complaints
}

/** Length in the descriptor's unit (`relay H4`). */
export const lengthOf = (text: string, unit: string): number => (unit === "utf16" ? text.length : [...text].length)

const checkPrompt = (action: JsonObject): Array<string> => {
  const complaints: Array<string> = []
  if (typeof action.prompt_id === "string" && !/^[0-9a-f]{8}\.[0-9a-f]{8}$/.test(action.prompt_id)) {
    complaints.push(`prompt_id ${action.prompt_id} is not NONCE.8hex (L1)`)
  }
  if (!Array.isArray(action.options)) return complaints
  if (action.options.length < 1 || action.options.length > 10) complaints.push("a prompt has 1 to 10 options (L1)")
  for (const option of action.options) {
    if (!isObject(option) || typeof option.label !== "string" || typeof option.id !== "string") {
      complaints.push("an option needs id and label (L1)")
    } else if (!promptPart.test(option.id)) complaints.push(`option id ${option.id} is not of the alphabet (L1)`)
  }
  return complaints
}

/** Complaints about the action of an `outbound` frame. */
export const checkAction = (action: JsonObject, descriptor: Descriptor): Array<string> => {
  const op = action.op
  const shape = typeof op === "string" ? actions[op] : undefined
  if (typeof op !== "string" || shape === undefined) return [`action.op is ${JSON.stringify(op)}`]
  const complaints = compare(op, shape, action, ["op"])
  if (!(descriptor.supported_ops ?? defaultOps).includes(op)) complaints.push(`${op} is not in supported_ops (H5)`)
  const meta = isObject(action.metadata) ? action.metadata : {}
  if (keyed.has(op) && (typeof meta.idempotency_key !== "string" || meta.idempotency_key === "")) {
    complaints.push(`${op} has no metadata.idempotency_key (O5)`)
  }
  if ("format_hints" in meta && descriptor.supports_block_formatting !== true) {
    complaints.push(`${op} has format_hints without the capability (L7)`)
  }
  if (op === "typing" && "content" in action && descriptor.platform !== "slack") {
    complaints.push("only Slack is sent a typing clear (L4)")
  }
  if (op === "edit" && !descriptor.supports_edit) complaints.push("edit without supports_edit (H4)")
  if (op === "prompt") complaints.push(...checkPrompt(action))
  if (typeof action.content === "string") {
    const limit = descriptor.max_message_length === 0 ? 4096 : descriptor.max_message_length
    const length = lengthOf(action.content, descriptor.len_unit)
    if (length > limit) complaints.push(`${op} has ${length} ${descriptor.len_unit}, allowed are ${limit} (H4)`)
  }
  return complaints
}

/** Complaints about a frame without its action; a frame that is no object of a known type is one complaint. */
export const checkFrame = (frame: unknown, fronted: number): Array<string> => {
  if (!isObject(frame)) return [`a line is not a JSON object: ${JSON.stringify(frame).slice(0, 80)}`]
  const shape = typeof frame.type === "string" ? frames[frame.type] : undefined
  if (typeof frame.type !== "string" || shape === undefined) return [`unknown frame type ${JSON.stringify(frame.type)}`]
  const complaints = compare(frame.type, shape, frame, ["type"])
  if (frame.type === "outbound") {
    if (typeof frame.requestId === "string" && !/^[0-9a-f]{32}$/.test(frame.requestId)) {
      complaints.push(`requestId ${frame.requestId} is not 32 hex characters (O1)`)
    }
    const named = "platform" in frame || "botId" in frame
    if (named && fronted === 1) complaints.push("outbound names an identity although one is fronted (W)")
    if (!named && fronted > 1) complaints.push("outbound names no identity although several are fronted (W)")
  }
  return complaints
}
