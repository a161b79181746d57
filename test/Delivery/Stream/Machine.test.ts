import { assert, describe, it } from "@effect/vitest"
import * as Machine from "../../../src/Delivery/Stream/Machine.ts"
import { seeded } from "../../support/Random.ts"
import { limit, rulesOf, World } from "./World.ts"

const plain = (texts: ReadonlyArray<string>) => texts.join("").replaceAll(/\s+/g, "")

/** One life of an answer: deltas, boundaries, failures and crashes in an order that the seed decides. */
const live = (
  seed: number,
  options: { readonly isKeyed: boolean; readonly trouble: number; readonly crashes: boolean }
) => {
  const random = seeded(seed).next
  const world = new World(rulesOf(options.isKeyed), random, options.trouble)
  const words = Array.from({ length: 5 + Math.floor(random() * 60) }, (_, i) => `w${seed}x${i} `)
  let said = ""
  let crashes = 0
  let steps = 0
  for (let at = 0; at < words.length && steps < 2000; steps++) {
    world.now += Math.floor(random() * 400)
    const roll = random()
    if (roll < 0.5) {
      const text = words[at++]!
      said += text
      world.on({ _tag: "Delta", text })
    } else if (roll < 0.55) world.on({ _tag: "Boundary" })
    else if (roll < 0.56 && options.crashes && crashes < 2) {
      crashes++
      world.crash()
      at = 0
      said = ""
    } else world.step()
  }
  return { world, said: said.trimEnd(), random }
}

describe("a growing answer, in any order of events", () => {
  it("ends with its final text, once, and with nothing beside it (5,000 lives, keys)", () => {
    for (let seed = 1; seed <= 5000; seed++) {
      const { said, world } = live(seed, { isKeyed: true, trouble: 0.3, crashes: true })
      assert.strictEqual(plain(world.finish(said)), plain([said]), `seed ${seed}`)
    }
  })

  it("the same where an answer differs from what was streamed: hook, filter, second run (3,000 lives)", () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const { random, said, world } = live(seed, { isKeyed: true, trouble: 0.3, crashes: true })
      const final = random() < 0.5 ? `Altogether different ${seed}` : `✅ ${said.slice(0, 30)}`
      assert.strictEqual(plain(world.finish(final)), plain([final]), `seed ${seed}`)
    }
  })

  it("the same without keys, where no send is of unknown outcome (3,000 lives)", () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const { said, world } = live(seed, { isKeyed: false, trouble: 0, crashes: false })
      assert.strictEqual(plain(world.finish(said)), plain([said]), `seed ${seed}`)
    }
  })

  it("silence leaves nothing on the screen, also of a run that was killed (3,000 lives)", () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const { world } = live(seed, { isKeyed: true, trouble: 0.3, crashes: true })
      assert.deepStrictEqual(world.finish(""), [], `seed ${seed}`)
    }
  })

  it("stopped, what is shown stays, without a cursor (2,000 lives)", () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const { said, world } = live(seed, { isKeyed: true, trouble: 0.2, crashes: false })
      for (const text of world.finish(null)) {
        assert.notInclude(text, "▉")
        assert.include(plain([said, "…"]), plain([text]), `seed ${seed}`)
      }
    }
  })

  it("no message is longer than its platform takes (1,000 lives)", () => {
    for (let seed = 1; seed <= 1000; seed++) {
      const { world } = live(seed, { isKeyed: true, trouble: 0, crashes: false })
      for (const text of world.screen.values()) assert.isAtMost(text.length, limit + " ▉".length)
    }
  })
})

