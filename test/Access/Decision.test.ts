import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { decide, explain } from "../../src/Access/Decision.ts"
import { platformNames } from "../../src/Message/Platform.ts"
import * as Source from "../../src/Message/Source.ts"
import { type Given, subject } from "./Rules.ts"

const role: Source.Provenance = { ...Source.untrusted, roleAuthorized: true }
const relay: Source.Provenance = { ...Source.untrusted, viaRelay: true }
const bot: Source.Provenance = { ...Source.untrusted, isBot: true }
const group = { chatType: "group", chatId: "-100" }

type Row = readonly [
  name: string,
  given: Given,
  userId: string | null,
  source: Partial<Source.Source>,
  rule: string,
  more?: Parameters<typeof subject>[3]
]

describe("access decision", () => {
  const allows: ReadonlyArray<Row> = [
    ["a paired user beside a list", { users: ["1"] }, "2", {}, "8", { paired: ["2"] }],
    ["the platform's list names the sender", { users: ["1"] }, "1", {}, "12"],
    ["a star, in a direct chat", { users: ["*"] }, "9", {}, "12"],
    ["a star, in a group", { users: ["*"] }, "9", group, "12"],
    ["a user of groups, in a group", { groupUsers: ["2"] }, "2", group, "12"],
    ["everybody of a listed group, with or without an id", { groupChats: ["-100"] }, null, group, "3"],
    ["a group of the file's list", { groupAllowedChats: ["-100"] }, null, { ...group, chatType: "channel" }, "3"],
    ["a star over groups", { groupChats: ["*"] }, null, { ...group, chatType: "forum" }, "3"],
    ["a group in the list of users, as it once was", { groupUsers: ["-100"] }, "9", group, "11"],
    ["allow-all of the gateway while no list is set", { platform: "slack", gatewayAll: true }, "2", {}, "D2c"],
    ["allow-all of the platform, beside lists", { users: ["1"], all: true }, "2", {}, "6"],
    [
      "a bot where bots are let in",
      { platform: "discord", bots: "all", users: ["1"] },
      null,
      group,
      "4",
      { provenance: bot }
    ],
    [
      "a bot that mentions us: whether it did is the adapter's to say",
      { platform: "slack", bots: "mentions" },
      "b",
      group,
      "4",
      { provenance: bot }
    ],
    ["a member with a verified role", { platform: "discord", users: ["1"] }, "2", group, "7", { provenance: role }],
    ["the adapter's own list", { platform: "wecom", dmPolicy: "allowlist", allowFrom: ["a"] }, "a", {}, "D2a"],
    [
      "the adapter's own list of groups",
      { platform: "wecom", groupPolicy: "allowlist", groupAllowFrom: ["-100"] },
      "a",
      group,
      "D2a"
    ],
    ["the group's own list", { platform: "wecom", groups: { "-100": ["a"] } }, "a", group, "D2a"],
    [
      "the group's own list, in another case",
      { platform: "qqbot", groups: { ABC: ["a"] } },
      "a",
      { ...group, chatId: "abc" },
      "D2a"
    ],
    ["the list for all groups", { platform: "qqbot", groups: { "*": ["a"] } }, "a", group, "D2a"],
    ["the file's list", { allowFrom: ["1", "2"] }, "2", {}, "D2b"],
    ["the file's list for groups", { groupAllowFrom: ["2"] }, "2", { ...group, chatType: "channel" }, "D2b"],
    ["a Matrix id, exactly", { platform: "matrix", users: ["@a:x"] }, "@a:x", {}, "12"],
    ["a telephone before the @", { platform: "signal", users: ["+4911"] }, "+4911@s", {}, "12"],
    ["a webhook was authenticated by its adapter", { platform: "webhook" }, null, {}, "1"],
    ["over the authenticated relay, with an id", {}, "2", {}, "2", { provenance: relay }],
    ["over the authenticated relay, without one", {}, null, group, "2", { provenance: relay }],
    ["a paired user without any list", {}, "2", {}, "8", { paired: ["2"] }],
    [
      "another's list does not matter over the relay",
      { users: ["1"] },
      "2",
      {},
      "2",
      { provenance: relay, paired: null }
    ]
  ]
  const denies: ReadonlyArray<Row> = [
    ["nobody is configured", {}, "1", {}, "D2d"],
    ["the platform's list names another", { users: ["1"] }, "2", {}, "13"],
    ["a star names nobody without an id", { users: ["*"] }, null, {}, "5"],
    ["an id of blanks is none", { all: true }, "  ", {}, "5"],
    ["a user of groups, in a direct chat", { groupUsers: ["2"] }, "2", {}, "D2d"],
    ["a direct chat, where only a group is listed", { groupChats: ["-100"] }, "2", {}, "D2d"],
    ["a group that is not listed", { groupChats: ["-100"] }, "2", { ...group, chatId: "-200" }, "13"],
    ["allow-all of the gateway beside a list", { platform: "slack", gateway: ["1"], gatewayAll: true }, "2", {}, "13"],
    ["a bot that nobody said to be one", { platform: "discord", bots: "all", users: ["1"] }, "2", group, "13"],
    [
      "a bot where bots cannot be let in",
      { platform: "sms", bots: "all", users: ["1"] },
      "2",
      {},
      "13",
      { provenance: bot }
    ],
    ["a bot where none is let in", { platform: "discord", users: ["1"] }, "2", group, "13", { provenance: bot }],
    ["a role without an id", {}, null, {}, "5", { provenance: role }],
    [
      "the adapter's own list names another",
      { platform: "wecom", dmPolicy: "allowlist", allowFrom: ["a"] },
      "b",
      {},
      "D2d"
    ],
    ["an open policy proves nothing", { platform: "wecom", dmPolicy: "open", allowFrom: ["a"] }, "a", {}, "D2d"],
    ["nor does an unknown one", { platform: "wecom", dmPolicy: "allow-list", allowFrom: ["a"] }, "a", {}, "D2d"],
    [
      "the adapter's list while a variable lists users",
      { platform: "wecom", dmPolicy: "allowlist", allowFrom: ["a"], gateway: ["x"] },
      "a",
      {},
      "13"
    ],
    ["the file's list in a group", { allowFrom: ["2"] }, "2", group, "D2d"],
    ["the file's list for groups, in a direct chat", { groupAllowFrom: ["2"] }, "2", {}, "D2d"],
    ["a Matrix id in another case", { platform: "matrix", users: ["@a:x"] }, "@A:x", {}, "13"],
    ["a name that stands before the @ of an address", { platform: "email", users: ["joe"] }, "joe@any.org", {}, "13"],
    ["the name of an allowed user", { users: ["anna"] }, "2", { userName: "anna" }, "13"],
    ["the chat of an allowed user", { users: ["c"] }, "2", {}, "13"],
    ["another case", { users: ["ABC"] }, "abc", {}, "13"],
    ["a part of an id", { users: ["12"] }, "1", {}, "13"],
    ["a profile that is not served here", { all: true }, "1", { profile: "work" }, "D4", { isServed: false }],
    ["pairings that cannot be read, and nothing else admits", {}, "2", {}, "error", { paired: null }],
    ["a Telegram user id that looks like a group", { groupUsers: ["-100"] }, "-100", {}, "D2d"]
  ]
  for (const [allow, rows] of [
    [true, allows],
    [false, denies]
  ] as const) {
    for (const [name, given, userId, source, rule, more] of rows) {
      it(`${allow ? "allowed" : "refused"}: ${name} (${rule})`, () => {
        const asked = subject(given, userId, source, more)
        assert.deepStrictEqual(decide(asked), { allow, rule })
        const last = explain(asked).at(-1)
        assert.deepStrictEqual({ allow: last?.outcome === "allow", rule: last?.rule }, { allow, rule })
      })
    }
  }

  it("an address or a whole domain may be listed for mail, in any case", () => {
    const listed = ["joe@here.org", "@there.org"]
    for (const [userId, rule] of [
      ["Joe@Here.org", "12"],
      ["anna@there.org", "12"],
      ["anna@there.org.evil.com", "13"],
      ["anna@not-there.org", "13"],
      ["@there.org", "12"]
    ] as const) {
      assert.strictEqual(decide(subject({ platform: "email", users: listed }, userId)).rule, rule, userId)
    }
  })

  it("the trace names every rule up to the deciding one, in their order, and no rule after it", () => {
    const steps = explain(subject({ users: ["1"] }, "2"))
    assert.deepStrictEqual(
      steps.map(({ rule }) => rule),
      ["1", "2", "D4", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"]
    )
    assert.isTrue(steps.slice(0, -1).every(({ outcome, why }) => outcome === "pass" && why !== ""))
    assert.deepStrictEqual(explain(subject({ users: ["1"] }, "1")).at(-1)?.grounds, ["allowedUsers"])
  })

  const Ids = Schema.Literals(["1", "2", "-100", "*", "a@b", "ａ", "аdmin"])
  const List = Schema.Array(Ids)
  const Any = Schema.Struct({
    platform: Schema.Literals(["telegram", "discord", "wecom", "whatsapp", "email", "matrix", "qqbot"]),
    users: List,
    gateway: List,
    groupUsers: List,
    groupChats: List,
    groupAllowedChats: List,
    allowFrom: List,
    groupAllowFrom: List,
    all: Schema.Boolean,
    gatewayAll: Schema.Boolean,
    bots: Schema.Literals(["none", "mentions", "all"]),
    dmPolicy: Schema.Literals(["allowlist", "open", "pairing", "disabled", "?"]),
    groupPolicy: Schema.Literals(["allowlist", "open", "disabled"])
  })
  const From = Schema.Struct({
    userId: Schema.NullOr(Schema.Literals(["1", "2", "3", "", "a@b", "a", "ａ", "аdmin", "-100"])),
    chatType: Schema.Literals(["dm", "group", "forum", "channel", "thread", "", "Private"]),
    chatId: Schema.Literals(["-100", "1", ""]),
    isBot: Schema.NullOr(Schema.Boolean),
    roleAuthorized: Schema.Boolean,
    paired: Schema.Boolean
  })
  const ask = (given: Given, from: typeof From.Type) =>
    decide(
      subject(
        given,
        from.userId,
        { chatType: from.chatType, chatId: from.chatId },
        {
          provenance: { viaRelay: false, isBot: from.isBot, roleAuthorized: from.roleAuthorized },
          paired: from.paired && from.userId !== null ? [from.userId] : []
        }
      )
    )
  const lists = [
    "users",
    "gateway",
    "groupUsers",
    "groupChats",
    "groupAllowedChats",
    "allowFrom",
    "groupAllowFrom"
  ] as const
  const many = { arbitrary: { runs: 400 } }

  it.prop(
    "adding an entry to a list that is set never refuses anybody",
    [Any, From, Schema.Literals(lists), Ids],
    ([given, from, list, entry]) => {
      if (given[list].length === 0 || !ask(given, from).allow) return
      assert.isTrue(ask({ ...given, [list]: [...given[list], entry] }, from).allow)
    },
    many
  )

  it.prop(
    "taking an allowance away admits nobody, unless the last list goes and what lists replace comes back",
    [Any, From, Schema.Literals(lists)],
    ([given, from, list]) => {
      if (ask(given, from).allow) return
      for (const gone of new Set(given[list])) {
        const less = given[list].filter((entry) => entry !== gone)
        if (less.length === 0 && ["users", "gateway", "groupUsers", "groupChats"].includes(list)) continue
        assert.isFalse(ask({ ...given, [list]: less }, from).allow)
      }
      for (const less of [{ all: false }, { gatewayAll: false }, { bots: "none" as const }]) {
        assert.isFalse(ask({ ...given, ...less }, from).allow)
      }
      assert.isFalse(ask(given, { ...from, paired: false }).allow)
      assert.isFalse(ask(given, { ...from, roleAuthorized: false }).allow)
    },
    many
  )

  it.prop(
    "the trace and the decision are one",
    [Any, From],
    ([given, from]) => {
      const asked = subject(given, from.userId, { chatType: from.chatType, chatId: from.chatId })
      const last = explain(asked).at(-1)!
      assert.deepStrictEqual(decide(asked), { allow: last.outcome === "allow", rule: last.rule })
    },
    many
  )

  it.prop("a display name changes nothing", [Any, From, Schema.String], ([given, from, userName]) => {
    const plain = subject(given, from.userId, { chatType: from.chatType, chatId: from.chatId })
    const named = { ...plain, source: { ...plain.source, userName, chatName: userName, chatTopic: userName } }
    assert.deepStrictEqual(decide(named), decide(plain))
  })

  it("by default nobody, on every platform whose adapter does not authenticate its requests", () => {
    const authenticated = new Set(["homeassistant", "webhook", "msgraph_webhook", "api_server"])
    for (const platform of [...platformNames, "irc", "simplex", "constructor", "__proto__"]) {
      if (authenticated.has(platform)) continue
      for (const chatType of ["dm", "group", "forum", "channel", "thread", "", "DM"]) {
        for (const userId of ["1", "*", "", null, "@"]) {
          assert.isFalse(decide(subject({ platform }, userId, { chatType })).allow, `${platform} ${chatType} ${userId}`)
        }
      }
    }
  })

  it("an id is compared character by character: look-alikes, controls, joiners and very long ones are others", () => {
    const admin = "admin"
    for (const other of [
      "аdmin",
      "admin\u200b",
      "adm\u200din",
      "ａdmin",
      "admin\0",
      "ad\u202emin",
      "admin.",
      "ADMIN",
      "admin\u0301"
    ]) {
      assert.isFalse(decide(subject({ users: [admin] }, other)).allow, JSON.stringify(other))
    }
    const long = "7".repeat(10 * 1024)
    assert.isTrue(decide(subject({ users: [long] }, long)).allow)
    assert.isFalse(decide(subject({ users: [long] }, `${long}7`)).allow)
    assert.isFalse(decide(subject({ users: ["1"] }, "1,2")).allow)
  })

  it("a WhatsApp person is one under all his ids, whichever of them a list names", () => {
    const pairs: Readonly<Record<string, ReadonlyArray<string>>> = {
      "900000000000001": ["15550000001"],
      "15550000001": ["900000000000001"]
    }
    const aliases = (id: string) => pairs[id] ?? []
    const from = (userId: string) =>
      decide(subject({ platform: "whatsapp", users: ["15550000001"] }, userId, {}, { aliases }))
    assert.isTrue(from("900000000000001@lid").allow)
    assert.isTrue(from("+15550000001:3@s.whatsapp.net").allow)
    assert.isFalse(from("900000000000002@lid").allow)
    assert.isFalse(from("15550000001 OR 1").allow)
  })
})
