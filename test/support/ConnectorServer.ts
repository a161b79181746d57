/** The listening half of a test connector: `/relay` upgrades that the connector admits, and nothing else. */
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { Effect, type Scope } from "effect"
import { type WebSocket, WebSocketServer } from "ws"

export interface Host {
  readonly admit: (request: IncomingMessage) => string | null
  readonly accept: (socket: WebSocket) => void
  readonly close: () => void
}

const listening = (host: Host) =>
  Effect.callback<{ readonly port: number; readonly close: () => Promise<void> }>((resume) => {
    const sockets = new Set<Duplex>()
    const server = createServer((_, response) => response.writeHead(404).end())
    const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 16 * 1024 * 1024 })
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
    })
    server.on("upgrade", (request, socket, head) => {
      const path = new URL(request.url ?? "", "http://connector").pathname
      const refusal = path === "/relay" ? host.admit(request) : "404 Not Found"
      if (refusal === null) return upgrades.handleUpgrade(request, socket, head, (accepted) => host.accept(accepted))
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    })
    const close = () =>
      new Promise<void>((done) => {
        host.close()
        for (const socket of sockets) socket.destroy()
        server.close(() => done())
      })
    server.listen(0, "127.0.0.1", () => {
      resume(Effect.succeed({ port: (server.address() as AddressInfo).port, close }))
    })
  })

/** The port; server and sockets end with the scope. */
export const listen = (host: Host): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(listening(host), ({ close }) => Effect.promise(close)),
    ({ port }) => port
  )
