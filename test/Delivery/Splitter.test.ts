import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { LengthUnit } from "../../src/Delivery/Outlet.ts"
import { split, type SplitOptions } from "../../src/Delivery/Splitter.ts"
import { length } from "../../src/Delivery/TextLength.ts"
import {
  Anything,
  bare,
  compose,
  Element,
  elements,
  isWhole,
  leavesFenceOpen,
  numbered,
  Size
} from "../support/MarkdownTexts.ts"

const Unit = Schema.Literals(["chars", "utf16", "utf8"] satisfies ReadonlyArray<LengthUnit>)
const TinyLimit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60 }))
const Limit = Schema.Int.check(Schema.isBetween({ minimum: 120, maximum: 600 }))

describe("Splitter", () => {
  it.prop("returns a text that fits as it is", [Anything, Unit], ([parts, unit]) => {
    const text = compose(parts)
    assert.deepStrictEqual(split(text, { limit: Math.max(1, length(text, unit)), unit }), [text])
  })

  it.prop(
    "keeps every chunk within the limit in the platform's unit, indicator and fences included",
    [Anything, TinyLimit, Limit, Unit, Schema.Boolean],
    ([parts, tiny, normal, unit, indicators]) => {
      const text = compose(parts)
      for (const limit of [tiny, normal]) {
        for (const chunk of split(text, { limit, unit, indicators })) {
          assert.isTrue(
            length(chunk, unit) <= limit || Array.from(chunk).length === 1,
            `${limit} ${unit} ${JSON.stringify(chunk)}`
          )
        }
      }
    }
  )

  it.prop(
    "gives the text back when the chunks are joined, but for white space at a break in prose",
    [Anything, TinyLimit, Limit, Unit],
    ([parts, tiny, normal, unit]) => {
      const text = compose(parts)
      for (const limit of [tiny, normal]) {
        const chunks = split(text, { limit, unit, indicators: false })
        assert.isTrue(isWhole(text, chunks), JSON.stringify({ text, limit, chunks }))
      }
    }
  )

  it.prop("loses nothing of any text whatever", [Schema.String, TinyLimit, Unit], ([text, limit, unit]) => {
    const chunks = split(text, { limit, unit, indicators: false })
    assert.isTrue(isWhole(text, chunks), JSON.stringify({ text, limit, chunks }))
  })

  it.prop(
    "cuts the same text at the same places, and what it has cut not again",
    [Anything, Limit, Unit],
    ([parts, limit, unit]) => {
      const text = compose(parts)
      const chunks = split(text, { limit, unit })
      assert.deepStrictEqual(split(text, { limit, unit }), chunks)
      for (const chunk of chunks) assert.deepStrictEqual(split(chunk, { limit, unit }), [chunk])
    }
  )

  it.prop(
    "closes every fence in the chunk that opens it",
    [Element(["prose", "fence", "table", "list", "cjk", "open"]), Limit],
    ([parts, limit]) => {
      const chunks = split(compose(parts), { limit, unit: "utf16" })
      if (chunks.length > 1) for (const chunk of chunks) assert.isFalse(leavesFenceOpen(chunk), chunk)
    }
  )

  it.prop(
    "keeps inline code and links in one piece",
    [Element(["code", "prose", "cjk"]), Limit, Unit],
    ([parts, limit, unit]) => {
      const text = compose(parts)
      const chunks = split(text, { limit, unit })
      for (const [span] of text.matchAll(/`[^`]+`|\[[^\]]+\]\([^)]+\)/g)) {
        assert.isTrue(
          chunks.some((chunk) => chunk.includes(span)),
          span
        )
      }
    }
  )

  it.prop(
    "cuts between graphemes, and inside one only when it is longer than a chunk",
    [Size, Schema.Int.check(Schema.isBetween({ minimum: 12, maximum: 80 })), Unit],
    ([size, limit, unit]) => {
      const text = elements.emoji(0, size)
      const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" })
      const graphemes = (of: string) => Array.from(segmenter.segment(of), ({ segment }) => segment)
      const family = length("👩‍👩‍👧", unit)
      const chunks = split(text, { limit, unit, indicators: false })
      if (family <= limit) assert.deepStrictEqual(chunks.flatMap(graphemes), graphemes(text))
      assert.strictEqual(chunks.join(""), text)
    }
  )

  it.prop(
    "loses no line and no indentation of code",
    [Schema.Array(Schema.Literals(["", "  if x:", "\treturn", "    y = 1  ", "# ```", "|a|b|", "- z"])), Limit],
    ([lines, limit]) => {
      const code = [...lines, "end", ...lines, ...lines, "end"].join("\n")
      const chunks = split(`\`\`\`py\n${code}\n\`\`\``, { limit, unit: "utf16" })
      const inner = chunks.map((chunk) => {
        const body = bare(chunk)
        assert.isTrue(body.startsWith("```py\n") && body.endsWith("\n```"), chunk)
        return body.slice("```py\n".length, -"\n```".length)
      })
      assert.strictEqual(inner.join("\n"), code)
    }
  )

  it.prop("repeats a table's header over whole rows", [Size, Limit], ([rows, limit]) => {
    const chunks = split(`Words.\n\n${elements.table(7, rows * 4)}\n\nMore.`, { limit, unit: "utf16" })
    const found = chunks.flatMap((chunk) => {
      const [, body] = /\| key 7 \| value \|\n\|---\|:-:\|\n([^]*?)(?:\n\n|$)/.exec(chunk) ?? []
      assert.isTrue(body !== undefined || !chunk.includes("|"), chunk)
      return body === undefined ? [] : body.split("\n")
    })
    assert.deepStrictEqual(
      found,
      Array.from({ length: rows * 4 }, (_, i) => `| k${i} | v7 |`)
    )
  })

  it.prop("cuts a list between its items, numbers kept", [Size, Limit], ([size, limit]) => {
    const chunks = split(elements.list(3, size * 3), { limit, unit: "utf16" })
    for (const chunk of chunks) {
      assert.match(chunk, /^\d+\. item/)
      assert.match(bare(chunk), /goes on$/)
    }
  })

  it("leaves a fence that fits into the next chunk uncut, and parts the indicator from code and tables", () => {
    const fence = "```ts\nconst a = 1\n\nconst b = 2\n```"
    const chunks = split(
      `${"word ".repeat(14)}\n\n${fence}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n${"more ".repeat(15)}`,
      {
        limit: 90,
        unit: "utf16"
      }
    )
    assert.deepStrictEqual(chunks.slice(0, 2), [
      `${"word ".repeat(14).trim()} (1/3)`,
      `${fence}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n(2/3)`
    ])
    const halves = split(`\`\`\`\n${"line\n".repeat(20)}\`\`\``, { limit: 90, unit: "utf16" })
    assert.isTrue(halves.every((chunk, index) => chunk.endsWith(`line\n\`\`\`\n(${index + 1}/${halves.length})`)))
  })

  it("re-opens a fence with the first word of its info string, and without one when that is no language's name", () => {
    const openings = (info: string) =>
      split(`\`\`\`${info}\n${"line\n".repeat(60)}\`\`\``, { limit: 200, unit: "utf16" })
        .slice(1)
        .map((chunk) => chunk.split("\n", 1)[0])
    assert.deepStrictEqual(new Set(openings("c++ file=x.cc")), new Set(["```c++"]))
    assert.deepStrictEqual(new Set(openings("z".repeat(33))), new Set(["```"]))
    assert.deepStrictEqual(new Set(openings("<script>")), new Set(["```"]))
  })

  it("counts the room for its indicators: a hundred chunks and more stay within the limit", () => {
    const chunks = split("word ".repeat(1000), { limit: 40, unit: "utf16" })
    assert.isAbove(chunks.length, 100)
    chunks.forEach((chunk, index) => {
      assert.isTrue(chunk.endsWith(` (${index + 1}/${chunks.length})`), chunk)
      assert.isAtMost(chunk.length, 40)
    })
  })

  it("goes on through a grapheme, and at last a code point, that is longer than the limit", () => {
    const family = "👨‍👩‍👧‍👦"
    assert.strictEqual(
      split(family.repeat(3), { limit: 5, unit: "utf16", indicators: false }).join(""),
      family.repeat(3)
    )
    assert.deepStrictEqual(split("😀😀", { limit: 1, unit: "utf16" }), ["😀", "😀"])
    assert.deepStrictEqual(split("\ud83d\ud83d", { limit: 1, unit: "utf16" }), ["\ud83d", "\ud83d"])
  })

  it("keeps the indentation of the line after a break", () => {
    const chunks = split(
      numbered(20, (i) => `    indented by four ${i}`),
      { limit: 60, unit: "utf16" }
    )
    assert.isAbove(chunks.length, 1)
    assert.isTrue(chunks.every((chunk) => chunk.startsWith("    indented")))
  })

  it("cuts a long line of code behind a space where it can, and keeps the space", () => {
    const chunks = split(`\`\`\`\n${"word ".repeat(40).trim()}\n\`\`\``, {
      limit: 80,
      unit: "utf16",
      indicators: false
    })
    assert.strictEqual(chunks[0], `\`\`\`\n${"word ".repeat(14)}\n\`\`\``)
  })

  it("has no chunk of mere white space", () => {
    assert.deepStrictEqual(split("\n ".repeat(500), { limit: 100, unit: "utf16" }), [])
    assert.deepStrictEqual(split(`${"\n".repeat(500)}word${" ".repeat(500)}`, { limit: 100, unit: "utf16" }), ["word"])
  })

  it.prop("measures chunks as the dialect prints them", [Anything, Limit, Unit], ([parts, limit, unit]) => {
    const convert = (source: string) => source.replaceAll(/[_*[\]()~`>#+\-=|{}.!]/g, "\\$&").replaceAll("&", "&amp;")
    const options: SplitOptions = { limit, unit, convert }
    const text = compose(parts)
    const chunks = split(text, options)
    for (const chunk of chunks) assert.isAtMost(length(convert(chunk), unit), limit)
    if (chunks.length > 1) assert.isTrue(isWhole(text, split(text, { ...options, indicators: false })))
    assert.deepStrictEqual(split(text, { limit: 100_000, unit, convert }), [text])
  })

  const fiveMegabytes = (unit: string): string => unit.repeat(Math.ceil(5_000_000 / unit.length))

  it.each([
    ["prose", fiveMegabytes("The quick brown fox jumps over the lazy dog. ")],
    ["lines of a list", fiveMegabytes("- item one two three\n")],
    ["one word", fiveMegabytes("x")],
    ["emoji", fiveMegabytes("👩‍👩‍👧")],
    ["combining marks", fiveMegabytes("\u0335")],
    ["brackets", fiveMegabytes("[](")],
    ["backticks", fiveMegabytes("a`b ``c ")],
    ["fences", fiveMegabytes("```py\ncode  here\n```\n")],
    ["one fence", `\`\`\`\n${fiveMegabytes("code line\n")}\`\`\``],
    ["tables", fiveMegabytes("| a | b |\n|---|---|\n| c | d |\n\n")],
    ["blank lines", `a${fiveMegabytes("\n")}b`]
  ])("takes a time in proportion to the text: 5 MB of %s within 2 s of processor time", (_, text) => {
    const before = process.cpuUsage()
    const chunks = split(text, { limit: 4096, unit: "utf16" })
    const { system, user } = process.cpuUsage(before)
    assert.isAbove(chunks.length, 1)
    assert.isBelow((user + system) / 1e6, 2)
  })

  it("cuts one word of 100 KB and ten thousand emoji into full chunks", () => {
    const word = split(`see ${"w".repeat(100_000)}`, { limit: 2000, unit: "chars" })
    assert.strictEqual(word.map(bare).join(" ").replaceAll(" ", ""), `see${"w".repeat(100_000)}`)
    assert.isAtMost(word.length, 53)
    const emoji = split("😀".repeat(10_000), { limit: 4096, unit: "utf16" })
    assert.strictEqual(emoji.map(bare).join(""), "😀".repeat(10_000))
    assert.strictEqual(emoji.length, 5)
  })
})
