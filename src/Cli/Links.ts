/**
 * Which links this configuration has, under which names people address them, and how each is made (`operations T1`).
 * The local connector's link is the relay like any other, dialled on our own listener.
 */
import { join } from "node:path"
import { Effect, type Redacted } from "effect"
import { connectorEnabled } from "../Config/GatewaySettings.ts"
import type { ConfigError } from "../Config/ConfigError.ts"
import { Settings } from "../Config/Settings.ts"
import { outgoing } from "../Config/Outgoing.ts"
import { paths } from "../Operations/Home.ts"
import { AdapterError, type Registration } from "../Platforms/Adapter.ts"
import { isTyped } from "../Conversation/Commands/Help.ts"
import { commands } from "../Conversation/Commands/Registry.ts"
import * as CommandManifest from "../Relay/CommandManifest.ts"
import * as Credentials from "../Relay/Credentials.ts"
import { Dialer } from "../Relay/Dialer.ts"
import { identities, linkOf } from "../Relay/Identity.ts"
import { platformName } from "../Relay/InboundEvent.ts"
import * as RelayAdapter from "../Relay/RelayAdapter.ts"
import {
  RelayBotId,
  RelayBotIds,
  RelayPlatform,
  RelayPlatforms,
  RelaySlackReplyInThread,
  RelaySlackThreadSessions,
  RelayUrl
} from "../Relay/RelaySettings.ts"
import type { Wake } from "../Relay/Wake.ts"

/** One link as it is addressed: `send NAME:CHAT` leaves by `link`, for `platform`. */
export interface LinkName {
  readonly name: string
  readonly platform: string
  readonly link: string
}

export interface Plan {
  readonly names: ReadonlyArray<LinkName>
  /** The local connector runs. */
  readonly isConnectorOn: boolean
  /**
   * `url` and `secret`: where our listener is, and what it shares with the link; needed when the connector runs. `wake`:
   * where links that may sleep are known.
   */
  readonly registrations: (own: {
    readonly url: string
    readonly secret: Redacted.Redacted
    readonly wake: Wake["Service"]
  }) => ReadonlyArray<Registration>
}

/** The platform that the local connector names in its frames. */
const connectorPlatform = "relay"

/** Dialled on our own listener: never by a proxy, and it never sleeps. */
const ownLink = (options: RelayAdapter.RelayOptions): Registration => ({
  name: "web",
  label: "Web chat",
  authorizationIsUpstream: true,
  make: Effect.provide(RelayAdapter.make(options), Dialer.layer)
})

const relayLink = (options: RelayAdapter.RelayOptions): Registration => ({
  name: "relay",
  label: "Relay",
  authorizationIsUpstream: true,
  make: Effect.gen(function* () {
    const way = yield* outgoing
    const credentials = yield* Credentials.make({ url: options.url, outgoing: way, fronted: options.identities })
    return yield* Effect.provide(RelayAdapter.make({ ...options, credentials, outgoing: way }), Dialer.layerBy(way))
  }).pipe(
    Effect.catchTag("ConfigError", ({ message }) =>
      Effect.fail(new AdapterError({ platform: "relay", code: "bad_configuration", message, retryable: false }))
    )
  )
})

export const plan: Effect.Effect<Plan, ConfigError, Settings> = Effect.gen(function* () {
  const settings = yield* Settings
  const url = yield* settings.get(RelayUrl)
  const fronted = identities({
    platforms: yield* settings.get(RelayPlatforms),
    botIds: yield* settings.get(RelayBotIds),
    single: { platform: yield* settings.get(RelayPlatform), botId: yield* settings.get(RelayBotId) }
  })
  const slack = {
    replyInThread: yield* settings.get(RelaySlackReplyInThread),
    topLevelSessions: yield* settings.get(RelaySlackThreadSessions)
  }
  const cache = join(paths(settings.home).cache, "relay")
  const isConnectorOn = yield* connectorEnabled
  // The name of the link is in every stored row: it stays the same whether or not a relay is configured beside it.
  const ownBotId = url !== null && linkOf(fronted) === "relay:web" ? "web-chat" : "web"

  const names: Array<LinkName> = []
  if (url !== null) {
    const link = linkOf(fronted)
    names.push({ name: "relay", platform: platformName(fronted[0].platform), link })
    for (const { platform } of fronted) {
      if (platform !== "relay") names.push({ name: platform.toLowerCase(), platform: platformName(platform), link })
    }
  }
  if (isConnectorOn) names.push({ name: "web", platform: connectorPlatform, link: `relay:${ownBotId}` })

  return {
    names,
    isConnectorOn,
    registrations: (own) => {
      const found: Array<Registration> = []
      if (url !== null)
        found.push(
          relayLink({
            url,
            identities: fronted,
            commands: CommandManifest.manifest(commands.filter(isTyped)),
            cache,
            slack,
            id: null,
            secret: null,
            wake: own.wake,
            streamingDefault: false
          })
        )
      if (isConnectorOn) {
        found.push(
          ownLink({
            url: own.url,
            identities: [{ platform: connectorPlatform, botId: ownBotId }],
            cache,
            id: "local",
            secret: own.secret,
            streamingDefault: true,
            uploads: false
          })
        )
      }
      return found
    }
  }
})
