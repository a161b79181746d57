/** The chaos harness proves itself on flawed gateways; short runs of the real process are in `ChaosProcess.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Flaw } from "../support/ReferenceGateway.ts"
import * as StrictConnector from "../support/StrictConnector.ts"
import * as Chaos from "./Chaos.ts"
import * as Subject from "./Subject.ts"

const rehearse = (flaw: Flaw, options: Partial<Chaos.ChaosOptions> & { readonly keys?: boolean } = {}) =>
  Effect.gen(function* () {
    const connector = yield* StrictConnector.make({
      descriptor: { supports_idempotency: options.keys ?? true },
      seed: 7
    })
    const subject = yield* Subject.reference(connector, flaw)
    return yield* Chaos.run(
      {
        name: flaw,
        kills: 6,
        seed: 7,
        verbs: ["kill", "cutSocket", "dropResult"],
        chats: 20,
        think: 20,
        patience: 0.5,
        ...options
      },
      connector,
      subject
    )
  }).pipe(Effect.scoped)

describe.concurrent("the chaos harness", () => {
  it.live(
    "finds nothing wrong with a correct gateway whose connector knows keys",
    () =>
      Effect.gen(function* () {
        const report = yield* rehearse("none", { verbs: [...Chaos.verbs] })
        assert.isTrue(report.ok, JSON.stringify(report))
        assert.isAbove(report.sent, 200)
        assert.strictEqual(report.markedRepeats, 0)
      }),
    { timeout: 60_000 }
  )

  it.live(
    "counts marked repeats, not doubles, when the connector knows no keys",
    () =>
      Effect.gen(function* () {
        const report = yield* rehearse("none", { keys: false })
        assert.isTrue(report.ok, JSON.stringify(report))
        assert.isAbove(report.markedRepeats, 0)
      }),
    { timeout: 60_000 }
  )

  const findings: ReadonlyArray<[Flaw, keyof Chaos.Report, boolean]> = [
    ["losesMessage", "lost", true],
    ["acknowledgesBeforeStoring", "lost", true],
    ["answersTwice", "doubled", true],
    ["newKeyOnRetry", "doubled", true],
    ["unmarkedRepeat", "doubled", false],
    ["outOfOrder", "outOfOrder", true],
    ["keylessSend", "violations", true]
  ]
  for (const [flaw, finding, keys] of findings) {
    it.live(
      `catches a gateway that ${flaw} by counting ${finding}`,
      () =>
        Effect.gen(function* () {
          const report = yield* rehearse(flaw, { keys })
          assert.isFalse(report.ok, JSON.stringify(report))
          assert.isAbove(Number(report[finding]), 0, JSON.stringify(report))
        }),
      { timeout: 60_000 }
    )
  }
})
