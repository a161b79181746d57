/**
 * Which agents answer (`SWITCHBOARD_AGENT`, `agents`, `agent.routes`; `conversation X1`): the one place that knows them all.
 * Never another agent than asked for: what cannot work stops the start, naming the key and the cure.
 */
import { accessSync, constants, statSync } from "node:fs"
import { delimiter, isAbsolute, join, resolve } from "node:path"
import { Effect, Layer, Redacted } from "effect"
import * as Acp from "../Agent/Acp/Acp.ts"
import { words } from "../Agent/Acp/CommandLine.ts"
import type * as AgentService from "../Agent/Agent.ts"
import * as Given from "../Agent/AgentSettings.ts"
import * as Echo from "../Agent/Echo.ts"
import type { Endpoint } from "../Agent/OpenAi/Endpoint.ts"
import * as OpenAi from "../Agent/OpenAi/OpenAi.ts"
import * as Router from "../Agent/Router.ts"
import { ConfigError } from "../Config/ConfigError.ts"
import { AcpCommand, agentKind, OpenAiBaseUrl, ProxyUrl } from "../Config/GatewaySettings.ts"
import { registerSecret } from "../Config/Redact.ts"
import { isSecretName } from "../Config/SecretNames.ts"
import * as Setting from "../Config/Setting.ts"
import { Settings } from "../Config/Settings.ts"
import { SessionTokens } from "../Operations/Mcp/Caller.ts"
import { version } from "../Operations/Version.ts"
import * as AgentTools from "./AgentTools.ts"
import { Listener } from "./Listener.ts"

export interface ChosenAgent {
  readonly name: string
  readonly layer: Layer.Layer<AgentService.Agent, never, Listener | SessionTokens>
}

const problem = (where: string, value: string, expected: string, fix: string) =>
  new ConfigError({ problems: [{ level: "error", where, value, expected, fix }] })

const notSet = "nothing"
const openAiUrl = "https://api.openai.com/v1"
/** `conversation X1`. */
const proxyModel = "hermes-agent"

/** Where the completions are: a bare host means its `/v1`. */
const endpointUrl = (where: string, text: string): Effect.Effect<string, ConfigError> =>
  Effect.suspend(() => {
    const url = URL.canParse(text) ? new URL(text) : null
    if (url === null || !["http:", "https:"].includes(url.protocol)) {
      return Effect.fail(
        problem(where, `"${text}"`, "a URL that begins with http:// or https://", "write the endpoint's address")
      )
    }
    const path = url.pathname.replace(/\/+$/, "").replace(/\/chat\/completions$/, "")
    return Effect.succeed(`${url.origin}${path === "" ? "/v1" : path}`)
  })

const secretOf = (text: string | undefined): Redacted.Redacted | null => {
  if (text === undefined || text === "") return null
  registerSecret(text)
  return Redacted.make(text)
}

const nameOf = (baseUrl: string): string => new URL(baseUrl).host

/** Fallbacks share endpoint and key of the first where they name none. */
const chain = Effect.fnUntraced(function* (where: string, first: Endpoint, fallbacks: ReadonlyArray<Given.Fallback>) {
  const out: [Endpoint, ...Array<Endpoint>] = [first]
  for (const fallback of fallbacks) {
    const { api_key, base_url, model } = typeof fallback === "string" ? { model: fallback } : fallback
    if (base_url === undefined) {
      out.push({ ...first, model, apiKey: secretOf(api_key) ?? first.apiKey })
    } else {
      // A key is for one endpoint and goes to no other.
      const baseUrl = yield* endpointUrl(where, base_url)
      out.push({ name: nameOf(baseUrl), baseUrl, model, apiKey: secretOf(api_key) })
    }
  }
  return out
})

interface Keys {
  readonly url: string
  readonly key: string
  readonly model: string
  readonly fallbacks: string
}

