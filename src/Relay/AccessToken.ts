/**
 * The bearer that shows a connector who asks for a secret (`relay V1a`): from an identity provider by OAuth 2 client
 * credentials (RFC 6749, 4.4), else as configured. Asked for anew each time: it is needed once.
 */
import { Effect, Redacted, Schema } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import type { Outgoing } from "../Config/Outgoing.ts"
import { registerSecret } from "../Config/Redact.ts"
import { Settings } from "../Config/Settings.ts"
import { granted, type NoAnswer, post, type Refused } from "./ConnectorHttp.ts"
import { IdpClientId, IdpClientSecret, IdpScope, IdpTokenUrl, RelayAccessToken } from "./RelaySettings.ts"

const decode = Schema.decodeUnknownResult(Schema.Struct({ access_token: Schema.NonEmptyString }))

/** `null`: none is configured. */
export const accessToken = (
  outgoing: Outgoing
): Effect.Effect<Redacted.Redacted | null, ConfigError | NoAnswer | Refused, Settings> =>
  Effect.gen(function* () {
    const settings = yield* Settings
    const url = yield* settings.get(IdpTokenUrl)
    if (url === null) return yield* settings.get(RelayAccessToken)
    const id = yield* settings.get(IdpClientId)
    const secret = yield* settings.get(IdpClientSecret)
    const scope = yield* settings.get(IdpScope)
    const form = new URLSearchParams({ grant_type: "client_credentials" })
    if (id !== null) form.set("client_id", id)
    if (secret !== null) form.set("client_secret", Redacted.value(secret))
    if (scope !== null) form.set("scope", scope)
    const answer = yield* post(outgoing, {
      url,
      bearer: null,
      contentType: "application/x-www-form-urlencoded",
      body: form.toString()
    })
    const { access_token } = yield* granted(decode)(answer)
    registerSecret(access_token)
    return Redacted.make(access_token)
  })
