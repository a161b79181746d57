import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { measureOf, print, surelyFits, unmarked } from "../../../src/Delivery/Markdown/Dialect.ts"
import { split } from "../../../src/Delivery/Splitter.ts"
import { length } from "../../../src/Delivery/TextLength.ts"
import { Anything, compose } from "../../support/MarkdownTexts.ts"
import { matrixTags, readHtml, readMarkdownV2, readMrkdwn, telegramTags } from "../../support/MarkupParsers.ts"

const text = (dialect: string) => (source: string) => print(dialect, source).text
const telegramAttributes = /^ (?:href|class)="[^"<>]*"$|^ expandable$/
const matrixAttributes = /^ (?:href="(?:https?|matrix|mailto):[^"<>]*"|class="language-[^"<>]*"|start="\d+")$/

const readers: Readonly<Record<string, (printed: string) => string>> = {
  telegram: readMarkdownV2,
  telegram_html: (printed) => readHtml(printed, telegramTags, telegramAttributes),
  slack: readMrkdwn
}

/** Letters and digits in order: what no dialect may add to, lose or turn round. */
const ink = (of: string): string => of.replaceAll(/[^\p{L}\p{N}\p{Extended_Pictographic}]/gu, "")

const Words = Schema.Literals([
  "word",
  "snake_case",
  "C++",
  "a.b!",
  "5 > 3",
  "x & y",
  "<b>",
  "1.",
  "# no",
  "- no",
  "|",
  "{}",
  "=",
  "日本",
  "👩‍👩‍👧",
  "שלום",
  "\\",
  "~"
])
const Piece = Schema.Tuple([
  Schema.Literals(["plain", "bold", "italic", "struck", "code", "link", "spoiler", "bare", "both"]),
  Words
])
const marked = ([kind, word]: typeof Piece.Type): string => {
  switch (kind) {
    case "plain":
      return word
    case "bold":
      return `**b${word}b**`
    case "italic":
      return `*i${word}i*`
    case "struck":
      return `~~s${word}s~~`
    case "code":
      return `\`c${word}c\``
    case "link":
      return `[l${word.replaceAll(/[[\]\\<>]/g, "")}l](https://e.org/(p)?q=1&r=2)`
    case "spoiler":
      return `||p${word.replaceAll(/[|\\<>]/g, "")}p||`
    case "bare":
      return "https://e.org/x_y?a=1&b=2"
    case "both":
      return `***x${word}x***`
  }
}

