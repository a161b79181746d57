/** A real forward proxy that knows CONNECT and nothing else, as companies have them; it records what it was asked for. */
import { createServer } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import { Effect, type Scope } from "effect"

export interface ConnectProxy {
  readonly url: string
  /** `HOST:PORT` of every CONNECT, in order. */
  readonly targets: Array<string>
  /** What came as `Proxy-Authorization`. */
  readonly authorizations: Array<string | undefined>
  /** Refuses with this status; `null` connects. */
  status: number | null
}

const listening = Effect.callback<ConnectProxy & { readonly stop: () => Promise<void> }>((resume) => {
  const sockets = new Set<Socket>()
  const server = createServer((_, response) => response.writeHead(501).end())
  const proxy = {
    url: "",
    targets: [] as Array<string>,
    authorizations: [] as Array<string | undefined>,
    status: null as number | null,
    stop: () =>
      new Promise<void>((done) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => done())
      })
  }
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("error", () => socket.destroy())
    socket.on("close", () => sockets.delete(socket))
  })
  server.on("connect", (request, client, head) => {
    proxy.targets.push(request.url ?? "")
    proxy.authorizations.push(request.headers["proxy-authorization"])
    client.on("error", () => client.destroy())
    if (proxy.status !== null) {
      client.end(`HTTP/1.1 ${proxy.status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
      return
    }
    const { hostname, port } = new URL(`http://${request.url}`)
    const upstream = connect(Number(port), hostname, () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n")
      upstream.write(head)
      upstream.pipe(client)
      client.pipe(upstream)
    })
    upstream.on("error", () => client.destroy())
    upstream.on("close", () => client.destroy())
    client.on("close", () => upstream.destroy())
  })
  server.listen(0, "127.0.0.1", () => {
    proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    resume(Effect.succeed(proxy))
  })
})

/** Ends with the scope, and every tunnel with it. */
export const connectProxy: Effect.Effect<ConnectProxy, never, Scope.Scope> = Effect.acquireRelease(
  listening,
  ({ stop }) => Effect.promise(stop)
)
