/** The live dialer against real servers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { DialError, Dialer } from "../../src/Relay/Dialer.ts"
import { eventually } from "../support/Eventually.ts"
import { descriptorLine } from "./FakeConnector.ts"
import { serve } from "./LoopbackConnector.ts"

describe("the dialer", () => {
  const dial = (url: string) =>
    Effect.result(Effect.scoped(Effect.flatMap(Dialer, (dialer) => dialer.dial({ url, token: null })))).pipe(
      Effect.provide(Dialer.layer)
    )

  it.live("says why it cannot connect", () =>
    Effect.gen(function* () {
      const server = yield* serve
      const reasonOf = Effect.fnUntraced(function* (url: string) {
        const result = yield* dial(url)
        return Result.isFailure(result) && result.failure instanceof DialError
          ? [result.failure.reason, result.failure.status]
          : "connected"
      })
      const url = server.url.replace("http", "ws")
      for (const [status, reason] of [
        [401, "Unauthorized"],
        [403, "Unauthorized"],
        [404, "Rejected"],
        [503, "Rejected"]
      ] as const) {
        server.status = status
        assert.deepStrictEqual(yield* reasonOf(url), [reason, status])
      }
      assert.deepStrictEqual(yield* reasonOf("ws://127.0.0.1:1/relay"), ["Unreachable", null])
      assert.deepStrictEqual(yield* reasonOf("nonsense"), ["InvalidUrl", null])
    }).pipe(Effect.scoped)
  )

  it.live("gives a wire that pings, tells its end, and refuses to write after it", () =>
    Effect.gen(function* () {
      const server = yield* serve
      const dialer = yield* Dialer
      const wire = yield* dialer.dial({ url: server.url.replace("http", "ws"), token: null })
      yield* wire.ping
      server.socket().send("last words")
      server.socket().close(4000)
      yield* eventually("closed", () => server.closes.length === 1)
      const [words] = yield* wire.pull
      assert.strictEqual(Buffer.from(words as Uint8Array).toString(), descriptorLine())
      const end = yield* Effect.flip(Effect.forever(wire.pull))
      assert.strictEqual(end.code, 4000)
      assert.strictEqual((yield* Effect.flip(wire.write("x"))).code, 4000)
      assert.strictEqual((yield* Effect.flip(wire.ping)).code, 4000)
      yield* wire.close(1000)
    }).pipe(Effect.scoped, Effect.provide(Dialer.layer))
  )
})
