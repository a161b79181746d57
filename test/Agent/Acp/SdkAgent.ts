/**
 * An agent in a process of its own, written with the official SDK: it does what the last text of its prompt says, and writes
 * down what it saw where `ACP_LOG` names a file, so that a test can look at it from the agent's side.
 */
import { appendFileSync } from "node:fs"
import { Readable, Writable } from "node:stream"
import {
  agent,
  type AgentContext,
  type McpServer,
  methods,
  ndJsonStream,
  type PromptRequest,
  type SessionConfigOption,
  type StopReason
} from "@agentclientprotocol/sdk"

import { Client as McpClient } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"

const features = new Set((process.env["ACP_FEATURES"] ?? "").split(","))
const log = (what: string, more: object = {}) => {
  const file = process.env["ACP_LOG"]
  if (file !== undefined)
    appendFileSync(file, `${JSON.stringify({ what, at: Date.now(), pid: process.pid, ...more })}\n`)
}

interface Session {
  prompts: number
  cancel: (() => void) | null
  isCancelled: boolean
  model: string
  thought: string
  mode: string
  mcp: McpServer | undefined
}

const sessions = new Map<string, Session>()
let begun = 0
const fresh = (): Session => ({
  prompts: 0,
  cancel: null,
  isCancelled: false,
  model: "small",
  thought: "low",
  mode: "code",
  mcp: undefined
})

const config = (session: Session): Array<SessionConfigOption> => [
  {
    id: "model",
    name: "Model",
    category: "model",
    type: "select",
    currentValue: session.model,
    options: [
      { value: "small", name: "Small" },
      { value: "large", name: "Large" }
    ]
  },
  {
    id: "thought",
    name: "Thinking",
    category: "thought_level",
    type: "select",
    currentValue: session.thought,
    options: [
      { value: "low", name: "Low" },
      { value: "high", name: "High" }
    ]
  }
]

const modes = (session: Session) => ({
  currentModeId: session.mode,
  availableModes: [
    { id: "code", name: "Code" },
    { id: "plan", name: "Plan" }
  ]
})

const commands = (client: AgentContext, sessionId: string) =>
  client.notify(methods.client.session.update, {
    sessionId,
    update: {
      sessionUpdate: "available_commands_update",
      availableCommands: [{ name: "review", description: "Reviews the change", input: { hint: "what" } }]
    }
  })

const run = async (client: AgentContext, request: PromptRequest, session: Session): Promise<StopReason> => {
  const { prompt, sessionId } = request
  const texts = prompt.flatMap((block) => (block.type === "text" ? [block.text] : []))
  const said = texts.at(-1) ?? ""
  const [word = "", ...rest] = said.split(" ")
  const argument = rest.join(" ")
  const update = (update: Parameters<typeof notify>[0]) => notify(update)
  const notify = (
    update: Extract<Parameters<AgentContext["notify"]>[1], { readonly update: unknown }> extends { update: infer U }
      ? U
      : never
  ) => client.notify(methods.client.session.update, { sessionId, update })
  const say = (text: string) => update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text } })
  switch (word) {
    case "session":
      await say(`${sessionId} ${process.pid} ${session.prompts} ${session.model} ${session.thought} ${session.mode}`)
      return "end_turn"
    case "blocks":
      await say(JSON.stringify(prompt))
      return "end_turn"
    case "environment":
      await say(JSON.stringify(process.env))
      return "end_turn"
    case "tool":
      await update({ sessionUpdate: "agent_thought_chunk", content: { type: "text", text: "hm" } })
      await update({
        sessionUpdate: "plan",
        entries: [{ content: "edit", priority: "high", status: "in_progress" }]
      })
      await say("Let me see.")
      await update({
        sessionUpdate: "tool_call",
        toolCallId: "1",
        title: "Edit a.txt",
        kind: "edit",
        status: "pending"
      })
      await update({
        sessionUpdate: "tool_call_update",
        toolCallId: "1",
        status: "completed",
        content: [{ type: "diff", path: "/w/a.txt", oldText: "one\ntwo\n", newText: "one\n2\n3\n" }]
      })
      await update({ sessionUpdate: "usage_update", used: 100, size: 1000, cost: { amount: 0.5, currency: "USD" } })
      await say("Done.")
      return "end_turn"
    case "ask": {
      const { outcome } = await client.request(methods.client.session.requestPermission, {
        sessionId,
        toolCall: { toolCallId: "p", title: `Run ${argument}`, kind: "execute", rawInput: { command: argument } },
        options: [
          { optionId: "a", name: "Allow", kind: "allow_once" },
          ...(features.has("once-only") ? [] : [{ optionId: "b", name: "Always", kind: "allow_always" as const }]),
          { optionId: "c", name: "No", kind: "reject_once" }
        ]
      })
      log("outcome", outcome)
      await say(outcome.outcome === "selected" ? outcome.optionId : outcome.outcome)
      return outcome.outcome === "cancelled" ? "cancelled" : "end_turn"
    }
    case "read":
      await say((await client.request(methods.client.fs.readTextFile, { sessionId, path: argument })).content)
      return "end_turn"
    case "write":
      await client.request(methods.client.fs.writeTextFile, { sessionId, path: rest[0] ?? "", content: rest[1] ?? "" })
      await say("written")
      return "end_turn"
    case "run": {
      await using terminal = await client.createTerminal({ sessionId, command: argument })
      const { exitCode } = await terminal.waitForExit()
      await say(`${exitCode} ${(await terminal.currentOutput()).output}`)
      return "end_turn"
    }
    case "wait":
      await say("waiting")
      await new Promise<void>((resolve) => {
        session.cancel = resolve
        if (session.isCancelled) resolve()
      })
      return "cancelled"
    case "stubborn":
      await say("never")
      await new Promise(() => {})
      return "end_turn"
    case "crash":
      await say("about to")
      process.kill(process.pid, "SIGKILL")
      await new Promise(() => {})
      return "end_turn"
    case "flood":
      for (let i = 0; i < Number(argument); i++) {
        void say("x")
        void update({ sessionUpdate: "tool_call", toolCallId: `t${i}`, title: `call ${i}` })
        if (i % 1000 === 0) await say("x")
      }
      await say("x")
      return "end_turn"
    case "refuse":
      return "refusal"
    case "call":
      await say(await useTool(session.mcp, rest[0] ?? "", rest.slice(1).join(" ") || "{}"))
      return "end_turn"
    default:
      for (const piece of said.match(/.{1,4}/gs) ?? []) await say(piece)
      return "end_turn"
  }
}

