import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import { Settings } from "../../src/Config/Settings.ts"
import * as ExternalDrain from "../../src/Operations/ExternalDrain.ts"
import { Lifecycle, type Phase } from "../../src/Operations/Lifecycle.ts"
import { pass } from "../support/Passing.ts"

const make = Effect.gen(function* () {
  const home = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-drain-"))),
    (home) => Effect.sync(() => rmSync(home, { recursive: true, force: true }))
  )
  const asked: Array<boolean> = []
  const phase = yield* SubscriptionRef.make<Phase>("running")
  yield* Layer.build(ExternalDrain.layer).pipe(
    Effect.provide(Settings.layerFrom({ SWITCHBOARD_HOME: home })),
    Effect.provideService(Lifecycle, {
      phase,
      stop: Effect.void,
      hurry: Effect.void,
      rest: (on) => Effect.sync(() => void asked.push(on))
    })
  )
  return { asked, file: join(home, ".drain_request.json") }
})

describe("a request to rest", () => {
  it.effect("is followed while its file is there, also when it cannot be read", () =>
    Effect.gen(function* () {
      const { asked, file } = yield* make
      yield* pass("3 seconds", "1 second")
      assert.deepStrictEqual(asked, [])
      writeFileSync(file, "{ torn")
      yield* pass("3 seconds", "1 second")
      assert.deepStrictEqual(asked, [true])
      rmSync(file)
      yield* pass("3 seconds", "1 second")
      assert.deepStrictEqual(asked, [true, false])
    })
  )

  it.effect("of an earlier boot of the machine is none", () =>
    Effect.gen(function* () {
      const { asked, file } = yield* make
      writeFileSync(file, JSON.stringify({ action: "drain", epoch: "another boot:1" }))
      yield* pass("3 seconds", "1 second")
      assert.deepStrictEqual(asked, [])
    })
  )

  it.effect("that is not renewed ends after an hour", () =>
    Effect.gen(function* () {
      const { asked, file } = yield* make
      writeFileSync(file, "{}")
      utimesSync(file, 0, 0)
      yield* pass("3590 seconds", "10 seconds")
      assert.deepStrictEqual(asked, [true])
      yield* pass("20 seconds", "10 seconds")
      assert.deepStrictEqual(asked, [true, false])
    })
  )
})
