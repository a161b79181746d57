/**
 * Which links this configuration has, under which names people address them, and how each is made (`operations T1`).
 * The local connector's link is the relay like any other, dialled on our own listener.
 */
import { Effect, type Redacted } from "effect"
import { connectorEnabled } from "../Config/GatewaySettings.ts"
import type { ConfigError } from "../Config/ConfigError.ts"
import { Settings } from "../Config/Settings.ts"
import { AdapterError, type Registration } from "../Platforms/Adapter.ts"
import { outgoing } from "../Config/Outgoing.ts"
import * as Credentials from "../Relay/Credentials.ts"
import { Dialer } from "../Relay/Dialer.ts"
import * as RelayAdapter from "../Relay/RelayAdapter.ts"
import { RelayBotId, RelayPlatform, RelayUrl } from "../Relay/RelaySettings.ts"
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
  make: Effect.provide(RelayAdapter.make(options), Dialer.layer)
})

const relayLink = (options: RelayAdapter.RelayOptions): Registration => ({
  name: "relay",
  label: "Relay",
  make: Effect.gen(function* () {
    const way = yield* outgoing
    const credentials = yield* Credentials.make({ url: options.url, outgoing: way, fronted: [options] })
    return yield* Effect.provide(RelayAdapter.make({ ...options, credentials }), Dialer.layerBy(way))
  }).pipe(
    Effect.catchTag("ConfigError", ({ message }) =>
      Effect.fail(new AdapterError({ platform: "relay", code: "bad_configuration", message, retryable: false }))
    )
  )
})

export const plan: Effect.Effect<Plan, ConfigError, Settings> = Effect.gen(function* () {
  const settings = yield* Settings
  const url = yield* settings.get(RelayUrl)
  const platform = yield* settings.get(RelayPlatform)
  const botId = yield* settings.get(RelayBotId)
  const isConnectorOn = yield* connectorEnabled
  // The name of the link is in every stored row: it stays the same whether or not a relay is configured beside it.
  const ownBotId = url !== null && botId === "web" ? "web-chat" : "web"

  const names: Array<LinkName> = []
  if (url !== null) {
    names.push({ name: "relay", platform, link: `relay:${botId}` })
    if (platform !== "relay") names.push({ name: platform.toLowerCase(), platform, link: `relay:${botId}` })
  }
  if (isConnectorOn) names.push({ name: "web", platform: connectorPlatform, link: `relay:${ownBotId}` })

  return {
    names,
    isConnectorOn,
    registrations: (own) => {
      const found: Array<Registration> = []
      if (url !== null)
        found.push(relayLink({ url, platform, botId, id: null, secret: null, wake: own.wake, streamingDefault: false }))
      if (isConnectorOn) {
        found.push(
          ownLink({
            url: own.url,
            platform: connectorPlatform,
            botId: ownBotId,
            id: "local",
            secret: own.secret,
            streamingDefault: true
          })
        )
      }
      return found
    }
  }
})
