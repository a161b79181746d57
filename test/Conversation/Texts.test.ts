import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Texts from "../../src/Conversation/Texts.ts"

const fences = (text: string) => text.match(/^`{3,}$/gm) ?? []

describe("Texts", () => {
  it("an approval shows at most 200 characters of the command, whole code points", () => {
    const shown = Texts.approval("😀".repeat(300), null)
    assert.include(shown, `${"😀".repeat(200)}...`)
    assert.notInclude(shown, "😀".repeat(201))
    assert.isTrue(shown.isWellFormed())
    assert.include(Texts.approval("x".repeat(200), null), "x".repeat(200))
    assert.notInclude(Texts.approval("x".repeat(200), null), "...")
  })

  it.prop(
    "a command cannot close the block it is shown in",
    [Schema.String, Schema.Literals(["```", "````", "`````\n", "~~~", "\n```\nrm"])],
    ([a, b]) => {
      const shown = Texts.approval(`${a}${b}${a}`, null)
      const fence = fences(shown)[0] ?? ""
      const body = shown.slice(shown.indexOf(fence) + fence.length, shown.lastIndexOf(fence))
      assert.notInclude(body, fence)
    }
  )

  it("an approval names its four replies and the agent's reason", () => {
    const shown = Texts.approval("ls", "wants to look")
    for (const part of ["/approve", "/approve session", "/approve always", "/deny", "wants to look"])
      assert.include(shown, part)
  })

  it("a question numbers its choices; without any it is just asked", () => {
    assert.strictEqual(Texts.question("Why?", []), "❓ Why?")
    assert.include(Texts.question("Which?", ["A", "B"]), "1. A\n2. B")
  })

  it("a tool's line is one line of bounded length", () => {
    assert.strictEqual(Texts.toolLine("search", null), "⚙️ search...")
    assert.strictEqual(Texts.toolLine("search", "two\n\nwords"), '⚙️ search: "two words"')
    assert.strictEqual(Texts.toolLine("t", "x".repeat(41)), `⚙️ t: "${"x".repeat(37)}..."`)
    assert.isTrue(Texts.toolLine("t", "😀".repeat(50)).isWellFormed())
  })

  const part = { kind: "document", ref: "/x/y.pdf", caption: null, filename: "y.pdf", mime: null } as const

  it("a file that the chat does not take is told by its name, never by its path", () => {
    assert.strictEqual(Texts.attachment(part), "📎 File: y.pdf (this chat takes no files)")
    assert.strictEqual(Texts.attachment({ ...part, kind: "voice" }), "🔊 Audio: y.pdf (this chat takes no files)")
    assert.notInclude(Texts.attachment({ ...part, filename: null }), "/x/")
  })

  it("an address keeps its caption", () => {
    const ref = "HTTPS://x.org/a.png"
    assert.strictEqual(Texts.attachment({ ...part, kind: "image", ref, caption: "A cat" }), `A cat\n${ref}`)
  })

  it("what could not be sent is one line, of bounded length", () => {
    assert.strictEqual(
      Texts.notSent([{ name: "a\nb.pdf", why: "not found" }]),
      "⚠️ Could not be sent: a b.pdf (not found)"
    )
    assert.include(Texts.notSent(Array.from({ length: 12 }, () => ({ name: "x", why: "y" }))), ", and 2 more")
  })

  it("no notice is blank, and each begins with its sign", () => {
    for (const text of [...Object.values(Texts.notices), ...Object.values(Texts.failures)])
      assert.match(text, /^(⚡|⏳|⏩|⚠️|⏱️) \S/)
  })
})
