/** A WebSocket server on the loopback that records what a gateway sends and says what it is told to. */
import type { IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"
import { type WebSocket, WebSocketServer } from "ws"
import { descriptorLine, type Frame } from "./FakeConnector.ts"

export interface Server {
  readonly url: string
  readonly requests: Array<IncomingMessage>
  readonly sockets: Array<WebSocket>
  readonly frames: Array<Frame>
  readonly closes: Array<number>
  /** `null` = the upgrade is accepted. */
  status: number | null
  greeting: string | null
  readonly socket: () => WebSocket
  readonly acks: () => ReadonlyArray<string | undefined>
}

export const serve = Effect.acquireRelease(
  Effect.callback<Server & { readonly stop: () => Promise<void> }>((resume) => {
    const wss = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      verifyClient: (_info, done) => (server.status === null ? done(true) : done(false, server.status))
    })
    const server: Server & { stop: () => Promise<void> } = {
      url: "",
      requests: [],
      sockets: [],
      frames: [],
      closes: [],
      status: null,
      greeting: descriptorLine(),
      socket: () => server.sockets.at(-1)!,
      acks: () => server.frames.filter(({ type }) => type === "inbound_ack").map(({ bufferId }) => bufferId),
      stop: () =>
        new Promise((resolve) => {
          for (const socket of wss.clients) socket.terminate()
          wss.close(() => resolve())
        })
    }
    wss.on("connection", (socket, request) => {
      server.requests.push(request)
      server.sockets.push(socket)
      socket.on("message", (data: Buffer) => {
        for (const line of data.toString("utf8").split("\n")) if (line !== "") server.frames.push(JSON.parse(line))
      })
      socket.on("close", (code) => server.closes.push(code))
      socket.on("error", () => {})
      if (server.greeting !== null) socket.send(server.greeting)
    })
    wss.on("listening", () =>
      resume(Effect.succeed(Object.assign(server, { url: `http://127.0.0.1:${(wss.address() as AddressInfo).port}/` })))
    )
  }),
  (server) => Effect.promise(server.stop)
)
