import { assert, describe, it } from "@effect/vitest"
import { initial, maxQueued } from "../../src/Session/Decider.ts"
import { Model, type Options, rowOf } from "./DeciderModel.ts"

const calm: Options = { mode: "queue", steps: 250, loss: 0, forget: 0, commands: false, asks: false, interrupts: false }

/** Every seed of a kind; the first that breaks a promise is shown with its last steps. */
const holds = (kind: string, options: Options, seeds = 150): void => {
  for (let seed = 1; seed <= seeds; seed++) {
    const model = new Model(seed, options).run()
    if (model.violations.length > 0) {
      assert.fail(`${kind}, seed ${seed}: ${model.violations.join("; ")}\n${model.trace.slice(-40).join("\n")}`)
    }
  }
}

describe("Decider, whatever happens in whatever order", () => {
  it("in queue mode every message runs once, in order, one at a time", () => holds("queue", calm))

  it("in interrupt mode too, with turns stopped from outside", () =>
    holds("interrupt", { ...calm, mode: "interrupt", interrupts: true }))

  it("in steer mode a message that the agent declines runs after the turn", () =>
    holds("steer", { ...calm, mode: "steer" }))

  it("lost doorbells and a ringer that forgot cost nothing but time", () => {
    for (const mode of ["queue", "interrupt"] as const) {
      holds(`loss in ${mode} mode`, { ...calm, mode, loss: 0.3, forget: 0.2, interrupts: true })
    }
  })

  it("questions take the next message as their answer, and never two", () => {
    for (const mode of ["queue", "interrupt"] as const) {
      holds(`asks in ${mode} mode`, { ...calm, mode, asks: true, loss: 0.1, forget: 0.1 })
    }
  })

  it("/stop and /new drop what waited, and nothing that came later", () => {
    for (const mode of ["queue", "interrupt"] as const) {
      holds(`commands in ${mode} mode`, { ...calm, mode, commands: true, loss: 0.2, forget: 0.1, asks: true })
    }
  })

  it("more than 32 messages behind one turn are refused, join again in order, and all run", () => {
    const model = new Model(7, calm)
    for (let n = 0; n < 100; n++) model.take("")
    model.run()
    assert.deepEqual(model.violations, [])
    assert.isTrue(model.started.every((id, at) => at === 0 || id > model.started[at - 1]!))
    assert.strictEqual(model.started.length, model.inbox.length)
  })

  it("while the gateway drains nothing starts, and what comes stays in bounds", () => {
    const model = new Model(1, calm)
    model.state = { ...initial, draining: true, lastRung: 0 }
    for (let id = 1; id <= maxQueued + 20; id++) {
      model.inbox.push({ row: rowOf(id), state: "waiting" })
      model.apply({ _tag: "Receive", row: rowOf(id), previous: id - 1, as: { _tag: "Message" } })
    }
    assert.deepEqual(model.violations, [])
    assert.deepEqual(model.started, [])
  })
})
