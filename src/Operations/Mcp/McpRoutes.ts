/**
 * The tools over the Model Context Protocol at `/mcp`, streamable HTTP. The protocol is the library's; here are its door, the
 * bound of a body, and the bound of its sessions, of which the one used longest ago is ended first.
 */
import { ByteSize, Effect, Layer, type Redacted } from "effect"
import { McpProtocol, McpServer } from "effect/ai"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { TurnRecords } from "../../Storage/TurnRecords.ts"
import { problem } from "../HttpProblem.ts"
import { version } from "../Version.ts"
import * as McpGate from "./McpGate.ts"
import { type LinkName, Reach } from "./Reach.ts"
import { Toolbox } from "./Toolbox.ts"
import * as Tools from "./Tools.ts"

const maxBytes = 1024 * 1024
const maxSessions = 512
/** Calls at once: each may wait for minutes. */
const maxCalls = 256
const sessionHeader = "mcp-session-id"

const instructions =
  "Messages to people on chat platforms. Errors say in `happened` whether the act surely did not happen (no) or may have " +
  "(unknown): then ask get_delivery, or repeat with the same idempotency_key."

const tooLarge = problem(413, { error: "too_large", message: "the body is larger than 1 MiB; send less" })
const notJson = problem(400, { error: "bad_request", message: "the body is not JSON-RPC; send one JSON object" })
const busy = problem(503, { error: "busy", message: "too many calls at once; try later" }, { "retry-after": "5" })

const protocol = (links: ReadonlyArray<LinkName>) =>
  McpServer.layerHttp({
    name: "switchboard",
    version,
    instructions,
    path: "/mcp",
    protocols: [McpProtocol.v2025_11_25, McpProtocol.v2025_06_18, McpProtocol.v2025_03_26],
    allowSessionTermination: true,
    registrations: McpServer.toolkit(Toolbox).pipe(
      Layer.provide(Tools.layer),
      Layer.provide(Layer.mergeAll(Reach.layer(links), TurnRecords.layer))
    )
  })

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

export const layer = (options: {
  readonly token: Redacted.Redacted | null
  readonly hasAdminKey: boolean
  readonly links: ReadonlyArray<LinkName>
}) =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const refusal = yield* McpGate.make(options)
      // A router of its own, behind the door: layers built here would else be given the one that the door is on.
      const app = yield* Effect.provideServiceEffect(
        HttpRouter.toHttpEffect(protocol(options.links)),
        Layer.CurrentMemoMap,
        Layer.makeMemoMap
      )
      const sessions = new Set<string>()
      let calls = 0

      /** The library keeps a session until it is told to end it. */
      const end = (id: string) =>
        Effect.suspend(() => {
          sessions.delete(id)
          const headers = { [sessionHeader]: id }
          const request = HttpServerRequest.fromWeb(new Request("http://localhost/mcp", { method: "DELETE", headers }))
          return Effect.asVoid(Effect.provideService(app, HttpServerRequest.HttpServerRequest, request))
        }).pipe(
          Effect.scoped,
          Effect.catchCause((cause) => Effect.logWarning("a session of the tools could not be ended", cause))
        )

      const used = (id: string | undefined, response: HttpServerResponse.HttpServerResponse) => {
        const known = id ?? response.headers[sessionHeader]
        if (known === undefined || (id !== undefined && !sessions.has(id))) return Effect.void
        sessions.delete(known)
        sessions.add(known)
        const [oldest] = sessions
        return sessions.size > maxSessions && oldest !== undefined ? end(oldest) : Effect.void
      }

      const pass = Effect.fnUntraced(
        function* (request: HttpServerRequest.HttpServerRequest) {
          const refused = yield* refusal(request)
          if (refused !== null) return refused
          if (Number(request.headers["content-length"] ?? 0) > maxBytes) return tooLarge
          if (request.method === "POST") {
            const text = yield* Effect.orElseSucceed(request.text, () => null)
            if (text === null) return tooLarge
            if (!isJson(text)) return notJson
          }
          const id = request.headers[sessionHeader]
          if (request.method === "DELETE" && id !== undefined) sessions.delete(id)
          const response = yield* app
          yield* used(id, response)
          return response
        },
        (effect) =>
          Effect.suspend(() => {
            if (calls >= maxCalls) return Effect.succeed(busy)
            calls++
            return Effect.ensuring(
              effect,
              Effect.sync(() => calls--)
            )
          }),
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBytes))
      )
      yield* router.add("*", "/mcp", pass)
    })
  )
