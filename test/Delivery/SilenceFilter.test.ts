import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  isLiveSilence,
  isSilenceNarration,
  isUnattendedSilence,
  mayBecomeSilence
} from "../../src/Delivery/SilenceFilter.ts"
import { vectors } from "../support/Vectors.ts"

interface Verdicts {
  readonly live_silence: boolean
  readonly silence_narration: boolean
}

describe("SilenceFilter", () => {
  it("judges every vector as the reference does", () => {
    const cases = vectors<{ readonly text: string }, Verdicts>("silence_filter")
    assert.isAbove(cases.length, 10)
    for (const { in: given, out } of cases) {
      assert.deepStrictEqual(
        { live_silence: isLiveSilence(given.text), silence_narration: isSilenceNarration(given.text) },
        out,
        JSON.stringify(given.text)
      )
    }
  })

  it("unattended: a marker alone on the first or last line, or bracketed in front, never inside prose", () => {
    for (const text of ["Checked.\n\nNO_REPLY", "[silent]\nall well", "[SILENT] nothing new", " silent "]) {
      assert.isTrue(isUnattendedSilence(text), text)
    }
    for (const text of ["I stay silent today", "one\nNO_REPLY\ntwo", "[SILENT]ly", ""]) {
      assert.isFalse(isUnattendedSilence(text), text)
    }
  })

  it("sends a text that only mentions a marker, and one that is too long to be one", () => {
    assert.isFalse(isLiveSilence("[SILENT] is what I would say"))
    assert.isFalse(isLiveSilence(`NO${" ".repeat(70)}REPLY`))
    assert.isFalse(isSilenceNarration(".".repeat(65)))
    assert.isTrue(isSilenceNarration("🔇".repeat(64)))
  })

  it.prop(
    "a stream that ends in a marker was held back at every step",
    [Schema.Literals(["[SILENT]", "no reply", "No_Reply", "  silent\n"])],
    ([text]) => {
      for (let end = 0; end <= text.length; end++) assert.isTrue(mayBecomeSilence(text.slice(0, end)))
      assert.isFalse(mayBecomeSilence(`${text.trim()}!`))
    }
  )

  it.prop("text that starts otherwise is never held back", [Schema.String], ([text]) => {
    assert.isFalse(mayBecomeSilence(`Hello ${text}`))
    assert.isFalse(isLiveSilence(`Hello ${text}`))
    assert.isFalse(isSilenceNarration(`Hello ${text}`))
  })
})
