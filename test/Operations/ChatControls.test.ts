import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { operation } from "../../src/Conversation/Commands/CommandTexts.ts"
import { FakeAdapter } from "../support/FakeAdapter.ts"
import { make } from "./Whole.ts"

describe("commands that act on the gateway", () => {
  it.effect(
    "/platform lists, pauses with a reason and resumes; not the one that is spoken on, nor an unknown one",
    () =>
      Effect.gen(function* () {
        const [fake, other] = [new FakeAdapter(), new FakeAdapter("other")]
        const { say } = yield* make([fake, other])
        yield* say("/platform pause other for the night")
        yield* say("/platform list")
        yield* say("/platform resume other")
        yield* say("/platform")
        yield* say("/platform pause test")
        yield* say("/platform pause nobody")
        yield* say("/platform dance")
        assert.deepStrictEqual(fake.platform.texts(), [
          operation.paused("other"),
          "🟢 test: connected\n⏸ other: paused (for the night)",
          operation.resumed("other"),
          "🟢 test: connected\n🟢 other: connected",
          operation.pausesItself("test"),
          operation.noPlatform("nobody"),
          "Usage: /platform list | pause NAME [REASON] | resume NAME"
        ])
      })
  )

  it.effect("/version and /status tell of this program and its platforms", () =>
    Effect.gen(function* () {
      const fake = new FakeAdapter()
      const { say } = yield* make([fake])
      yield* say("/version")
      yield* say("/status")
      assert.match(fake.platform.texts()[0]!, /^Switchboard \d+\.\d+\.\d+$/)
      assert.include(fake.platform.texts()[1], "Platforms: test connected")
    })
  )
})
