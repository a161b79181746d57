import { assert, describe, it } from "@effect/vitest"
import { classOf, policyOf } from "../../../src/Conversation/Commands/CommandDef.ts"
import { entriesOf } from "../../../src/Conversation/Commands/Help.ts"
import { commands, find, resolve, suggestion } from "../../../src/Conversation/Commands/Registry.ts"
import { vectors } from "../../support/Vectors.ts"
import { offer } from "./Offers.ts"

interface Resolved {
  readonly canonical: string
  readonly cli_only: boolean
  readonly gateway_only: boolean
  readonly bypasses_active_session: boolean
}

describe("the registry of commands", () => {
  it("resolves every vector as the reference does", () => {
    const cases = vectors<{ readonly text: string }, Resolved | null>("command_resolve")
    assert.isAbove(cases.length, 10)
    for (const { in: given, out } of cases) {
      const def = resolve(given.text)
      assert.deepStrictEqual(
        def === null
          ? null
          : {
              canonical: def.name,
              cli_only: def.surface === "terminal",
              gateway_only: def.surface === "chat",
              // None of them is ever queued as text (`commands W1`).
              bypasses_active_session: true
            },
        out,
        given.text
      )
    }
  })

  it("finds names and aliases, once each, and nothing else", () => {
    const names = commands.flatMap(({ aliases, name }) => [name, ...aliases])
    assert.strictEqual(new Set(names).size, names.length)
    for (const name of names) assert.isNotNull(find(name), name)
    for (const name of ["", "constructor", "__proto__", "STOP", "stopp"]) assert.isNull(find(name))
    assert.strictEqual(find("reset"), find("new"))
  })

  it("gives each command a name that menus take, a help that fits them, a class and a policy", () => {
    for (const def of commands) {
      assert.match(def.name, /^[a-z][a-z-]{0,31}$/)
      assert.isNotEmpty(def.help, def.name)
      assert.isAtMost(def.help.length, 100, def.name)
      for (const args of ["", "x"]) {
        assert.include(["now", "stop", "no"], policyOf(def, args), def.name)
        assert.include(["ordinary", "session", "configuration", "host"], classOf(def, args), def.name)
      }
    }
  })

  it("offers what has a ground to stand on, and hides what the terminal alone has", () => {
    const shown = entriesOf(commands, offer()).map(({ name }) => name)
    for (const name of ["new", "stop", "help", "queue", "platform"]) assert.include(shown, name)
    for (const name of ["quit", "start", "kanban", "moa", "topic"]) assert.notInclude(shown, name)
  })

  it("knows which command a slip of the finger meant", () => {
    assert.strictEqual(suggestion("stauts", []), "status")
    assert.strictEqual(suggestion("wether", ["weather"]), "weather")
    assert.isNull(suggestion("frobnicate", []))
    // Nobody is sent to the terminal by mistake.
    assert.isNull(suggestion("quitt", []))
  })
})
