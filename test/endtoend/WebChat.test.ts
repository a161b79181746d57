/** The web chat as its users see it: a real Chromium on a real gateway process that is killed and started again. */
import { createServer } from "node:net"
import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import type { Browser, Page } from "playwright-core"
import * as TestBrowser from "../support/Browser.ts"
import { eventuallyAsync } from "../support/Eventually.ts"
import * as GatewayProcess from "../support/GatewayProcess.ts"

/** One browser for all tests of this file. */
class Chromium extends Context.Service<Chromium, Browser>()("test/Chromium") {
  static readonly layer = Layer.effect(Chromium, TestBrowser.launch)
}

const act = <A>(step: () => Promise<A>) => Effect.promise(step)

/** A port that was free a moment ago, so that a gateway can come back on it. */
const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** A gateway as it is without any configuration, and the page in a browser, connected. */
const open = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const home = yield* GatewayProcess.makeHome
  const port = yield* freePort
  const start = Effect.gen(function* () {
    const gateway = yield* GatewayProcess.start({ home, env: { SWITCHBOARD_HTTP_PORT: String(port) } })
    yield* gateway.awaitReady()
    return gateway
  }).pipe(Scope.provide(scope))
  let gateway = yield* start
  const { loads, page, problems } = yield* TestBrowser.openPage(yield* Chromium)
  yield* act(() => page.goto(`http://127.0.0.1:${port}/`))
  yield* stands(page, "Connected")
  return {
    page,
    problems,
    loads,
    kill: Effect.gen(function* () {
      yield* gateway.kill("SIGKILL")
      yield* stands(page, "Reconnecting…")
    }),
    restart: Effect.map(start, (next) => {
      gateway = next
    })
  }
})

const stands = (page: Page, expected: string) => {
  let last = ""
  return eventuallyAsync(
    `the page says ${expected}`,
    async () => {
      last = (await page.locator("#link .words").textContent()) ?? ""
      return last === expected
    },
    { seconds: 20, seen: () => last }
  )
}

const say = (page: Page, text: string) =>
  act(async () => {
    await page.fill("#message", text)
    await page.press("#message", "Enter")
  })

/** What a person reads: who said what, with the delivery state under their own. */
const transcript = (page: Page): Promise<ReadonlyArray<string>> =>
  page.locator("#log .message").evaluateAll((rows) =>
    rows.map((row) => {
      const text = row.querySelector(".bubble")?.textContent?.trim().replace(/\s+/g, " ")
      return row.classList.contains("mine")
        ? `you: ${text} [${row.querySelector(".state .word")?.textContent}]`
        : `agent: ${text}`
    })
  )

/** Waits until the whole conversation reads as expected; a text stands for itself, a pattern for what it matches. */
const reads = (page: Page, expected: ReadonlyArray<string | RegExp>, seconds = 20) => {
  let last: ReadonlyArray<string> = []
  const fits = (line: string, wanted: string | RegExp | undefined) =>
    typeof wanted === "string" ? line === wanted : wanted?.test(line) === true
  return eventuallyAsync(
    `the page reads ${expected.map(String).join(" / ")}`,
    async () => {
      last = await transcript(page)
      return last.length === expected.length && last.every((line, index) => fits(line, expected[index]))
    },
    { seconds, seen: () => JSON.stringify(last) }
  )
}

/** Nothing more comes: the next exchange is complete, and what was read before reads the same. */
const stillReads = Effect.fnUntraced(function* (page: Page, expected: ReadonlyArray<string | RegExp>) {
  yield* say(page, "anything else?")
  yield* reads(page, [...expected, "you: anything else? [answered]", "agent: anything else?"])
})

const bound = 120_000

