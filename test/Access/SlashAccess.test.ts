import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { settingsOf } from "../../src/Access/AccessSettings.ts"
import * as Answering from "../../src/Access/Answering.ts"
import { canRun, type Lists, offered, policyOf, readLists } from "../../src/Access/SlashAccess.ts"
import { Settings } from "../../src/Config/Settings.ts"
import { vectors } from "../support/Vectors.ts"

interface In {
  readonly platforms: Readonly<Record<string, { readonly extra: Readonly<Record<string, unknown>> }>>
  readonly platform: string
  readonly chat_type: string | null
  readonly user_id: string | null
  readonly command: string
}
interface Out {
  readonly enabled: boolean
  readonly is_admin: boolean
  readonly can_run: boolean
}

const lists = (more: Partial<Lists> = {}): Lists => ({
  adminFrom: [],
  userCommands: [],
  groupAdminFrom: [],
  groupUserCommands: [],
  ...more
})
const who = (userId: string | null, chatType = "dm", platform = "telegram") => ({ platform, chatType, userId })

describe("slash command access", () => {
  it.effect("agrees with every vector of the reference", () =>
    Effect.gen(function* () {
      const cases = vectors<In, Out>("slash_access")
      assert.isAtLeast(cases.length, 200)
      for (const { in: given, name, out } of cases) {
        const read = yield* Effect.flatMap(Settings, (settings) =>
          readLists(settings, settingsOf(given.platform))
        ).pipe(
          Effect.provide(
            Settings.layerFrom(
              Object.fromEntries(
                Object.entries(given.platforms).map(([platform, { extra }]) => [`platforms.${platform}`, extra])
              )
            )
          )
        )
        const policy = policyOf(read, who(given.user_id, given.chat_type ?? "", given.platform))
        assert.deepStrictEqual(
          {
            enabled: policy.isSplit,
            is_admin: !policy.isSplit || policy.isConfiguredAdmin,
            can_run: canRun(policy, given.command)
          },
          out,
          name
        )
      }
    })
  )

  it("commands that reach this machine need a configured admin in groups, also without lists", () => {
    const open = policyOf(lists(), who("1", "group"))
    assert.isFalse(canRun(open, "restart", true))
    assert.isTrue(canRun(open, "new"))
    assert.isTrue(canRun(policyOf(lists(), who("1")), "restart", true))
    assert.isTrue(canRun(policyOf(lists({ groupAdminFrom: ["1"] }), who("1", "group")), "restart", true))
    assert.isFalse(
      canRun(
        policyOf(lists({ groupAdminFrom: ["2"], groupUserCommands: ["restart"] }), who("1", "group")),
        "restart",
        true
      )
    )
    assert.isTrue(canRun(policyOf(lists(), { ...who("1", "group"), openHost: true }), "restart", true))
  })

  it("an admin list of one scope makes nobody an admin of the other, and no list makes nobody one", () => {
    const split = lists({ adminFrom: ["1"] })
    assert.strictEqual(policyOf(split, who("1")).tier, "admin")
    assert.strictEqual(policyOf(split, who("2")).tier, "user")
    assert.strictEqual(policyOf(split, who("1", "group")).tier, "unrestricted")
    assert.isFalse(policyOf(split, who("1", "group")).isConfiguredAdmin)
    assert.isFalse(policyOf(lists(), who("1")).isConfiguredAdmin)
    assert.isFalse(policyOf(lists({ adminFrom: ["1"] }), who(null)).isConfiguredAdmin)
  })

  it("a WhatsApp admin is one under any of his ids", () => {
    const policy = policyOf(lists({ adminFrom: ["+15550000001"] }), {
      ...who("900@lid", "dm", "whatsapp"),
      aliases: (id) => (id === "900" ? ["15550000001"] : [])
    })
    assert.isTrue(policy.isConfiguredAdmin)
  })

  it("who is refused is told of at most twelve commands", () => {
    const names = Array.from({ length: 20 }, (_, i) => `/C${i}`)
    const told = offered(policyOf(lists({ adminFrom: ["1"], userCommands: names }), who("2")))
    assert.lengthOf(told.names, 12)
    assert.isTrue(told.more)
    assert.deepStrictEqual(told.names.slice(0, 3), ["help", "whoami", "c0"])
  })
})

describe("answering a prompt", () => {
  const ask = (more: Partial<Answering.Answerer>) =>
    Answering.mayAnswer({
      asker: "owner",
      isDirect: false,
      answerer: "owner",
      isBot: null,
      isConfiguredAdmin: () => false,
      ...more
    })

  it("the asker may, a configured admin may, another member may not", () => {
    assert.isTrue(ask({}))
    assert.isFalse(ask({ answerer: "member" }))
    assert.isFalse(ask({ answerer: null }))
    assert.isTrue(ask({ answerer: "boss", isConfiguredAdmin: () => true }))
    assert.isFalse(ask({ answerer: null, isConfiguredAdmin: () => true }))
    assert.isFalse(ask({ asker: null, answerer: null }))
    assert.isFalse(ask({ asker: "", answerer: " " }))
  })

  it("in a direct chat its only user may, a bot nowhere", () => {
    assert.isTrue(ask({ isDirect: true, asker: null, answerer: null }))
    assert.isFalse(ask({ isDirect: true, isBot: true }))
    assert.isFalse(ask({ isBot: true, isConfiguredAdmin: () => true }))
  })
})
