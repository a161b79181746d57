/** The whole way of one message through the real process, on every durable storage. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Postgres from "../support/Postgres.ts"
import * as Scene from "../support/Scene.ts"

const storages = {
  SQLite: Effect.succeed("sqlite"),
  PostgreSQL: Effect.map(Postgres.makeDatabase, ({ url }) => Redacted.value(url))
}

describe("the gateway as a process", () => {
  for (const [name, storage] of Object.entries(storages)) {
    it.live(
      `shakes hands, becomes ready and answers on ${name}`,
      () =>
        Effect.gen(function* () {
          const scene = yield* Scene.make({ storage: yield* storage })
          scene.say("ada", "hello over the relay")
          yield* scene.shows("ada", "hello over the relay")
          yield* scene.gateway().awaitReady(30)
          const health = yield* scene.gateway().get("/health")
          assert.strictEqual(health.status, 200)
          assert.strictEqual(JSON.parse(health.body).status, "ok")
          assert.strictEqual(scene.connector.waiting, 0)
          assert.deepStrictEqual(scene.answers("ada"), ["hello over the relay"])
          assert.deepStrictEqual(scene.connector.violations, [])
        }).pipe(Effect.scoped),
      { timeout: 90_000 }
    )
  }

  it.live(
    "acknowledges a repeated message again and answers it once",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.connector.deliver({ chatId: "ada", text: "only once", messageId: "same" })
        yield* scene.shows("ada", "only once")
        scene.connector.deliver({ chatId: "ada", text: "only once", messageId: "same" })
        scene.say("ada", "after it")
        yield* scene.shows("ada", "after it")
        assert.strictEqual(scene.connector.waiting, 0)
        assert.deepStrictEqual(scene.answers("ada"), ["only once", "after it"])
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "understands lines that are joined and cut anywhere",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.connector.faults.splitBytes(true)
        const texts = Array.from({ length: 50 }, (_, n) => `Nachricht ${n}: grüße, 你好, 👩‍🚀, مرحبا`)
        texts.forEach((text, n) => scene.say(`chat-${n % 5}`, text))
        for (const [n, text] of texts.entries()) yield* scene.shows(`chat-${n % 5}`, text)
        assert.strictEqual(scene.connector.counts.connections, 1)
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "carries the chat's scope in what it sends",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.connector.deliver({ chatId: "guild-room", text: "scoped", chatType: "channel", scopeId: "guild-1" })
        yield* scene.shows("guild-room", "scoped")
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "says a text that the connector refuses for a while in the end, once",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        scene.connector.faults.refuse(1, "NetworkError: the platform is out of reach")
        scene.say("ada", "in the end")
        yield* scene.shows("ada", "in the end", 30)
        assert.strictEqual(scene.connector.faults.counts.refused, 1)
        assert.deepStrictEqual(scene.answers("ada"), ["in the end"])
        assert.deepStrictEqual(scene.connector.violations, [])
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})
