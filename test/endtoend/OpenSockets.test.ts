/** A stop does not wait for those who merely look on: an open web chat must not hold the process. */
import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { WebSocket } from "ws"
import * as GatewayProcess from "../support/GatewayProcess.ts"

describe("SIGTERM while a web chat is open", () => {
  it.live(
    "ends the process with code 0, and the page's socket with it",
    () =>
      Effect.gen(function* () {
        const home = yield* GatewayProcess.makeHome
        const gateway = yield* GatewayProcess.start({ home })
        yield* gateway.awaitReady()
        const url = yield* gateway.httpUrl
        const socket = yield* Effect.acquireRelease(
          Effect.sync(() => new WebSocket(`${url.replace("http", "ws")}/chat/socket`, { origin: url })),
          (socket) => Effect.sync(() => socket.terminate())
        )
        yield* Effect.promise(() => once(socket, "open"))
        const said = once(socket, "message")
        socket.send(JSON.stringify({ type: "hello", seen: 0 }))
        yield* Effect.promise(() => said)
        const closed = once(socket, "close")
        const exit = yield* gateway.kill("SIGTERM", 20)
        assert.strictEqual(exit.code, 0, gateway.stderr())
        yield* Effect.promise(() => closed)
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})
