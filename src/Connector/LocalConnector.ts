/**
 * The connector as a running service: one fiber feeds the core with whatever has gathered, sends its lines to the gateway
 * that is connected last, and tells the pages what changed. It knows queues, not sockets.
 */
import { Clock, Context, Effect, Layer, Queue, Redacted, Schema } from "effect"
import type { Cause, Scope } from "effect"
import type { SqlError } from "effect/sql"
import type { BadLine } from "../Relay/LineReader.ts"
import * as UpgradeToken from "../Relay/UpgradeToken.ts"
import type { Database } from "../Storage/Database.ts"
import { ChatStore } from "./ChatStore.ts"
import * as ConnectorCore from "./ConnectorCore.ts"
import type { Handled, Input, Reply, Update } from "./Exchange.ts"
import type { ServerMessage } from "./web/Wire.ts"

export class TooManyPages extends Schema.TaggedError<TooManyPages>()("TooManyPages", { limit: Schema.Int }) {}

/** Page sockets at once; one more is refused. */
export const maxPages = 64
/** Inputs that may wait for the core; beyond it the sockets are not read. */
const maxWaiting = 1024
/** Inputs of one transaction. */
const maxBatch = 256
/** Lines a gateway may leave unread before its connection is given up: it dials again and gets what is its due. */
const maxUnreadLines = 8192
/** Messages a page may leave unread before its connection is given up: it comes back and catches up. */
const maxUnreadMessages = 2048
const tickInterval = "5 seconds"
/** How long a page shows the dots after a `typing`; the gateway repeats it every 2 s (`delivery A6`). */
const typingShown = 6000

/** Ends, once drained, when a newer gateway has taken over or this one reads too slowly. */
export interface GatewayConnection {
  readonly lines: Queue.Dequeue<string, Cause.Done>
  /** Suspends while the core is behind, so that the socket pushes back. */
  readonly receive: (lines: ReadonlyArray<string | BadLine>) => Effect.Effect<void>
}

/** Ends, once drained, when the page reads too slowly. */
export interface PageConnection {
  readonly messages: Queue.Dequeue<ServerMessage, Cause.Done>
}

interface Entry {
  readonly input: Input
  readonly resume: ((reply: Reply) => void) | null
}

export class LocalConnector extends Context.Service<
  LocalConnector,
  {
    /** Whether an `Authorization` header carries a genuine bearer of the relay (`relay H2`). */
    readonly authorize: (header: string | undefined) => Effect.Effect<boolean>
    /** A gateway's connection for as long as the scope; it takes over from the one before. */
    readonly gateway: Effect.Effect<GatewayConnection, never, Scope.Scope>
    readonly page: Effect.Effect<PageConnection, TooManyPages, Scope.Scope>
    /** What a person did. Succeeds after the commit. */
    readonly submit: (input: Extract<Input, { readonly _tag: "Said" | "Renamed" }>) => Effect.Effect<Reply>
    readonly isGatewayConnected: () => boolean
  }
>()("Connector/LocalConnector") {
  /** `previous`: secrets that are still accepted while they are being replaced. */
  static readonly layer = (options: {
    readonly secret: Redacted.Redacted
    readonly previous?: ReadonlyArray<Redacted.Redacted>
  }): Layer.Layer<LocalConnector | ChatStore, SqlError.SqlError, Database> =>
    Layer.effect(LocalConnector, make([options.secret, ...(options.previous ?? [])])).pipe(
      Layer.provideMerge(ChatStore.layer)
    )
}