/** One call over the server that the client offered, by the official client; says how it was reached. */
const useTool = async (server: McpServer | undefined, name: string, args: string): Promise<string> => {
  if (server === undefined) return "no tools"
  const client = new McpClient({ name: "scripted", version: "1.0.0" })
  const isHttp = "type" in server && server.type === "http"
  if (isHttp) {
    const headers = Object.fromEntries(server.headers.map(({ name, value }) => [name, value]))
    const transport = new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers } })
    await client.connect(transport)
  } else if ("command" in server) {
    const env = Object.fromEntries(server.env.map(({ name, value }) => [name, value]))
    await client.connect(new StdioClientTransport({ command: server.command, args: [...server.args], env }))
  }
  const result = await client.callTool({ name, arguments: JSON.parse(args) })
  await client.close()
  return `${isHttp ? "http" : "pipes"} ${JSON.stringify(result)}`
}

const find = (id: string): Session => {
  const session = sessions.get(id)
  if (session === undefined) throw new Error(`no session ${id}`)
  return session
}

agent({ name: "scripted" })
  .onRequest(methods.agent.initialize, ({ params }) => {
    log("initialize", { client: params.clientInfo?.name })
    return {
      protocolVersion: 1,
      agentCapabilities: {
        loadSession: features.has("load"),
        promptCapabilities: { image: true },
        mcpCapabilities: { http: features.has("mcp-http") },
        sessionCapabilities: features.has("close") ? { close: {} } : {}
      }
    }
  })
  .onRequest(methods.agent.session.new, async ({ client, params }) => {
    const sessionId = `acp-${process.pid}-${++begun}`
    const session = fresh()
    sessions.set(sessionId, session)
    session.mcp = params.mcpServers[0]
    log("new", { sessionId, cwd: params.cwd, mcp: params.mcpServers.length })
    void commands(client, sessionId)
    return { sessionId, configOptions: config(session), modes: modes(session) }
  })
  .onRequest(methods.agent.session.load, async ({ client, params }) => {
    log("load", { sessionId: params.sessionId })
    const session = fresh()
    sessions.set(params.sessionId, session)
    await client.notify(methods.client.session.update, {
      sessionId: params.sessionId,
      update: { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "an old answer" } }
    })
    return { configOptions: config(session), modes: modes(session) }
  })
  .onRequest(methods.agent.session.close, ({ params }) => {
    log("close", { sessionId: params.sessionId })
    sessions.delete(params.sessionId)
    return {}
  })
  .onRequest(methods.agent.session.setMode, ({ params }) => {
    find(params.sessionId).mode = params.modeId
    return {}
  })
  .onRequest(methods.agent.session.setConfigOption, ({ params }) => {
    const session = find(params.sessionId)
    if (params.configId === "model") session.model = String(params.value)
    else session.thought = String(params.value)
    return { configOptions: config(session) }
  })
  .onRequest(methods.agent.session.prompt, async ({ client, params }) => {
    const session = find(params.sessionId)
    session.prompts++
    session.isCancelled = false
    log("prompt", { sessionId: params.sessionId })
    return { stopReason: await run(client, params, session) }
  })
  .onNotification(methods.agent.session.cancel, ({ params }) => {
    log("cancel", { sessionId: params.sessionId })
    const session = sessions.get(params.sessionId)
    if (session === undefined) return
    session.isCancelled = true
    session.cancel?.()
  })
  .connect(ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>))
