/**
 * The web chat on a real HTTP listener and a real SQLite file, without a gateway: what the gateway's composition does,
 * reduced to this room. It can be stopped and started again on the same port and file.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { Socket } from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"
import { NodeHttpServer, NodeServices } from "@effect/platform-node"
import { Effect, Exit, Layer, Redacted, Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { ChatStore } from "../../src/Connector/ChatStore.ts"
import { LocalConnector } from "../../src/Connector/LocalConnector.ts"
import * as WebChat from "../../src/Connector/WebChat.ts"
import { AdminGate } from "../../src/Operations/AdminGate.ts"
import { Database } from "../../src/Storage/Database.ts"

export const secret = "s".repeat(64)

/** A folder that is removed with the scope. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(path.join(tmpdir(), "switchboard-web-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const root = path.resolve(import.meta.dirname, "../..")

/** The page as the build makes it, in a folder of its own. */
export const buildPage = (folder: string): void => {
  const run = (...args: ReadonlyArray<string>) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" })
    if (status !== 0) throw new Error(`${args.join(" ")} failed:\n${stdout}${stderr}`)
  }
  run("node_modules/typescript/bin/tsc", "-p", "src/Connector/web/tsconfig.json", "--outDir", folder)
  run("scripts/web-assets.ts", folder)
}

export interface Options {
  readonly assets: string
  readonly database: string
  readonly port?: number
  readonly host?: string
  readonly adminKey?: string
}

export interface Running {
  readonly port: number
  readonly connector: LocalConnector["Service"]
  readonly store: ChatStore["Service"]
  /** As a crash does it for those outside: every socket is cut, nothing says goodbye. */
  readonly stop: Effect.Effect<void>
}

export const start = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Running, unknown, Scope.Scope> {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const server = createServer()
  const host = options.host ?? "127.0.0.1"
  const gate = AdminGate.layer({
    key: options.adminKey === undefined ? null : Redacted.make(options.adminKey),
    host
  })
  const services = Layer.mergeAll(
    LocalConnector.layer({ secret: Redacted.make(secret) }).pipe(
      Layer.provide(Database.layer({ storage: "sqlite", filename: options.database }))
    ),
    gate,
    NodeServices.layer
  )
  const app = HttpRouter.serve(Layer.merge(WebChat.layer({ folder: options.assets }), AdminGate.routes), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provideMerge(
      NodeHttpServer.layer(() => server, { port: options.port ?? 0, host, gracefulShutdownTimeout: "100 millis" })
    ),
    Layer.provideMerge(services)
  )
  const context = yield* Layer.buildWithScope(app, scope)
  const address = yield* Effect.provideContext(HttpServer.HttpServer, context)
  const port = address.address._tag === "UnixPathAddress" ? 0 : address.address.port
  const sockets = new Set<Socket>()
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  return {
    port,
    connector: yield* Effect.provideContext(LocalConnector, context),
    store: yield* Effect.provideContext(ChatStore, context),
    stop: Effect.suspend(() => {
      for (const socket of sockets) socket.destroy()
      return Scope.close(scope, Exit.void)
    })
  }
})
