/**
 * Which links this configuration has, under which names people address them, and how each is made (`operations T1`).
 * The local connector's link is the relay like any other, dialled on our own listener.
 */
import { Effect, type Redacted } from "effect"
import { connectorEnabled } from "../Config/GatewaySettings.ts"
import type { ConfigError } from "../Config/ConfigError.ts"
import { Settings } from "../Config/Settings.ts"
import type { Registration } from "../Platforms/Adapter.ts"
import { Dialer } from "../Relay/Dialer.ts"
import * as RelayAdapter from "../Relay/RelayAdapter.ts"
import { RelayBotId, RelayId, RelayPlatform, RelaySecret, RelayUrl } from "../Relay/RelaySettings.ts"

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
  /** `own`: where our listener is, and the secret it shares with the link; needed when the connector runs. */
  readonly registrations: (own: {
    readonly url: string
    readonly secret: Redacted.Redacted
  }) => ReadonlyArray<Registration>
}

/** The platform that the local connector names in its frames. */
const connectorPlatform = "relay"

const relay = (name: string, label: string, options: RelayAdapter.RelayOptions): Registration => ({
  name,
  label,
  authorizationIsUpstream: true,
  make: Effect.provide(RelayAdapter.make(options), Dialer.layer)
})

export const plan: Effect.Effect<Plan, ConfigError, Settings> = Effect.gen(function* () {
  const settings = yield* Settings
  const url = yield* settings.get(RelayUrl)
  const platform = yield* settings.get(RelayPlatform)
  const botId = yield* settings.get(RelayBotId)
  const id = yield* settings.get(RelayId)
  const secret = yield* settings.get(RelaySecret)
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
        found.push(relay("relay", "Relay", { url, platform, botId, id, secret, streamingDefault: false }))
      if (isConnectorOn) {
        found.push(
          relay("web", "Web chat", {
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
