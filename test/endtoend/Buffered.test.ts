/** Ten thousand messages that a connector kept while no gateway was there (`relay L6`, `I3`, `I4`). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Eventually.ts"
import * as GatewayProcess from "../support/GatewayProcess.ts"
import * as StrictConnector from "../support/StrictConnector.ts"

const chats = Array.from({ length: 500 }, (_, n) => `chat-${n}`)
const perChat = 20
/** The first message ever is answered together with a note to the agent. */
const numberIn = (text: string): number => Number(/number (\d+)\.$/.exec(text)?.[1] ?? -1)

describe("ten thousand buffered messages", () => {
  it.live(
    "are taken, acknowledged and answered, each once and in the order of its chat",
    () =>
      Effect.gen(function* () {
        const connector = yield* StrictConnector.make()
        for (let n = 0; n < perChat; n++)
          for (const chatId of chats) connector.deliver({ chatId, text: `number ${n}.` })
        assert.strictEqual(connector.waiting, 10_000)
        const home = yield* GatewayProcess.makeHome
        yield* GatewayProcess.start({
          home,
          relayUrl: connector.url,
          env: { SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE: "queue" }
        })
        yield* connector.awaitReady(30)
        yield* eventually("every acknowledgement", () => connector.waiting === 0, {
          seconds: 120,
          seen: () => `${connector.waiting} wait`
        })
        const answered = (chatId: string) =>
          connector
            .chat(chatId)
            .texts()
            .map(numberIn)
            .filter((n) => n >= 0)
        yield* eventually("every answer", () => chats.every((chatId) => answered(chatId).length >= perChat), {
          seconds: 180,
          seen: () => `${chats.reduce((sum, chatId) => sum + answered(chatId).length, 0)} answered`
        })
        const inOrder = Array.from({ length: perChat }, (_, n) => n)
        for (const chatId of chats) assert.deepStrictEqual(answered(chatId), inOrder, chatId)
        assert.strictEqual(connector.counts.connections, 1)
        assert.deepStrictEqual(connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 360_000 }
  )
})
