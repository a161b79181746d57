/** How a person's message moves from `sent` to `answered`, and what chats are called. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as ChatModel from "../../src/Connector/ChatModel.ts"
import type { ChatMessage, MessageState } from "../../src/Connector/ChatModel.ts"
import * as RateLimit from "../../src/Connector/RateLimit.ts"

const message = (id: string, state: MessageState, text = "words"): ChatMessage => ({
  seq: 1,
  chatId: "c",
  id,
  role: "user",
  text,
  replyTo: null,
  prompt: null,
  press: null,
  state,
  createdAt: 0,
  updatedAt: 0,
  revision: 1
})
const ids = (messages: ReadonlyArray<ChatMessage>) => messages.map(({ id }) => id)

describe("a sign of work", () => {
  it("starts the message it names", () => {
    assert.strictEqual(ChatModel.startedBy([message("a", "taken"), message("b", "taken")], "b")?.id, "b")
  })
  it("starts the oldest taken message when it names none", () => {
    assert.strictEqual(
      ChatModel.startedBy([message("a", "sent"), message("b", "taken"), message("c", "taken")], null)?.id,
      "b"
    )
  })
  it("starts nothing while one runs, for a command, or for a message that is done", () => {
    assert.isNull(ChatModel.startedBy([message("a", "running"), message("b", "taken")], null))
    assert.isNull(ChatModel.startedBy([message("a", "taken", "/status")], null))
    assert.isNull(ChatModel.startedBy([message("b", "taken")], "a"))
  })
})

describe("an answer", () => {
  it("settles the message it replies to and the earlier ones of its turn", () => {
    const open = [message("a", "running"), message("b", "taken"), message("c", "taken")]
    assert.deepStrictEqual(ids(ChatModel.settledBy(open, "b")), ["a", "b"])
  })
  it("leaves an earlier message that the gateway has not taken", () => {
    assert.deepStrictEqual(ids(ChatModel.settledBy([message("a", "sent"), message("b", "taken")], "b")), ["b"])
  })
  it("to a command settles the command alone, unless the command ends turns", () => {
    assert.deepStrictEqual(ids(ChatModel.settledBy([message("a", "running"), message("b", "taken", "/status")], "b")), [
      "b"
    ])
    assert.deepStrictEqual(ids(ChatModel.settledBy([message("a", "running"), message("b", "taken", "/stop")], "b")), [
      "a",
      "b"
    ])
  })
  it("to nothing settles what runs, else the oldest taken one, else nothing", () => {
    assert.deepStrictEqual(ids(ChatModel.settledBy([message("a", "taken"), message("b", "running")], null)), ["b"])
    assert.deepStrictEqual(ids(ChatModel.settledBy([message("a", "sent"), message("b", "taken")], null)), ["b"])
    assert.deepStrictEqual(ChatModel.settledBy([message("a", "sent")], null), [])
    assert.deepStrictEqual(ChatModel.settledBy([message("a", "taken")], "gone"), [])
  })
})

describe("a further answer to a settled message", () => {
  const asked = { ...message("asked", "answered"), seq: 1, updatedAt: 10 }
  const said = (id: string, createdAt: number, state: MessageState = "taken", text = "words") => ({
    ...message(id, state, text),
    seq: createdAt,
    createdAt
  })
  it("settles what was said after the prompt and before the answer", () => {
    const open = [
      said("queued", 9),
      said("late", 11, "sent"),
      said("command", 12, "taken", "/status"),
      said("reply", 13)
    ]
    assert.deepStrictEqual(ids(ChatModel.settledAfterPrompt(open, asked, 20)), ["reply"])
    assert.deepStrictEqual(ids(ChatModel.settledAfterPrompt([...open, said("next", 14)], asked, 20)), ["reply"])
  })
  it("settles nothing that was said after it was shown", () => {
    assert.deepStrictEqual(ChatModel.settledAfterPrompt([said("reply", 21)], asked, 20), [])
  })
})

describe("a title", () => {
  it.prop("is never empty, one line, and at most 48 code points", { text: Schema.String }, ({ text }) => {
    const title = ChatModel.titleOf(text)
    assert.isAtLeast(title.length, 1)
    assert.isAtMost(Array.from(title).length, 48)
    assert.notInclude(title, "\n")
  })
})

describe("a token bucket", () => {
  it("lets the burst through, then one per interval, and says how long to wait", () => {
    const rate = { perSecond: 20, burst: 20 }
    let bucket = RateLimit.full(rate, 0)
    let wait = 0
    for (let n = 0; n < 20; n++) [bucket, wait] = RateLimit.take(bucket, rate, 0)
    assert.strictEqual(wait, 0)
    ;[bucket, wait] = RateLimit.take(bucket, rate, 0)
    assert.strictEqual(wait, 50)
    ;[bucket, wait] = RateLimit.take(bucket, rate, 50)
    assert.strictEqual(wait, 0)
  })
})
