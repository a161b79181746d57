import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { canonical, noAliases, normalize } from "../../src/Message/WhatsAppIdentity.ts"
import { vectors } from "../support/Vectors.ts"

interface Identity {
  readonly normalized: string
  readonly canonical_without_alias_files: string | { readonly error: string }
}

const lookup = (map: Readonly<Record<string, ReadonlyArray<string>>>) => (id: string) => map[id] ?? []

describe("WhatsAppIdentity", () => {
  it("normalises every vector as the reference does, and rejects what it throws on", () => {
    const cases = vectors<{ readonly value: string | null }, Identity>("whatsapp_identity")
    assert.isAbove(cases.length, 10)
    for (const {
      in: { value },
      name,
      out
    } of cases) {
      assert.strictEqual(normalize(value), out.normalized, name)
      const found = canonical(value, noAliases)
      if (typeof out.canonical_without_alias_files === "string") {
        assert.deepStrictEqual(found, Result.succeed(out.canonical_without_alias_files), name)
      } else {
        assert.isTrue(Result.isFailure(found) && found.failure._tag === "UnsafeIdentifier", name)
      }
    }
  })

  it("finds the shortest id through any chain of aliases, ties by text order", () => {
    const aliases = lookup({
      "998877665544": ["5511999@s.whatsapp.net"],
      "5511999": ["998877665544@lid", "5511998:3"],
      "5511998": ["5511999"]
    })
    for (const id of ["998877665544@lid", "5511999:2@s.whatsapp.net", "+5511998"]) {
      assert.deepStrictEqual(canonical(id, aliases), Result.succeed("5511998"))
    }
  })

  it("does not follow an alias with unsafe characters, nor end in a map that joins everything", () => {
    assert.deepStrictEqual(canonical("77777", lookup({ "77777": ["../x", "😀", ""] })), Result.succeed("77777"))
    let asked = 0
    const endless = (id: string) => {
      asked++
      return [`${id}0`, `${id}1`]
    }
    assert.deepStrictEqual(canonical("4", endless), Result.succeed("4"))
    assert.isAtMost(asked, 64)
  })

  const Id = Schema.Literals(["1", "22", "333", "4444", "55555"])

  it.prop("all ids of one person have one canonical id", [Schema.Array(Schema.Tuple([Id, Id]))], ([pairs]) => {
    const aliases = (id: string) => pairs.flatMap(([a, b]) => (a === id ? [b] : b === id ? [a] : []))
    for (const [a, b] of pairs) assert.deepStrictEqual(canonical(a, aliases), canonical(b, aliases))
  })
})
