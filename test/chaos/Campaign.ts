/**
 * One chaos run against the real process on one storage: home, connector, credentials and database made for it alone.
 */
import { Effect, Redacted, type Scope } from "effect"
import type { GatewayError } from "../support/GatewayProcess.ts"
import { makeHome } from "../support/GatewayProcess.ts"
import * as Postgres from "../support/Postgres.ts"
import * as StrictConnector from "../support/StrictConnector.ts"
import * as Chaos from "./Chaos.ts"
import * as Subject from "./Subject.ts"

export interface Campaign extends Omit<Chaos.ChaosOptions, "name"> {
  readonly storage: "sqlite" | "postgres"
  /** How the connector lets unknown outcomes be settled (`relay O5`). */
  readonly settle: "key" | "mark"
}

const gatewayId = "gw-chaos"
const secret = "chaos-secret-of-the-relay"

export const run = (campaign: Campaign): Effect.Effect<Chaos.Report, GatewayError | Postgres.PostgresUnavailable> =>
  Effect.scoped(
    Effect.gen(function* (): Effect.fn.Return<Chaos.Report, GatewayError | Postgres.PostgresUnavailable, Scope.Scope> {
      const home = yield* makeHome
      const connector = yield* StrictConnector.make({
        secrets: [secret],
        gatewayId,
        seed: campaign.seed,
        descriptor: { supports_idempotency: campaign.settle === "key" }
      })
      const storage = campaign.storage === "sqlite" ? "sqlite" : Redacted.value((yield* Postgres.makeDatabase).url)
      const subject = yield* Subject.gatewayProcess({
        home,
        relayUrl: connector.url,
        relayId: gatewayId,
        relaySecret: secret,
        storage
      })
      return yield* Chaos.run({ ...campaign, name: campaign.storage }, connector, subject)
    })
  )
