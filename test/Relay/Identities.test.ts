/** Several bots on one link (`relay` Configuration, Wire, H3, I3a), on a test clock and a fake wire. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Settings } from "../../src/Config/Settings.ts"
import * as Links from "../../src/Cli/Links.ts"
import { commands } from "../../src/Conversation/Commands/Registry.ts"
import { manifest } from "../../src/Relay/CommandManifest.ts"
import { botIds, identities, type Identities, identityOf, linkOf, scopeOf } from "../../src/Relay/Identity.ts"
import { descriptorLine, inboundLine } from "./FakeConnector.ts"
import { open as openAdapter, say, target } from "./SimulatedAdapter.ts"
import { open, settle } from "./SimulatedLink.ts"

const two: Identities = [
  { platform: "slack", botId: "S1" },
  { platform: "discord", botId: "D1" }
]

const single = { platform: "relay", botId: "" }

describe("the identities of a link", () => {
  it("are the list's, with the bot ids of the map, else the single one", () => {
    const ids = botIds('{"slack":{"botId":"S1"}, "Discord": {"botId": "D1"}, "x": {"botId": "y", "more": 1}}')
    assert.deepStrictEqual(identities({ platforms: ["slack", "discord", "sms"], botIds: ids ?? {}, single }), [
      ...two,
      { platform: "sms", botId: "" }
    ])
    assert.deepStrictEqual(identities({ platforms: [], botIds: ids ?? {}, single }), [single])
    assert.deepStrictEqual(identities({ platforms: ["slack", "Slack"], botIds: {}, single }).length, 1)
    assert.deepStrictEqual(botIds({ slack: { botId: "S1" } }), { slack: { botId: "S1" } })
    for (const bad of ["{", "[]", '{"slack":"S1"}', '{"slack":{"botId":1}}', 5]) assert.isUndefined(botIds(bad))
    assert.deepStrictEqual(botIds(""), {})
  })

  it("name the link by the first, and find the bot of a chat's platform", () => {
    assert.strictEqual(linkOf(two), "relay:S1")
    assert.strictEqual(identityOf(two, "discord").botId, "D1")
    assert.strictEqual(identityOf(two, "telegram").botId, "S1")
    assert.strictEqual(scopeOf([single], "relay:", "discord"), "relay:")
    assert.notStrictEqual(scopeOf(two, "relay:S1", "discord"), scopeOf(two, "relay:S1", "slack"))
  })

  it.effect("come from the settings; the local connector is a link of its own beside them", () =>
    Effect.gen(function* () {
      const planOf = (values: Record<string, string>) => Effect.provide(Links.plan, Settings.layerFrom(values))
      const plan = yield* planOf({
        GATEWAY_RELAY_URL: "https://c.example",
        GATEWAY_RELAY_PLATFORMS: "slack, discord",
        GATEWAY_RELAY_BOT_IDS: '{"slack":{"botId":"S1"}}',
        GATEWAY_RELAY_BOT_ID: "ignored",
        SWITCHBOARD_CONNECTOR: "on"
      })
      assert.deepStrictEqual(plan.names, [
        { name: "relay", platform: "slack", link: "relay:S1" },
        { name: "slack", platform: "slack", link: "relay:S1" },
        { name: "discord", platform: "discord", link: "relay:S1" },
        { name: "web", platform: "relay", link: "relay:web" }
      ])
      const unreadable = yield* planOf({
        GATEWAY_RELAY_URL: "https://c.example",
        GATEWAY_RELAY_PLATFORMS: "slack",
        GATEWAY_RELAY_BOT_IDS: "{"
      })
      assert.deepStrictEqual(unreadable.names[0], { name: "relay", platform: "slack", link: "relay:" })
    })
  )
})

describe("a link that fronts several", () => {
  it.effect("says hello for each, and names the bot in every request", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* openAdapter(
        (connector) =>
          (connector.greeting = [
            descriptorLine({ platform: "slack", max_message_length: 40, supports_idempotency: false })
          ]),
        { identities: two, commands: [{ name: "new", description: "Start anew" }] }
      )
      assert.deepStrictEqual(connector.wire.ofType("hello"), [
        { type: "hello", platform: "slack", botId: "S1" },
        {
          type: "hello",
          platform: "discord",
          botId: "D1",
          command_manifest: [{ name: "new", description: "Start anew" }]
        }
      ])
      const slack = { ...target, platform: "slack" }
      assert.strictEqual(outlet.capabilities(slack).maxLength, 40)
      // Not described yet: no limits of another platform's.
      assert.strictEqual(outlet.capabilities(target).maxLength, 4096)
      connector.wire.send(descriptorLine())
      yield* settle
      assert.strictEqual(outlet.capabilities(target).maxLength, 2000)
      assert.deepStrictEqual([outlet.capabilities(slack).settle, outlet.capabilities(target).settle], ["mark", "key"])
      for (const where of [slack, target, { ...target, platform: "telegram" }])
        yield* Effect.forkChild(outlet.send(say(where.platform, { target: where })))
      yield* settle
      assert.deepStrictEqual(
        connector.wire.ofType("outbound").map(({ action, botId, platform }) => [action?.content, platform, botId]),
        [
          ["slack", "slack", "S1"],
          ["discord", "discord", "D1"],
          ["telegram", "slack", "S1"]
        ]
      )
    })
  )

  it.effect("looks for duplicates within the bot", () =>
    Effect.gen(function* () {
      const { connector, intake } = yield* open(undefined, null, two)
      connector.wire.send(inboundLine("b", "one"), inboundLine("b", "two", { platform: "slack" }))
      yield* settle
      const [discord, slack] = intake.taken
      assert.deepStrictEqual([discord?.link, slack?.link], ["relay:S1", "relay:S1"])
      assert.notStrictEqual(discord?.scope, slack?.scope)
    })
  )

  it.effect("that fronts one names nobody", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* openAdapter()
      yield* Effect.forkChild(outlet.send(say("x")))
      yield* settle
      const [frame] = connector.wire.ofType("outbound")
      assert.deepStrictEqual([frame?.platform, frame?.botId], [undefined, undefined])
      assert.deepStrictEqual(connector.wire.ofType("hello"), [{ type: "hello", platform: "discord", botId: "bot" }])
    })
  )
})

describe("the command manifest of a hello", () => {
  it("keeps within what Discord registers", () => {
    const entries = manifest([
      { name: "model", help: "Choose a model", args: "[name]" },
      { name: "new", help: "x".repeat(300), args: "" },
      { name: "Bad Name", help: "x", args: "" },
      { name: "silent", help: " ", args: "" },
      ...Array.from({ length: 200 }, (_, i) => ({ name: `c${i}`, help: "c", args: "" }))
    ])
    assert.strictEqual(entries.length, 100)
    assert.deepStrictEqual(entries[0], {
      name: "model",
      description: "Choose a model",
      options: [{ type: 3, name: "args", description: "[name]", required: false }]
    })
    assert.strictEqual(entries[1]?.description.length, 100)
    assert.deepStrictEqual(
      entries.slice(0, 3).map(({ name }) => name),
      ["model", "new", "c0"]
    )
  })

  it("is made from the command table", () => {
    const names = manifest(commands).map(({ name }) => name)
    for (const name of ["new", "stop", "help"]) assert.include(names, name)
  })
})