layer(Chromium.layer, { excludeTestServices: true, timeout: "90 seconds" })("the web chat of a gateway", (it) => {
  it.effect(
    "shows the echo of a message once, and the message as answered",
    () =>
      Effect.gen(function* () {
        const { loads, page, problems } = yield* open
        yield* say(page, "hello there")
        const conversation = ["you: hello there [answered]", "agent: hello there"]
        yield* reads(page, conversation)
        yield* stillReads(page, conversation)
        assert.deepStrictEqual([loads(), problems], [1, []])
      }),
    bound
  )

  it.effect(
    "shows a streamed answer in one bubble, and the message as answered only when it is whole",
    () =>
      Effect.gen(function* () {
        const { page } = yield* open
        yield* say(page, "!stream 8 400 one two three four five six seven eight")
        const said = "you: !stream 8 400 one two three four five six seven eight"
        yield* reads(page, [`${said} [running]`, /^agent: one .*▉$/])
        yield* reads(page, [`${said} [answered]`, "agent: one two three four five six seven eight"])
      }),
    bound
  )

  describe("when the gateway is killed and started again", () => {
    it.effect(
      "in the middle of a turn: the answer appears once, without a reload",
      () =>
        Effect.gen(function* () {
          const { kill, loads, page, restart } = yield* open
          yield* say(page, "!sleep 3000 hello")
          yield* reads(page, ["you: !sleep 3000 hello [running]"])
          yield* kill
          yield* restart
          const conversation = ["you: !sleep 3000 hello [answered]", "agent: hello"]
          yield* reads(page, conversation, 40)
          yield* stillReads(page, conversation)
          assert.strictEqual(loads(), 1)
        }),
      bound
    )

    it.effect(
      "while an answer grows: it ends in the same bubble, whole and without a cursor",
      () =>
        Effect.gen(function* () {
          const { kill, loads, page, restart } = yield* open
          const answer = "the quick brown fox jumps over the lazy dog"
          yield* say(page, `!stream 10 300 ${answer}`)
          yield* reads(page, [`you: !stream 10 300 ${answer} [running]`, /^agent: the quick b.*▉$/])
          yield* kill
          yield* restart
          const conversation = [`you: !stream 10 300 ${answer} [answered]`, `agent: ${answer}`]
          yield* reads(page, conversation, 40)
          yield* stillReads(page, conversation)
          assert.strictEqual(loads(), 1)
        }),
      bound
    )

    it.effect(
      "a message written meanwhile is delivered once",
      () =>
        Effect.gen(function* () {
          const { kill, loads, page, restart } = yield* open
          yield* kill
          yield* say(page, "written meanwhile")
          yield* reads(page, ["you: written meanwhile [sending]"])
          yield* restart
          const conversation = ["you: written meanwhile [answered]", "agent: written meanwhile"]
          yield* reads(page, conversation, 40)
          yield* stillReads(page, conversation)
          assert.strictEqual(loads(), 1)
        }),
      bound
    )
  })

  it.effect(
    "asks a question with choices and takes the number of one as the answer",
    () =>
      Effect.gen(function* () {
        const { page } = yield* open
        yield* say(page, "!ask Which? | red | blue")
        const question = /^agent: ❓ Which\?/
        yield* reads(page, [/^you: !ask .*\[running\]$/, question])
        yield* say(page, "2")
        const conversation = [/^you: !ask .*\[answered\]$/, question, /^you: 2 \[(taken|answered)\]$/, "agent: blue"]
        yield* reads(page, conversation)
        yield* stillReads(page, conversation)
        assert.isFalse(yield* act(() => page.locator("#stop").isVisible()))
      }),
    bound
  )

  it.effect(
    "asks for approval with buttons: one press, and the agent goes on",
    () =>
      Effect.gen(function* () {
        const { page } = yield* open
        yield* say(page, "!approve rm -rf y")
        const prompt = /^agent: ⚠️ The agent asks to run:.*rm -rf y/
        yield* reads(page, ["you: !approve rm -rf y [running]", prompt])
        yield* act(() => page.locator(".options button").first().click())
        const conversation = [
          "you: !approve rm -rf y [answered]",
          prompt,
          /^you: Once \[(taken|answered)\]$/,
          "agent: once"
        ]
        yield* reads(page, conversation)
        yield* stillReads(page, conversation)
      }),
    bound
  )

  it.effect(
    "asks for approval and tells the agent that it was denied",
    () =>
      Effect.gen(function* () {
        const { page } = yield* open
        yield* say(page, "!approve rm -rf x")
        const prompt = /^agent: ⚠️ The agent asks to run:.*rm -rf x/
        yield* reads(page, ["you: !approve rm -rf x [running]", prompt])
        yield* say(page, "/deny")
        const conversation = [
          "you: !approve rm -rf x [answered]",
          prompt,
          "you: /deny [answered]",
          "agent: ❌ Denied.",
          "agent: deny"
        ]
        yield* reads(page, conversation)
        yield* stillReads(page, conversation)
      }),
    bound
  )

  it.effect(
    "stops a turn with its button",
    () =>
      Effect.gen(function* () {
        const { page } = yield* open
        yield* say(page, "!sleep 60000 x")
        yield* reads(page, ["you: !sleep 60000 x [running]"])
        yield* act(() => page.click("#stop"))
        const conversation = [
          "you: !sleep 60000 x [answered]",
          "you: /stop [answered]",
          "agent: ⚡ Stopped. You can go on."
        ]
        yield* reads(page, conversation)
        yield* stillReads(page, conversation)
        assert.isFalse(yield* act(() => page.locator("#stop").isVisible()))
      }),
    bound
  )

  it.effect(
    "shows a tool at work, the address of an attachment, and never the path of a file",
    () =>
      Effect.gen(function* () {
        const { page, problems } = yield* open
        yield* say(page, "!tool search something")
        const tool = ["you: !tool search something [answered]", 'agent: ⚙️ search: "something"', "agent: something"]
        yield* reads(page, tool)
        yield* say(page, "!media https://example.com/a.png")
        const link = ["you: !media https://example.com/a.png [answered]", "agent: 🖼 a.png"]
        yield* reads(page, [...tool, ...link])
        assert.strictEqual(
          yield* act(() => page.locator(".message.theirs .bubble a").last().getAttribute("href")),
          "https://example.com/a.png"
        )
        yield* say(page, "!media /etc/passwd")
        yield* reads(page, [
          ...tool,
          ...link,
          "you: !media /etc/passwd [answered]",
          /^agent: ⚠️ Could not be sent: passwd/
        ])
        const shown = (yield* act(() => transcript(page))).filter((line) => line.startsWith("agent:"))
        assert.notInclude(shown.join("\n"), "/etc")
        assert.deepStrictEqual(problems, [])
      }),
    bound
  )
})
