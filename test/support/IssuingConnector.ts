/**
 * A strict connector that issues secrets: `/relay/provision`, `/relay/enroll`, `/relay/policy` and an identity provider's
 * `/token`, and the upgrade at `/relay` with nothing but a valid bearer. What the contract does not allow is in
 * `violations` (of its own, and of the `StrictConnector` behind it).
 */
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http"
import { createServer as createHttps } from "node:https"
import type { AddressInfo, Socket } from "node:net"
import { Effect, type Scope } from "effect"
import { WebSocketServer } from "ws"
import type { Authority } from "./Authority.ts"
import * as RelayBearer from "./RelayBearer.ts"
import { type ConnectorOptions, StrictConnector } from "./StrictConnector.ts"

export interface Asked {
  readonly path: string
  readonly bearer: string | null
  readonly body: Record<string, unknown>
}

interface Reply {
  readonly status: number
  readonly body: unknown
}

export class IssuingConnector {
  readonly strict: StrictConnector
  readonly violations: Array<string> = []
  readonly asked: Array<Asked> = []
  /** Secrets that an upgrade may be signed with, by gateway id. */
  readonly secrets = new Map<string, string>()
  /** Upgrades that were refused, and with what. */
  readonly refusals: Array<string> = []
  readonly admitted: Array<string> = []
  url = ""
  /** What a POST is answered with; the default is the contract's own answer. */
  answer: (asked: Asked) => Reply | null = (asked) => this.usual(asked)
  private issues = 0

  constructor(options: ConnectorOptions) {
    this.strict = new StrictConnector(options)
  }

  pathsAsked(): ReadonlyArray<string> {
    return this.asked.map(({ path }) => path)
  }

  allViolations(): ReadonlyArray<string> {
    return [...this.violations, ...this.strict.violations]
  }

  usual({ body, path }: Asked): Reply {
    if (path === "/token") return { status: 200, body: { access_token: "token-of-idp", token_type: "Bearer" } }
    if (path === "/relay/policy") return { status: 204, body: null }
    const id = String(body.gatewayId)
    // A connector gives a gateway that asks again the secret it has.
    const secret = this.secrets.get(id) ?? `issued-secret-number-${++this.issues}`
    this.secrets.set(id, secret)
    return {
      status: 200,
      body: { secret, deliveryKey: "delivery-key-of-this-test", tenant: "t", gatewayId: id, routeKeys: [] }
    }
  }

  admit(request: IncomingMessage): string | null {
    const bearer = RelayBearer.verify(request.headers.authorization, [...this.secrets.values()], Date.now() / 1000)
    if ("refused" in bearer || !this.secrets.has(bearer.payload)) {
      this.refusals.push("refused" in bearer ? bearer.refused : bearer.payload)
      return "401 Unauthorized"
    }
    this.admitted.push(bearer.payload)
    return null
  }

  handle(request: IncomingMessage, text: string): Reply {
    const path = request.url ?? ""
    const form = request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true
    const isToken = path === "/token"
    if (request.method !== "POST") this.violations.push(`${request.method} ${path}`)
    if (isToken !== form) this.violations.push(`${path} with ${request.headers["content-type"]}`)
    let body: Record<string, unknown> = {}
    try {
      body = form ? Object.fromEntries(new URLSearchParams(text)) : (JSON.parse(text) as Record<string, unknown>)
    } catch {
      this.violations.push(`${path} with a body that is no JSON`)
    }
    const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1] ?? null
    const asked = { path, bearer, body }
    this.asked.push(asked)
    this.checkBody(asked)
    if (path === "/relay/policy") {
      const verified = RelayBearer.verify(request.headers.authorization, [...this.secrets.values()], Date.now() / 1000)
      if ("refused" in verified) this.violations.push(`policy: ${verified.refused} (V3)`)
    }
    return this.answer(asked) ?? { status: 404, body: null }
  }

  /** Exactly the fields of the contract, with their types (V1, V2, V3). */
  private checkBody({ body, path }: Asked): void {
    const shapes: Record<string, Record<string, string>> = {
      "/relay/provision": {
        gatewayId: "string",
        platform: "string",
        botId: "string",
        gatewayEndpoint: "string",
        routeKeys: "array",
        instanceId: "string?",
        wakeUrl: "string?"
      },
      "/relay/enroll": { enrollmentToken: "string", gatewayId: "string" },
      "/relay/policy": {
        platform: "string",
        requireAddress: "boolean",
        freeResponseScopes: "array",
        allowOtherBots: "boolean"
      }
    }
    const shape = shapes[path]
    if (shape === undefined) return
    for (const key of Object.keys(body)) if (!(key in shape)) this.violations.push(`${path}: unknown field ${key}`)
    for (const [key, type] of Object.entries(shape)) {
      const value = body[key]
      const found = Array.isArray(value) ? "array" : typeof value
      const isFine = found === type.replace("?", "") || (type.endsWith("?") && value === undefined)
      if (!isFine) this.violations.push(`${path}: ${key} is ${found}, not ${type}`)
    }
  }
}

const serve = (connector: IssuingConnector, authority: Authority | null) =>
  Effect.callback<{ readonly port: number; readonly stop: () => Promise<void> }>((resume) => {
    const sockets = new Set<Socket>()
    const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false })
    const onRequest = (request: IncomingMessage, response: ServerResponse) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const { body, status } = connector.handle(request, Buffer.concat(chunks).toString("utf8"))
        response.writeHead(status, { "content-type": "application/json" })
        response.end(body === null ? "" : JSON.stringify(body))
      })
    }
    const server =
      authority === null ? createHttp(onRequest) : createHttps({ key: authority.key, cert: authority.cert }, onRequest)
    server.on("connection", (socket: Socket) => {
      sockets.add(socket)
      socket.on("error", () => socket.destroy())
      socket.on("close", () => sockets.delete(socket))
    })
    server.on("upgrade", (request, socket, head) => {
      const refusal = request.url === "/relay" ? connector.admit(request) : "404 Not Found"
      if (refusal === null) {
        return upgrades.handleUpgrade(request, socket, head, (accepted) => connector.strict.accept(accepted))
      }
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    })
    const stop = () =>
      new Promise<void>((done) => {
        connector.strict.close()
        for (const socket of sockets) socket.destroy()
        server.close(() => done())
      })
    server.listen(0, "127.0.0.1", () => {
      resume(Effect.succeed({ port: (server.address() as AddressInfo).port, stop }))
    })
  })

/** On a free port of the loopback, over TLS when an authority is given; it ends with the scope. */
export const issuingConnector = (
  authority: Authority | null = null,
  options: ConnectorOptions = {}
): Effect.Effect<IssuingConnector, never, Scope.Scope> =>
  Effect.suspend(() => {
    const connector = new IssuingConnector(options)
    return Effect.map(
      Effect.acquireRelease(serve(connector, authority), ({ stop }) => Effect.promise(stop)),
      ({ port }) => {
        connector.url = `http${authority === null ? "" : "s"}://localhost:${port}`
        return connector
      }
    )
  })
