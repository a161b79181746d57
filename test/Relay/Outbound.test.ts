/** Files, prompts, reactions, threads, hints and scopes (`relay` O4 to O7, H5, L1 to L4, L7, L11). */
import { createServer } from "node:http"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import type { MediaRequest, Outlet, PromptRequest } from "../../src/Delivery/Outlet.ts"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { direct } from "../../src/Config/Outgoing.ts"
import { fetchBy } from "../../src/Relay/ConnectorHttp.ts"
import * as RelayMedia from "../../src/Relay/RelayMedia.ts"
import { anchored } from "../../src/Relay/SlackThreads.ts"
import { verify } from "../../src/Relay/UpgradeToken.ts"
import { checkAction, type Descriptor, type JsonObject } from "../support/RelayContract.ts"
import { descriptor, descriptorLine, type FakeConnector, inboundLine, resultLine } from "./FakeConnector.ts"
import { open as openWith, say, target } from "./SimulatedAdapter.ts"
import { settle } from "./SimulatedLink.ts"

const every = ["send", "edit", "typing", "follow_up", "send_media", "prompt", "react", "thread_create", "thread_rename"]
const open = (more: Record<string, unknown> = {}) =>
  openWith((connector) => (connector.greeting = [descriptorLine({ supported_ops: every, ...more })]))

const picture: MediaRequest = {
  key: "k1",
  target,
  kind: "image",
  ref: "https://example.org/a.png",
  caption: "a",
  filename: "a.png",
  mime: "image/png",
  replyTo: "m0",
  notify: true
}

const question = (options: number): PromptRequest => ({
  key: "k2",
  target,
  kind: "choice",
  promptId: "0011aabb.00000001",
  text: "Which?",
  options: Array.from({ length: options }, (_, i) => ({ id: `o${i}`, label: `Option ${i}`, style: null })),
  timeoutSeconds: 60,
  replyTo: null
})

/** Does it, lets the connector answer, and gives what was asked of it and what came of it. */
const exchange = Effect.fnUntraced(function* <A, E>(
  connector: FakeConnector,
  act: Effect.Effect<A, E>,
  result: unknown
) {
  const before = connector.wire.ofType("outbound").length
  const acting = yield* Effect.forkChild(Effect.result(act))
  yield* settle
  const frame = connector.wire.ofType("outbound")[before]
  if (frame !== undefined) connector.wire.send(resultLine(frame.requestId!, result))
  const outcome = yield* Fiber.join(acting)
  return { action: frame?.action, outcome }
})

const kindOf = (outcome: { readonly _tag: string; readonly failure?: unknown }) =>
  outcome._tag === "Failure" ? (outcome.failure as { readonly kind: string }).kind : null

describe("what a platform can do beside text", () => {
  it.effect("is what its connector lists (H4, H5)", () =>
    Effect.gen(function* () {
      const { outlet } = yield* open()
      const can = outlet.capabilities(target)
      assert.deepInclude(can, { prompt: true, react: true, threads: true })
      assert.isTrue(can.media?.has("voice"))
      const { outlet: plain, connector } = yield* openWith()
      const { media, prompt, react, threads } = plain.capabilities(target)
      assert.deepStrictEqual([media, prompt, react, threads], [undefined, undefined, undefined, undefined])
      const acts: ReadonlyArray<ReturnType<NonNullable<Outlet["react"]>> | ReturnType<NonNullable<Outlet["media"]>>> = [
        plain.media!(picture),
        plain.prompt!(question(2)),
        plain.react!({ target, messageId: "m", emoji: "👍", remove: false })
      ]
      for (const act of acts)
        assert.strictEqual((yield* Effect.flip<unknown, { kind: string }, never>(act)).kind, "unsupported")
      assert.deepStrictEqual(connector.wire.ofType("outbound"), [])
    })
  )

  it.effect("goes out as the contract says, under the key of its row (O5)", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* open()
      const ok = { success: true, message_id: "m1", thread_id: "t1" }
      const media = yield* exchange(connector, outlet.media!(picture), ok)
      assert.deepStrictEqual(media.action, {
        op: "send_media",
        chat_id: "chat",
        media_kind: "image",
        source_url: "https://example.org/a.png",
        content: "a",
        filename: "a.png",
        reply_to: "m0",
        metadata: { idempotency_key: "k1", notify: true }
      })
      const prompt = yield* exchange(connector, outlet.prompt!(question(2)), ok)
      assert.deepStrictEqual(prompt.action, {
        op: "prompt",
        chat_id: "chat",
        prompt_kind: "choice",
        prompt_id: "0011aabb.00000001",
        content: "Which?",
        options: [
          { id: "o0", label: "Option 0" },
          { id: "o1", label: "Option 1" }
        ],
        timeout_s: 60,
        metadata: { idempotency_key: "k2" }
      })
      const react = yield* exchange(connector, outlet.react!({ target, messageId: "m", emoji: "👀", remove: true }), {
        success: true
      })
      const create = yield* exchange(
        connector,
        outlet.createThread!({ key: "k3", target, name: "A thread", messageId: "m" }),
        ok
      )
      assert.deepInclude(create.outcome, { _tag: "Success", success: "t1" })
      const rename = yield* exchange(
        connector,
        outlet.renameThread!({ target, threadId: "t1", name: "Better", onlyIf: "A thread" }),
        { success: false, error: "name changed by a person" }
      )
      assert.deepInclude(rename.outcome, { _tag: "Success", success: false })
      assert.deepInclude(rename.action, { message_id: "t1", only_if_current_name: "A thread" })
      const contract: Descriptor = { ...descriptor, supported_ops: every }
      for (const { action } of [media, prompt, react, create, rename])
        assert.deepStrictEqual(checkAction(action as JsonObject, contract), [])
    })
  )

  it.effect("a prompt of more than ten options is left to the numbered list (L1)", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* open()
      for (const count of [0, 11])
        assert.strictEqual((yield* Effect.flip(outlet.prompt!(question(count)))).kind, "unsupported")
      assert.deepStrictEqual(connector.wire.ofType("outbound"), [])
    })
  )

  it.effect("only Slack is told that typing ended (L4)", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* open()
      yield* outlet.typingEnded!(target)
      assert.deepStrictEqual(connector.wire.ofType("outbound"), [])
      const slack = yield* exchange(connector, outlet.typingEnded!({ ...target, platform: "slack", threadId: "1.2" }), {
        success: true
      })
      assert.deepStrictEqual(slack.action, {
        op: "typing",
        chat_id: "chat",
        content: "",
        metadata: { thread_id: "1.2" }
      })
    })
  )

  it.effect("hints at formatting only where it is understood (L7)", () =>
    Effect.gen(function* () {
      for (const understood of [true, false]) {
        const { connector, outlet } = yield* open({ supports_block_formatting: understood })
        yield* Effect.forkChild(outlet.send(say("x")))
        yield* Effect.forkChild(outlet.edit({ key: "k", target, messageId: "m", text: "y", final: false }))
        yield* settle
        for (const { action } of connector.wire.ofType("outbound"))
          assert.strictEqual("format_hints" in (action?.metadata ?? {}), understood)
      }
    })
  )
})