describe("the pace of edits", () => {
  it("2,000 deltas in 10 s give at most 13 edits (Z4)", () => {
    const world = new World({ ...rulesOf(true), head: () => null }, () => 0, 0)
    for (let n = 0; n < 2000; n++) {
      world.on({ _tag: "Delta", text: "word " })
      world.step()
      world.step()
      world.now += 5
    }
    assert.strictEqual(world.sends.length, 1)
    assert.isAtMost(world.edits.length, 13)
    assert.isAbove(world.edits.length, 9)
  })

  const rules = rulesOf(true)
  const at = (state: Machine.State, event: Machine.Event, now: number) => Machine.on(state, event, now, rules)
  const begin = (state: Machine.State, now: number) => {
    const action = Machine.decide(state, now, rules)
    if (action === null || action._tag === "Wait") throw new Error(`nothing begins: ${JSON.stringify(action)}`)
    return Machine.began(state, action, now)
  }
  const shown = () => {
    const delta = at(Machine.initial(rules), { _tag: "Delta", text: "one two three four five six" }, 0)
    return at(begin(delta, 0), { _tag: "Sent", id: "m1" }, 10)
  }

  it("a flood is waited for, at least as long as the platform asks, and never a reason to give up (Z5)", () => {
    let state = at(shown(), { _tag: "Delta", text: " seven" }, 20)
    let now = 900
    for (let n = 0; n < 20; n++) {
      state = at(begin(state, now), { _tag: "Failed", kind: "rate_limited", retryAfter: 30 }, now)
      assert.strictEqual(state.phase, "Preview")
      assert.deepStrictEqual(Machine.decide(state, now + 29_999, rules), { _tag: "Wait", until: now + 30_000 })
      now += 30_000
    }
    state = at(begin(state, now), { _tag: "Sent", id: "m1" }, now)
    assert.strictEqual(state.messages[0]!.shown, "one two three four five six seven ▉")
  })

  it("a refused edit ends the preview, and the message stays the answer's", () => {
    const state = at(
      begin(at(shown(), { _tag: "Delta", text: " seven" }, 20), 900),
      { _tag: "Failed", kind: "unknown", retryAfter: null },
      900
    )
    assert.strictEqual(state.phase, "Fallback")
    assert.deepStrictEqual(Machine.ending(state, "the end", " ▉"), {
      texts: ["the end"],
      previews: [{ text: "one two three four five six ▉", messageId: "m1", isExact: true }]
    })
  })

  it("a platform that gives no id is silent until the end, and then says only the rest (B6)", () => {
    const delta = at(Machine.initial(rules), { _tag: "Delta", text: "one two three four five six" }, 0)
    let state = at(begin(delta, 0), { _tag: "Sent", id: null }, 10)
    assert.strictEqual(state.phase, "NoEdit")
    state = at(state, { _tag: "Delta", text: " seven eight" }, 20)
    state = at(state, { _tag: "Boundary" }, 30)
    assert.isNull(Machine.decide(state, 10_000, rules))
    assert.deepStrictEqual(Machine.ending(state, "one two three four five six seven eight", " ▉").texts, [
      "one two three four five six ▉",
      "seven eight"
    ])
  })

  it("what may become silence is not shown (F2)", () => {
    const state = at(Machine.initial(rules), { _tag: "Delta", text: "[SILE" }, 0)
    assert.isNull(Machine.decide(state, 60_000, rules))
    assert.strictEqual(
      Machine.decide(at(state, { _tag: "Delta", text: "x] is a word" }, 0), 60_000, rules)?._tag,
      "Send"
    )
  })

  it("an open fence is closed in a preview, and goes on in the next message (B4, B8)", () => {
    const code = at(Machine.initial(rules), { _tag: "Delta", text: "Look:\n```ts\nlet a = 1\n" }, 0)
    const first = Machine.decide(code, 900, rules)
    assert.deepInclude(first, { _tag: "Send", text: "Look:\n```ts\nlet a = 1\n``` ▉" })
    const long = at(code, { _tag: "Delta", text: "let b = 2\nlet c = 3\nlet d = 4\nlet e = 5\nlet f = 6\n```" }, 0)
    const sealed = at(begin(long, 0), { _tag: "Sent", id: "m1" }, 0)
    assert.match(sealed.messages[0]!.shown, /\n```$/)
    assert.match(begin(sealed, 5000).messages[1]!.shown, /^```ts\nlet/)
  })

  it("what the agent says behind a tool is another message, and none of it is said twice (B12, Z11)", () => {
    let state = at(shown(), { _tag: "Boundary" }, 20)
    assert.isTrue(Machine.isClosing(state))
    state = at(begin(state, 900), { _tag: "Sent", id: "m1" }, 900)
    assert.isFalse(Machine.isClosing(state))
    assert.strictEqual(state.messages[0]!.shown, "one two three four five six")
    state = at(state, { _tag: "Delta", text: "\nbehind the tool" }, 1000)
    state = at(begin(state, 1900), { _tag: "Sent", id: "m2" }, 1900)
    const whole = Machine.ending(state, "one two three four five six\nbehind the tool", " ▉")
    assert.deepStrictEqual(whole.texts, ["one two three four five six", "behind the tool"])
    // An agent whose answer is only what came last.
    assert.deepStrictEqual(Machine.ending(state, "behind the tool, and more", " ▉").texts, [
      "one two three four five six",
      "behind the tool, and more"
    ])
  })
})
