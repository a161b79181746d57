import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { Access } from "../../src/Access/Access.ts"
import { Pairing } from "../../src/Access/Pairing.ts"
import { Settings } from "../../src/Config/Settings.ts"
import * as AccessCheck from "../../src/Platforms/AccessCheck.ts"
import type { Registration } from "../../src/Platforms/Adapter.ts"
import { Database } from "../../src/Storage/Database.ts"

const named = (name: string, more: Partial<Registration> = {}): Registration => ({
  name,
  label: name,
  make: Effect.never,
  ...more
})

const check = (values: Readonly<Record<string, unknown>>, registration: Registration) =>
  Effect.gen(function* () {
    const start = yield* Effect.result(AccessCheck.beforeStart([registration]))
    const own = yield* Effect.result(AccessCheck.mayRun(registration))
    return [
      Result.isSuccess(start) ? "starts" : start.failure.message,
      Result.isSuccess(own) ? "runs" : own.failure.message
    ]
  }).pipe(
    Effect.provide(
      Access.layer.pipe(
        Layer.provide(Pairing.layer),
        Layer.provide(Settings.layerFrom(values)),
        Layer.provide(Layer.orDie(Database.layer({ storage: "memory", filename: "" })))
      )
    )
  )

describe("access before a start", () => {
  it.effect("an open policy that nobody confirmed stops the whole start", () =>
    Effect.gen(function* () {
      for (const key of ["dm_policy", "group_policy"]) {
        const open = { "platforms.wecom": { [key]: "open" } }
        const [start] = yield* check(open, named("wecom"))
        assert.include(start, `platforms.wecom: found ${key} is open`)
        assert.deepStrictEqual(yield* check({ ...open, WECOM_ALLOW_ALL_USERS: "true" }, named("wecom")), [
          "starts",
          "runs"
        ])
        assert.deepStrictEqual(yield* check({ ...open, GATEWAY_ALLOW_ALL_USERS: "1" }, named("wecom")), [
          "starts",
          "runs"
        ])
      }
      assert.deepStrictEqual(yield* check({ "platforms.slack": { dm_policy: "open" } }, named("slack")), [
        "starts",
        "runs"
      ])
    })
  )

  it.effect("WhatsApp Cloud takes WhatsApp's policy while it has none of its own", () =>
    Effect.gen(function* () {
      const [start] = yield* check({ WHATSAPP_DM_POLICY: "open" }, named("whatsapp_cloud"))
      assert.include(start, "dm_policy is open")
      const own = { WHATSAPP_DM_POLICY: "open", WHATSAPP_CLOUD_DM_POLICY: "pairing" }
      assert.deepStrictEqual(yield* check(own, named("whatsapp_cloud")), ["starts", "runs"])
    })
  )

  it.effect("an unknown policy, or settings that do not decode, keep that platform down alone", () =>
    Effect.gen(function* () {
      const [start, own] = yield* check({ "platforms.slack": { dm_policy: "allow-list" } }, named("slack"))
      assert.strictEqual(start, "starts")
      assert.include(own, 'dm_policy is "allow-list"')
      const [, broken] = yield* check({ "platforms.slack": { groups: "all" } }, named("slack"))
      assert.include(broken, "groups")
    })
  )

  it.effect("a link that authorises upstream has no rules of its own", () =>
    Effect.gen(function* () {
      const open = { "platforms.wecom": { dm_policy: "open" } }
      assert.deepStrictEqual(yield* check(open, named("wecom", { authorizationIsUpstream: true })), ["starts", "runs"])
    })
  )
})
