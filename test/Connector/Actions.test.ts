/** What a gateway gets for its outbound actions, and which of a person's messages they move along. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ack, fresh, hello, linesOf, Memory, said, stateOf } from "./Core.ts"

describe("an outbound action", () => {
  const withChat = Effect.tap(fresh, ({ core }) =>
    Effect.andThen(core.deliver(said("m1", "question")), core.onFrame(1, ack("m1")))
  )

  it.effect("send shows a message once per idempotency key and settles the question", () =>
    Effect.gen(function* () {
      const { request, store } = yield* withChat
      const send = {
        op: "send",
        chat_id: "chat",
        content: "answer",
        reply_to: "m1",
        metadata: { idempotency_key: "k" }
      }
      const first = yield* request(send)
      const second = yield* request(send)
      assert.isTrue(first.success)
      assert.deepStrictEqual(second, first)
      assert.lengthOf(
        (yield* store.changedSince(0, 10)).filter(({ role }) => role === "assistant"),
        1
      )
      assert.strictEqual(yield* stateOf(store, "m1"), "answered")
    }).pipe(Effect.provide(Memory))
  )

  it.effect("the same key twice in one transaction shows one message", () =>
    Effect.gen(function* () {
      const { core, store } = yield* withChat
      const frame = (requestId: string) => ({
        _tag: "Frame" as const,
        link: 1,
        line: JSON.stringify({
          type: "outbound",
          requestId,
          action: { op: "send", chat_id: "chat", content: "x", metadata: { idempotency_key: "k" } }
        })
      })
      const results = linesOf(yield* core.handle([frame("1"), frame("2")])).map(({ result }) => result?.message_id)
      assert.strictEqual(results[0], results[1])
      assert.lengthOf(
        (yield* store.changedSince(0, 10)).filter(({ role }) => role === "assistant"),
        1
      )
    }).pipe(Effect.provide(Memory))
  )

  it.effect("a preview runs the question, edits change its text, the final edit answers", () =>
    Effect.gen(function* () {
      const { request, store } = yield* withChat
      const sent = yield* request({
        op: "send",
        chat_id: "chat",
        content: "an",
        reply_to: "m1",
        metadata: { expect_edits: true, idempotency_key: "k" }
      })
      assert.strictEqual(yield* stateOf(store, "m1"), "running")
      const edit = { op: "edit", chat_id: "chat", message_id: sent.message_id, content: "answ" }
      assert.deepStrictEqual(yield* request(edit), { success: true })
      assert.strictEqual(yield* stateOf(store, "m1"), "running")
      yield* request({ ...edit, content: "answer", metadata: { notify: true } })
      assert.strictEqual((yield* store.byId(sent.message_id!))?.text, "answer")
      assert.strictEqual(yield* stateOf(store, "m1"), "answered")
    }).pipe(Effect.provide(Memory))
  )

  it.effect("an answer to a command settles it even as a notice", () =>
    Effect.gen(function* () {
      const { core, request, store } = yield* withChat
      yield* core.deliver(said("m2", "/status"))
      yield* core.onFrame(1, ack("m2"))
      yield* request({ op: "send", chat_id: "chat", content: "fine", reply_to: "m2", metadata: { notify: false } })
      assert.strictEqual(yield* stateOf(store, "m2"), "answered")
      assert.strictEqual(yield* stateOf(store, "m1"), "taken")
    }).pipe(Effect.provide(Memory))
  )

  it.effect("what answers a prompt is settled by the answer that follows, what only waits is not", () =>
    Effect.gen(function* () {
      const { core, request, store } = yield* withChat
      const answer = (content: string, replyTo: string | null) =>
        request({ op: "send", chat_id: "chat", content, reply_to: replyTo, metadata: { notify: true } })
      yield* answer("red or blue?", "m1")
      assert.strictEqual(yield* stateOf(store, "m1"), "answered")
      for (const id of ["m2", "m3"]) {
        yield* core.deliver(said(id, "2"))
        yield* core.onFrame(1, ack(id))
      }
      yield* answer("blue", "m1")
      assert.strictEqual(yield* stateOf(store, "m2"), "answered")
      assert.strictEqual(yield* stateOf(store, "m3"), "taken")
    }).pipe(Effect.provide(Memory))
  )

  it.effect("the second part of an answer does not settle the message that waits behind it", () =>
    Effect.gen(function* () {
      const { core, request, store } = yield* withChat
      yield* core.deliver(said("m2", "next"))
      yield* core.onFrame(1, ack("m2"))
      const part = (content: string, replyTo: string | null) =>
        request({ op: "send", chat_id: "chat", content, reply_to: replyTo, metadata: { notify: true } })
      yield* part("first part", "m1")
      yield* part("second part", null)
      assert.strictEqual(yield* stateOf(store, "m1"), "answered")
      assert.strictEqual(yield* stateOf(store, "m2"), "taken")
    }).pipe(Effect.provide(Memory))
  )

  it.effect("typing runs the oldest taken message and tells the pages", () =>
    Effect.gen(function* () {
      const { core, store } = yield* withChat
      const typing = { type: "outbound", requestId: "t", action: { op: "typing", chat_id: "chat" } }
      const handled = yield* core.onFrame(1, JSON.stringify(typing))
      assert.isTrue(handled.updates.some((update) => update._tag === "Typing" && update.chatId === "chat"))
      assert.strictEqual(yield* stateOf(store, "m1"), "running")
    }).pipe(Effect.provide(Memory))
  )

  it.effect("get_chat_info names the chat, follow_up shows in the chat of its session", () =>
    Effect.gen(function* () {
      const { request, store } = yield* withChat
      assert.deepStrictEqual(yield* request({ op: "get_chat_info", chat_id: "chat" }), {
        success: true,
        name: "question",
        type: "dm"
      })
      const shown = yield* request({
        op: "follow_up",
        session_key: "agent:main:relay:dm:chat",
        kind: "any",
        content: "later"
      })
      assert.strictEqual((yield* store.byId(shown.message_id!))?.chatId, "chat")
    }).pipe(Effect.provide(Memory))
  )

  const refusals: ReadonlyArray<readonly [string, unknown, RegExp]> = [
    ["no object", "send", /no op/],
    ["null", null, /no op/],
    ["no op", { chat_id: "chat" }, /no op/],
    ["an unknown op", { op: "dance", chat_id: "chat" }, /^unsupported op: dance$/],
    [
      "an op that is not offered",
      { op: "react", chat_id: "chat", message_id: "x", emoji: "x" },
      /^unsupported op: react$/
    ],
    ["a name of Object's prototype", { op: "constructor" }, /^unsupported op/],
    ["a missing field", { op: "send", chat_id: "chat" }, /^invalid send/],
    ["an ill-typed field", { op: "send", chat_id: "chat", content: 7 }, /^invalid send/],
    ["ill-typed metadata", { op: "send", chat_id: "chat", content: "x", metadata: [] }, /^invalid send/],
    ["nothing to show", { op: "send", chat_id: "chat", content: " " }, /nothing to show/],
    ["more than 4096 units", { op: "send", chat_id: "chat", content: "x".repeat(4097) }, /too long/],
    ["an unknown chat", { op: "send", chat_id: "nowhere", content: "x" }, /^chat not found$/],
    ["an unknown chat's typing", { op: "typing", chat_id: "nowhere" }, /^chat not found$/],
    [
      "an unknown message",
      { op: "edit", chat_id: "chat", message_id: "nope", content: "x" },
      /^message to edit not found$/
    ],
    [
      "a person's message",
      { op: "edit", chat_id: "chat", message_id: "m1", content: "x" },
      /^message to edit not found$/
    ],
    ["an unknown session", { op: "follow_up", session_key: "a:b", kind: "k", content: "x" }, /^chat not found$/]
  ]
  it.effect("that cannot be carried out is answered with success false and a reason, for each way to be wrong", () =>
    Effect.gen(function* () {
      const { request, store } = yield* withChat
      for (const [name, action, reason] of refusals) {
        const result = yield* request(action)
        assert.isFalse(result.success, name)
        assert.match(result.error ?? "", reason, name)
      }
      assert.lengthOf(yield* store.changedSince(0, 10), 1)
    }).pipe(Effect.provide(Memory))
  )

  it.effect.prop(
    "of any shape is answered and never ends the core",
    { action: Schema.Json },
    ({ action }) =>
      Effect.gen(function* () {
        const { request } = yield* fresh
        assert.isFalse((yield* request(action)).success)
      }).pipe(Effect.provide(Memory)),
    { arbitrary: { runs: 60 } }
  )

  it.effect("lines that are no frames are passed over, and the next one counts", () =>
    Effect.gen(function* () {
      const { core } = yield* fresh
      for (const line of ["{", "[]", "null", `{"type":7}`, `{"type":"hello"}`, `{"type":"later_thing"}`]) {
        assert.deepStrictEqual((yield* core.onFrame(1, line)).lines, [])
      }
      yield* core.handle([{ _tag: "Frame", link: 1, line: { reason: "TooLarge", text: "…" } }])
      assert.lengthOf((yield* core.onFrame(1, hello)).lines, 1)
    }).pipe(Effect.provide(Memory))
  )
})

describe("a question with buttons", () => {
  const ask = {
    op: "prompt",
    chat_id: "chat",
    prompt_kind: "approval",
    prompt_id: "0011aabb.00000001",
    content: "May I?",
    options: [
      { id: "once", label: "Once" },
      { id: "deny", label: "Deny", style: "danger" }
    ],
    metadata: { idempotency_key: "p" }
  }
  const press = (id: string, messageId: string, optionId: string, chatId = "chat") => ({
    ...said(id, "anything", chatId),
    press: { messageId, optionId }
  })

  it.effect("is shown once, and a press on it reaches the gateway as such, once", () =>
    Effect.gen(function* () {
      const { core, request, store } = yield* fresh
      yield* core.deliver(said("m1", "do it"))
      const shown = yield* request(ask)
      assert.deepStrictEqual(yield* request(ask), shown)
      const id = shown.message_id!
      assert.strictEqual((yield* store.byId(id))?.prompt?.options[1]?.style, "danger")
      const [frame] = linesOf(yield* core.deliver(press("p1", id, "once")))
      const event = frame?.event as unknown as Record<string, unknown>
      assert.strictEqual(event["text"], "Once")
      assert.deepStrictEqual(event["prompt_response"], {
        prompt_id: "0011aabb.00000001",
        option_id: "once",
        label: "Once",
        prompt_message_id: id
      })
      assert.isNull((yield* store.byId(id))?.prompt)
      // The same press again is the same message; another one finds no buttons.
      assert.strictEqual((yield* core.deliver(press("p1", id, "once"))).replies[0]?._tag, "Stored")
      assert.deepStrictEqual((yield* core.deliver(press("p2", id, "deny"))).replies[0], {
        _tag: "Refused",
        reason: "bad_request"
      })
    }).pipe(Effect.provide(Memory))
  )

  it.effect("is pressed only where it stands, and only on what it offers", () =>
    Effect.gen(function* () {
      const { core, request } = yield* fresh
      yield* core.deliver(said("m1", "do it"))
      const { message_id: id } = yield* request(ask)
      for (const forged of [press("x1", id!, "always"), press("x2", "m1", "once"), press("x3", id!, "once", "other")])
        assert.strictEqual((yield* core.deliver(forged)).replies[0]?._tag, "Refused")
      assert.isFalse((yield* request({ ...ask, options: [], metadata: {} })).success)
    }).pipe(Effect.provide(Memory))
  )
})

describe("a file", () => {
  it.effect("is shown as a link that ends nowhere else; what is no web address is refused", () =>
    Effect.gen(function* () {
      const { core, request, store } = yield* fresh
      yield* core.deliver(said("m1", "show"))
      const send = (source_url: string, more = {}) =>
        request({ op: "send_media", chat_id: "chat", media_kind: "image", source_url, ...more })
      const shown = yield* send("https://example.org/a(1).png?x=<y>", { filename: "a](javascript:x)", content: "Look" })
      assert.strictEqual(
        (yield* store.byId(shown.message_id!))?.text,
        "![a\\](javascript:x)](https://example.org/a%281%29.png?x=%3Cy%3E)\n\nLook"
      )
      for (const bad of ["javascript:alert(1)", "file:///etc/passwd", "/etc/passwd", "data:text/html,x"])
        assert.match((yield* send(bad)).error ?? "", /^unsupported/)
    }).pipe(Effect.provide(Memory))
  )
})
