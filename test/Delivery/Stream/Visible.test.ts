import { assert, describe, it } from "@effect/vitest"
import { closed, visible, withoutThoughts } from "../../../src/Delivery/Stream/Visible.ts"

describe("what may be shown of a growing text", () => {
  const cases: ReadonlyArray<readonly [name: string, raw: string, growing: string, end: string]> = [
    ["text as it is", "hello there", "hello there", "hello there"],
    ["a thought that has ended", "<think>hm\nyes</think>Answer", "Answer", "Answer"],
    ["a thought that goes on", "Before\n<thinking>hm", "Before\n", "Before\n"],
    ["any case, and the earliest closing tag", "<THINK>a</think>b</THINK>", "b</THINK>", "b</THINK>"],
    ["the beginning of a thought", "One\n  <reas", "One\n", "One\n  <reas"],
    ["a tag in the middle of a line", "say <think> aloud", "say <think> aloud", "say <think> aloud"],
    ["a tag inside a fence", "```\n<think>\n```\nx", "```\n<think>\n```\nx", "```\n<think>\n```\nx"],
    ["the beginning of a file's tag", "see MEDI", "see ", "see MEDI"],
    ["a file's tag that may go on", "see\nMEDIA: /tmp/a b", "see\n", "see\nMEDIA: /tmp/a b"],
    ["a file's tag", "see\nMEDIA:/tmp/a.png\nthere", "see\n\nthere", "see\n\nthere"],
    ["a directive", "[[audio_as_voice]]\nhello", "\nhello", "\nhello"],
    ["the beginning of an image", "look ![al", "look ", "look ![al"]
  ]
  for (const [name, raw, growing, end] of cases) {
    it(name, () => {
      assert.strictEqual(visible(raw, false), growing)
      assert.strictEqual(visible(raw, true), end)
    })
  }

  it("an open fence is closed with its own mark", () => {
    assert.strictEqual(closed("a\n```ts\nlet x"), "a\n```ts\nlet x\n```")
    assert.strictEqual(closed("a\n```ts\nlet x\n```\nb "), "a\n```ts\nlet x\n```\nb")
    assert.strictEqual(closed("~~~~\n~~~\nx"), "~~~~\n~~~\nx\n~~~~")
  })

  it("what was shown of a text is the beginning of what is shown of a longer one", () => {
    const raw =
      "Hi <b>\n<think>x</think>there\n```\n<think> MEDIA:\n```\n[link](x) [[as_document]] end! MEDIA:/tmp/a.png\nbye"
    for (let at = 0; at < raw.length; at++) {
      const shown = visible(raw.slice(0, at), false)
      assert.isTrue(withoutThoughts(raw, true).startsWith(shown) || visible(raw, true).startsWith(shown), shown)
    }
  })
})
