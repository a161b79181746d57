/**
 * The gateway's own tools for an agent's session (`docs/mcp.md`): over HTTP where the agent takes that, else through a process
 * of this program on its pipes. The token is of that conversation alone.
 */
import type { McpServer } from "@agentclientprotocol/sdk"
import { fileURLToPath } from "node:url"
import { Redacted } from "effect"
import type { SessionTokens } from "../Operations/Mcp/Caller.ts"

const mainFile = fileURLToPath(new URL("../Main.js", import.meta.url))

export const serversOf =
  (ownUrl: string, tokens: SessionTokens["Service"]) =>
  (session: { readonly sessionKey: string; readonly takesHttp: boolean }): ReadonlyArray<McpServer> => {
    const token = Redacted.value(tokens.of(session.sessionKey))
    const url = `${ownUrl}/mcp`
    return [
      session.takesHttp
        ? {
            type: "http",
            name: "switchboard",
            url,
            headers: [{ name: "Authorization", value: `Bearer ${token}` }]
          }
        : {
            name: "switchboard",
            command: process.execPath,
            args: [mainFile, "mcp"],
            env: [
              { name: "SWITCHBOARD_MCP_URL", value: url },
              { name: "SWITCHBOARD_MCP_TOKEN", value: token }
            ]
          }
    ]
  }
