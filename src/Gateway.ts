/**
 * The composition root: everything that answers messages, as one Layer that larger Effect applications provide beside
 * their own. It only puts together; each room decides for itself.
 */
import type { SqlError } from "effect/sql"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { Access } from "./Access/Access.ts"
import { Pairing } from "./Access/Pairing.ts"
import { Strangers } from "./Access/Strangers.ts"
import type { Agent } from "./Agent/Agent.ts"
import * as Echo from "./Agent/Echo.ts"
import type { ConfigError } from "./Config/ConfigError.ts"
import { Storage } from "./Config/GatewaySettings.ts"
import { Settings } from "./Config/Settings.ts"
import { Asking } from "./Conversation/Asking.ts"
import { AgentCall } from "./Conversation/AgentCall.ts"
import { Approvals } from "./Conversation/Approvals.ts"
import { Confirmations } from "./Conversation/Confirmations.ts"
import { ContextPrompts } from "./Conversation/ContextPrompt.ts"
import * as Conversation from "./Conversation/Conversation.ts"
import { Farewell } from "./Conversation/Farewell.ts"
import { PromptDesk } from "./Conversation/PromptDesk.ts"
import { Dispatcher } from "./Conversation/Commands/Dispatcher.ts"
import { GatewayControls } from "./Conversation/Commands/GatewayControls.ts"
import { Skills } from "./Conversation/Commands/Skills.ts"
import * as Expiry from "./Conversation/Expiry.ts"
import { Prompts } from "./Conversation/Prompts.ts"
import { TurnRunner } from "./Conversation/TurnRunner.ts"
import { Typing } from "./Conversation/Typing.ts"
import { Voice } from "./Conversation/Voice.ts"
import { Watch } from "./Conversation/Watch.ts"
import { Attachments } from "./Delivery/Attachments.ts"
import { MediaCache } from "./Delivery/MediaCache.ts"
import * as Reply from "./Delivery/Reply.ts"
import { SendQueues } from "./Delivery/SendQueues.ts"
import * as ChatControls from "./Operations/ChatControls.ts"
import { Health, type Status } from "./Operations/Health.ts"
import { paths } from "./Operations/Home.ts"
import { Lifecycle } from "./Operations/Lifecycle.ts"
import * as Retention from "./Operations/Retention.ts"
import type { Registration } from "./Platforms/Adapter.ts"
import { Registry } from "./Platforms/Registry.ts"
import { Supervisor } from "./Platforms/Supervisor.ts"
import * as IntakeLive from "./Session/IntakeLive.ts"
import { KnownScopes } from "./Session/KnownScopes.ts"
import * as SessionsLive from "./Session/SessionsLive.ts"
import { Lanes } from "./Session/Lanes.ts"
import * as Revocation from "./Session/Revocation.ts"
import { Database, type StorageError } from "./Storage/Database.ts"
import { Inbox } from "./Storage/Inbox.ts"
import { Installation } from "./Storage/Installation.ts"
import { Journal } from "./Storage/Journal.ts"
import { Outbox, stored } from "./Storage/Outbox.ts"
import { PromptStore } from "./Storage/PromptStore.ts"

/**
 * `NoLink`: no running adapter serves that platform. `Empty`: the text is blank. `Storage`: the row was refused. In every
 * case nothing was stored and nothing will be sent.
 */
export class GatewayError extends Schema.TaggedError<GatewayError>()("GatewayError", {
  reason: Schema.Literals(["NoLink", "Empty", "Storage"]),
  message: Schema.String
}) {}

/** The database that the settings name. */
export const databaseOfSettings = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    const choice = yield* settings.get(Storage)
    return Database.layer({
      storage: choice._tag === "postgres" ? { url: choice.url } : choice._tag,
      filename: paths(settings.home).database
    })
  })
)

/** The parts of which more than one kind exists: one process or a cluster, the live journal or a faulty one under test. */
export interface Parts {
  readonly lanes: typeof Lanes.layerLocal
  readonly journal: typeof Journal.layer
}

/** What a message means and what is done about it. */
export const conversation = Conversation.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(PromptDesk.layer, Dispatcher.layer, Asking.layer)),
  Layer.provideMerge(Layer.mergeAll(TurnRunner.layer, Confirmations.layer, Farewell.layer)),
  Layer.provideMerge(AgentCall.layer),
  Layer.provideMerge(Watch.layer),
  Layer.provideMerge(Layer.mergeAll(Voice.layer, Approvals.layer, ContextPrompts.layer)),
  Layer.provideMerge(
    Layer.mergeAll(Prompts.layer, Typing.layer, SendQueues.layer, Access.layer, GatewayControls.layer, Skills.layer)
  )
)

