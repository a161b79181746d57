/**
 * The one HTTP listener (`operations S3`): bound before storage is opened, so that a taken port is found early, and
 * answering `starting` until it is told what to serve. It knows no route of the gateway.
 */
import { createServer } from "node:http"
import type { Socket } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type { Duplex } from "node:stream"
import { Cause, Context, Effect, Layer, Scope } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { NetAddress } from "effect/net"
import { version } from "../Operations/Version.ts"
import { CommandFailed, exitCode } from "./Exit.ts"

export type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

/** Requests under way get this long to end when the listener closes; then their connections are cut. */
const gracefulShutdown = "1 second"

const starting: App = Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) =>
  url === "/health"
    ? HttpServerResponse.jsonUnsafe({ status: "ok", platform: "switchboard", version })
    : HttpServerResponse.jsonUnsafe({ status: "not ready", reasons: ["starting"] }, { status: 503 })
)

/** Loopback, as this machine reaches the listener itself. */
const reachable = (host: string): string => (host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host)

const refused = (host: string, port: number, cause: unknown): CommandFailed => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown"
  const at = `${NetAddress.formatUrlHostString(host)}:${port}`
  switch (code) {
    case "EADDRINUSE":
      return new CommandFailed({
        code: exitCode.temporary,
        message:
          `cannot listen on ${at}: the port is taken; ` +
          "stop what uses it, or set SWITCHBOARD_HTTP_PORT (0 = any free one)"
      })
    case "EACCES":
      return new CommandFailed({
        code: exitCode.configuration,
        message: `cannot listen on ${at}: this user may not; set SWITCHBOARD_HTTP_PORT to 1024 or more`
      })
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new CommandFailed({
        code: exitCode.configuration,
        message: `cannot listen on ${at}: it is no address of this machine; set SWITCHBOARD_HTTP_HOST to one`
      })
    default:
      return new CommandFailed({
        code: exitCode.defect,
        message: `cannot listen on ${at}: ${cause instanceof Error ? cause.message : String(cause)}`
      })
  }
}

export class Listener extends Context.Service<
  Listener,
  {
    readonly host: string
    readonly port: number
    /** As it is bound, without a slash at the end. */
    readonly url: string
    /** As this process reaches it. */
    readonly ownUrl: string
    /** From now on `app` answers. */
    readonly answer: (app: App) => void
  }
>()("Cli/Listener") {
  /** `port` 0 = any free one. */
  static readonly layer = (options: {
    readonly host: string
    readonly port: number
  }): Layer.Layer<Listener, CommandFailed> => Layer.effect(Listener, make(options))
}

const make = Effect.fnUntraced(function* ({ host, port }: { readonly host: string; readonly port: number }) {
  const sockets = new Set<Socket>()
  const upgraded = new Set<Duplex>()
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const nodeServer = createServer()
  nodeServer.on("connection", (socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  nodeServer.on("upgrade", (_request, socket) => {
    upgraded.add(socket)
    socket.once("close", () => upgraded.delete(socket))
  })
  // The server waits for every WebSocket before anything else of its scope ends, and pages do not end theirs: so it has a
  // scope of its own, and its sockets are cut from outside.
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => {
    const cut = (all: Iterable<Duplex>) =>
      Effect.sync(() => {
        for (const socket of all) socket.destroy()
      })
    const rest = Effect.andThen(Effect.sleep(gracefulShutdown), cut(sockets))
    return Effect.andThen(
      cut(upgraded),
      Effect.all([Scope.close(scope, exit), rest], { concurrency: "unbounded", discard: true })
    )
  })
  const server = yield* NodeHttpServer.make(() => nodeServer, {
    host,
    port,
    gracefulShutdownTimeout: gracefulShutdown
  }).pipe(
    Scope.provide(scope),
    Effect.mapError(({ cause }) => refused(host, port, cause))
  )
  nodeServer.on("error", (error) => void run(Effect.logError("the HTTP listener has a problem", error)))

  let current = starting
  yield* server
    .serve(
      Effect.suspend(() => current).pipe(
        Effect.tapCause((cause) => (Cause.hasDies(cause) ? Effect.logError("a request died", cause) : Effect.void))
      )
    )
    .pipe(Scope.provide(scope))
  const address = server.address
  const bound = address._tag === "UnixPathAddress" ? 0 : address.port
  const urlOf = (name: string) => `http://${NetAddress.formatUrlHostString(name)}:${bound}`
  return {
    host,
    port: bound,
    url: urlOf(host),
    ownUrl: urlOf(reachable(host)),
    answer: (app: App) => {
      current = app
    }
  }
})
