/**
 * What a link dials with, as it is at each dial (`relay H2`, `V1`, `C2`): the configured id and secret, which may change
 * while the gateway runs, else a secret that the connector issues to us. An issued one lives in memory only.
 */
import { Effect, Redacted, type Scope, Stream, SubscriptionRef } from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import type { Outgoing } from "../Config/Outgoing.ts"
import { Settings } from "../Config/Settings.ts"
import { accessToken } from "./AccessToken.ts"
import * as Policy from "./Policy.ts"
import type { Identities } from "./Identity.ts"
import { type Credentials, provision } from "./Provision.ts"
import { IdpClientId, IdpClientSecret, RelayAccessToken, RelayId, RelaySecret } from "./RelaySettings.ts"

export interface CredentialSource {
  /** Asked before every dial; `null`: dial without a bearer. */
  readonly current: Effect.Effect<Credentials | null>
  /** As far as known, without asking anybody. */
  readonly latest: () => Credentials | null
  /** One element for each change of the configured ones. */
  readonly changes: Stream.Stream<void>
  /** The connector takes the last ones no more: what it had issued is forgotten. */
  readonly revoked: Effect.Effect<void>
}

const text = (secret: Redacted.Redacted | null): string | null => (secret === null ? null : Redacted.value(secret))

/** By the settings of this process; what it forks ends with the scope. */
export const make = Effect.fnUntraced(function* (options: {
  readonly url: string
  readonly outgoing: Outgoing
  readonly fronted: Identities
}): Effect.fn.Return<CredentialSource, ConfigError, Settings | Scope.Scope> {
  const settings = yield* Settings
  const scope = yield* Effect.scope
  const id = yield* settings.follow(RelayId)
  const secret = yield* settings.follow(RelaySecret)
  const token = yield* settings.follow(RelayAccessToken)
  const clientId = yield* settings.follow(IdpClientId)
  const clientSecret = yield* settings.follow(IdpClientSecret)
  let issued: Credentials | null = null
  let hasWarned = false
  let hasToldPolicy = false

  const configured = (): Credentials | null => {
    const name = id()
    const value = secret()
    return name === null || value === null ? null : { id: name, secret: value }
  }
  const fingerprint = (): string =>
    JSON.stringify([id(), text(secret()), text(token()), clientId(), text(clientSecret())])

  const ask = Effect.gen(function* () {
    const bearer = yield* accessToken(options.outgoing)
    if (bearer === null) {
      if (hasWarned) return null
      hasWarned = true
      yield* Effect.logWarning(
        "relay: dialling without credentials; run `enroll`, or set GATEWAY_RELAY_ID and GATEWAY_RELAY_SECRET, " +
          "or an access token with which the connector is asked for a secret"
      )
      return null
    }
    const found = yield* provision({ ...options, accessToken: bearer })
    issued = found
    yield* Effect.logInfo("relay: the connector issued a secret", {
      gateway: found.id,
      platforms: found.admitted.map(({ platform }) => platform).join(", ")
    })
    return issued
  }).pipe(
    Effect.provideService(Settings, settings),
    // The link goes on without; before its next dial the connector is asked again.
    Effect.catch((error) =>
      Effect.as(Effect.logWarning("relay: the connector issued no secret", { why: error.message }), null)
    )
  )

  const tellPolicy = (credentials: Credentials) =>
    Effect.suspend(() => {
      if (hasToldPolicy) return Effect.void
      hasToldPolicy = true
      return Policy.tell({ ...options, credentials }).pipe(
        Effect.provideService(Settings, settings),
        Effect.forkIn(scope),
        Effect.asVoid
      )
    })

  return {
    current: Effect.gen(function* () {
      const known = configured() ?? (secret() === null ? (issued ?? (yield* ask)) : null)
      if (known !== null) yield* tellPolicy(known)
      return known
    }),
    latest: () => configured() ?? issued,
    changes: SubscriptionRef.changes(settings.generation).pipe(
      Stream.map(fingerprint),
      Stream.changes,
      // The first is what the link dials with anyway.
      Stream.drop(1),
      Stream.map(() => undefined)
    ),
    revoked: Effect.sync(() => {
      issued = null
    })
  }
})
