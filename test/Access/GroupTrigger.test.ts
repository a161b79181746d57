import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { compile, type GroupRules, groupSettingsOf, readGroupRules } from "../../src/Access/GroupRules.ts"
import { type Heard, triggerOf, withoutMentions } from "../../src/Access/GroupTrigger.ts"
import { Settings } from "../../src/Config/Settings.ts"

const none: ReadonlySet<string> = new Set()
const rules = (more: Partial<GroupRules> = {}): GroupRules => ({
  requireMention: true,
  freeResponse: none,
  patterns: [],
  nativeMentionOnly: none,
  allowed: none,
  allowedTopics: none,
  ignored: none,
  ignoredThreads: none,
  exclusiveMentions: true,
  threadRequireMention: false,
  strictMention: false,
  botsRequireMention: false,
  threadsCount: true,
  ...more
})
const heard = (more: Partial<Heard> = {}): Heard => ({
  text: "hello all",
  chatType: "group",
  chatId: "g",
  parentChatId: null,
  threadId: null,
  isOwn: false,
  isBot: null,
  mentions: [],
  mentionsOtherBots: false,
  isReplyToUs: false,
  isOurThread: false,
  ownName: "ourbot",
  allowBots: "none",
  ...more
})
const mention = { mentions: [{ at: 0, length: 7 }] }
const wake = compile(["\\bhey bot\\b"]).patterns

