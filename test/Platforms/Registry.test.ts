import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Registry } from "../../src/Platforms/Registry.ts"
import { FakeAdapter } from "../support/FakeAdapter.ts"

const registered = (...registrations: Parameters<typeof Registry.layer>[0]) =>
  Effect.map(Registry, ({ registrations }) => registrations).pipe(Effect.provide(Registry.layer(registrations)))

describe("Registry", () => {
  it.effect("keeps the order of registration", () =>
    Effect.gen(function* () {
      const all = ["b", "a", "c"].map((name) => new FakeAdapter(name).registration)
      assert.deepStrictEqual(
        (yield* registered(...all)).map(({ name }) => name),
        ["b", "a", "c"]
      )
      assert.deepStrictEqual(yield* registered(), [])
    })
  )

  it.effect("of one name the last registration counts, in the place of the first", () =>
    Effect.gen(function* () {
      const [first, other, second] = [new FakeAdapter("a"), new FakeAdapter("b"), new FakeAdapter("a")].map(
        (fake) => fake.registration
      )
      const all = yield* registered(first!, other!, second!)
      assert.deepStrictEqual(
        all.map(({ name }) => name),
        ["a", "b"]
      )
      assert.strictEqual(all[0], second)
    })
  )

  it.effect("makes nothing", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      yield* registered(fake.registration)
      assert.strictEqual(fake.made, 0)
    })
  )
})
