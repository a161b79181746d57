/**
 * Which agents there are and which of them answers (DESIGN, Seen from outside; `conversation X1`): the settings, and the
 * form in which `config.yaml` names further agents and routes. What they mean together is decided where they are built.
 */
import { Schema } from "effect"
import { AcpCommand, OpenAiBaseUrl, ProxyUrl } from "../Config/GatewaySettings.ts"
import * as Setting from "../Config/Setting.ts"

export const OpenAiApiKey = Setting.make({
  env: "OPENAI_API_KEY",
  kind: Setting.secret,
  default: null,
  description: "key of that endpoint"
})

export const OpenAiModel = Setting.make({
  env: "OPENAI_MODEL",
  kind: Setting.optionalText,
  default: null,
  description: "model that answers"
})

export const ProxyKey = Setting.make({
  env: "GATEWAY_PROXY_KEY",
  kind: Setting.secret,
  default: null,
  description: "key of the gateway behind the proxy URL"
})

const optional = Schema.optionalKey

const Fallback = Schema.Union([
  Schema.String,
  Schema.Struct({ model: Schema.String, base_url: optional(Schema.String), api_key: optional(Schema.String) })
])

/** A model of the same endpoint by its name alone. */
export type Fallback = typeof Fallback.Type

export const OpenAiFallbacks = Setting.make<ReadonlyArray<Fallback>>({
  key: "agent.openai.fallbacks",
  kind: Setting.kind(Schema.Array(Fallback), "a list of models, or of maps with model, base_url and api_key", {
    secret: true
  }),
  default: [],
  description: "asked in this order when the first model fails"
})

export const ModelContextLength = Setting.make({
  key: "model.context_length",
  kind: Setting.int({ min: 1024 }),
  default: 128_000,
  description: "tokens that a request and its answer may hold together; older messages are summarised"
})

export const ModelMaxTokens = Setting.make({
  key: "model.max_tokens",
  kind: Setting.positiveInt,
  default: null,
  description: "longest answer in tokens; 0 = what the endpoint allows"
})

export const CompressionModel = Setting.make({
  key: "auxiliary.compression.model",
  kind: Setting.optionalText,
  default: null,
  description: "model that writes summaries; the one that answers when not set"
})

const Environment = Schema.Record(Schema.String, Schema.String)

export const AcpEnvironment = Setting.make<Readonly<Record<string, string>>>({
  key: "agent.acp.environment",
  kind: Setting.kind(Environment, "a map of variables", { secret: true }),
  default: {},
  description: "variables of the agent's process"
})

export const AcpPassEnvironment = Setting.make({
  key: "agent.acp.pass_environment",
  kind: Setting.list,
  default: [],
  description: "variables of ours that the agent's process gets too; it inherits none else but PATH, HOME and the like"
})

export const AcpWorkspace = Setting.make({
  key: "agent.acp.workspace",
  kind: Setting.optionalText,
  default: null,
  description: "working folder of the agent; `workspace` in the home when not set"
})

export const AcpWorkspacePerSession = Setting.make({
  key: "agent.acp.workspace_per_session",
  kind: Setting.boolean,
  default: false,
  description: "each conversation gets a folder of its own below it"
})

export const AcpProcesses = Setting.make({
  key: "agent.acp.processes",
  kind: Setting.int({ min: 1, max: 256 }),
  default: 4,
  description: "processes of the agent at once"
})

export const AcpSessionsPerProcess = Setting.make({
  key: "agent.acp.sessions_per_process",
  kind: Setting.int({ min: 1, max: 10_000 }),
  default: 256,
  description: "conversations that one process holds; 1 for agents that cannot hold several"
})

export const AcpAuthMethod = Setting.make({
  key: "agent.acp.auth_method",
  kind: Setting.optionalText,
  default: null,
  description: "id of the way to log in, for agents that ask for one at every start"
})

/** An agent as `agents.NAME` in the file. */
const Definition = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("echo") }),
  Schema.Struct({
    kind: Schema.Literal("openai"),
    base_url: optional(Schema.String),
    api_key: optional(Schema.String),
    model: Schema.String,
    fallbacks: optional(Schema.Array(Fallback)),
    context_length: optional(Schema.Int),
    max_tokens: optional(Schema.Int)
  }),
  Schema.Struct({
    kind: Schema.Literal("acp"),
    command: Schema.String,
    environment: optional(Environment),
    pass_environment: optional(Schema.Array(Schema.String)),
    workspace: optional(Schema.String),
    workspace_per_session: optional(Schema.Boolean),
    processes: optional(Schema.Int),
    sessions_per_process: optional(Schema.Int),
    auth_method: optional(Schema.String)
  })
])
export type Definition = typeof Definition.Type

export const Agents = Setting.make<Readonly<Record<string, Definition>>>({
  key: "agents",
  kind: Setting.kind(Schema.Record(Schema.String, Definition), "a map of agents, each with kind echo, openai or acp", {
    secret: true
  }),
  default: {},
  description: "further agents by name, for agent.routes"
})

/** An id may stand in the file as a number. */
const Id = Schema.Union([Schema.String, Schema.Number])

const Rule = Schema.Struct({
  platform: optional(Schema.String),
  chat: optional(Id),
  user: optional(Id),
  command: optional(Schema.String),
  agent: Schema.String
})
export type Rule = typeof Rule.Type

export const AgentRoutes = Setting.make<ReadonlyArray<Rule>>({
  key: "agent.routes",
  kind: Setting.structure(Schema.Array(Rule), "a list of maps with agent, and any of platform, chat, user and command"),
  default: [],
  description: "which agent answers where; the first that fits counts"
})

export const agentSettings: ReadonlyArray<Setting.Setting<unknown>> = [
  OpenAiBaseUrl,
  OpenAiApiKey,
  OpenAiModel,
  OpenAiFallbacks,
  ModelContextLength,
  ModelMaxTokens,
  CompressionModel,
  ProxyUrl,
  ProxyKey,
  AcpCommand,
  AcpEnvironment,
  AcpPassEnvironment,
  AcpWorkspace,
  AcpWorkspacePerSession,
  AcpProcesses,
  AcpSessionsPerProcess,
  AcpAuthMethod,
  Agents,
  AgentRoutes
]
