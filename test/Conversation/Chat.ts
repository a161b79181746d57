/**
 * Everything between intake and a platform in memory, on a test clock: the real lanes, turns, journal and send queues over
 * a database that outlives them. What a test of this room begins with.
 */
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Pairing } from "../../src/Access/Pairing.ts"
import { Strangers } from "../../src/Access/Strangers.ts"
import type { Agent } from "../../src/Agent/Agent.ts"
import * as Echo from "../../src/Agent/Echo.ts"
import { Settings } from "../../src/Config/Settings.ts"
import { GatewayControls } from "../../src/Conversation/Commands/GatewayControls.ts"
import * as Expiry from "../../src/Conversation/Expiry.ts"
import type { Prompts } from "../../src/Conversation/Prompts.ts"
import { conversation } from "../../src/Gateway.ts"
import type { Capabilities, Outlet } from "../../src/Delivery/Outlet.ts"
import { Attachments } from "../../src/Delivery/Attachments.ts"
import { MediaCache } from "../../src/Delivery/MediaCache.ts"
import { SendQueues } from "../../src/Delivery/SendQueues.ts"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { Intake, type IntakeOutcome } from "../../src/Session/Intake.ts"
import * as IntakeLive from "../../src/Session/IntakeLive.ts"
import { Lanes } from "../../src/Session/Lanes.ts"
import * as Revocation from "../../src/Session/Revocation.ts"
import type { Sessions } from "../../src/Session/Sessions.ts"
import * as SessionsLive from "../../src/Session/SessionsLive.ts"
import type { SessionStore } from "../../src/Storage/SessionStore.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Inbox } from "../../src/Storage/Inbox.ts"
import { Installation } from "../../src/Storage/Installation.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { PromptStore } from "../../src/Storage/PromptStore.ts"
import { Outbox } from "../../src/Storage/Outbox.ts"
import type { Transcript } from "../../src/Storage/Transcript.ts"
import { Faults, layer as faultyDatabase, unreachable } from "../support/FaultyDatabase.ts"
import { quiet, until } from "../support/Passing.ts"
import { keyed, ScriptedOutlet } from "../support/ScriptedOutlet.ts"

type Services = Context.Context<
  Intake | Lanes | SendQueues | Journal | Inbox | Transcript | SessionStore | Sessions | Prompts | GatewayControls
>

export interface Said {
  readonly user?: string
  readonly chat?: string
  readonly chatType?: string
  readonly messageId?: string | null
  readonly bufferId?: string | null
  readonly type?: MessageEvent.MessageType
  readonly platform?: string
  readonly media?: ReadonlyArray<MessageEvent.Media>
  /** A press on a button: prompt and option. */
  readonly press?: readonly [promptId: string, optionId: string]
}

export class Chat {
  readonly faults = new Faults()
  readonly platform: ScriptedOutlet
  private count = 0
  private life: { readonly scope: Scope.Closeable; readonly services: Services } | null = null
  private readonly process: Layer.Layer<
    Intake | Lanes | SendQueues | Journal | Inbox | Transcript | SessionStore | Sessions | Prompts | GatewayControls
  >
  readonly database: Database["Service"]
  private readonly outlet: Outlet | null
  /** The link is not served: as in the first moment of a process. */
  serves = true

  constructor(database: Context.Context<Database>, options: ChatOptions, faults: Faults) {
    this.faults = faults
    this.database = Context.get(database, Database)
    this.outlet = options.outlet ?? null
    this.platform = new ScriptedOutlet(options.capabilities ?? { ...keyed, streaming: false })
    this.process = Layer.mergeAll(IntakeLive.layer, Revocation.layer).pipe(
      Layer.provideMerge(Layer.mergeAll(Lanes.layerLocal, Strangers.layer)),
      Layer.provideMerge(conversation),
      Layer.provideMerge(Attachments.layer),
      Layer.provideMerge(Layer.mergeAll(Pairing.layer, Expiry.layer, MediaCache.layerWith(noNetwork))),
      Layer.provideMerge(SessionsLive.layer),
      Layer.provideMerge(
        Layer.mergeAll(Journal.layer, Inbox.layer, Outbox.layer, Installation.layer, PromptStore.layer)
      ),
      Layer.provide(Layer.succeedContext(database)),
      Layer.provide(options.agent ?? Echo.layer),
      Layer.provide(
        Settings.layerFrom({
          TEST_ALLOW_ALL_USERS: "true",
          "display.busy_ack_enabled": false,
          "approvals.destructive_slash_confirm": false,
          "agent.gateway_notify_interval": 0,
          SWITCHBOARD_GATEWAY_BUSY_TEXT_DEBOUNCE_SECONDS: 0,
          ...options.settings
        })
      ),
      Layer.orDie
    )
  }

  get<
    I extends
      | Intake
      | Lanes
      | SendQueues
      | Journal
      | Inbox
      | Transcript
      | SessionStore
      | Sessions
      | Prompts
      | GatewayControls,
    S
  >(tag: Context.Key<I, S>): S {
    return Context.get(this.life!.services as Context.Context<I>, tag)
  }

