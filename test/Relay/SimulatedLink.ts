/** A link on a test clock and a fake wire, for tests of its life. */
import { Effect, Exit, Random, Redacted, Scope, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { type Identities, linkOf } from "../../src/Relay/Identity.ts"
import type { Transport } from "../../src/Relay/Transport.ts"
import * as WebSocketTransport from "../../src/Relay/WebSocketTransport.ts"
import { FakeConnector } from "./FakeConnector.ts"
import { IntakeDouble } from "./IntakeDouble.ts"

/** Lets everything run that can. */
export const settle = Effect.repeat(Effect.yieldNow, { times: 60 })
export const elapse = (duration: Parameters<typeof TestClock.adjust>[0]) =>
  Effect.andThen(TestClock.adjust(duration), settle)

/** A die that always shows the same. */
export const always = (value: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => value, nextIntUnsafe: () => 7 })

export interface Link {
  readonly connector: FakeConnector
  readonly intake: IntakeDouble
  readonly transport: Transport["Service"]
  readonly scope: Scope.Closeable
  readonly state: () => string
  readonly close: Effect.Effect<void>
}

/** One bot, unless the test fronts several. */
export const bot: Identities = [{ platform: "discord", botId: "bot" }]

export const open = Effect.fnUntraced(function* (
  prepare: (connector: FakeConnector, intake: IntakeDouble) => void = () => {},
  secret: string | null = null,
  identities: Identities = bot
): Effect.fn.Return<Link, never, Scope.Scope> {
  const connector = new FakeConnector()
  const intake = new IntakeDouble()
  prepare(connector, intake)
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => {
    intake.gate.openUnsafe()
    return Scope.close(scope, Exit.void)
  })
  const transport = yield* WebSocketTransport.make({
    url: "https://connector.example/",
    identities,
    link: linkOf(identities),
    id: secret === null ? null : "gw-1",
    secret: secret === null ? null : Redacted.make(secret)
  }).pipe(Effect.provide([connector.layer, intake.layer]), Effect.provideService(Scope.Scope, scope))
  yield* settle
  const state = () => {
    const link = SubscriptionRef.getUnsafe(transport.state)
    return link._tag === "Closed" ? `Closed(${link.reason})` : link._tag
  }
  return { connector, intake, transport, scope, state, close: Effect.andThen(Scope.close(scope, Exit.void), settle) }
})

export const send = (content: string) => ({
  action: { op: "send", chat_id: "chat", content } as const,
  platform: "discord",
  rank: "final" as const
})
