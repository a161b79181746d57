/** Send queues over a database in memory, restartable: what each test of this room begins with. */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { Settings } from "../../src/Config/Settings.ts"
import type { Capabilities } from "../../src/Delivery/Outlet.ts"
import * as Reply from "../../src/Delivery/Reply.ts"
import { SendQueues } from "../../src/Delivery/SendQueues.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { Outbox, type OutboxRow, stored } from "../../src/Storage/Outbox.ts"
import { Faults, layer as faultyDatabase } from "../support/FaultyDatabase.ts"
import { quiet } from "../support/Passing.ts"
import { keyed, ScriptedOutlet } from "../support/ScriptedOutlet.ts"

type Services = Context.Context<Journal | Outbox | SendQueues | Database>

export interface Bench {
  readonly faults: Faults
  readonly platform: ScriptedOutlet
  readonly queues: () => SendQueues["Service"]
  readonly journal: () => Journal["Service"]
  readonly outbox: () => Outbox["Service"]
  readonly database: Database["Service"]
  /** Ends the process and starts another one over the same database; `end` alone leaves nothing running. */
  readonly restart: Effect.Effect<void>
  readonly end: Effect.Effect<void>
  /** Ends the link's adapter and connects it anew, the process living. */
  readonly reconnect: Effect.Effect<void>
  /** Stores rows and offers them, as a turn does. */
  readonly owe: (rows: ReadonlyArray<OutboxRow>) => Effect.Effect<ReadonlyArray<OutboxRow>>
  readonly states: Effect.Effect<Readonly<Record<string, string>>>
}

export const target = (chatId = "1") => ({ platform: "test", chatId, chatType: "dm", threadId: null, scopeId: null })

let causes = 0
/** Rows of one reply, under a cause of their own unless one is given. */
export const reply = (
  text: string,
  more: Partial<Reply.ReplyOptions> & { readonly chat?: string } = {}
): ReadonlyArray<OutboxRow> =>
  Reply.rows({
    installation: "test",
    cause: `turn:${++causes}`,
    link: "test:",
    target: target(more.chat),
    sessionKey: "s",
    kind: "final",
    text,
    replyTo: "question",
    notify: true,
    capabilities: keyed,
    at: 0,
    ...more
  })

export const make = Effect.fnUntraced(function* (
  options: {
    readonly capabilities?: Capabilities
    readonly settings?: Readonly<Record<string, unknown>>
  } = {}
): Effect.fn.Return<Bench, never, Scope.Scope> {
  const faults = new Faults()
  const platform = new ScriptedOutlet(options.capabilities ?? keyed)
  const database = yield* Layer.build(faultyDatabase(faults))
  const process = SendQueues.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(Journal.layer, Outbox.layer)),
    Layer.provideMerge(Layer.succeedContext(database)),
    Layer.provide(Settings.layerFrom(options.settings ?? {})),
    Layer.orDie
  )
  let life: { readonly scope: Scope.Closeable; link: Scope.Closeable; readonly services: Services } | null = null
  const connect = Effect.gen(function* () {
    const link = yield* Scope.make()
    const queues = Context.get(life!.services, SendQueues)
    life!.link = link
    yield* queues.serve(platform.outlet()).pipe(Effect.provideService(Scope.Scope, link))
  })
  const start = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const services = yield* Layer.build(Layer.fresh(process)).pipe(Effect.provideService(Scope.Scope, scope))
    life = { scope, link: scope, services }
    yield* connect
    yield* quiet
  })
  const end = Effect.suspend(() => {
    const old = life
    life = null
    return old === null
      ? Effect.void
      : Effect.andThen(Scope.close(old.link, Exit.void), Scope.close(old.scope, Exit.void))
  })
  yield* start
  yield* Effect.addFinalizer(() => end)
  const services = (): Services => life!.services
  return {
    faults,
    platform,
    queues: () => Context.get(services(), SendQueues),
    journal: () => Context.get(services(), Journal),
    outbox: () => Context.get(services(), Outbox),
    database: Context.get(database, Database),
    restart: Effect.andThen(end, start),
    end,
    reconnect: Effect.suspend(() => Effect.andThen(Scope.close(life!.link, Exit.void), connect)),
    owe: Effect.fnUntraced(function* (rows) {
      const receipt = yield* Effect.orDie(Context.get(services(), Journal).commit(rows.map(stored)))
      const fresh = rows.map((row, i) => ({ ...row, seq: Number(receipt[i]?.["seq"]) }))
      Context.get(services(), SendQueues).offer(fresh)
      yield* quiet
      return fresh
    }),
    states: Effect.suspend(() =>
      (life === null ? Effect.void : Context.get(services(), Journal).flush).pipe(
        Effect.andThen(Context.get(database, Database).execute("SELECT key, state FROM outbox ORDER BY seq", [])),
        Effect.orDie,
        Effect.map((rows) => Object.fromEntries(rows.map((row) => [String(row["key"]), String(row["state"])])))
      )
    )
  }
})
