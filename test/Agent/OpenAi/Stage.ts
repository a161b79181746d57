/** The agent over strict servers of its own. */
import { assert } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { Agent } from "../../../src/Agent/Agent.ts"
import * as OpenAi from "../../../src/Agent/OpenAi/OpenAi.ts"
import * as Server from "./CompletionServer.ts"

export const optionsFor = (servers: ReadonlyArray<Server.CompletionServer>, more: Partial<OpenAi.Options> = {}) => {
  const [first, ...rest] = servers.map(({ url }, i) => ({
    name: `server ${i}`,
    baseUrl: url,
    apiKey: Redacted.make(`key-of-server-${i}`),
    model: `model-${i}`
  }))
  return {
    endpoints: [first!, ...rest] as const,
    contextWindow: 32_000,
    maxTokens: null,
    summaryModel: null,
    mediaCache: "/nowhere",
    isProxy: false,
    ...more
  }
}

/** Runs with servers and the agent over them; at the end no server may have anything to complain about. */
export const withServers = <A, E>(
  count: number,
  body: (...servers: ReadonlyArray<Server.CompletionServer>) => Effect.Effect<A, E, Agent>,
  more: Partial<OpenAi.Options> = {}
) =>
  Effect.gen(function* () {
    const servers = yield* Effect.all(Array.from({ length: count }, () => Server.make))
    const result = yield* body(...servers).pipe(Effect.provide(OpenAi.layer(optionsFor(servers, more))))
    for (const { violations } of servers) assert.deepStrictEqual(violations, [])
    return result
  }).pipe(Effect.scoped)
