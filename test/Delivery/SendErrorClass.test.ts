import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { classify, reach, retryAfter } from "../../src/Delivery/SendErrorClass.ts"
import { SendErrorKind } from "../../src/Message/SendError.ts"
import { vectors } from "../support/Vectors.ts"

describe("SendErrorClass", () => {
  it("gives the reference's kinds, with `ambiguous` only where the reference says `unknown`", () => {
    const cases = vectors<{ readonly error_text: string | null }, string>("send_error_class")
    assert.isAbove(cases.length, 10)
    for (const { in: given, out } of cases) {
      const kind = classify(given.error_text ?? "")
      assert.strictEqual(kind === "ambiguous" ? "unknown" : kind, out, given.error_text ?? "")
    }
  })

  it.each([
    ["ReadTimeout", "ambiguous"],
    ["WriteTimeout", "ambiguous"],
    ["Timed out", "ambiguous"],
    ["asyncio.TimeoutError", "ambiguous"],
    ["Internal Server Error 500", "ambiguous"],
    ["HTTP 502", "ambiguous"],
    ["status: 503", "ambiguous"],
    ["ConnectTimeout", "transient"],
    ["Connect Timeout Error UND_ERR_CONNECT_TIMEOUT", "transient"],
    ["ConnectionResetError ReadTimeout", "transient"],
    ["MESSAGE_ID_INVALID timed out", "not_found"],
    ["Flood control exceeded, timed out", "rate_limited"],
    ["error while sending 500 files", "unknown"],
    ["", "unknown"]
  ])("%j is %s: a time-out or 5xx answer may have been carried out", (text, kind) => {
    assert.strictEqual(classify(text), kind)
  })

  it("takes the smaller reach when both a chat and a part of it are named", () => {
    assert.strictEqual(reach("Bad Request: chat not found"), "chat")
    assert.strictEqual(reach("message thread not found"), "message")
    assert.strictEqual(reach("chat not found; thread not found"), "message")
    assert.strictEqual(reach("forbidden: chat not found"), null)
    assert.strictEqual(reach("all is well"), null)
  })

  it.each([
    ["Too Many Requests: retry after 1", 1],
    ["Flood control exceeded. Retry in 3 s", 3],
    ["retry in 3 seconds", 3],
    ["retry_after: 1.5", 1.5],
    ['{"message":"You are being rate limited.","retry_after":0.3,"global":false}', 0.3],
    ["Retry-After: 30", 30],
    ["try again in 2 minutes", 120],
    ["retry in 1h", 3600],
    ["retry after 250ms", 0.25],
    ["retry after 97m", 5820],
    ["retry in 3 steps", 3],
    ["please retry", null],
    ["retry after the start", null],
    ["retry after Wed, 21 Oct 2026", null],
    [`retry after ${"9".repeat(400)}`, null],
    ["", null]
  ])("%j asks to wait for %s seconds", (text, seconds) => {
    assert.strictEqual(retryAfter(text), seconds)
  })

  it.prop("a wait of any number of seconds is read back", [Schema.Int], ([n]) => {
    const seconds = Math.abs(n)
    assert.strictEqual(retryAfter(`rate limit: retry after ${seconds}`), seconds)
    assert.strictEqual(retryAfter(JSON.stringify({ code: 429, retry_after: seconds })), seconds)
  })

  it.prop("any text has a wait that is a number of seconds, or none", [Schema.String], ([text]) => {
    const wait = retryAfter(`retry after ${text}`)
    assert.isTrue(wait === null || (Number.isFinite(wait) && wait >= 0))
  })

  it.prop("any text has a kind, whatever its case", [Schema.String], ([text]) => {
    assert.isTrue(Schema.is(SendErrorKind)(classify(text)))
    assert.strictEqual(classify(`${text} FORBIDDEN`.toUpperCase()), classify(`${text} forbidden`.toUpperCase()))
  })
})
