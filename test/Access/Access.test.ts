import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Access } from "../../src/Access/Access.ts"
import { Settings } from "../../src/Config/Settings.ts"
import * as Source from "../../src/Message/Source.ts"

const asked = (
  values: Readonly<Record<string, unknown>>,
  ...senders: ReadonlyArray<readonly [platform: string, userId: string]>
) =>
  Effect.gen(function* () {
    const access = yield* Access
    return yield* Effect.forEach(senders, ([platform, userId]) =>
      Effect.map(access.decide(Source.make({ platform, chatId: "1", userId }), Source.untrusted), ({ rule }) => rule)
    )
  }).pipe(Effect.provide(Access.layer.pipe(Layer.provide(Settings.layerFrom(values)))))

describe("Access", () => {
  it.effect("each platform has its own list, the gateway's holds for all", () =>
    Effect.gen(function* () {
      const values = { TELEGRAM_ALLOWED_USERS: "1, 2 ,,", GATEWAY_ALLOWED_USERS: "9" }
      assert.deepStrictEqual(
        yield* asked(values, ["telegram", "2"], ["telegram", "9"], ["slack", "9"], ["slack", "1"], ["telegram", "2"]),
        ["12", "12", "12", "13", "12"]
      )
    })
  )

  it.effect("nothing is configured: nobody", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* asked({}, ["telegram", "1"], ["telegram", "*"]), ["D2d", "D2d"])
      assert.deepStrictEqual(yield* asked({ TELEGRAM_ALLOWED_USERS: " , ," }, ["telegram", "1"]), ["D2d"])
    })
  )

  it.effect("the variable of a platform with odd characters", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* asked({ MY_CHAT_ALLOW_ALL_USERS: "yes" }, ["my-chat", "1"], ["my.chat", "1"], ["mychat", "1"]),
        ["6", "6", "D2d"]
      )
    })
  )

  it.effect("a flag that does not decode opens nothing", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* asked({ GATEWAY_ALLOW_ALL_USERS: "maybe", TELEGRAM_ALLOW_ALL_USERS: "2" }, ["telegram", "1"]),
        ["D2d"]
      )
    })
  )

  it.effect("ids of a list keep all their digits", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* asked(
          { DISCORD_ALLOWED_USERS: "900719925474099312345" },
          ["discord", "900719925474099312345"],
          ["discord", "900719925474099300000"]
        ),
        ["12", "13"]
      )
    })
  )

  it.effect("any number of platforms is judged, not only the remembered ones", () =>
    Effect.gen(function* () {
      const platforms = Array.from({ length: 600 }, (_, i) => [`p${i}`, "1"] as const)
      assert.deepStrictEqual(
        [...new Set(yield* asked({ GATEWAY_ALLOWED_USERS: "1" }, ...platforms, ...platforms))],
        ["12"]
      )
    })
  )
})