  readonly start = Effect.suspend(() =>
    Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.make()
      const services = yield* Layer.build(Layer.fresh(this.process)).pipe(Effect.provideService(Scope.Scope, scope))
      this.life = { scope, services }
      yield* this.get(GatewayControls)
        .provide({ turns: this.get(Lanes).turns })
        .pipe(Effect.provideService(Scope.Scope, scope))
      if (this.serves) yield* this.serve
    })
  )

  readonly serve: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(
      this.get(SendQueues)
        .serve(this.outlet ?? this.platform.outlet())
        .pipe(Effect.provideService(Scope.Scope, this.life!.scope)),
      quiet
    )
  )

  private readonly close = Effect.suspend(() => {
    const life = this.life
    this.life = null
    if (life === null) return Effect.void
    return Effect.gen(function* () {
      const closing = yield* Effect.forkChild(Scope.close(life.scope, Exit.void))
      yield* until(() => closing.pollUnsafe() !== undefined, "15 seconds")
      yield* Fiber.join(closing)
    })
  })

  /** An ordered end: turns that still run are stopped for the shutdown. */
  readonly end = Effect.suspend(() =>
    Effect.gen({ self: this }, function* () {
      if (this.life === null) return
      const stopping = yield* Effect.forkChild(this.get(Lanes).stopAll)
      yield* until(() => stopping.pollUnsafe() !== undefined, "15 seconds")
      yield* this.close
    })
  )

  readonly restart = Effect.suspend(() => Effect.andThen(this.end, Effect.andThen(this.start, quiet)))

  /** The process is gone from one moment to the next: nothing reaches the disk any more. */
  readonly kill = Effect.suspend(() => {
    this.faults.refuse = unreachable()
    return Effect.andThen(
      this.close,
      Effect.sync(() => {
        this.faults.refuse = null
      })
    )
  })

  /** Gives a message to the intake, without letting anything else happen yet. */
  readonly hand = (text: string, said: Said = {}): Effect.Effect<IntakeOutcome> =>
    Effect.suspend(() => {
      const {
        bufferId,
        chat = "1",
        chatType = "dm",
        media = [],
        messageId = `p${++this.count}`,
        platform = "test",
        type,
        user = "u"
      } = said
      const event = MessageEvent.text(Source.make({ platform, chatId: chat, chatType, userId: user }), text, messageId)
      return Effect.map(
        Effect.orDie(
          this.get(Intake).take([
            {
              event: {
                ...event,
                media,
                type: type ?? event.type,
                ...(said.press === undefined
                  ? {}
                  : {
                      promptResponse: {
                        promptId: said.press[0],
                        optionId: said.press[1],
                        label: null,
                        promptMessageId: null
                      }
                    })
              },
              provenance: Source.untrusted,
              link: "test:",
              bufferId: bufferId ?? null
            }
          ])
        ),
        ([outcome]) => outcome!
      )
    })

  /** A message, and everything that follows from it without time passing. */
  readonly say = (text: string, said: Said = {}): Effect.Effect<void> => Effect.andThen(this.hand(text, said), quiet)

  /** Presses a button of the newest prompt. */
  readonly press = (optionId: string, said: Said = {}): Effect.Effect<void> =>
    Effect.suspend(() =>
      this.say(`/${optionId}`, { press: [this.platform.prompts.at(-1)?.promptId ?? "", optionId], ...said })
    )

  texts(chat = "1"): ReadonlyArray<string> {
    return this.platform.texts(chat)
  }

  readonly query = (sql: string): Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>> =>
    Effect.andThen(
      Effect.suspend(() => (this.life === null ? Effect.void : this.get(Journal).flush)),
      Effect.map(Effect.orDie(this.database.execute(sql, [])), (rows) => rows.map((row) => ({ ...row })))
    )

  /** `text: state` of every Inbox row, in order. */
  readonly inbox = Effect.suspend(() =>
    Effect.map(this.query("SELECT event, state FROM inbox ORDER BY id"), (rows) =>
      rows.map(({ event, state }) => `${JSON.parse(String(event)).text}: ${state}`)
    )
  )

  /** `role: content` of every message of the transcripts, in order. */
  readonly transcript = Effect.suspend(() =>
    Effect.map(this.query("SELECT role, content FROM messages ORDER BY id"), (rows) =>
      rows.map(({ content, role }) => `${role}: ${content}`)
    )
  )
}

/** Names are known to nobody: what a test sees must not depend on the machine's network. */
const noNetwork = () => Promise.reject(new Error("no name is resolved here"))

export interface ChatOptions {
  readonly capabilities?: Capabilities
  readonly settings?: Readonly<Record<string, unknown>>
  readonly agent?: Layer.Layer<Agent>
  /** Takes the place of the scripted platform. */
  readonly outlet?: Outlet
}

export const make = Effect.fnUntraced(function* (
  options: ChatOptions = {}
): Effect.fn.Return<Chat, never, Scope.Scope> {
  const faults = new Faults()
  const database = yield* Layer.build(faultyDatabase(faults))
  const chat = new Chat(database, options, faults)
  yield* chat.start
  yield* Effect.addFinalizer(() => chat.end)
  return chat
})