const openAi = Effect.fnUntraced(function* (
  where: Keys,
  given: {
    readonly url: string | null
    readonly key: Redacted.Redacted | null
    readonly model: string | null
    readonly fallbacks: ReadonlyArray<Given.Fallback>
    readonly contextLength?: number | undefined
    readonly maxTokens?: number | undefined
    readonly isProxy?: boolean
  }
) {
  const settings = yield* Settings
  if (given.url === null && given.key === null) {
    return yield* problem(
      where.url,
      notSet,
      "the address of an OpenAI-compatible endpoint",
      `set ${where.url}, or ${where.key} for ${openAiUrl}`
    )
  }
  if (given.model === null) {
    return yield* problem(where.model, notSet, "the name of a model", `set ${where.model} to a model of the endpoint`)
  }
  const baseUrl = yield* endpointUrl(where.url, given.url ?? openAiUrl)
  const first = { name: nameOf(baseUrl), baseUrl, apiKey: given.key, model: given.model }
  return OpenAi.layer({
    endpoints: yield* chain(where.fallbacks, first, given.fallbacks),
    contextWindow: given.contextLength ?? (yield* settings.get(Given.ModelContextLength)),
    maxTokens: given.maxTokens ?? (yield* settings.get(Given.ModelMaxTokens)),
    summaryModel: yield* settings.get(Given.CompressionModel),
    mediaCache: join(settings.home, "cache"),
    isProxy: given.isProxy ?? false
  })
})

/** What a program needs to run at all; nothing of it is ours. */
const plain = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR"]

/** Variables by name, from where settings come from. */
const taken = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
  const settings = yield* Settings
  const out: Record<string, string> = {}
  for (const name of names) {
    const variable = Setting.make({ env: name, kind: Setting.optionalText, default: null, description: "" })
    const value = yield* settings.get(variable)
    if (value !== null) out[name] = value
  }
  return out
})

const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** The program as a path, so that its working folder does not decide what runs. */
const findProgram = (command: string, path: string): string | null => {
  if (isAbsolute(command)) return isProgram(command) ? command : null
  if (command.includes("/")) return isProgram(resolve(command)) ? resolve(command) : null
  return (
    path
      .split(delimiter)
      .map((folder) => join(folder, command))
      .find(isProgram) ?? null
  )
}

const acp = Effect.fnUntraced(function* (
  where: string,
  name: string,
  given: Omit<Extract<Given.Definition, { readonly kind: "acp" }>, "kind">
) {
  const settings = yield* Settings
  const [command, ...args] = words(given.command) ?? []
  if (command === undefined) {
    return yield* problem(where, `"${given.command}"`, "a command, with its quotes closed", `correct ${where}`)
  }
  const environment = {
    ...(yield* taken([...plain, ...(given.pass_environment ?? [])])),
    ...given.environment
  }
  for (const [name, value] of Object.entries(environment)) if (isSecretName(name)) registerSecret(value)
  const program = findProgram(command, environment["PATH"] ?? "")
  if (program === null) {
    return yield* problem(where, `"${command}"`, "a program that can be run", "install it, or write its whole path")
  }
  const options = {
    launch: {
      name,
      command: program,
      args,
      environment,
      mediaCache: join(settings.home, "cache"),
      authMethod: given.auth_method ?? null,
      version
    },
    limits: { processes: Math.max(1, given.processes ?? 4), sessions: Math.max(1, given.sessions_per_process ?? 256) },
    workspace: resolve(settings.home, given.workspace ?? "workspace"),
    isolated: given.workspace_per_session ?? false
  }
  return Layer.unwrap(
    Effect.gen(function* () {
      const { ownUrl } = yield* Listener
      return Acp.layer({ ...options, mcpServers: AgentTools.serversOf(ownUrl, yield* SessionTokens) })
    })
  )
})

