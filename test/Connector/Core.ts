/** A connector's core over a database in memory, and a gateway that speaks to it line by line: for the tests of this room. */
import { Effect, Layer } from "effect"
import { ChatStore } from "../../src/Connector/ChatStore.ts"
import * as ConnectorCore from "../../src/Connector/ConnectorCore.ts"
import type { Handled } from "../../src/Connector/Exchange.ts"
import { Database } from "../../src/Storage/Database.ts"

export const Memory = ChatStore.layer.pipe(Layer.provideMerge(Database.layer({ storage: "memory", filename: "" })))

interface Line {
  readonly type: string
  readonly bufferId?: string
  readonly requestId?: string
  readonly result?: {
    readonly success: boolean
    readonly message_id?: string
    readonly error?: string
    readonly [key: string]: unknown
  }
  readonly event?: { readonly text: string; readonly message_type: string; readonly source: Record<string, unknown> }
}

export const linesOf = (handled: Handled): ReadonlyArray<Line> => handled.lines.map((line) => JSON.parse(line) as Line)
export const said = (id: string, text = id, chatId = "chat") => ({ id, chatId, text })
export const ack = (id: string) => JSON.stringify({ type: "inbound_ack", bufferId: `web:${id}` })
export const hello = JSON.stringify({ type: "hello", platform: "relay", botId: "" })

/** A core on an empty database, and a gateway that has greeted. */
export const fresh = Effect.gen(function* () {
  const store = yield* ChatStore
  const core = yield* ConnectorCore.make(store)
  yield* core.onConnect(1)
  const greeting = yield* core.onFrame(1, hello)
  let requests = 0
  const request = (action: unknown) =>
    Effect.map(
      core.onFrame(1, JSON.stringify({ type: "outbound", requestId: String(++requests), action })),
      (handled) => linesOf(handled).find((line) => line.requestId === String(requests))!.result!
    )
  return { core, store, greeting, request }
})

export const stateOf = (store: ChatStore["Service"], id: string) =>
  Effect.map(store.byId(id), (message) => message?.state)
