/** `inbox`, `outbox`, `send` and `doctor` while a gateway runs: on PostgreSQL it has the database for itself. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { WebSocket } from "ws"
import { decodeServerMessage } from "../../src/Connector/PageProtocol.ts"
import { eventually } from "../support/Eventually.ts"
import * as GatewayProcess from "../support/GatewayProcess.ts"
import * as Postgres from "../support/Postgres.ts"
import { command } from "./CommandProcess.ts"

/** What a page of the web chat has been told, by whom it was said. */
const page = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const said = { user: new Set<string>(), assistant: new Set<string>() }
      const socket = new WebSocket(`${url.replace("http", "ws")}/chat/socket`, { headers: { origin: url } })
      socket.on("error", () => undefined)
      socket.on("open", () => {
        socket.send(JSON.stringify({ type: "hello", seen: 0 }))
        socket.send(JSON.stringify({ type: "send", id: "m1", chatId: "c1", text: "hello" }))
      })
      socket.on("message", (data: Buffer) => {
        const message = decodeServerMessage(data.toString())
        if (message?.type !== "messages" && message?.type !== "history") return
        for (const { role, text } of message.messages) said[role].add(text)
      })
      return { said, socket }
    }),
    ({ socket }) => Effect.sync(() => socket.terminate())
  )

describe("commands beside a running gateway", () => {
  for (const kind of ["sqlite", "PostgreSQL"] as const) {
    it.live(
      `see and change its rows, and have it say something (${kind})`,
      () =>
        Effect.gen(function* () {
          const home = yield* GatewayProcess.makeHome
          const storage = kind === "sqlite" ? kind : Redacted.value((yield* Postgres.makeDatabase).url)
          const run = (...args: ReadonlyArray<string>) => command(home, args, { env: { SWITCHBOARD_STORAGE: storage } })
          assert.strictEqual((yield* run("doctor")).code, 0, "before the first start")
          const gateway = yield* GatewayProcess.start({ home, storage })
          yield* gateway.awaitReady()
          const { said } = yield* page(yield* gateway.httpUrl)
          yield* eventually("the echo", () => said.assistant.has("hello"), { seconds: 20 })

          const sent = yield* run("send", "web:c1", "good news")
          assert.deepStrictEqual([sent.code, sent.stderr], [0, ""])
          yield* eventually("the page shows it", () => said.assistant.has("good news"), { seconds: 20 })

          const rows = yield* run("inbox", "list", "--state", "done")
          assert.deepStrictEqual([rows.code, rows.stderr], [0, ""])
          assert.match(rows.stdout, /hello/)
          const owed = yield* run("outbox", "list", "--state", "sent")
          assert.deepStrictEqual([owed.code, owed.stderr], [0, ""])
          assert.match(owed.stdout, /good news/)

          const lost = yield* run("send", "web:nowhere", "lost")
          assert.strictEqual(lost.code, 1)
          const key = /^(\w{12}) +dead /m.exec((yield* run("outbox", "list")).stdout)?.[1] ?? ""
          const dropped = yield* run("outbox", "drop", key)
          assert.deepStrictEqual([dropped.code, dropped.stderr], [0, ""])
          const checked = yield* run("doctor")
          assert.strictEqual(checked.code, 0, checked.stdout)
          assert.isUndefined(gateway.exited)
        }),
      { timeout: 120_000 }
    )
  }
})
