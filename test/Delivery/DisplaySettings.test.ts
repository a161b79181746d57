import { assert, describe, it } from "@effect/vitest"
import { type DisplayKey, resolve } from "../../src/Delivery/DisplaySettings.ts"
import { footer } from "../../src/Delivery/RuntimeFooter.ts"
import { vectors } from "../support/Vectors.ts"

interface Config {
  readonly display?: Readonly<Record<string, unknown>>
}

describe("DisplaySettings", () => {
  it("resolves every vector as the reference does; a 0 is off", () => {
    const cases = vectors<
      { readonly config: Config; readonly platform: string; readonly setting: DisplayKey; readonly fallback: unknown },
      unknown
    >("display_setting")
    assert.isAbove(cases.length, 10)
    for (const { in: given, name, out } of cases) {
      const found = resolve(given.config.display, given.platform, given.setting) ?? given.fallback
      assert.strictEqual(found, out === "0" ? "off" : out, `${name} ${JSON.stringify(given)}`)
    }
  })

  it("falls back to the platform's own way for a value that the key does not have", () => {
    const display = { platforms: { slack: { tool_progress: "loud", tool_progress_grouping: 7 } } }
    assert.strictEqual(resolve(display, "slack", "tool_progress"), "off")
    assert.strictEqual(resolve(display, "slack", "tool_progress_grouping"), "accumulate")
    assert.strictEqual(resolve({ platforms: "bad" }, "__proto__", "tool_progress"), "all")
  })

  it("the footer is the reference's in every vector", () => {
    const cases = vectors<
      {
        readonly config: Config
        readonly home: string
        readonly platform_key: string | null
        readonly model: string | null
        readonly context_tokens: number | null
        readonly context_length: number | null
        readonly cwd: string | null
      },
      string
    >("runtime_footer")
    assert.isAbove(cases.length, 10)
    for (const { in: given, name, out } of cases) {
      const line = footer(given.config.display, given.platform_key ?? "", {
        model: given.model,
        contextTokens: given.context_tokens,
        contextWindow: given.context_length,
        cwd: given.cwd,
        userHome: given.home
      })
      assert.strictEqual(line, out, name)
    }
  })

  it("rounds half to even, and shows the home as ~", () => {
    const facts = { model: null, contextTokens: 5, contextWindow: 1000, cwd: "/home/u/x", userHome: "/home/u" }
    const display = { runtime_footer: { enabled: true } }
    assert.strictEqual(footer(display, "x", facts), "0% · ~/x")
    assert.strictEqual(footer(display, "x", { ...facts, contextTokens: 15, cwd: "/home/u" }), "2% · ~")
  })
})
