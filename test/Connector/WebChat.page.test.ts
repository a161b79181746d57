/** The page in a real Chromium, against the real server and a scripted gateway. */
import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { Browser, Page } from "playwright-core"
import * as TestBrowser from "../support/Browser.ts"
import { eventually, eventuallyAsync } from "../support/Eventually.ts"
import { type Frame, ScriptedGateway } from "../support/ScriptedGateway.ts"
import * as WebChatServer from "../support/WebChatServer.ts"

/** One browser and one build of the page for all tests of this file. */
class Stage extends Context.Service<Stage, { readonly browser: Browser; readonly assets: string }>()("test/Stage") {
  static readonly layer = Layer.effect(
    Stage,
    Effect.gen(function* () {
      const assets = yield* WebChatServer.temporaryFolder
      WebChatServer.buildPage(assets)
      return { browser: yield* TestBrowser.launch, assets }
    })
  )
}

const act = <A>(step: () => Promise<A>) => Effect.promise(step)

/** Server, page and gateway; the gateway answers nothing by itself. */
const open = Effect.gen(function* () {
  const { assets, browser } = yield* Stage
  const folder = yield* WebChatServer.temporaryFolder
  const database = `${folder}/switchboard.db`
  const server = yield* WebChatServer.start({ assets, database })
  const opened = yield* TestBrowser.openPage(browser)
  yield* act(() => opened.page.goto(`http://127.0.0.1:${server.port}/`))
  yield* connected(opened.page)
  return { ...opened, server, browser, restart: WebChatServer.start({ assets, database, port: server.port }) }
})

const dial = Effect.fnUntraced(function* (port: number) {
  const gateway = yield* Effect.acquireRelease(
    Effect.sync(() => new ScriptedGateway(port)),
    (gateway) => Effect.sync(() => gateway.cut())
  )
  yield* gateway.greet
  return gateway
})

const words = (page: Page) => page.locator("#link .words").textContent()
const connected = (page: Page) =>
  eventuallyAsync("the page is connected", async () => /Connected|Gateway away/.test((await words(page)) ?? ""), {
    seconds: 20
  })

const say = (page: Page, text: string) =>
  act(async () => {
    await page.fill("#message", text)
    await page.press("#message", "Enter")
  })

/** What a person reads: who said what, with the delivery state under their own. */
const transcript = (page: Page): Promise<ReadonlyArray<string>> =>
  page
    .locator("#log .message")
    .evaluateAll((rows) =>
      rows.map(
        (row) =>
          `${row.classList.contains("mine") ? "you" : "agent"}: ${row.querySelector(".bubble")?.textContent?.trim().replaceAll(String.fromCharCode(10), "|")}` +
          (row.classList.contains("mine") ? ` [${row.querySelector(".state .word")?.textContent}]` : "")
      )
    )

const reads = (page: Page, expected: ReadonlyArray<string>, seconds = 15) => {
  let last: ReadonlyArray<string> = []
  return eventuallyAsync(
    `the page reads ${JSON.stringify(expected)}`,
    async () => {
      last = await transcript(page)
      return JSON.stringify(last) === JSON.stringify(expected)
    },
    { seconds, seen: () => JSON.stringify(last) }
  )
}

const chatOf = (frame: Frame) => String(frame.event!.source["chat_id"])

