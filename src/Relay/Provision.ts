/**
 * Asks a connector for the secret of the upgrade (`relay V1`): one POST for each fronted platform under one gateway id.
 * What is issued is handed to the caller and written nowhere.
 */
import { hostname } from "node:os"
import { Effect, Redacted, Schema } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import type { Outgoing } from "../Config/Outgoing.ts"
import { registerSecret } from "../Config/Redact.ts"
import { Settings } from "../Config/Settings.ts"
import { granted, type NoAnswer, post, type Refused } from "./ConnectorHttp.ts"
import { dialUrl, provisionUrl } from "./DialUrl.ts"
import type { Identities, Identity } from "./Identity.ts"
import { RelayEndpoint, RelayId, RelayInstanceId, RelayRouteKeys, RelayWakeUrl } from "./RelaySettings.ts"

/** What signs the upgrade (`relay H2`). */
export interface Credentials {
  readonly id: string
  readonly secret: Redacted.Redacted
  /** Issued for these alone: no other one says hello. */
  readonly admitted?: Identities
}

interface Provisioned extends Credentials {
  readonly admitted: Identities
}

/** Where V1 and V2 need an id and none is configured. */
export const defaultGatewayId = (): string => `gw-${hostname()}`

const Issued = Schema.Struct({
  secret: Schema.NonEmptyString,
  gatewayId: Schema.optional(Schema.NullOr(Schema.String)),
  deliveryKey: Schema.optional(Schema.NullOr(Schema.String))
})
const decode = Schema.decodeUnknownResult(Issued)

/** What the connector issued; its secrets are known to the redactor from here on. */
export const issued = (
  answer: Parameters<ReturnType<typeof granted>>[0],
  askedId: string
): Effect.Effect<Credentials, Refused> =>
  Effect.map(granted(decode)(answer), ({ deliveryKey, gatewayId, secret }) => {
    registerSecret(secret)
    if (deliveryKey != null) registerSecret(deliveryKey)
    return { id: gatewayId?.trim() || askedId, secret: Redacted.make(secret) }
  })

/** A path beside the provision URL, over http(s). */
export const connectorUrl = (base: string, path: "provision" | "enroll" | "policy"): string =>
  provisionUrl(dialUrl(base)).replace(/provision$/, path)

/** Fails only when no platform is admitted, with the last reason. */
export const provision = Effect.fnUntraced(function* (options: {
  readonly url: string
  readonly outgoing: Outgoing
  readonly accessToken: Redacted.Redacted
  readonly fronted: Identities
}): Effect.fn.Return<Provisioned, ConfigError | NoAnswer | Refused, Settings> {
  const settings = yield* Settings
  const gatewayId = (yield* settings.get(RelayId)) ?? defaultGatewayId()
  const instanceId = yield* settings.get(RelayInstanceId)
  const wakeUrl = yield* settings.get(RelayWakeUrl)
  const common = {
    gatewayEndpoint: (yield* settings.get(RelayEndpoint)) ?? "",
    routeKeys: yield* settings.get(RelayRouteKeys),
    ...(instanceId === null ? {} : { instanceId }),
    ...(wakeUrl === null ? {} : { wakeUrl })
  }
  const admitted: Array<Identity> = []
  let credentials: Credentials | null = null
  let failure: NoAnswer | Refused | null = null
  for (const one of options.fronted) {
    const result = yield* post(options.outgoing, {
      url: connectorUrl(options.url, "provision"),
      bearer: options.accessToken,
      contentType: "application/json",
      body: JSON.stringify({ gatewayId, platform: one.platform, botId: one.botId, ...common })
    }).pipe(
      Effect.flatMap((answer) => issued(answer, gatewayId)),
      Effect.result
    )
    if (result._tag === "Failure") {
      failure = result.failure
      yield* Effect.logWarning("relay: the connector does not let us front a platform", {
        platform: one.platform,
        why: failure.message
      })
    } else {
      admitted.push(one)
      credentials ??= result.success
    }
  }
  const [first, ...others] = admitted
  if (credentials !== null && first !== undefined) return { ...credentials, admitted: [first, ...others] }
  return yield* failure ?? Effect.die(new Error("nothing is fronted"))
})