describe("group trigger", () => {
  const table: ReadonlyArray<readonly [string, Partial<Heard>, Partial<GroupRules>, string, boolean]> = [
    ["talk among others", {}, {}, "no trigger", false],
    ["our own message, even directly", { isOwn: true, chatType: "dm" }, {}, "own", false],
    ["a direct message", { chatType: "private" }, {}, "direct", true],
    ["a direct message while groups are listed", { chatType: "dm" }, { allowed: new Set(["x"]) }, "direct", true],
    ["an ignored place, although mentioned", mention, { ignored: new Set(["g"]) }, "ignored", false],
    [
      "a thread of an ignored place",
      { ...mention, chatId: "t", parentChatId: "g" },
      { ignored: new Set(["g"]) },
      "ignored",
      false
    ],
    ["an ignored thread", { ...mention, threadId: "9" }, { ignoredThreads: new Set(["9"]) }, "ignored", false],
    ["a place that is not listed, although mentioned", mention, { allowed: new Set(["x"]) }, "not allowed", false],
    ["a listed place", mention, { allowed: new Set(["g"]) }, "mention", true],
    [
      "a topic that is not served",
      { ...mention, threadId: "9" },
      { allowedTopics: new Set(["1"]) },
      "not allowed",
      false
    ],
    [
      "other bots are named, even in a reply to us",
      { mentionsOtherBots: true, isReplyToUs: true },
      {},
      "another bot",
      false
    ],
    ["other bots and we are named", { ...mention, mentionsOtherBots: true }, {}, "mention", true],
    [
      "other bots are named and that does not matter",
      { mentionsOtherBots: true, isReplyToUs: true },
      { exclusiveMentions: false },
      "reply",
      true
    ],
    ["a place where every message triggers", {}, { freeResponse: new Set(["g"]) }, "free", true],
    ["a thread of such a place", { chatId: "t", parentChatId: "g" }, { freeResponse: new Set(["g"]) }, "free", true],
    ["no mention is needed", {}, { requireMention: false }, "open", true],
    [
      "no mention is needed, but the command is another's",
      { text: "/go@otherbot" },
      { requireMention: false },
      "another bot",
      false
    ],
    ["a command to nobody", { text: "/status" }, {}, "command", true],
    ["a command to us, in any case", { text: "/status@OurBot now" }, {}, "command", true],
    ["a command to another", { text: "/status@otherbot" }, {}, "another bot", false],
    ["a path", { text: "/etc/passwd is a file" }, {}, "no trigger", false],
    ["our name as mere text", { text: "ourbot is nice, @ourbot" }, {}, "no trigger", false],
    ["a reply to us", { isReplyToUs: true }, {}, "reply", true],
    ["a thread we are in", { isOurThread: true }, {}, "thread", true],
    [
      "a thread we are in, where that is not enough",
      { isOurThread: true },
      { threadRequireMention: true },
      "no trigger",
      false
    ],
    [
      "a thread we are in, on a platform where it never is",
      { isOurThread: true },
      { threadsCount: false },
      "no trigger",
      false
    ],
    ["a strict place", { isOurThread: true }, { strictMention: true }, "no trigger", false],
    ["a wake word, in any case", { text: "well, HEY bot, look" }, { patterns: wake }, "pattern", true],
    [
      "a wake word where only mentions count",
      { text: "hey bot" },
      { patterns: wake, nativeMentionOnly: new Set(["g"]) },
      "no trigger",
      false
    ],
    [
      "a wake word beyond what is searched",
      { text: `${" ".repeat(5000)}hey bot` },
      { patterns: wake },
      "no trigger",
      false
    ],
    [
      "a bot that must mention us, replying",
      { isBot: true, allowBots: "mentions", isReplyToUs: true },
      {},
      "bot",
      false
    ],
    ["a bot that must mention us, and does", { ...mention, isBot: true, allowBots: "mentions" }, {}, "mention", true],
    ["a bot's reply", { isBot: true, allowBots: "all", isReplyToUs: true }, {}, "reply", true],
    [
      "a bot's reply where bots have to mention us",
      { isBot: true, allowBots: "all", isReplyToUs: true },
      { botsRequireMention: true },
      "no trigger",
      false
    ]
  ]
  for (const [name, message, given, by, ours] of table) {
    it(`${ours ? "ours" : "not ours"}: ${name}`, () =>
      assert.deepStrictEqual<unknown>(triggerOf(heard(message), rules(given)), { ours, by }))
  }

  it.prop(
    "an ignored place is never ours",
    [Schema.String, Schema.Boolean, Schema.Boolean],
    ([text, reply, thread]) => {
      const message = heard({ ...mention, text, isReplyToUs: reply, isOurThread: thread })
      assert.isFalse(triggerOf(message, rules({ ignored: new Set(["g"]), freeResponse: new Set(["*"]) })).ours)
    }
  )

  it("a pattern that does not compile is named by its place and skipped; the others count", () => {
    const { patterns, problems } = compile(["ok", "(", "(?<=a)b", "fine"])
    assert.lengthOf(patterns, 2)
    assert.deepStrictEqual(
      problems.map(({ index }) => index),
      [1, 2]
    )
  })

  it("a pattern made to be slow matches in the end like any other", () => {
    const { patterns } = compile(["(a+)+$", "(.*a){20}x"])
    assert.isFalse(triggerOf(heard({ text: `${"a".repeat(4000)}!` }), rules({ patterns })).ours)
  })

  it.effect("settings come from the file and from variables, with the defaults of each platform", () =>
    Effect.gen(function* () {
      const settings = yield* Settings
      const read = (platform: string) => readGroupRules(settings, platform)
      assert.isTrue((yield* read("discord")).requireMention)
      assert.isFalse((yield* read("signal")).requireMention)
      const telegram = yield* read("telegram")
      assert.isTrue(telegram.requireMention)
      assert.deepStrictEqual([...telegram.freeResponse], ["-100"])
      assert.lengthOf(telegram.patterns, 2)
      assert.strictEqual(groupSettingsOf("matrix").allowed.key, "platforms.matrix.allowed_rooms")
    }).pipe(
      Effect.provide(
        Settings.layerFrom({
          require_mention: true,
          TELEGRAM_FREE_RESPONSE_CHATS: "-100",
          TELEGRAM_MENTION_PATTERNS: '["hey", "b{2,3}ot"]'
        })
      )
    )
  )

  it("the mention of us leaves the text with what surrounds it; alone it stays", () => {
    const at = (text: string) => {
      const mentions = Array.from(text.matchAll(/@ourbot/g), (match) => ({ at: match.index, length: 7 }))
      return withoutMentions(text, mentions)
    }
    assert.strictEqual(at("@ourbot, what is this?"), "what is this?")
    assert.strictEqual(at("what is this, @ourbot"), "what is this")
    assert.strictEqual(at("please @ourbot: go @ourbot"), "please go")
    assert.strictEqual(at("@ourbot /status"), "/status")
    assert.strictEqual(at("@ourbot"), "@ourbot")
    assert.strictEqual(at(" @ourbot , @ourbot"), " @ourbot , @ourbot")
    assert.strictEqual(at("nobody"), "nobody")
  })
})