layer(Stage.layer, { excludeTestServices: true, timeout: "90 seconds" })("the web chat's page", (it) => {
  describe("a conversation", () => {
    it.effect("shows a message at once, follows its state, and shows the answer", () =>
      Effect.gen(function* () {
        const { page, problems, server } = yield* open
        yield* say(page, "hello")
        yield* reads(page, ["you: hello [sent]"])
        const gateway = yield* dial(server.port)
        const message = yield* gateway.inbound("hello")
        assert.deepStrictEqual(message.event!.source["user_id"], "web")
        gateway.ack(message)
        yield* reads(page, ["you: hello [taken]"])
        yield* gateway.request({ op: "typing", chat_id: chatOf(message) })
        yield* reads(page, ["you: hello [running]"])
        yield* eventuallyAsync("the dots are shown", () => page.locator("#typing").isVisible())
        yield* gateway.request({
          op: "send",
          chat_id: chatOf(message),
          content: "hello yourself",
          reply_to: message.event!.message_id
        })
        yield* reads(page, ["you: hello [answered]", "agent: hello yourself"])
        yield* eventuallyAsync("the dots are gone", async () => !(await page.locator("#typing").isVisible()))
        assert.deepStrictEqual(problems, [])
      })
    )

    it.effect("shows a question's buttons, and a press on one is told to the gateway", () =>
      Effect.gen(function* () {
        const { page, problems, server } = yield* open
        const gateway = yield* dial(server.port)
        yield* say(page, "delete it")
        const message = yield* gateway.inbound("delete it")
        gateway.ack(message)
        yield* gateway.request({
          op: "prompt",
          chat_id: chatOf(message),
          prompt_kind: "approval",
          prompt_id: "0011aabb.00000001",
          content: "May I?",
          options: [
            { id: "once", label: "Once" },
            { id: "deny", label: "Deny", style: "danger" }
          ],
          reply_to: message.event!.message_id
        })
        yield* eventuallyAsync(
          "both buttons are there",
          async () => (await page.locator(".options:visible button").allTextContents()).join() === "Once,Deny"
        )
        yield* act(() => page.locator(".options button", { hasText: "Deny" }).click())
        const press = yield* gateway.inbound("Deny")
        const told: Record<string, unknown> = { ...press.event }
        const question = yield* act(() => page.locator(".message.theirs").first().getAttribute("data-id"))
        assert.deepStrictEqual(told["prompt_response"], {
          prompt_id: "0011aabb.00000001",
          option_id: "deny",
          label: "Deny",
          prompt_message_id: question
        })
        gateway.ack(press)
        yield* eventuallyAsync(
          "the buttons are gone",
          async () => (await page.locator(".options:visible button").count()) === 0
        )
        yield* reads(page, ["you: delete it [running]", "agent: May I?", "you: Deny [taken]"])
        assert.deepStrictEqual(problems, [])
      })
    )

    it.effect("grows a streamed answer in one bubble whose unchanged blocks stay the same nodes", () =>
      Effect.gen(function* () {
        const { page, server } = yield* open
        const gateway = yield* dial(server.port)
        yield* say(page, "stream")
        const message = yield* gateway.inbound("stream")
        gateway.ack(message)
        const chat_id = chatOf(message)
        const sent = yield* gateway.request({
          op: "send",
          chat_id,
          content: "First.\n\nSec",
          reply_to: message.event!.message_id,
          metadata: { idempotency_key: "s1", expect_edits: true }
        })
        yield* reads(page, ["you: stream [running]", "agent: First.Sec"])
        const first = yield* act(() => page.locator(".message.theirs .bubble > p").first().elementHandle())
        assert.isNotNull(first)
        yield* gateway.request({ op: "edit", chat_id, message_id: sent.message_id, content: "First.\n\nSecond and" })
        yield* gateway.request({
          op: "edit",
          chat_id,
          message_id: sent.message_id,
          content: "First.\n\nSecond and last.",
          metadata: { notify: true }
        })
        yield* reads(page, ["you: stream [answered]", "agent: First.Second and last."])
        assert.isTrue(yield* act(() => first.evaluate((node) => node.isConnected)))
      })
    )

    it.effect("breaks a line with Shift+Enter and fills the field from an example", () =>
      Effect.gen(function* () {
        const { page } = yield* open
        yield* act(() => page.click("#examples button[data-text='/status']"))
        assert.strictEqual(yield* act(() => page.inputValue("#message")), "/status")
        yield* act(async () => {
          await page.fill("#message", "one")
          await page.press("#message", "Shift+Enter")
          await page.type("#message", "two")
        })
        assert.strictEqual(yield* act(() => page.inputValue("#message")), "one\ntwo")
        yield* act(() => page.press("#message", "Enter"))
        yield* reads(page, ["you: one|two [sent]"])
      })
    )
  })

  describe("when the server goes away", () => {
    it.effect(
      "comes back on the same port without a reload, sends what was written meanwhile, and doubles nothing",
      () =>
        Effect.gen(function* () {
          const { loads, page, restart, server } = yield* open
          const gateway = yield* dial(server.port)
          yield* say(page, "before")
          const before = yield* gateway.inbound("before")
          gateway.ack(before)
          yield* gateway.request({
            op: "send",
            chat_id: chatOf(before),
            content: "A",
            reply_to: before.event!.message_id,
            metadata: { idempotency_key: "k-a" }
          })
          yield* reads(page, ["you: before [answered]", "agent: A"])
          yield* say(page, "under way")
          const underWay = yield* gateway.inbound("under way")
          gateway.ack(underWay)
          yield* reads(page, ["you: before [answered]", "agent: A", "you: under way [taken]"])

          yield* server.stop
          yield* eventuallyAsync("the page says so", async () => ((await words(page)) ?? "").startsWith("Reconnecting"))
          yield* say(page, "written meanwhile")
          yield* reads(page, [
            "you: before [answered]",
            "agent: A",
            "you: under way [taken]",
            "you: written meanwhile [sending]"
          ])

          const again = yield* restart
          const second = yield* dial(again.port)
          const meanwhile = yield* second.inbound("written meanwhile")
          second.ack(meanwhile)
          yield* second.request({
            op: "send",
            chat_id: chatOf(underWay),
            content: "B",
            reply_to: underWay.event!.message_id,
            metadata: { idempotency_key: "k-b" }
          })
          yield* second.request({
            op: "send",
            chat_id: chatOf(underWay),
            content: "B",
            reply_to: underWay.event!.message_id,
            metadata: { idempotency_key: "k-b" }
          })
          yield* second.request({
            op: "send",
            chat_id: chatOf(meanwhile),
            content: "C",
            reply_to: meanwhile.event!.message_id,
            metadata: { idempotency_key: "k-c" }
          })
          yield* reads(
            page,
            [
              "you: before [answered]",
              "agent: A",
              "you: under way [answered]",
              "you: written meanwhile [answered]",
              "agent: B",
              "agent: C"
            ],
            30
          )
          assert.deepStrictEqual(second.texts, ["written meanwhile"])
          assert.strictEqual(loads(), 1)
        }),
      60_000
    )

    it.effect(
      "keeps an unsent message through a reload of the page",
      () =>
        Effect.gen(function* () {
          const { page, restart, server } = yield* open
          yield* server.stop
          yield* eventuallyAsync("the page says so", async () => ((await words(page)) ?? "").startsWith("Reconnecting"))
          yield* say(page, "keep me")
          yield* reads(page, ["you: keep me [sending]"])
          const again = yield* restart
          yield* act(() => page.reload())
          yield* reads(page, ["you: keep me [sent]"], 20)
          const gateway = yield* dial(again.port)
          yield* gateway.inbound("keep me")
          yield* eventually("it is delivered once", () => gateway.texts.length === 1)
        }),
      60_000
    )
  })

  it.effect("keeps two chats apart, marks the unread one, and renames", () =>
    Effect.gen(function* () {
      const { page, server } = yield* open
      const gateway = yield* dial(server.port)
      yield* say(page, "in the first")
      const first = yield* gateway.inbound("in the first")
      gateway.ack(first)
      yield* act(() => page.click("#new-chat"))
      yield* eventuallyAsync("an empty chat is open", () => page.locator("#empty").isVisible())
      yield* say(page, "in the second")
      const second = yield* gateway.inbound("in the second")
      gateway.ack(second)
      assert.notStrictEqual(chatOf(first), chatOf(second))
      yield* gateway.request({
        op: "send",
        chat_id: chatOf(first),
        content: "answer one",
        reply_to: first.event!.message_id
      })
      yield* reads(page, ["you: in the second [taken]"])
      yield* eventuallyAsync(
        "the first is marked unread",
        async () => (await page.locator("#chats .unread:visible").allTextContents()).join() === "1"
      )
      yield* act(() => page.click("#chats button:has-text('in the first')"))
      yield* reads(page, ["you: in the first [answered]", "agent: answer one"])
      yield* eventuallyAsync(
        "the mark is gone",
        async () => (await page.locator("#chats .unread:visible").count()) === 0
      )
      yield* act(async () => {
        await page.click("#rename")
        await page.fill("#rename-input", "Renamed")
        await page.press("#rename-input", "Enter")
      })
      yield* eventuallyAsync("the server has the name", async () =>
        (await Effect.runPromise(server.store.chats)).some(({ title }) => title === "Renamed")
      )
      yield* eventuallyAsync("the page shows the name", async () => (await page.textContent("#title")) === "Renamed")
      yield* act(() => page.reload())
      yield* eventuallyAsync(
        "the name is there after a reload",
        async () => (await page.textContent("#title")) === "Renamed"
      )
    })
  )

  it.effect("renders markdown and leaves scripts, handlers, images and javascript links inert", () =>
    Effect.gen(function* () {
      const { page, problems, server } = yield* open
      const gateway = yield* dial(server.port)
      const attack =
        '<img src=x onerror="window.attacked=1"> [press](javascript:window.attacked=1) ' +
        "[data](data:text/html,<script>window.attacked=1</script>) ![pixel](https://tracker.invalid/x.png) " +
        "<script>window.attacked=1</script>"
      yield* say(page, attack)
      const message = yield* gateway.inbound(attack)
      yield* gateway.request({
        op: "send",
        chat_id: chatOf(message),
        reply_to: message.event!.message_id,
        content: `**bold** and https://example.org\n\n${attack}\n\n\`\`\`html\n${attack}\n\`\`\`\n\n|a|b|\n|:-:|-|\n|1|2|`
      })
      const answer = page.locator(".message.theirs .bubble")
      yield* eventuallyAsync("the answer is there", () => answer.locator("strong").isVisible())
      const found = yield* act(() =>
        answer.evaluate((bubble) => ({
          elements: [...bubble.querySelectorAll("img, script, iframe, [onerror], [style]")].map(
            (element) => element.outerHTML
          ),
          links: [...bubble.querySelectorAll("a")].map((link) => [link.protocol, link.rel, link.target]),
          language: bubble.querySelector(".code-head span")?.textContent,
          table: bubble.querySelectorAll("td").length
        }))
      )
      assert.deepStrictEqual(found, {
        elements: [],
        links: [
          ["https:", "noopener noreferrer nofollow", "_blank"],
          ["https:", "noopener noreferrer nofollow", "_blank"]
        ],
        language: "html",
        table: 2
      })
      assert.isUndefined(yield* act(() => page.evaluate("window.attacked")))
      assert.deepStrictEqual(problems, [])
    })
  )

  it.effect("forbids inline code and foreign sources by its policy, even where markup slips in", () =>
    Effect.gen(function* () {
      const { page } = yield* open
      yield* act(() =>
        page.evaluate(`{
        document.body.insertAdjacentHTML("beforeend", "<img src='/none' onerror='window.attacked=1'>")
        const script = document.createElement("script")
        script.textContent = "window.attacked=1"
        document.body.append(script)
      }`)
      )
      yield* eventuallyAsync("the image has failed", () =>
        page.evaluate<boolean>("[...document.images].every((image) => image.complete)")
      )
      assert.isUndefined(yield* act(() => page.evaluate("window.attacked")))
    })
  )

  it.effect("opens its list of chats as a drawer on a phone and never scrolls sideways", () =>
    Effect.gen(function* () {
      const { browser, server } = yield* open
      const { page } = yield* TestBrowser.openPage(browser, { viewport: { width: 360, height: 740 } })
      yield* act(() => page.goto(`http://127.0.0.1:${server.port}/`))
      yield* connected(page)
      assert.isFalse(yield* act(() => page.locator("#new-chat").isVisible()))
      yield* act(() => page.click("#open-sidebar"))
      yield* eventuallyAsync("the drawer is open", () => page.locator("#new-chat").isVisible())
      yield* act(() => page.keyboard.press("Escape"))
      yield* eventuallyAsync("the drawer is closed", async () => !(await page.locator("#new-chat").isVisible()))
      yield* say(page, "a".repeat(400))
      assert.isTrue(yield* act(() => page.evaluate<boolean>("document.documentElement.scrollWidth <= innerWidth")))
    })
  )
})
