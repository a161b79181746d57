/**
 * `npm run screenshot`: takes the pictures of `docs/images/` anew: the web chat of a gateway process of its own in a real
 * Chromium while an answer grows, and with texts that are hard to show. `SWITCHBOARD_MAIN` names another build than `dist/`.
 */
import { mkdirSync } from "node:fs"
import path from "node:path"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import type { Page } from "playwright-core"
import * as Browser from "../test/support/Browser.ts"
import { eventuallyAsync } from "../test/support/Eventually.ts"
import * as GatewayProcess from "../test/support/GatewayProcess.ts"

const target = path.join(import.meta.dirname, "../docs/images/webchat.png")

/** Preloaded: where the gateway would take the echo agent it takes ours. */
const otherAgent = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module"
  const url = ${JSON.stringify(pathToFileURL(path.join(import.meta.dirname, "screenshot-agent.ts")).href)}
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier.endsWith("/Agent/Echo.js") ? { url, shortCircuit: true } : next(specifier, context)
  })`)}`

const act = <A>(step: () => Promise<A>) => Effect.promise(step)

const say = (page: Page, text: string) =>
  act(async () => {
    await page.fill("#message", text)
    await page.press("#message", "Enter")
  })

const lastAnswer = (page: Page, wanted: RegExp) => {
  let seen = ""
  return eventuallyAsync(
    `the answer ${wanted}`,
    async () => {
      seen = await page.locator(".message.theirs .bubble").last().innerText({ timeout: 1000 })
      return wanted.test(seen)
    },
    { seconds: 120, seen: () => seen.slice(-200) }
  )
}

/** Every message of the person is through: the picture shows no state that is about to change, unless it is meant to. */
const answered = (page: Page) =>
  eventuallyAsync(
    "everything is answered",
    async () =>
      (await page.locator(".state .word").allTextContents()).every((word) => word === "answered") &&
      !(await page.locator("#typing").isVisible()),
    { seconds: 30 }
  )

/** Question, what the end of its answer shows, and the picture's name. */
const scenes: ReadonlyArray<readonly [question: string, end: RegExp, name: string]> = [
  ["A table of two hundred rows, please.", /customer 200/, "table"],
  ["Code in code, please.", /done\.\s*$/, "fences"],
  ["Right to left, please.", /inside\.\s*$/, "right-to-left"],
  ["A long answer, please.", /lazy dog\.\s*\(\d+\/\d+\)\s*$/, "long"]
]

const hardTexts = (page: Page) =>
  Effect.forEach(
    scenes,
    Effect.fnUntraced(function* ([question, end, name]) {
      yield* act(() => page.click("#new-chat"))
      yield* eventuallyAsync("an empty chat", () => page.locator("#empty").isVisible())
      yield* say(page, question)
      const began = performance.now()
      yield* lastAnswer(page, end)
      const file = path.join(path.dirname(target), `${name}.png`)
      yield* act(() => page.screenshot({ path: file, animations: "disabled" }))
      console.log(path.relative(process.cwd(), file), `${Math.round(performance.now() - began)} ms`)
    }),
    { discard: true }
  )

const picture = Effect.gen(function* () {
  const home = yield* GatewayProcess.makeHome
  const gateway = yield* GatewayProcess.start({ home, env: { NODE_OPTIONS: `--import ${otherAgent}` } })
  yield* gateway.awaitReady()
  const browser = yield* Browser.launch
  const { page, problems } = yield* Browser.openPage(browser, {
    viewport: { width: 1280, height: 800 },
    deviceScaleFactor: 2,
    colorScheme: "light",
    locale: "en-GB"
  })
  const url = yield* gateway.httpUrl
  yield* act(() => page.goto(`${url}/`))

  yield* say(page, "What is on today?")
  yield* lastAnswer(page, /Nothing after that\.$/)
  yield* answered(page)

  yield* act(() => page.click("#new-chat"))
  yield* eventuallyAsync("an empty chat", () => page.locator("#empty").isVisible())
  yield* say(page, "Did the import run?")
  yield* lastAnswer(page, /currency IS NULL;/)
  yield* answered(page)

  yield* say(page, "Fix both and send the team a summary, please.")
  yield* lastAnswer(page, /check is green\. I added/)
  mkdirSync(path.dirname(target), { recursive: true })
  yield* act(() => page.screenshot({ path: target, animations: "disabled" }))
  yield* answered(page)
  yield* hardTexts(page)
  if (problems.length > 0) yield* Effect.logWarning("the page had problems", problems)
  console.log(path.relative(process.cwd(), target))
})

await Effect.runPromise(Effect.scoped(picture))