describe("the scope of a chat (O4)", () => {
  it.effect("is found in what is stored when nothing came in yet, and asked once", () =>
    Effect.gen(function* () {
      const { connector, outlet, stored } = yield* openWith()
      stored.set("discord:chat", "guild-7")
      yield* exchange(connector, outlet.send(say("one")), { success: true })
      stored.set("discord:chat", "other")
      const { action } = yield* exchange(connector, outlet.send(say("two")), { success: true })
      assert.deepInclude(action?.metadata, { scope_id: "guild-7", guild_id: "guild-7" })
    })
  )

  it.effect("of a chat that has none is not asked for", () =>
    Effect.gen(function* () {
      const { connector, outlet, stored } = yield* openWith()
      connector.wire.send(inboundLine("b", "in"))
      yield* settle
      stored.set("discord:chat", "never asked")
      const { action } = yield* exchange(connector, outlet.send(say("one")), { success: true })
      assert.notProperty(action?.metadata, "scope_id")
    })
  )
})

describe("callers beyond 256 requests (O6)", () => {
  it.effect("are served in the order of their rank, whatever rings", () =>
    Effect.gen(function* () {
      const { connector, outlet } = yield* openWith()
      for (let n = 0; n < 256; n++) yield* Effect.forkChild(outlet.send(say(`${n}`)))
      const ranks = ["typing", "edit", "interim", "scheduled", "notice", "approval", "final"] as const
      for (const rank of ranks)
        yield* Effect.forkChild(outlet.send({ ...say(rank, { notify: rank !== "notice" }), rank }))
      yield* settle
      assert.strictEqual(connector.wire.ofType("outbound").length, 256)
      for (const { requestId } of connector.wire.ofType("outbound").slice(0, 7))
        connector.wire.send(resultLine(requestId!, { success: true }))
      yield* settle
      assert.deepStrictEqual(
        connector.wire
          .ofType("outbound")
          .slice(256)
          .map(({ action }) => action?.content),
        ranks.toReversed()
      )
    })
  )
})

describe("Slack's threads in direct chats (L11)", () => {
  const event = (more: Partial<Source.Source> = {}) =>
    MessageEvent.text(Source.make({ platform: "slack", chatId: "D1", ...more }), "hi", "1.1")
  const shape = (replyInThread: boolean, topLevelSessions: boolean, more: Partial<Source.Source> = {}) => {
    const { answerIn, source } = anchored(event(more), null, { replyInThread, topLevelSessions })
    return [source.threadId, answerIn?.send, answerIn?.typing]
  }

  it("anchor each message's answer and session, or the answer alone, or nothing but typing", () => {
    assert.deepStrictEqual(shape(true, true), ["1.1", undefined, undefined])
    assert.deepStrictEqual(shape(true, true, { threadId: "0.9" }), ["0.9", undefined, undefined])
    assert.deepStrictEqual(shape(true, false), [null, "1.1", "1.1"])
    assert.deepStrictEqual(shape(false, true, { threadId: "0.9" }), [null, null, "0.9"])
    assert.deepStrictEqual(
      anchored(event(), "7.7", { replyInThread: true, topLevelSessions: true }).source.threadId,
      "7.7"
    )
  })

  it("leave channels and other platforms alone", () => {
    assert.deepStrictEqual(shape(false, false, { chatType: "channel", threadId: "0.9" }), ["0.9", undefined, undefined])
    assert.deepStrictEqual(shape(true, true, { platform: "discord" }), [null, undefined, undefined])
  })
})