describe("Dialect", () => {
  const table: ReadonlyArray<readonly [string, string, string]> = [
    ["telegram", "# A **b** c", "*A b c*"],
    ["telegram", "**b** *i* ~~s~~ ||p||", "*b* _i_ ~s~ ||p||"],
    ["telegram", "*one\ntwo*", "\\*one\ntwo\\*"],
    ["telegram", "snake_case_name 1.5!", "snake\\_case\\_name 1\\.5\\!"],
    ["telegram", "2*3*4", "2\\*3\\*4"],
    ["telegram", "`a\\b` and ``c`d``", "`a\\\\b` and `c\\`d`"],
    ["telegram", "```py\nx = `1`\\n\n```", "```py\nx = \\`1\\`\\\\n\n```"],
    ["telegram", "[t(x)](https://e.org/a_(b))", "[t\\(x\\)](https://e.org/a_(b\\))"],
    ["telegram", "- one\n- two\n  - three\n\n3. four", "• one\n• two\n  • three\n\n3\\. four"],
    ["telegram", "> a *b*\n> c", ">a _b_\n>c"],
    ["telegram", "**>a.b\n>c||\nafter", "**>a\\.b\n>c||\nafter"],
    ["telegram", "*a*_b_", "_a_**_b_"],
    ["telegram", "***x***", "*_x_*"],
    ["telegram", "| Name | Age |\n|---|---|\n| Ann | 5 |\n| | 7 |", "*Ann*\n• Age: 5\n\n*7*"],
    ["telegram", "(1/3)", "\\(1/3\\)"],
    [
      "telegram_html",
      "a < b & **c**\n\n```js\nx < 1\n```",
      'a &lt; b &amp; <b>c</b>\n\n<pre><code class="language-js">x &lt; 1</code></pre>'
    ],
    ["slack", "# H\n**b** *i* ~~s~~ ***x***", "*H*\n*b* _i_ ~s~ *_x_*"],
    [
      "slack",
      "[t](https://e.org/a_(b)) <https://e.org> <@U1> <#C1|x> <!subteam^S1>",
      "<https://e.org/a_(b)|t> <https://e.org> <@U1> <#C1|x> <!subteam^S1>"
    ],
    ["slack", "<!channel> <!here> <!everyone>", "&lt;!channel&gt; &lt;!here&gt; &lt;!everyone&gt;"],
    ["slack", "a &amp; b < c", "a &amp; b &lt; c"],
    ["slack", "```ts\nif (a < b) {}\n```", "```\nif (a &lt; b) {}\n```"],
    ["slack", "| a | bb |\n|---|---|\n| ccc | d |", "```\n| a   | bb  |\n|-----|-----|\n| ccc | d   |\n```"],
    ["whatsapp", "# **H**\n**b** __b__ *i* ~~s~~ [t](u)", "*H*\n*b* *b* _i_ ~s~ t (u)"],
    ["whatsapp", "a\u00a0b\u200bc `x` \n```\ny\n```", "a bc `x`\n```\ny\n```"],
    ["google_chat", "***x*** **b** *i* ~~s~~ [t](u) # h", "*_x_* *b* _i_ ~s~ <u|t> # h"],
    ["plain", "# H\n**b** _i_ `c` [t](u) [u](u)\n\n\n\nend", "H\nb i c t (u) u\n\nend"],
    ["plain", "```sh\nls  -l\n```\n- stays\n1. stays", "ls  -l\n- stays\n1. stays"],
    ["plain", "![alt](https://e.org/i.png) a_b_c 2*3*4", "https://e.org/i.png a_b_c 2*3*4"],
    ["line", "- a\n* b", "• a\n• b"],
    ["dingtalk", "text\n1. one\n2. two\n  ```\n  x", "text\n\n1. one\n2. two\n```\n  x"],
    ["discord", "**b** ||p||\n-# small", "**b** ||p||\n-# small"],
    ["unheard_of", "**b**", "**b**"]
  ]
  for (const [dialect, source, expected] of table) {
    it(`${dialect}: ${JSON.stringify(source)}`, () => assert.strictEqual(text(dialect)(source), expected))
  }

  it("signal: ranges instead of marks, in UTF-16 units", () => {
    const { formatting, text: shown } = print("signal", "😀 **b *c*** `d`\n* e\n\n# H\n\n```js\nx\n```")
    assert.strictEqual(shown, "😀 b c d\n• e\n\nH\n\nx")
    assert.deepStrictEqual(formatting?.styles, [
      "3:3:BOLD",
      "5:1:ITALIC",
      "7:1:MONOSPACE",
      "14:1:BOLD",
      "17:1:MONOSPACE"
    ])
  })

  it("matrix: Markdown as it is, and an HTML body of allowed elements alone", () => {
    const source =
      "# H\n\na **b**\nc <script>x</script>\n\n1. x\n2. y\n\n[t](javascript:alert(1)) [u](https://e.org?a=1&b=2)\n\n| a |\n|---|\n| b |"
    const { formatting, text: shown } = print("matrix", source)
    assert.strictEqual(shown, source)
    assert.strictEqual(
      formatting?.html,
      "<h1>H</h1>\n<p>a <strong>b</strong><br>\nc &lt;script&gt;x&lt;/script&gt;</p>\n<ol>\n<li>x</li>\n<li>y</li>\n</ol>\n" +
        '<p>t <a href="https://e.org?a=1&amp;b=2">u</a></p>\n<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>'
    )
    assert.strictEqual(print("matrix", "one **two**").formatting?.html, "one <strong>two</strong>")
  })

  it.prop("prints what its platform reads, and nothing of the text is lost", [Schema.Array(Piece)], ([pieces]) => {
    const source = pieces.map(marked).join(" ")
    const wanted = ink(source.replaceAll(/\]\([^)]*\)\?q=1&r=2\)/g, "]"))
    for (const [dialect, read] of Object.entries(readers)) {
      assert.strictEqual(ink(read(text(dialect)(source))), wanted, `${dialect} ${JSON.stringify(source)}`)
    }
    readHtml(print("matrix", source).formatting!.html!, matrixTags, matrixAttributes)
  })

  it.prop("prints any text whatever in a form that its platform reads", [Schema.String, Anything], ([any, parts]) => {
    for (const source of [any, compose(parts), `${any}\n\n${compose(parts)}\n${any}`]) {
      for (const [dialect, read] of Object.entries(readers)) {
        if (source.trim() !== "") assert.doesNotThrow(() => read(text(dialect)(source)))
      }
      readHtml(print("matrix", source).formatting!.html!, matrixTags, matrixAttributes)
    }
  })

  it.prop(
    "each chunk is within the limit as it is printed, and read by its platform on its own",
    [
      Anything,
      Schema.Int.check(Schema.isBetween({ minimum: 200, maximum: 600 })),
      Schema.Literals(["chars", "utf16", "utf8"])
    ],
    ([parts, limit, unit]) => {
      const source = compose(parts)
      for (const [dialect, read] of Object.entries(readers)) {
        for (const chunk of split(source, { limit, unit, convert: measureOf(dialect) })) {
          const printed = text(dialect)(chunk)
          assert.isAtMost(length(printed, unit), limit, JSON.stringify(chunk))
          read(printed)
        }
      }
    }
  )

  it.prop(
    "what surely fits does fit",
    [Schema.String, Anything, Schema.Literals(["chars", "utf16", "utf8"])],
    ([any, parts, unit]) => {
      for (const source of [any, compose(parts)]) {
        for (const dialect of [
          "plain",
          "line",
          "telegram",
          "telegram_html",
          "slack",
          "whatsapp",
          "google_chat",
          "signal",
          "dingtalk",
          "matrix"
        ]) {
          const printed = length(text(dialect)(source), unit)
          if (source.length > 8 && surelyFits(dialect, source, printed - 1, unit))
            assert.fail(`${dialect} ${JSON.stringify(source)}`)
        }
      }
    }
  )

  it.prop(
    "a text measured without being printed is no longer when it is",
    [Schema.String, Anything],
    ([any, parts]) => {
      for (const source of [any, compose(parts)]) {
        const printed = text("plain")(source)
        for (const unit of ["chars", "utf16", "utf8"] as const) {
          assert.isAtMost(length(printed, unit), length(measureOf("plain")!(source), unit), JSON.stringify(source))
        }
      }
    }
  )

  it("shows a text that is all marks as it stands", () => {
    for (const dialect of ["plain", "telegram", "slack", "whatsapp"])
      assert.notStrictEqual(text(dialect)("# ").trim(), "")
    assert.strictEqual(unmarked("**a** `b`").text, "a b")
  })

  it.each([
    ["quotes in quotes", ">"],
    ["lists in lists", "- "],
    ["marks without partners", "_a*"],
    ["marks in marks", "*_"],
    ["brackets", "![["],
    ["numbers", "1. "],
    ["backticks", "a`b ``c "]
  ])("40 KB of %s end no stack and are printed", (_, unit) => {
    const source = unit.repeat(40_000 / unit.length)
    for (const dialect of ["telegram", "slack", "plain", "signal", "matrix"])
      assert.isAbove(text(dialect)(source).length, 10_000)
  })
})