const make = Effect.fnUntraced(function* (
  secrets: ReadonlyArray<Redacted.Redacted>
): Effect.fn.Return<LocalConnector["Service"], SqlError.SqlError, ChatStore | Scope.Scope> {
  const core = yield* ConnectorCore.make(yield* ChatStore)
  const inputs = yield* Queue.bounded<Entry>(maxWaiting)
  const pages = new Set<Queue.Queue<ServerMessage, Cause.Done>>()
  let gateway: { readonly link: number; readonly lines: Queue.Queue<string, Cause.Done> } | null = null
  let links = 0

  const tellPages = (message: ServerMessage) => {
    for (const page of pages) {
      if (Queue.offerUnsafe(page, message)) continue
      pages.delete(page)
      Queue.endUnsafe(page)
    }
  }

  const distribute = (handled: Handled) => {
    if (gateway !== null && gateway.link === handled.link) {
      for (const line of handled.lines) {
        if (Queue.offerUnsafe(gateway.lines, line)) continue
        Queue.endUnsafe(gateway.lines)
        gateway = null
        break
      }
    }
    for (const update of handled.updates) tellPages(toServerMessage(update))
  }

  const run = (entries: ReadonlyArray<Entry>) =>
    core.handle(entries.map(({ input }) => input)).pipe(
      Effect.map((handled) => {
        distribute(handled)
        entries.forEach(({ resume }, index) => resume?.(handled.replies[index]!))
      }),
      // A defect is this batch's alone: whoever waits is told, the next batch runs.
      Effect.catchDefect((defect) => {
        for (const { resume } of entries) resume?.({ _tag: "Refused", reason: "storage" })
        return Effect.logError("the connector could not handle a batch", defect)
      })
    )

  yield* Queue.takeBetween(inputs, 1, maxBatch).pipe(
    // Whatever is ready to run now gets to hand over its input too: that is what makes one commit of many.
    Effect.tap(() => Effect.yieldNow),
    Effect.flatMap((first) =>
      Queue.sizeUnsafe(inputs) === 0 || first.length === maxBatch
        ? run(first)
        : Effect.flatMap(Queue.takeBetween(inputs, 1, maxBatch - first.length), (more) => run([...first, ...more]))
    ),
    Effect.forever,
    Effect.forkScoped
  )
  yield* Queue.offer(inputs, { input: { _tag: "Tick" }, resume: null }).pipe(
    Effect.andThen(Effect.sleep(tickInterval)),
    Effect.forever,
    Effect.forkScoped
  )

  const tell = (input: Input) => Effect.asVoid(Queue.offer(inputs, { input, resume: null }))

  return {
    authorize: (header) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const token = /^Bearer ([\w-]+)$/i.exec(header ?? "")?.[1]
        return (
          token !== undefined &&
          UpgradeToken.verify(
            token,
            secrets.map((secret) => Redacted.value(secret)),
            now / 1000
          ) !== null
        )
      }),
    gateway: Effect.acquireRelease(
      Effect.gen(function* () {
        const link = ++links
        const lines = yield* Queue.dropping<string, Cause.Done>(maxUnreadLines)
        if (gateway !== null) Queue.endUnsafe(gateway.lines)
        gateway = { link, lines }
        yield* tell({ _tag: "Connected", link })
        return { link, lines }
      }),
      ({ lines, link }) =>
        Effect.suspend(() => {
          if (gateway?.link === link) gateway = null
          Queue.endUnsafe(lines)
          return tell({ _tag: "Disconnected", link })
        })
    ).pipe(
      Effect.map(({ lines, link }): GatewayConnection => ({
        lines,
        receive: (received) =>
          Effect.forEach(received, (line) => tell({ _tag: "Frame", link, line }), { discard: true })
      }))
    ),
    page: Effect.acquireRelease(
      Effect.suspend(() =>
        pages.size >= maxPages
          ? Effect.fail(new TooManyPages({ limit: maxPages }))
          : Effect.tap(Queue.dropping<ServerMessage, Cause.Done>(maxUnreadMessages), (queue) =>
              Effect.sync(() => pages.add(queue))
            )
      ),
      (queue) =>
        Effect.sync(() => {
          pages.delete(queue)
          Queue.endUnsafe(queue)
        })
    ).pipe(Effect.map((messages): PageConnection => ({ messages }))),
    submit: (input) =>
      Effect.callback<Reply>((resume) => {
        if (!Queue.offerUnsafe(inputs, { input, resume: (reply) => resume(Effect.succeed(reply)) })) {
          resume(Effect.succeed({ _tag: "Refused", reason: "storage" }))
        }
      }),
    isGatewayConnected: core.isGatewayConnected
  }
})

const toServerMessage = (update: Update): ServerMessage => {
  switch (update._tag) {
    case "Messages":
      return {
        type: "messages",
        messages: update.messages,
        seen: Math.max(...update.messages.map((message) => message.revision))
      }
    case "Chats":
      return { type: "chats", chats: update.chats }
    case "Typing":
      return { type: "typing", chatId: update.chatId, milliseconds: typingShown }
    case "Gateway":
      return { type: "gateway", connected: update.connected }
  }
}