describe("files over the connector (O7)", () => {
  const serve = Effect.acquireRelease(
    Effect.promise(async () => {
      const seen: Array<{ method: string; url: string; headers: Record<string, unknown>; body: Buffer }> = []
      const answer = { status: 200 }
      const server = createServer((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          const body = Buffer.concat(chunks)
          seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body })
          if (answer.status !== 200) return response.writeHead(answer.status).end()
          response.end(request.method === "POST" ? JSON.stringify({ id: "f 1", size: body.length }) : "the file")
        })
      })
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const folder = await mkdtemp(path.join(tmpdir(), "relay-media-"))
      return { seen, answer, server, base: `http://127.0.0.1:${port}/relay`, folder }
    }),
    ({ folder, server }) =>
      Effect.promise(async () => {
        server.close()
        await rm(folder, { recursive: true })
      })
  )

  const make = Effect.gen(function* () {
    const peer = yield* serve
    const { mint } = yield* Effect.promise(() => import("../../src/Relay/UpgradeToken.ts"))
    const secret = Redacted.make("s3cret")
    const media = yield* RelayMedia.make({
      base: peer.base,
      token: Effect.sync(() => mint("gw", Redacted.value(secret), Date.now() / 1000)),
      cache: path.join(peer.folder, "cache"),
      fetch: fetchBy(direct)
    })
    return { ...peer, media }
  })
  const bearerOf = (headers: Record<string, unknown>) =>
    verify(String(headers.authorization).replace("Bearer ", ""), ["s3cret"], Math.floor(Date.now() / 1000))

  it.live("a local file is uploaded with the bearer and sent by its reference; an address goes as it is", () =>
    Effect.gen(function* () {
      const { base, folder, media, seen } = yield* make
      const file = path.join(folder, "ü.bin")
      const bytes = Buffer.from([0, 255, 10, 13])
      yield* Effect.promise(() => writeFile(file, bytes))
      const source = yield* media.source({ ...picture, ref: file, filename: null, mime: null })
      assert.strictEqual(source, `${base}/media/f%201`)
      assert.deepInclude(seen[0], { method: "POST", url: "/relay/media" })
      assert.isTrue(seen[0]!.body.equals(bytes))
      assert.strictEqual(seen[0]!.headers["content-type"], "application/octet-stream")
      assert.strictEqual(seen[0]!.headers["x-media-filename"], "%C3%BC.bin")
      assert.strictEqual(bearerOf(seen[0]!.headers), "gw")
      assert.strictEqual(yield* media.source(picture), picture.ref)
      assert.lengthOf(seen, 1)
    }).pipe(Effect.scoped)
  )

  it.live("what cannot be uploaded says whether it is worth another try", () =>
    Effect.gen(function* () {
      const { answer, folder, media, seen } = yield* make
      const file = path.join(folder, "a.bin")
      yield* Effect.promise(() => writeFile(file, "x"))
      const kind = (ref: string) => Effect.map(Effect.result(media.source({ ...picture, ref })), kindOf)
      assert.strictEqual(yield* kind(path.join(folder, "missing")), "unsupported")
      for (const [status, expected] of [
        [500, "transient"],
        [413, "unsupported"],
        [401, "transient"]
      ] as const) {
        answer.status = status
        assert.strictEqual(yield* kind(file), expected)
      }
      yield* Effect.promise(() => writeFile(file, Buffer.alloc(RelayMedia.maxMediaBytes + 1)))
      const before = seen.length
      assert.strictEqual(yield* kind(file), "unsupported")
      assert.lengthOf(seen, before)
    }).pipe(Effect.scoped)
  )

  it.live("what came in is fetched once into the cache with the bearer; others' addresses are left alone", () =>
    Effect.gen(function* () {
      const { answer, base, media, seen } = yield* make
      const ref = `${base}/media/abc.png`
      media.expect([ref, "https://example.org/x.png"])
      const file = yield* media.local(ref)
      assert.match(file, /cache\/[0-9a-f]{32}\.png$/)
      assert.strictEqual(yield* Effect.promise(() => readFile(file, "utf8")), "the file")
      assert.strictEqual(yield* media.local(ref), file)
      assert.lengthOf(seen, 1)
      assert.strictEqual(bearerOf(seen[0]!.headers), "gw")
      assert.strictEqual(yield* media.local("https://example.org/x.png"), "https://example.org/x.png")
      answer.status = 404
      assert.strictEqual(yield* media.local(`${base}/media/gone`), `${base}/media/gone`)
    }).pipe(Effect.scoped)
  )
})
