/**
 * The relay as an adapter like any other: puts the link, its outlet and its files together, and tells its state. What is
 * dialled, sent or fetched is decided in the files beside it.
 */
import { Clock, Effect, Redacted, Schedule, type Scope, Stream, SubscriptionRef } from "effect"
import { direct, type Outgoing } from "../Config/Outgoing.ts"
import { type Adapter, AdapterError, type AdapterState } from "../Platforms/Adapter.ts"
import { ForwardedRequests } from "../Platforms/ForwardedRequests.ts"
import { Intake } from "../Session/Intake.ts"
import type { KnownScopes } from "../Session/KnownScopes.ts"
import { fetchBy } from "./ConnectorHttp.ts"
import type { CredentialSource } from "./Credentials.ts"
import type { Dialer } from "./Dialer.ts"
import { dialUrl, httpUrl, isDialable } from "./DialUrl.ts"
import { upgradeToken } from "./Connection.ts"
import { type Identities, linkOf } from "./Identity.ts"
import { platformName } from "./InboundEvent.ts"
import type { ManifestEntry } from "./Protocol.ts"
import * as RelayMedia from "./RelayMedia.ts"
import * as RelayOutlet from "./RelayOutlet.ts"
import * as ScopeMemory from "./ScopeMemory.ts"
import { anchored, type SlackThreading } from "./SlackThreads.ts"
import type { LinkActivity, LinkState } from "./Transport.ts"
import type { Wake } from "./Wake.ts"
import * as WebSocketTransport from "./WebSocketTransport.ts"

export interface RelayOptions {
  /** Base URL of the connector, as configured (`relay H1`). */
  readonly url: string
  readonly identities: Identities
  /** Told to a connector of Discord, so that it can register them. */
  readonly commands?: ReadonlyArray<ManifestEntry>
  readonly id: string | null
  readonly secret: Redacted.Redacted<string> | null
  /** Credentials that may change while running; without it `id` and `secret` stand. */
  readonly credentials?: CredentialSource | undefined
  /** Which way HTTP requests take; absent = straight. */
  readonly outgoing?: Outgoing | undefined
  /** Given: the link may sleep (`relay L5`). */
  readonly wake?: Wake["Service"] | undefined
  /** Stream previews where the platform can edit, unless the user says otherwise. */
  readonly streamingDefault: boolean
  /** The connector takes files (`relay O7`); the local one shows addresses of the web alone. Default true. */
  readonly uploads?: boolean
  /** Folder for files that come in. */
  readonly cache: string
  readonly slack?: SlackThreading
}

/** `relay L11` where nothing is configured. */
const slackDefault: SlackThreading = { replyInThread: true, topLevelSessions: true }

/** How often the adapter's state shows the latest activity. */
const stateInterval = "5 seconds"

/** Dials in the background and returns at once; rows wait until the link is up (`relay C5`). */
export const make = Effect.fnUntraced(function* (
  options: RelayOptions
): Effect.fn.Return<Adapter, AdapterError, Scope.Scope | Intake | ForwardedRequests | KnownScopes | Dialer> {
  if (!isDialable(dialUrl(options.url))) {
    return yield* new AdapterError({
      platform: "relay",
      code: "bad_configuration",
      message: "the URL of the connector is no http, https, ws or wss URL",
      retryable: false
    })
  }
  const link = linkOf(options.identities)
  const scopes = ScopeMemory.make()
  const clock = yield* Clock.Clock
  let lastInbound: number | null = null
  const onTake = () => {
    lastInbound = clock.currentTimeMillisUnsafe()
  }
  const media = yield* RelayMedia.make({
    base: httpUrl(dialUrl(options.url)),
    token: Effect.suspend(() => upgradeToken(options.credentials?.latest() ?? options)).pipe(
      Effect.map((token) => (token === null ? null : Redacted.value(token)))
    ),
    cache: options.cache,
    fetch: fetchBy(options.outgoing ?? direct)
  })
  const slack = options.slack ?? slackDefault
  const transport = yield* WebSocketTransport.make({
    ...options,
    link,
    handlerOf: (yield* ForwardedRequests).handlerOf,
    shape: (event, prospective) => anchored(event, prospective, slack)
  }).pipe(Effect.provideService(Intake, remembering(yield* Intake, scopes, media, onTake)))
  if (options.wake !== undefined) {
    const { poke, sleep } = transport
    const isReady = () => SubscriptionRef.getUnsafe(transport.state)._tag === "Ready"
    yield* options.wake.register({ link, lastInbound: () => lastInbound, isReady, sleep, poke })
  }
  const state = yield* SubscriptionRef.make(adapterState({ _tag: "Disconnected" }, transport.activity()))
  yield* Stream.merge(
    SubscriptionRef.changes(transport.state),
    Stream.fromEffectSchedule(SubscriptionRef.get(transport.state), Schedule.spaced(stateInterval))
  ).pipe(
    Stream.runForEach((linkState) => SubscriptionRef.set(state, adapterState(linkState, transport.activity()))),
    Effect.forkScoped
  )
  return {
    platform: "relay",
    label: "Relay",
    outlet: yield* RelayOutlet.make({
      link,
      platform: platformName(options.identities[0].platform),
      streamingDefault: options.streamingDefault,
      uploads: options.uploads ?? true,
      transport,
      scopes,
      media
    }),
    state,
    resume: transport.redial,
    drain: transport.drain
  }
})

/** Learns scopes from what passes, and fetches files once their message is stored. */
const remembering = (
  intake: Intake["Service"],
  scopes: ScopeMemory.ScopeMemory,
  media: RelayMedia.RelayMedia,
  onTake: () => void
): Intake["Service"] => ({
  ...intake,
  take: (batch) => {
    onTake()
    let files = false
    for (const { event } of batch) {
      const { chatId, platform, scopeId } = event.source
      scopes.learn(platform, chatId, scopeId ?? "")
      files ||= event.media.length > 0
    }
    return files
      ? Effect.tap(intake.take(batch), (outcomes) =>
          Effect.sync(() => {
            for (const [i, { event }] of batch.entries()) {
              if (outcomes[i] === "taken") media.expect(event.media.map(({ ref }) => ref))
            }
          })
        )
      : intake.take(batch)
  }
})

const adapterState = (link: LinkState, activity: LinkActivity): AdapterState => ({
  ...statusOf(link, activity),
  ...activity
})

const statusOf = (link: LinkState, activity: LinkActivity): Pick<AdapterState, "status" | "detail"> => {
  switch (link._tag) {
    case "Ready":
      return { status: "connected", detail: null }
    case "Draining":
      return { status: "connected", detail: "draining" }
    case "Dialing":
    case "Handshaking":
      return { status: activity.lastIn === null ? "connecting" : "retrying", detail: link._tag.toLowerCase() }
    case "Disconnected":
      return link.isAsleep === true
        ? { status: "disconnected", detail: "asleep" }
        : { status: "retrying", detail: null }
    case "Closed":
      return link.reason === "AuthRevoked"
        ? { status: "disabled", detail: "auth_revoked" }
        : { status: "disconnected", detail: "drained" }
  }
}
