/** Text is made storable without changing anything that already was. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { sanitizeText } from "../../src/Storage/StoredText.ts"

/** Strings of arbitrary UTF-16 code units, so that lone surrogates and NUL are common. */
const CodeUnits = Schema.Array(
  Schema.Literals([0, 1, 0x41, 0xe9, 0x2028, 0xd7ff, 0xd800, 0xd83d, 0xdbff, 0xdc00, 0xde00, 0xdfff, 0xfffd, 0xffff])
)

describe("sanitizeText", () => {
  it.prop("gives text that UTF-8 and PostgreSQL can hold", { units: CodeUnits }, ({ units }) => {
    const clean = sanitizeText(String.fromCharCode(...units))
    assert.isTrue(clean.isWellFormed())
    assert.notInclude(clean, "\0")
    assert.strictEqual(Buffer.from(clean).toString(), clean)
  })

  it.prop("replaces unit by unit, and only what cannot be stored", { units: CodeUnits }, ({ units }) => {
    const text = String.fromCharCode(...units)
    const clean = sanitizeText(text)
    assert.strictEqual(clean.length, text.length)
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      const surrogate = unit >= 0xd800 && unit <= 0xdfff
      if (clean[i] !== text[i]) assert.isTrue(clean[i] === "\uFFFD" && (unit === 0 || surrogate))
    }
    assert.strictEqual(sanitizeText(clean), clean)
  })

  it.prop("leaves storable text alone", { text: Schema.String }, ({ text }) => {
    if (text.isWellFormed() && !text.includes("\0")) assert.strictEqual(sanitizeText(text), text)
  })

  it("replaces NUL and lone surrogates, keeps pairs", () => {
    assert.strictEqual(sanitizeText("a\0b\ud83dc\udc00d👍"), "a\uFFFDb\uFFFDc\uFFFDd👍")
  })
})