/** Everything between adapters and agent, over whatever database, registry and agent are given. */
export const coreOf = ({ journal, lanes }: Parts) =>
  Layer.mergeAll(Health.layer, ChatControls.layer).pipe(
    Layer.provideMerge(Lifecycle.layer),
    Layer.provideMerge(Supervisor.layer),
    Layer.provideMerge(Layer.mergeAll(IntakeLive.layer, Revocation.layer)),
    Layer.provideMerge(Layer.mergeAll(lanes, Strangers.layer)),
    Layer.provideMerge(conversation),
    Layer.provideMerge(Attachments.layer),
    Layer.provideMerge(Layer.mergeAll(Retention.layer, Expiry.layer, Pairing.layer, MediaCache.layer)),
    Layer.provideMerge(SessionsLive.layer),
    Layer.provideMerge(
      Layer.mergeAll(journal, Inbox.layer, Outbox.layer, Installation.layer, KnownScopes.layer, PromptStore.layer)
    )
  )

export const core = coreOf({ lanes: Lanes.layerLocal, journal: Journal.layer })

export class Gateway extends Context.Service<
  Gateway,
  {
    readonly status: Effect.Effect<Status>
    /** Empty = ready (law 10). */
    readonly reasons: Effect.Effect<ReadonlyArray<string>>
    /**
     * Says something in a chat that has not asked. Succeeds when it is durably owed, with the row's key; the Outbox
     * delivers it.
     */
    readonly send: (message: {
      readonly platform: string
      readonly chatId: string
      readonly threadId?: string
      readonly text: string
    }) => Effect.Effect<string, GatewayError>
    /** Stops in order (`operations X2`); closing the layer does the same. */
    readonly stop: Effect.Effect<void>
  }
>()("switchboard/Gateway") {
  /** Over a registry and an agent that the caller provides. */
  static readonly layerCore = Layer.effect(
    Gateway,
    Effect.gen(function* () {
      const health = yield* Health
      const lifecycle = yield* Lifecycle
      const queues = yield* SendQueues
      const supervisor = yield* Supervisor
      const journal = yield* Journal
      const installation = (yield* Installation).id
      const clock = yield* Clock.Clock

      const send = Effect.fn("Gateway.send")(function* (message: {
        readonly platform: string
        readonly chatId: string
        readonly threadId?: string
        readonly text: string
      }) {
        const link = supervisor.view().find(({ name }) => name === message.platform)?.link ?? null
        const outlet = link === null ? null : queues.outlet(link)
        if (outlet === null) {
          return yield* new GatewayError({ reason: "NoLink", message: `no running adapter serves ${message.platform}` })
        }
        const target = {
          platform: message.platform,
          chatId: message.chatId,
          chatType: "dm",
          threadId: message.threadId ?? null,
          scopeId: null
        }
        const at = clock.currentTimeMillisUnsafe()
        const rows = Reply.rows({
          installation,
          cause: `send:${crypto.randomUUID()}`,
          link: outlet.link,
          target,
          sessionKey: null,
          kind: "scheduled",
          text: message.text,
          replyTo: null,
          notify: true,
          capabilities: outlet.capabilities(target),
          at
        })
        const last = rows.at(-1)
        if (last === undefined) return yield* new GatewayError({ reason: "Empty", message: "the text is blank" })
        const receipt = yield* Effect.mapError(
          journal.commit(rows.map(stored)),
          (error) => new GatewayError({ reason: "Storage", message: error.message })
        )
        queues.offer(rows.map((row, i) => ({ ...row, seq: Number(receipt[i]?.seq ?? 0) })))
        return last.key
      })

      return { status: health.status, reasons: health.reasons, send, stop: lifecycle.stop }
    })
  ).pipe(Layer.provideMerge(core))

  /**
   * The gateway inside another application. Settings are read as the program reads them (home, environment), unless
   * values are given; `adapters` come beside none by default; without `agent` the echo agent answers.
   */
  static layer<R = never>(options: {
    readonly settings?: Readonly<Record<string, unknown>>
    readonly adapters: ReadonlyArray<Registration>
    readonly agent?: Layer.Layer<Agent, never, R>
  }): Layer.Layer<Gateway, ConfigError | StorageError | SqlError.SqlError, R> {
    const settings = options.settings === undefined ? Settings.layer() : Settings.layerFrom(options.settings)
    return Gateway.layerCore.pipe(
      Layer.provide(Registry.layer(options.adapters)),
      Layer.provide(options.agent ?? Echo.layer),
      Layer.provide(databaseOfSettings),
      Layer.provide(settings)
    )
  }
}
