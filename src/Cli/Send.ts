/**
 * `send TARGET TEXT`: says something in a chat through the Outbox (`operations`, Commands; `delivery T1`). The running
 * gateway of this home delivers it; without one, this process connects for as long as it takes.
 */
import { Clock, Duration, Effect, Layer, Schedule } from "effect"
import { Argument, Command } from "effect/cli"
import { SqlClient } from "effect/sql"
import { Access } from "../Access/Access.ts"
import { Pairing } from "../Access/Pairing.ts"
import { Strangers } from "../Access/Strangers.ts"
import { Settings } from "../Config/Settings.ts"
import * as Reply from "../Delivery/Reply.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import * as Targets from "../Delivery/Targets.ts"
import { databaseOfSettings } from "../Gateway.ts"
import { Home, paths } from "../Operations/Home.ts"
import { HomeLock } from "../Operations/HomeLock.ts"
import { Supervisor } from "../Platforms/Supervisor.ts"
import { Wake } from "../Relay/Wake.ts"
import * as IntakeLive from "../Session/IntakeLive.ts"
import { KnownScopes } from "../Session/KnownScopes.ts"
import { Lanes } from "../Session/Lanes.ts"
import { Inbox } from "../Storage/Inbox.ts"
import { Installation } from "../Storage/Installation.ts"
import { Journal } from "../Storage/Journal.ts"
import { Outbox, type OutboxRow, stored } from "../Storage/Outbox.ts"
import { CommandFailed, exitCode } from "./Exit.ts"
import * as Globals from "./Globals.ts"
import { assumedCapabilities } from "../Delivery/Outlet.ts"
import { platformNames } from "../Message/Platform.ts"
import { LateRoutes } from "./LateRoutes.ts"
import * as Links from "./Links.ts"
import { Listener } from "./Listener.ts"
import * as Output from "./Output.ts"
import * as Server from "./Server.ts"
import * as Status from "./Status.ts"
import * as Storage from "./Storage.ts"

const patience = "60 seconds"
const lookEvery = "200 millis"
/** Other rows of the same chats may be on their way when ours has left. */
const flushTimeout = Duration.seconds(5)

interface Destination {
  readonly link: Links.LinkName
  readonly chatId: string
  readonly threadId: string | null
}

const misuse = (message: string) => new CommandFailed({ code: exitCode.misuse, message })

/** Which links a list of targets means, or why one of them means none: then nothing is sent. */
const destinations = (
  list: string,
  links: ReadonlyArray<Links.LinkName>
): ReadonlyArray<Destination> | CommandFailed => {
  const names = links.map(({ name }) => name)
  const here = names.length === 0 ? "no platform is configured here" : `here: ${names.join(", ")}`
  const found: Array<Destination> = []
  for (const { target, written } of Targets.parseAll(list, new Set([...platformNames, ...names]))) {
    const { chatId, platform, threadId } = target
    if (platform === "local") return misuse(`"${written}" names no platform; write PLATFORM:CHAT, ${here}`)
    const link = links.find(({ name }) => name === platform)
    if (link === undefined) {
      return new CommandFailed({ code: exitCode.defect, message: `no adapter is configured for ${platform}; ${here}` })
    }
    if (chatId === null || chatId === "") return misuse(`"${written}" names no chat; write ${platform}:CHAT`)
    found.push({ link, chatId, threadId: threadId === "" ? null : threadId })
  }
  return found
}

/** Rows of one chat. */
const rowsFor = Effect.fnUntraced(function* ({ chatId, link, threadId }: Destination, text: string) {
  const target = { platform: link.platform, chatId, chatType: "dm", threadId, scopeId: null }
  return Reply.rows({
    installation: (yield* Installation).id,
    cause: `send:${crypto.randomUUID()}`,
    link: link.link,
    target,
    sessionKey: null,
    kind: "scheduled",
    text,
    replyTo: null,
    notify: true,
    capabilities: assumedCapabilities,
    at: yield* Clock.currentTimeMillis
  })
})

/** Durably owed, to all or to none, when it returns. */
const owe = Effect.fnUntraced(function* (to: ReadonlyArray<Destination>, text: string) {
  const journal = yield* Journal
  const rows = (yield* Effect.forEach(to, (one) => rowsFor(one, text))).flat()
  yield* journal
    .commit(rows.map(stored))
    .pipe(
      Effect.mapError(({ message }) => new CommandFailed({ code: exitCode.defect, message: `not stored: ${message}` }))
    )
  return rows
})

const isOver = ({ state }: OutboxRow): boolean =>
  state === "sent" || state === "dead" || state === "held" || state === "superseded"

