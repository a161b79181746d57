import { assert, describe, it } from "@effect/vitest"
import {
  decide,
  initial,
  isIdle,
  maxQueued,
  type Decision,
  type Message,
  type State
} from "../../src/Session/Decider.ts"
import type { BusyMode } from "../../src/Session/Turns.ts"
import type { InboxRow } from "../../src/Storage/Inbox.ts"
import { classify, rowOf, rulesOf } from "./DeciderModel.ts"

const photo = (id: number): InboxRow => ({ ...rowOf(id), event: { ...rowOf(id).event, type: "photo" } })
const running = (id: number, more: Partial<NonNullable<State["running"]>> = {}): State => ({
  ...initial,
  lastRung: id,
  generation: 1,
  running: { row: rowOf(id), generation: 1, also: [], stopping: null, awaiting: false, askedAfter: 0, ...more }
})
const receive = (row: InboxRow, previous: number | null = row.id - 1): Message => ({
  _tag: "Receive",
  row,
  previous,
  as: classify(row)
})
const loaded = (rows: ReadonlyArray<InboxRow>, complete = true): Message => ({
  _tag: "Loaded",
  rows: rows.map((row) => ({ row, as: classify(row) })),
  complete
})
const say = (decision: Decision): string =>
  [
    decision._tag,
    "row" in decision ? decision.row.id : "",
    "notice" in decision ? decision.notice : "",
    "reason" in decision ? decision.reason : "",
    decision._tag === "Execute"
      ? `${decision.stopped ? "stopped " : ""}drops [${decision.dropped.map(({ id }) => id)}]`
      : ""
  ]
    .filter((part) => part !== "")
    .join(" ")

/** Feeds messages in turn; gives the last state and what was decided for the last message. */
const after = (state: State, messages: ReadonlyArray<Message>, mode: BusyMode = "queue") => {
  let decisions: ReadonlyArray<Decision> = []
  for (const message of messages) [state, decisions] = decide(state, message, rulesOf(mode))
  return { state, said: decisions.map(say) }
}
const full: State = {
  ...running(1),
  lastRung: maxQueued + 1,
  queue: Array.from({ length: maxQueued }, (_, i) => rowOf(i + 2))
}

