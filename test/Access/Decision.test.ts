import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type AccessSettings, decide } from "../../src/Access/Decision.ts"
import * as Source from "../../src/Message/Source.ts"

const settings = (
  more: {
    readonly users?: ReadonlyArray<string>
    readonly gateway?: ReadonlyArray<string>
    readonly all?: boolean
    readonly gatewayAll?: boolean
  } = {}
): AccessSettings => ({
  allowedUsers: new Set(more.users),
  allowAll: more.all ?? false,
  gatewayAllowedUsers: new Set(more.gateway),
  gatewayAllowAll: more.gatewayAll ?? false
})
const from = (userId: string | null, more: Partial<Source.Source> = {}) =>
  Source.make({ platform: "telegram", chatId: "c", userId, ...more })
const role: Source.Provenance = { ...Source.untrusted, roleAuthorized: true }
const relay: Source.Provenance = { ...Source.untrusted, viaRelay: true }

describe("access decision", () => {
  const table: ReadonlyArray<readonly [string, AccessSettings, Source.Source, Source.Provenance, boolean, string]> = [
    ["nobody is configured", settings(), from("1"), Source.untrusted, false, "D2d"],
    ["the platform's list names the sender", settings({ users: ["1"] }), from("1"), Source.untrusted, true, "12"],
    ["the platform's list names another", settings({ users: ["1"] }), from("2"), Source.untrusted, false, "13"],
    ["the platform's list has a star", settings({ users: ["*"] }), from("9"), Source.untrusted, true, "12"],
    ["a star names nobody without an id", settings({ users: ["*"] }), from(null), Source.untrusted, false, "5"],
    ["the gateway's list names the sender", settings({ gateway: ["1"] }), from("1"), Source.untrusted, true, "12"],
    ["both lists are one", settings({ users: ["1"], gateway: ["2"] }), from("2"), Source.untrusted, true, "12"],
    [
      "allow-all of the gateway does not count beside a list",
      settings({ gateway: ["1"], gatewayAll: true }),
      from("2"),
      Source.untrusted,
      false,
      "13"
    ],
    [
      "nor beside the platform's list",
      settings({ users: ["1"], gatewayAll: true }),
      from("2"),
      Source.untrusted,
      false,
      "13"
    ],
    ["allow-all of the gateway alone", settings({ gatewayAll: true }), from("2"), Source.untrusted, true, "D2c"],
    [
      "allow-all of the platform, beside lists",
      settings({ users: ["1"], all: true }),
      from("2"),
      Source.untrusted,
      true,
      "6"
    ],
    [
      "allow-all admits nobody without an id",
      settings({ all: true, gatewayAll: true }),
      from(null),
      Source.untrusted,
      false,
      "5"
    ],
    ["an id of blanks is none", settings({ all: true }), from("  "), Source.untrusted, false, "5"],
    ["a verified role", settings({ users: ["1"] }), from("2"), role, true, "7"],
    ["a role admits nobody without an id", settings(), from(null), role, false, "5"],
    ["over the authenticated relay, with or without an id", settings(), from(null), relay, true, "2"],
    [
      "the name of an allowed user is not an identity",
      settings({ users: ["anna"] }),
      from("2", { userName: "anna" }),
      Source.untrusted,
      false,
      "13"
    ],
    ["nor is the chat", settings({ users: ["c"] }), from("2"), Source.untrusted, false, "13"],
    ["ids keep their case", settings({ users: ["ABC"] }), from("abc"), Source.untrusted, false, "13"],
    ["an id is matched whole", settings({ users: ["12"] }), from("1"), Source.untrusted, false, "13"],
    [
      "being a bot admits nobody",
      settings({ users: ["1"] }),
      from("2"),
      { ...Source.untrusted, isBot: true },
      false,
      "13"
    ]
  ]
  for (const [name, given, source, provenance, allow, rule] of table) {
    it(`${name}: ${allow ? "allow" : "deny"} ${rule}`, () =>
      assert.deepStrictEqual(decide(source, provenance, given), { allow, rule }))
  }

  const Users = Schema.Array(Schema.Literals(["1", "2", "3", "*"]))
  const Given = Schema.Struct({ users: Users, gateway: Users, all: Schema.Boolean, gatewayAll: Schema.Boolean })
  const Sender = Schema.NullOr(Schema.Literals(["1", "2", "3", "4", ""]))

  it.prop(
    "taking an allowance away never admits anybody, but for the gateway's allow-all, which lists replace",
    [Given, Sender, Schema.Boolean, Schema.Int],
    ([given, user, roleAuthorized, which]) => {
      const provenance = { ...Source.untrusted, roleAuthorized }
      const before = decide(from(user), provenance, settings(given))
      const drop = (list: ReadonlyArray<string>) =>
        list.filter((entry) => entry !== list[Math.abs(which) % Math.max(1, list.length)])
      const fewer = [
        { ...given, users: drop(given.users) },
        { ...given, gateway: drop(given.gateway) },
        { ...given, all: false },
        { ...given, gatewayAll: false }
      ]
      for (const less of fewer) {
        const opens =
          less.gatewayAll &&
          less.users.length + less.gateway.length === 0 &&
          given.users.length + given.gateway.length > 0
        if (!before.allow && !opens) assert.isFalse(decide(from(user), provenance, settings(less)).allow)
      }
      if (before.allow && roleAuthorized) {
        assert.isTrue(decide(from(user), { ...provenance, viaRelay: true }, settings(given)).allow)
      }
    }
  )

  it.prop("a sender without id gets in by the relay alone", [Given, Schema.Boolean], ([given, roleAuthorized]) => {
    assert.isFalse(decide(from(null), { ...Source.untrusted, roleAuthorized }, settings(given)).allow)
    assert.isTrue(decide(from(null), relay, settings(given)).allow)
  })
})
