/**
 * One gateway on one WebSocket: bytes become lines for the connector, its lines become WebSocket messages. It decides
 * nothing; when either side ends, so does the socket.
 */
import { Effect, Queue } from "effect"
import { Socket } from "effect/socket"
import * as LineReader from "../Relay/LineReader.ts"
import type { BadLine } from "../Relay/LineReader.ts"
import { LocalConnector } from "./LocalConnector.ts"

/** Lines put into one WebSocket message at most (`relay W1`). */
const linesPerMessage = 64
/** Not one of those that tell a gateway its secret is void (`relay C2`). */
const superseded = new Socket.CloseEvent(4000, "superseded or too slow")

export const serve = (socket: Socket.Socket): Effect.Effect<void, Socket.SocketError, LocalConnector> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { pull } = yield* socket.reader
      const writer = yield* socket.writer
      const connector = yield* LocalConnector
      const connection = yield* connector.gateway
      const reader = LineReader.make()

      const read = Effect.flatMap(pull, (parts) => {
        const lines: Array<string | BadLine> = []
        for (const part of parts) reader.push(part, lines)
        return connection.receive(lines)
      }).pipe(Effect.forever)

      const write = Queue.takeBetween(connection.lines, 1, linesPerMessage).pipe(
        Effect.flatMap((lines) => writer.write(lines.join(""))),
        Effect.forever,
        Effect.catchTag("Done", () => writer.write(superseded))
      )
      yield* Effect.raceFirst(read, write)
    })
  )
