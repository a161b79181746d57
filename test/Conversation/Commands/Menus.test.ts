import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Entry, entriesOf, help, pageOf } from "../../../src/Conversation/Commands/Help.ts"
import * as Menus from "../../../src/Conversation/Commands/Menus.ts"
import { commands, find } from "../../../src/Conversation/Commands/Registry.ts"
import { offer, skill } from "./Offers.ts"

const many = offer({
  platform: "telegram",
  skills: Array.from({ length: 80 }, (_, i) => skill(`skill-number-${String(i).padStart(2, "0")}`)),
  quick: new Map([["disk", { type: "exec", command: "df" }]]),
  announced: [
    { name: "compact", description: "Of the agent", hint: null },
    { name: "plan", description: "Plans", hint: "TEXT" }
  ]
})
const entries = entriesOf(commands, many)

const entry = (name: string): Entry => ({
  name,
  aliases: [],
  args: "",
  help: "x",
  kind: "agent",
  group: "Of the agent"
})

describe("menus and help", () => {
  it("help, pages and menus name what the registry has, and nothing else", () => {
    const plain = entriesOf(commands, offer())
    const { text } = help(plain, "")
    const helped = Array.from(text.matchAll(/^\/([a-z-]+)/gm), ([, name]) => name!)
    const paged = Array.from({ length: 9 }, (_, i) => pageOf(plain, 20, i + 1))
      .filter(({ page }, i) => page === i + 1)
      .flatMap(({ lines }) => lines.map((line) => /^\/([a-z-]+)/.exec(line)![1]!))
    const names = plain.map(({ name }) => name)
    assert.sameMembers(helped, names)
    assert.sameMembers(paged, names)
    for (const name of names) assert.isNotNull(find(name), name)
    assert.sameMembers(
      Menus.discord(plain).items.map(({ name }) => name),
      names
    )
    assert.sameMembers(
      Menus.telegram(plain, { max: 100 }).items.map(({ name }) => name.replaceAll("_", "-")),
      names
    )
    const { hidden, items } = Menus.slack(plain)
    const onSlack = [...items.slice(2).map(({ name }) => name), ...hidden]
    for (const name of names) assert.include(onSlack, name)
  })

  it("no name twice: a command of ours wins over a skill, a skill over the agent's", () => {
    const names = entriesOf(commands, offer({ skills: [skill("stop"), skill("mine")], announced: many.announced })).map(
      ({ name }) => name
    )
    assert.strictEqual(new Set(names).size, names.length)
    assert.include(names, "mine")
    assert.include(names, "plan")
  })

  it("help names ten skills and counts the rest; a filter finds, and skills lists all of them", () => {
    const { hiddenSkills, text } = help(entries, "")
    assert.strictEqual(hiddenSkills, 70)
    assert.include(text, "/skill-number-09")
    assert.notInclude(text, "/skill-number-10")
    assert.strictEqual(help(entries, "skills").hiddenSkills, 0)
    assert.include(help(entries, "skills").text, "/skill-number-79")
    assert.match(help(entries, "/resta").text, /^Information and operation\n\/restart/)
    assert.strictEqual(help(entries, "no such thing").text, "")
  })

  it("a page out of range is the nearest one", () => {
    const { pages } = pageOf(entries, 15, 1)
    assert.strictEqual(pageOf(entries, 15, 999).page, pages)
    assert.strictEqual(pageOf(entries, 15, 0).page, 1)
    assert.strictEqual(pageOf([], 15, 3).pages, 1)
  })

  it("Telegram: 60 by default, at most 100, in the order that is laid down, skills last and by name", () => {
    const { hidden, items } = Menus.telegram(entries)
    assert.lengthOf(items, 60)
    assert.deepStrictEqual(
      items.slice(0, 3).map(({ name }) => name),
      ["help", "new", "stop"]
    )
    assert.strictEqual(items.length + hidden.length, entries.length)
    for (const { description, name } of items) {
      assert.match(name, /^[a-z0-9_]{1,32}$/)
      assert.isAtMost(description.length, 40)
    }
    assert.strictEqual(Menus.telegram(entries, { max: 1000 }).items.length, Math.min(100, entries.length))
    assert.strictEqual(Menus.telegram(entries, { priority: ["disk"] }).items[0]!.name, "disk")
    assert.strictEqual(Menus.telegram(entries, { priority: ["disk"], priorityMode: "append" }).items[0]!.name, "help")
    assert.notStrictEqual(
      Menus.telegram(entries, { priority: ["disk"], priorityMode: "replace" }).items[1]!.name,
      "help"
    )
  })

  it("Discord: skills are one command, and 100 is the limit", () => {
    const { items } = Menus.discord([...entries, ...Array.from({ length: 120 }, (_, i) => entry(`other${i}`))])
    assert.lengthOf(items, 100)
    assert.strictEqual(items.at(-1)!.name, "skill")
    assert.isFalse(items.some(({ name }) => name.startsWith("skill-number")))
  })

  it("Slack: ours first, no reserved name, at most 50, and what is left out is said", () => {
    const more = [entry("search"), entry("remind"), ...Array.from({ length: 60 }, (_, i) => entry(`other${i}`))]
    const { hidden, items } = Menus.slack([...entries, ...more])
    assert.lengthOf(items, 50)
    assert.deepStrictEqual(
      items.slice(0, 2).map(({ name }) => name),
      ["switchboard", "hermes"]
    )
    for (const name of ["status", "search", "remind", "topic"]) assert.isFalse(items.some((item) => item.name === name))
    for (const name of ["status", "search", "debug", "other59"]) assert.include(hidden, name)
  })

  it("long names are cut, and those that collide get a digit until all ten are taken", () => {
    const long = "a".repeat(40)
    const { hidden, items } = Menus.telegram(Array.from({ length: 13 }, (_, i) => entry(`${long}${i}`)))
    assert.lengthOf(items, 11)
    assert.lengthOf(hidden, 2)
    assert.strictEqual(new Set(items.map(({ name }) => name)).size, 11)
    for (const { name } of items) assert.lengthOf(name, 32)
  })

  it.prop("names of menus are names that the platforms take", { name: Schema.String }, ({ name }) => {
    assert.match(Menus.telegramName(name), /^([a-z0-9](?:[a-z0-9_]*[a-z0-9])?)?$/)
    assert.match(Menus.slackName(name), /^[a-z0-9_-]{0,32}$/)
  })
})