const main = Effect.gen(function* () {
  const settings = yield* Settings
  const kind = yield* agentKind
  switch (kind) {
    case "echo":
      return { name: kind, layer: Echo.layer }
    case "proxy": {
      const where = { url: "GATEWAY_PROXY_URL", key: "GATEWAY_PROXY_KEY", model: "", fallbacks: "" }
      const url = (yield* settings.get(ProxyUrl))?.replace(/\/+$/, "") ?? null
      const layer = yield* openAi(where, {
        // The path of the completions is part of the contract, whatever stands before it.
        url: url === null || url.endsWith("/v1") ? url : `${url}/v1`,
        key: yield* settings.get(Given.ProxyKey),
        model: proxyModel,
        fallbacks: [],
        isProxy: true
      })
      return { name: kind, layer }
    }
    case "openai": {
      const where = {
        url: "OPENAI_BASE_URL",
        key: "OPENAI_API_KEY",
        model: "OPENAI_MODEL",
        fallbacks: "agent.openai.fallbacks"
      }
      const layer = yield* openAi(where, {
        url: yield* settings.get(OpenAiBaseUrl),
        key: yield* settings.get(Given.OpenAiApiKey),
        model: yield* settings.get(Given.OpenAiModel),
        fallbacks: yield* settings.get(Given.OpenAiFallbacks)
      })
      return { name: kind, layer }
    }
    case "acp": {
      const command = yield* settings.get(AcpCommand)
      if (command === null) {
        return yield* problem(
          "SWITCHBOARD_ACP_COMMAND",
          notSet,
          "the command of an agent",
          'set it, for example to "gemini --experimental-acp"'
        )
      }
      const workspace = yield* settings.get(Given.AcpWorkspace)
      const authMethod = yield* settings.get(Given.AcpAuthMethod)
      const layer = yield* acp("SWITCHBOARD_ACP_COMMAND", "acp", {
        command,
        environment: yield* settings.get(Given.AcpEnvironment),
        pass_environment: yield* settings.get(Given.AcpPassEnvironment),
        ...(workspace === null ? {} : { workspace }),
        workspace_per_session: yield* settings.get(Given.AcpWorkspacePerSession),
        processes: yield* settings.get(Given.AcpProcesses),
        sessions_per_process: yield* settings.get(Given.AcpSessionsPerProcess),
        ...(authMethod === null ? {} : { auth_method: authMethod })
      })
      return { name: kind, layer }
    }
  }
})

const named = Effect.fnUntraced(function* (name: string, definition: Given.Definition) {
  const where = `agents.${name}`
  switch (definition.kind) {
    case "echo":
      return { name, layer: Echo.layer }
    case "openai": {
      const keys = {
        url: `${where}.base_url`,
        key: `${where}.api_key`,
        model: `${where}.model`,
        fallbacks: `${where}.fallbacks`
      }
      const layer = yield* openAi(keys, {
        url: definition.base_url ?? null,
        key: secretOf(definition.api_key),
        model: definition.model,
        fallbacks: definition.fallbacks ?? [],
        contextLength: definition.context_length,
        maxTokens: definition.max_tokens
      })
      return { name, layer }
    }
    case "acp":
      return { name, layer: yield* acp(`${where}.command`, name, definition) }
  }
})

/** What answers, with the agents of the file behind the routes that name them. */
export const chosenAgent: Effect.Effect<ChosenAgent, ConfigError, Settings> = Effect.gen(function* () {
  const settings = yield* Settings
  const first: ChosenAgent = yield* main
  const rules = yield* settings.get(Given.AgentRoutes)
  const definitions = Object.entries(yield* settings.get(Given.Agents))
  const others: Array<ChosenAgent> = []
  for (const [name, definition] of definitions) {
    if (name === first.name) {
      return yield* problem(`agents.${name}`, "the name of the agent that answers", "another name", "rename it")
    }
    others.push(yield* named(name, definition))
  }
  const names = [first, ...others].map(({ name }) => name)
  for (const { agent } of rules) {
    if (!names.includes(agent)) {
      return yield* problem(
        "agent.routes",
        `"${agent}"`,
        names.join(" or "),
        `name it under agents, or correct the route`
      )
    }
  }
  return rules.length === 0 ? first : { name: first.name, layer: Router.layer([first, ...others], rules) }
})
