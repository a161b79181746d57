import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as SearchQuery from "../../src/Storage/SearchQuery.ts"

const fts = (query: string) => SearchQuery.toFts5(SearchQuery.parse(query), null)

describe("a query", () => {
  it("ANDs its words, knows phrases, OR, NOT and beginnings, and nothing else", () => {
    for (const [query, expected] of [
      ["quick fox", 'body : (("quick" AND "fox"))'],
      ['"quick fox" cat', 'body : (("quick fox" AND "cat"))'],
      ["a OR b c", 'body : (("a") OR ("b" AND "c"))'],
      ["a NOT b", 'body : ((("a") NOT ("b")))'],
      ["begin*", 'body : (("begin"*))'],
      ["well-known v1.2", 'body : (("well known" AND "v1 2"))'],
      ['body:(x) ^ "unbalanced', 'body : (("body x" AND "unbalanced"))'],
      ["OR a AND NOT", 'body : (("a"))'],
      ["Éclair 東京", 'body : (("eclair" AND "東 京"))']
    ] as const) {
      assert.strictEqual(fts(query), expected, query)
    }
    for (const query of ["", "OR", "NOT x", '""', "*** ---"])
      assert.deepStrictEqual(SearchQuery.parse(query), [], query)
  })

  it.prop("holds letters and digits only, whatever was written", [Schema.String], ([text]) => {
    for (const { all, none } of SearchQuery.parse(text)) {
      for (const { words } of [...all, ...none]) {
        for (const word of words) assert.match(word, /^[\p{L}\p{N}]+$/u)
      }
    }
  })

  it.prop("shows a snippet with one mark where it matches", [Schema.String], ([text]) => {
    const snippet = SearchQuery.snippet(SearchQuery.parse("needle"), `${text} needle ${text}`)
    assert.include(snippet.toLowerCase(), ">>>needle<<<")
  })
})
