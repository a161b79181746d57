import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { coerceRestart, parse } from "../../src/Conversation/SlashCommand.ts"
import { vectors } from "../support/Vectors.ts"

interface Given {
  readonly text: string
  readonly chat_type?: string
  readonly coerce?: boolean
}

describe("SlashCommand", () => {
  it("takes every vector apart as the reference does", () => {
    const cases = vectors<Given, object>("command_parse")
    assert.isAbove(cases.length, 10)
    for (const { in: given, name, out } of cases) {
      if (given.coerce) {
        assert.deepStrictEqual({ text: coerceRestart(given.text, given.chat_type ?? "dm") }, out, name)
        continue
      }
      const command = parse(given.text)
      assert.deepStrictEqual(
        { is_command: command !== null, command: command?.name ?? null, args: command?.args ?? given.text },
        out,
        JSON.stringify(given.text)
      )
    }
  })

  it("tells which bot a command is for", () => {
    assert.strictEqual(parse("/status@OtherBot now")?.addressee, "OtherBot")
    assert.strictEqual(parse("/status@")?.addressee, "")
    assert.strictEqual(parse("/status now@home")?.addressee, null)
  })

  it.each(["Restart  switchboard", "please restart the Switchboard gateway !", "restart hermes."])(
    "%j in a direct message is the restart command",
    (text) => {
      assert.strictEqual(coerceRestart(text, "dm"), "/restart")
      assert.strictEqual(coerceRestart(text, "group"), text)
    }
  )

  it.each(["restart", "restart the server", "do not restart gateway", "restart gateway, then sing"])(
    "%j stays a message",
    (text) => assert.strictEqual(coerceRestart(text, "dm"), text)
  )

  it.prop(
    "a name has neither space, slash nor capital, and arguments do not begin with a space",
    [Schema.String],
    ([text]) => {
      const command = parse(`/${text}`)
      assert.isNotNull(command)
      if (command.name !== null) assert.notMatch(command.name, /[ \n\t/A-Z]/)
      assert.notMatch(command.args, /^[ \n\t]/)
      assert.isNull(parse(`x${text}`))
    }
  )
})
