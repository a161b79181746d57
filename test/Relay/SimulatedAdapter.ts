/** The relay as Delivery sees it, on a test clock and a fake wire. */
import { tmpdir } from "node:os"
import path from "node:path"
import { Effect } from "effect"
import type { Target } from "../../src/Delivery/Outlet.ts"
import { ForwardedRequests } from "../../src/Platforms/ForwardedRequests.ts"
import * as RelayAdapter from "../../src/Relay/RelayAdapter.ts"
import { KnownScopes } from "../../src/Session/KnownScopes.ts"
import { FakeConnector } from "./FakeConnector.ts"
import { IntakeDouble } from "./IntakeDouble.ts"
import { bot, settle } from "./SimulatedLink.ts"

export const target: Target = { platform: "discord", chatId: "chat", chatType: "dm", threadId: null, scopeId: null }

export const open = Effect.fnUntraced(function* (
  prepare: (connector: FakeConnector) => void = () => {},
  options: Partial<RelayAdapter.RelayOptions> = {}
) {
  const connector = new FakeConnector()
  prepare(connector)
  const intake = new IntakeDouble()
  const stored = new Map<string, string>()
  const forwarded = yield* ForwardedRequests.make
  const adapter = yield* RelayAdapter.make({
    url: "http://connector.example",
    identities: bot,
    id: null,
    secret: null,
    streamingDefault: true,
    cache: path.join(tmpdir(), "switchboard-relay-test"),
    ...options
  }).pipe(
    Effect.provide([connector.layer, intake.layer]),
    Effect.provideService(ForwardedRequests, forwarded),
    Effect.provideService(KnownScopes, {
      scopeOf: (platform, chatId) => Effect.succeed(stored.get(`${platform}:${chatId}`) ?? null)
    })
  )
  yield* settle
  return { stored, connector, forwarded, intake, adapter, outlet: adapter.outlet }
})

export const say = (
  text: string,
  more: { key?: string; notify?: boolean; expectEdits?: boolean; target?: Target; replyTo?: string } = {}
) => ({
  key: more.key ?? `key-${text}`,
  target: more.target ?? target,
  text,
  replyTo: more.replyTo ?? null,
  notify: more.notify ?? true,
  ...(more.expectEdits === undefined ? {} : { expectEdits: more.expectEdits })
})
