/**
 * One page on one WebSocket: catches it up from the last revision it has seen, then tells it every change, and hands what
 * its person does to the connector. It holds live changes back until the page is caught up, so that `seen` has no gaps.
 */
import { type Cause, Clock, Deferred, Effect, Queue } from "effect"
import type { SqlError } from "effect/sql"
import { Socket } from "effect/socket"
import { ChatStore } from "./ChatStore.ts"
import { LocalConnector } from "./LocalConnector.ts"
import { decodePageMessage, encodeServerMessage } from "./PageProtocol.ts"
import * as RateLimit from "./RateLimit.ts"
import type { PageMessage, ServerMessage, WireRefusal } from "./web/Wire.ts"

/** Messages of each chat that a fresh page gets; older ones on request. */
const freshMessages = 100
/** Rows in one message of the catch-up, and in one answer about older ones. */
const pageSize = 100
const rate: RateLimit.Rate = { perSecond: 20, burst: 20 }
const helloTimeout = "10 seconds"

const tooManyPages = new Socket.CloseEvent(1013, "too many pages")
const tooSlow = new Socket.CloseEvent(1013, "reads too slowly")
const noHello = new Socket.CloseEvent(1008, "no hello")

export const serve = (
  socket: Socket.Socket
): Effect.Effect<void, Socket.SocketError | SqlError.SqlError, LocalConnector | ChatStore> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { pull } = yield* socket.reader
      const writer = yield* socket.writer
      const connector = yield* LocalConnector
      const connection = yield* connector.page
      const store = yield* ChatStore
      const hello = yield* Deferred.make<number>()
      let bucket = RateLimit.full(rate, yield* Clock.currentTimeMillis)

      const say = (message: ServerMessage) => writer.write(encodeServerMessage(message))
      const refuse = (id: string | null, reason: WireRefusal, retryAfter: number | null = null) =>
        say({ type: "refused", id, reason, retryAfter })

      const onMessage = Effect.fnUntraced(function* (message: PageMessage) {
        switch (message.type) {
          case "hello":
            yield* Deferred.succeed(hello, message.seen)
            return
          case "send": {
            const { type: _, ...said } = message
            const reply = yield* connector.submit({ _tag: "Said", said })
            if (reply._tag === "Refused") yield* refuse(said.id, reply.reason, reply.reason === "storage" ? 2000 : null)
            // The live change may still be held back, or was told long ago: this is the confirmation, and it vouches for nothing else.
            if (reply._tag === "Stored") yield* say({ type: "messages", messages: [reply.message], seen: 0 })
            return
          }
          case "rename": {
            const reply = yield* connector.submit({ _tag: "Renamed", chatId: message.chatId, title: message.title })
            if (reply._tag === "Refused") yield* refuse(null, reply.reason)
            return
          }
          case "history": {
            const messages = yield* store.before(message.chatId, message.before, pageSize)
            yield* say({ type: "history", chatId: message.chatId, messages, more: messages.length === pageSize })
          }
        }
      })

      const receive = Effect.fnUntraced(function* (part: string | Uint8Array) {
        const message = decodePageMessage(typeof part === "string" ? part : Buffer.from(part).toString("utf8"))
        if (message === null) return yield* refuse(null, "bad_request")
        const [next, wait] = RateLimit.take(bucket, rate, yield* Clock.currentTimeMillis)
        bucket = next
        if (wait > 0) return yield* refuse(message.type === "send" ? message.id : null, "rate_limited", wait)
        yield* onMessage(message)
      })
      const read = Effect.flatMap(pull, (parts) => Effect.forEach(parts, receive, { discard: true })).pipe(
        Effect.forever
      )

      const fresh = Effect.fnUntraced(function* (chats: ReadonlyArray<{ readonly chatId: string }>) {
        // Read first: what changes while the messages are read is told afterwards.
        const seen = yield* store.lastRevision
        for (const { chatId } of chats) {
          const messages = yield* store.before(chatId, Number.MAX_SAFE_INTEGER, freshMessages)
          yield* say({ type: "history", chatId, messages, more: messages.length === freshMessages })
        }
        yield* say({ type: "messages", messages: [], seen })
      })

      const since = Effect.fnUntraced(function* (seen: number) {
        let from = seen
        while (true) {
          const messages = yield* store.changedSince(from, pageSize)
          from = messages.at(-1)?.revision ?? from
          if (messages.length > 0) yield* say({ type: "messages", messages, seen: from })
          if (messages.length < pageSize) return
        }
      })

      const live = Queue.takeBetween(connection.messages, 1, 64).pipe(
        Effect.flatMap(([first, ...rest]) =>
          writer.writeAll([encodeServerMessage(first!), ...rest.map(encodeServerMessage)])
        ),
        Effect.forever,
        Effect.catchTag("Done", (_: Cause.Done) => writer.write(tooSlow))
      )

      const write = Effect.gen(function* () {
        const seen = yield* Effect.timeoutOption(Deferred.await(hello), helloTimeout)
        if (seen._tag === "None") return yield* writer.write(noHello)
        yield* say({ type: "welcome", gateway: connector.isGatewayConnected() })
        const chats = yield* store.chats
        yield* say({ type: "chats", chats })
        yield* seen.value === 0 || seen.value > (yield* store.lastRevision) ? fresh(chats) : since(seen.value)
        yield* live
      })
      yield* Effect.raceFirst(read, write)
    }).pipe(
      Effect.catchTag("TooManyPages", () => Effect.flatMap(socket.writer, (writer) => writer.write(tooManyPages)))
    )
  )
