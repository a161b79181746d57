import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Source from "../../src/Message/Source.ts"
import { KnownScopes } from "../../src/Session/KnownScopes.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { opened } from "../../src/Storage/SessionStore.ts"

const storage = Layer.mergeAll(KnownScopes.layer, Journal.layer).pipe(
  Layer.provideMerge(Database.layer({ storage: "memory", filename: "" }))
)

describe("the scope of a chat that nobody who runs knows (relay O4)", () => {
  it.effect("is that of its stored source", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const { scopeOf } = yield* KnownScopes
      const route = (n: number, source: Source.Source) => ({
        sessionKey: `key-${n}`,
        sessionId: `session-${n}`,
        createdAt: n,
        source
      })
      yield* journal.commit([
        ...opened(route(1, Source.make({ platform: "discord", chatId: "c", scopeId: "guild" }))),
        ...opened(route(2, Source.make({ platform: "discord", chatId: "dm" })))
      ])
      assert.strictEqual(yield* scopeOf("discord", "c"), "guild")
      assert.isNull(yield* scopeOf("discord", "dm"))
      assert.isNull(yield* scopeOf("slack", "c"))
    }).pipe(Effect.provide(storage))
  )
})