const errorOf = Effect.fnUntraced(function* (key: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly error: string | null }>`SELECT error FROM outbox WHERE key = ${key}`
  return row?.error ?? "it was given up"
})

/** Until every row has come to its end, or for a minute; then says how it went. */
const outcome = Effect.fnUntraced(function* (rows: ReadonlyArray<OutboxRow>) {
  const outbox = yield* Outbox
  const look = Effect.map(
    Effect.forEach(rows, ({ key }) => outbox.find(key)),
    (found) => found.filter((row) => row !== null)
  )
  yield* Effect.timeoutOption(
    Effect.repeat(look, { until: (found) => found.every(isOver), schedule: Schedule.spaced(lookEvery) }),
    patience
  )
  const found = yield* look
  const failed = found.find(({ state }) => state === "dead" || state === "superseded")
  if (failed !== undefined) {
    const why = failed.state === "dead" ? yield* errorOf(failed.key) : "it was dropped"
    return yield* new CommandFailed({ code: exitCode.defect, message: `not sent: ${why} (${failed.key})` })
  }
  const open = found.find(({ state }) => state !== "sent")
  if (open === undefined) return yield* Output.line("sent")
  yield* Output.line(open.key)
  return yield* new CommandFailed({
    code: exitCode.temporary,
    message:
      open.state === "held"
        ? "held: it may have been shown; outbox retry or outbox drop ends it"
        : "stored, and still waiting to be sent"
  })
})

const tables = Layer.mergeAll(Journal.layer, Inbox.layer, KnownScopes.layer, Outbox.layer, Installation.layer)

const throughGateway = (to: ReadonlyArray<Destination>, text: string) =>
  Effect.flatMap(owe(to, text), outcome).pipe(Effect.provide(tables), Effect.provide(Storage.shared("created")))

/** What comes in while this process is connected is stored; it runs when the gateway starts. */
const noTurns = Layer.succeed(Lanes, {
  ring: () => {},
  edited: () => {},
  interrupt: () => Effect.succeed(false),
  drain: () => Effect.succeed(0),
  hold: () => Effect.void,
  stopAll: Effect.void,
  oldestWaiting: () => null,
  turns: () => [],
  runningRows: () => [],
  view: () => ({ resident: 0, running: 0, queued: 0 })
})

const byOurselves = (plan: Links.Plan, to: ReadonlyArray<Destination>, text: string) =>
  Effect.flatMap(Server.makeSecret, (secret) => {
    const connected = Supervisor.layer.pipe(
      Layer.provide(Server.registry(plan, secret)),
      Layer.provide(IntakeLive.layer),
      Layer.provide(noTurns),
      Layer.provide(Strangers.layer),
      Layer.provide(Access.layer),
      Layer.provide(Pairing.layer),
      Layer.provide(Server.routes(plan, secret)),
      Layer.provide(Layer.mergeAll(Server.Readiness.layer, Wake.layer, LateRoutes.layer)),
      Layer.provide(Listener.layer({ host: "127.0.0.1", port: 0 }))
    )
    return Effect.gen(function* () {
      const queues = yield* SendQueues
      const rows = yield* owe(to, text)
      yield* Layer.build(connected)
      yield* outcome(rows)
      yield* queues.flush(flushTimeout)
    }).pipe(
      Effect.scoped,
      Effect.provide(SendQueues.layer),
      Effect.provide(tables),
      Effect.provide(databaseOfSettings),
      Effect.provide(HomeLock.layer),
      Effect.provide(Home.layer)
    )
  })

const send = Effect.fnUntraced(function* ({ target, text }: { readonly target: string; readonly text: string }) {
  if (text.trim() === "") return yield* misuse("there is no text to send")
  const { running, state } = Status.find(paths((yield* Settings).home))
  const plan = yield* Links.plan
  // The gateway may have been started with other variables than this command.
  const to = destinations(target, running ? (state?.links ?? plan.names) : plan.names)
  if (to instanceof CommandFailed) return yield* to
  yield* running ? throughGateway(to, text) : byOurselves(plan, to, text)
}, Effect.provide(Globals.oneShot))

export const sendCommand = Command.make(
  "send",
  {
    target: Argument.String("target").pipe(
      Argument.withDescription("PLATFORM:CHAT or PLATFORM:CHAT:THREAD, several with commas")
    ),
    text: Argument.String("text").pipe(Argument.withDescription("What to say"))
  },
  send
).pipe(Command.withDescription("Send a message; exit 0 sent, 75 still waiting (its key is printed), 1 given up"))
