/**
 * Trades a one-time token for this gateway's id and secret (`relay V2`). It asks once, and writes nothing itself.
 */
import { Effect, Redacted } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import type { Outgoing } from "../Config/Outgoing.ts"
import type { Settings } from "../Config/Settings.ts"
import { accessToken } from "./AccessToken.ts"
import { type NoAnswer, post, type Refused } from "./ConnectorHttp.ts"
import { connectorUrl, type Credentials, issued } from "./Provision.ts"

export const enroll = Effect.fnUntraced(function* (options: {
  readonly url: string
  readonly outgoing: Outgoing
  readonly token: Redacted.Redacted
  readonly gatewayId: string
}): Effect.fn.Return<Credentials, ConfigError | NoAnswer | Refused, Settings> {
  const answer = yield* post(options.outgoing, {
    url: connectorUrl(options.url, "enroll"),
    bearer: yield* accessToken(options.outgoing),
    contentType: "application/json",
    body: JSON.stringify({ enrollmentToken: Redacted.value(options.token), gatewayId: options.gatewayId })
  })
  return yield* issued(answer, options.gatewayId)
})