describe("Decider", () => {
  const idle: State = { ...initial, lastRung: 1 }
  const table: ReadonlyArray<readonly [string, State, Message, BusyMode, ReadonlyArray<string>]> = [
    ["an idle session starts the message", idle, receive(rowOf(2)), "queue", ["Start 2"]],
    ["a fresh actor looks into the Inbox first", initial, receive(rowOf(2), null), "queue", ["Load"]],
    [
      "a ringer that names an unknown predecessor shows that a doorbell was lost",
      idle,
      receive(rowOf(4), 3),
      "queue",
      ["Load"]
    ],
    ["a ringer that has forgotten the predecessor proves nothing", idle, receive(rowOf(4), null), "queue", ["Load"]],
    ["a doorbell for a row that was seen already runs nothing", idle, receive(rowOf(1), null), "queue", ["Load"]],
    ["the same for a command", idle, receive(rowOf(1, "/stop"), 0), "queue", ["Load"]],
    ["queue mode queues and says so", running(1), receive(rowOf(2)), "queue", ["Tell 2 queued"]],
    [
      "interrupt mode stops the turn and says so",
      running(1),
      receive(rowOf(2)),
      "interrupt",
      ["Stop newer", "Tell 2 interrupting"]
    ],
    ["a photo never interrupts", running(1), receive(photo(2)), "interrupt", ["Tell 2 queued"]],
    [
      "a turn that is being stopped is not stopped twice",
      running(1, { stopping: "newer" }),
      receive(rowOf(2)),
      "interrupt",
      ["Tell 2 interrupting"]
    ],
    [
      "nothing interrupts while the gateway drains",
      { ...running(1), draining: true },
      receive(rowOf(2)),
      "interrupt",
      ["Tell 2 draining"]
    ],
    ["steer mode hands the text to the agent", running(1), receive(rowOf(2)), "steer", ["Steer 2"]],
    [
      "steer mode hands nothing over past a message that waits",
      { ...running(1), lastRung: 2, queue: [rowOf(2)] },
      receive(rowOf(3)),
      "steer",
      ["Tell 3 queued"]
    ],
    [
      "but past what waits on purpose",
      { ...running(1), lastRung: 2, queue: [{ ...rowOf(2), internal: "queued" }] },
      receive(rowOf(3)),
      "steer",
      ["Steer 3"]
    ],
    ["steer mode queues what the agent cannot take", running(1), receive(rowOf(2, "")), "steer", ["Tell 2 queued"]],
    [
      "an open question takes the message",
      running(1, { awaiting: true }),
      receive(rowOf(2)),
      "interrupt",
      ["Answer 2"]
    ],
    [
      "also when rows wait outside the queue",
      { ...running(1, { awaiting: true }), behind: true },
      receive(rowOf(2)),
      "queue",
      ["Answer 2"]
    ],
    [
      "a question of a turn that is being stopped takes nothing",
      running(1, { awaiting: true, stopping: "newer" }),
      receive(rowOf(2)),
      "queue",
      ["Tell 2 queued"]
    ],
    [
      "the 33rd waiting message is refused and told so",
      full,
      receive(rowOf(34)),
      "queue",
      ["Refuse 34", "Tell 34 many-waiting", "Overflow 34"]
    ],
    [
      "a command is carried out beside the turn",
      running(1),
      receive(rowOf(2, "/status")),
      "queue",
      ["Execute 2 drops []"]
    ],
    [
      "/stop stops the turn and drops the queue",
      { ...running(1), lastRung: 3, queue: [rowOf(2), rowOf(3)] },
      receive(rowOf(4, "/stop")),
      "queue",
      ["Stop stop", "Execute 4 stopped drops [2,3]"]
    ],
    ["/stop without a turn stops nothing", idle, receive(rowOf(2, "/stop")), "queue", ["Execute 2 drops []"]],
    [
      "/stop is carried out though a doorbell was lost, and the Inbox is read",
      idle,
      receive(rowOf(4, "/stop"), 3),
      "queue",
      ["Execute 4 drops []", "Load"]
    ],
    [
      "/new resets the turn",
      running(1),
      receive(rowOf(2, "/new")),
      "queue",
      ["Stop reset", "Execute 2 stopped drops []"]
    ],
    [
      "a second /stop finds nothing to stop",
      running(1, { stopping: "stop" }),
      receive(rowOf(2, "/stop")),
      "queue",
      ["Execute 2 drops []"]
    ],
    [
      "a connector's interrupt stops the turn",
      running(1),
      { _tag: "Interrupt", reason: "connector" },
      "queue",
      ["Stop connector"]
    ],
    ["an interrupt without a turn does nothing", idle, { _tag: "Interrupt", reason: "connector" }, "queue", []],
    [
      "the end of a turn starts the next",
      { ...running(1), queue: [rowOf(2), rowOf(3)] },
      { _tag: "TurnEnded", generation: 1 },
      "queue",
      ["Start 2"]
    ],
    [
      "the end of another turn means nothing",
      { ...running(1), queue: [rowOf(2)] },
      { _tag: "TurnEnded", generation: 9 },
      "queue",
      []
    ],
    [
      "the end of the last turn reads what was refused",
      { ...running(1), behind: true },
      { _tag: "TurnEnded", generation: 1 },
      "queue",
      ["Load"]
    ],
    [
      "while draining the end of a turn starts nothing",
      { ...running(1), queue: [rowOf(2)], draining: true },
      { _tag: "TurnEnded", generation: 1 },
      "queue",
      []
    ],
    [
      "a refused row joins again",
      initial,
      loaded([{ ...rowOf(1), state: "refused" }, rowOf(2)]),
      "queue",
      ["Readmit 1", "Start 1"]
    ],
    ["loading skips what is known", running(1), loaded([rowOf(1)]), "interrupt", []],
    [
      "loading finds a message whose doorbell was lost, and it interrupts",
      running(1),
      loaded([rowOf(1), rowOf(2)]),
      "interrupt",
      ["Stop newer"]
    ],
    [
      "what a turn of a newer message finds does not interrupt it",
      running(5),
      loaded([rowOf(2), rowOf(5)]),
      "interrupt",
      []
    ],
    [
      "loading finds the answer to a question",
      running(1, { awaiting: true, askedAfter: 1 }),
      loaded([rowOf(1), rowOf(2), rowOf(3)]),
      "queue",
      ["Answer 2", "Load"]
    ],
    [
      "what was there before the question is no answer",
      running(1, { awaiting: true, askedAfter: 2 }),
      loaded([rowOf(1), rowOf(2)]),
      "queue",
      []
    ],
    ["a sweep reads the Inbox, also beside a turn", running(1), { _tag: "Sweep" }, "queue", ["Load"]],
    [
      "what the agent declined is a follow-up",
      running(1, { awaiting: true }),
      { _tag: "Declined", row: rowOf(2) },
      "queue",
      ["Tell 2 queued"]
    ],
    [
      "what the agent could not be steered by is queued",
      running(1),
      { _tag: "Declined", row: rowOf(2) },
      "steer",
      ["Tell 2 queued"]
    ]
  ]
  for (const [name, state, message, mode, expected] of table) {
    it(name, () => assert.deepStrictEqual(after(state, [message], mode).said, expected))
  }

  it("a question stays open for its owner when somebody else's words were declined", () => {
    const { said } = after(running(1, { awaiting: true }), [
      { _tag: "Declined", row: rowOf(2) },
      { ...receive(rowOf(3), 1) }
    ])
    assert.deepStrictEqual(said, ["Answer 3"])
  })

  it("a sweep during a long turn changes nothing for the messages after it", () => {
    const { said } = after(
      running(1),
      [{ _tag: "Sweep" }, loaded([{ ...rowOf(1), state: "running" }]), receive(rowOf(2))],
      "interrupt"
    )
    assert.deepStrictEqual(said, ["Stop newer", "Tell 2 interrupting"])
  })

  it("the reason of a stop can become stricter, never milder", () => {
    const reasonAfter = (...messages: ReadonlyArray<Message>) =>
      after(running(1), messages, "interrupt").state.running?.stopping
    assert.strictEqual(reasonAfter(receive(rowOf(2)), receive(rowOf(3, "/new"))), "reset")
    assert.strictEqual(reasonAfter(receive(rowOf(2)), receive(rowOf(3, "/stop"))), "stop")
    assert.strictEqual(reasonAfter(receive(rowOf(2, "/new")), receive(rowOf(3, "/stop"))), "reset")
    assert.strictEqual(reasonAfter(receive(rowOf(2)), { _tag: "Interrupt", reason: "shutdown" }), "newer")
    assert.strictEqual(reasonAfter({ _tag: "Interrupt", reason: "shutdown" }, receive(rowOf(2, "/stop"))), "stop")
  })

  it("a command that is tried again touches nothing that came after it", () => {
    const state: State = { ...running(6), queue: [rowOf(4), rowOf(7)] }
    const { said, state: next } = after(state, [loaded([rowOf(4), rowOf(5, "/stop"), rowOf(6), rowOf(7)])])
    assert.deepStrictEqual(said, ["Execute 5 drops [4]"])
    assert.deepStrictEqual(
      next.queue.map(({ id }) => id),
      [7]
    )
  })

  it("more undone rows than fit keep the session looking", () => {
    const rows = Array.from({ length: maxQueued + 2 }, (_, i) => rowOf(i + 1))
    const { said, state } = after(initial, [loaded(rows, false)])
    assert.deepStrictEqual(said, ["Start 1"])
    assert.isTrue(state.behind)
    assert.strictEqual(state.queue.length, maxQueued - 1)
  })

  it("is idle when nothing runs and nothing waits", () => {
    assert.isTrue(isIdle(initial))
    assert.isFalse(isIdle(running(1)))
    assert.isFalse(isIdle({ ...initial, queue: [rowOf(1)] }))
  })
})
