import { assert, describe, it } from "@effect/vitest"
import * as Pseudonym from "../../src/Session/Pseudonym.ts"
import { isUnsafe } from "../../src/Session/SafeName.ts"
import { vectors } from "../support/Vectors.ts"

interface Out {
  readonly id?: string
  readonly sender?: string
  readonly chat?: string
  readonly path_unsafe: boolean
}

describe("Pseudonym and SafeName", () => {
  it("agree with every vector of the reference", () => {
    const cases = vectors<{ readonly value: string | null }, Out>("session_pii")
    assert.isAbove(cases.length, 10)
    for (const { in: given, name, out } of cases) {
      const value = given.value ?? ""
      assert.strictEqual(isUnsafe(value), out.path_unsafe, name)
      if (out.id !== undefined) {
        assert.deepStrictEqual(
          [Pseudonym.ofId(value, null), Pseudonym.ofSender(value, null), Pseudonym.ofChat(value, null)],
          [out.id, out.sender, out.chat],
          name
        )
      }
    }
  })

  it("hide the same id alike in one installation, and otherwise in another", () => {
    assert.strictEqual(Pseudonym.ofId("+49151", "a"), Pseudonym.ofId("+49151", "a"))
    assert.notStrictEqual(Pseudonym.ofId("+49151", "a"), Pseudonym.ofId("+49151", "b"))
    assert.notStrictEqual(Pseudonym.ofId("+49151", "a"), Pseudonym.ofId("+49151", null))
  })
})
