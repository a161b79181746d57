/** An agent gets the gateway's tools with its session, and with them its own conversation alone. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TurnView } from "../../src/Operations/Turns/TurnView.ts"
import { eventuallyAsync } from "../support/Eventually.ts"
import * as GatewayProcess from "../support/GatewayProcess.ts"

const decodeView = Schema.decodeUnknownSync(TurnView)
const decodeTaken = Schema.decodeUnknownSync(Schema.Struct({ turn: Schema.String }))

const start = Effect.fnUntraced(function* (features: string) {
  const home = yield* GatewayProcess.makeHome
  const script = join(import.meta.dirname, "../Agent/Acp/SdkAgent.ts")
  GatewayProcess.writeConfig(home, `agent: {acp: {environment: {ACP_FEATURES: "${features}"}}}`)
  const gateway = yield* GatewayProcess.start({
    home,
    env: { SWITCHBOARD_ACP_COMMAND: `${process.execPath} ${script}` }
  })
  yield* gateway.awaitReady()
  const url = yield* gateway.httpUrl
  /** What the agent answers. */
  const ask = Effect.fnUntraced(function* (chat: string, text: string) {
    const { turn } = yield* Effect.promise(async () => {
      const body = JSON.stringify({ chat, text })
      const headers = { "content-type": "application/json" }
      return decodeTaken(await (await fetch(`${url}/v1/messages`, { method: "POST", body, headers })).json())
    })
    let reply: string | null = null
    let seen = ""
    yield* eventuallyAsync(
      `an answer to ${text}`,
      async () => {
        const view = decodeView(await (await fetch(`${url}/v1/turns/${turn}`)).json())
        seen = JSON.stringify(view)
        reply = view.reply
        return view.over
      },
      { seconds: 30, seen: () => seen }
    )
    return reply ?? ""
  })
  return ask
})

describe("an agent of the Agent Client Protocol", () => {
  for (const [features, way] of [
    ["mcp-http", "http"],
    ["", "pipes"]
  ] as const) {
    it.live(
      `calls the gateway's tools over ${way}, and reads no other conversation`,
      () =>
        Effect.gen(function* () {
          const ask = yield* start(features)
          assert.include(yield* ask("one", "the secret of one"), "secret")
          assert.include(yield* ask("two", "the words of two"), "words")
          const own = yield* ask("two", "call read_history")
          assert.isTrue(own.startsWith(way), own)
          assert.include(own, "the words of two")
          assert.notInclude(own, "the secret of one")
          assert.notInclude(yield* ask("two", 'call search_history {"query":"secret"}'), "of one")
          assert.notInclude(yield* ask("two", "call list_sessions"), "of one")
          const first = yield* ask("one", "call list_sessions")
          const id = /session_id\\*":\\*"([^"\\]+)/.exec(first)?.[1] ?? ""
          assert.notStrictEqual(id, "", first)
          assert.include(yield* ask("one", `call read_history {"session_id":"${id}"}`), "the secret of one")
          assert.include(yield* ask("two", `call read_history {"session_id":"${id}"}`), "not_found")
        }).pipe(Effect.scoped),
      { timeout: 120_000 }
    )
  }
})
