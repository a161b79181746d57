import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { barePaths, extractFiles, extractImages } from "../../src/Delivery/MediaTags.ts"
import { vectors } from "../support/Vectors.ts"

interface Expected {
  readonly media: readonly [ReadonlyArray<readonly [string, boolean]>, string]
  readonly images: readonly [ReadonlyArray<readonly [string, string]>, string]
}

/** The reference's bogus paths: two tags, or a tag and something else, taken for one (`delivery M5`). */
const isLenient = ({ media: [files] }: Expected): boolean => files.some(([file]) => /MEDIA:|<|\[\[|!\[|\n/.test(file))

describe("MediaTags", () => {
  it("finds what the reference finds, in every vector that is no bogus path", () => {
    const cases = vectors<{ readonly text: string; readonly home: string }, Expected>("media_extract")
    const binding = cases.filter(({ out }) => !isLenient(out))
    assert.isAbove(binding.length, 10)
    assert.isAtMost(cases.length - binding.length, 21)
    for (const { in: given, name, out } of binding) {
      const { files, text } = extractFiles(given.text, given.home)
      assert.deepStrictEqual([files.map(({ isVoice, path }) => [path, isVoice] as const), text], out.media, name)
    }
    for (const { in: given, name, out } of cases) {
      const { images, text } = extractImages(given.text)
      assert.deepStrictEqual([images.map(({ alt, url }) => [url, alt] as const), text], out.images, name)
    }
  })

  const found = (text: string) => extractFiles(text, "/home/u").files.map(({ path }) => path)

  it("takes each of several tags on a line, in quotes or backticks, in any case", () => {
    assert.deepStrictEqual(found("MEDIA:/tmp/1.png MEDIA:/tmp/2.png"), ["/tmp/1.png", "/tmp/2.png"])
    assert.deepStrictEqual(found("see media: '/tmp/a b.PDF', and MEDIA:C:\\x\\y.zip;"), [
      "/tmp/a b.PDF",
      "C:\\x\\y.zip"
    ])
    assert.deepStrictEqual(found("MEDIA:`~/a.md`"), ["/home/u/a.md"])
    assert.deepStrictEqual(extractFiles("[[as_document]] MEDIA:/tmp/1.png", "/h").asDocument, true)
  })

  it("leaves what is shown as code, quotation or data", () => {
    for (const text of [
      "`MEDIA:/tmp/a.png`",
      "```\nMEDIA:/tmp/a.png\n[[audio_as_voice]]\n```",
      "```\nMEDIA:/tmp/a.png",
      "> MEDIA:/tmp/a.png",
      '{"a": "MEDIA:/tmp/a.png"}',
      '["x","MEDIA:/tmp/a.png"]'
    ]) {
      assert.deepStrictEqual(extractFiles(text, "/h"), { files: [], text, asDocument: false }, text)
    }
    assert.deepStrictEqual(extractImages("`![a](https://h/i.png)`").images, [])
  })

  it("finds bare paths in prose, each once, and none in addresses or code", () => {
    assert.deepStrictEqual(
      barePaths("I wrote /tmp/a.png, ~/b.pdf and /tmp/a.png; not https://h/c.png, `/tmp/d.png` or ./e.png"),
      ["/tmp/a.png", "~/b.pdf"]
    )
  })

  const Part = Schema.Literals([
    "MEDIA:/tmp/a.png",
    "MEDIA:",
    "/tmp/b.pdf",
    "`",
    "```",
    "\n",
    "\n\n\n",
    '"',
    " ",
    "> ",
    "[[as_document]]",
    "x"
  ])
  it.prop("what is found was named, and what is left names nothing more", [Schema.Array(Part)], ([parts]) => {
    const text = parts.join("")
    const { files, text: rest } = extractFiles(text, "/h")
    for (const { path } of files) assert.include(text, path)
    if (files.length > 0) assert.strictEqual(rest, rest.trim())
    assert.isAtMost(rest.length, text.length)
  })

  it("takes time in proportion to the text", () => {
    for (const unit of ["MEDIA:/", "MEDIA:/tmp/a b ", "[[", "![", "/a/", "`", "<img src="]) {
      const text = unit.repeat(200_000 / unit.length)
      extractFiles(text, "/h")
      extractImages(text)
      barePaths(text)
    }
  })
})
