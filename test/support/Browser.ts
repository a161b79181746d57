/**
 * A real Chromium for tests of the pages: the system's own when there is one, else the binary of `@sparticuz/chromium`.
 * It is never skipped: a machine without either fails the test.
 */
import { existsSync } from "node:fs"
import chromium from "@sparticuz/chromium"
import { Effect } from "effect"
import { type Browser, type BrowserContextOptions, chromium as playwright, type Page } from "playwright-core"

const systemBinaries = [process.env["CHROMIUM_PATH"], "/usr/bin/chromium", "/usr/bin/chromium-browser"]

/** One process for all dies with the first page that closes; the others switch off what the pages are tested for. */
const unwanted = /^--(?:single-process|no-zygote|disable-web-security|allow-running-insecure-content)/

/** The browser for as long as the scope. */
export const launch = Effect.acquireRelease(
  Effect.promise(async (): Promise<Browser> => {
    const system = systemBinaries.find((path) => path !== undefined && existsSync(path))
    if (system !== undefined) {
      return playwright.launch({ executablePath: system, args: ["--no-sandbox", "--disable-dev-shm-usage"] })
    }
    return playwright.launch({
      executablePath: await chromium.executablePath(),
      args: chromium.args.filter((arg) => !unwanted.test(arg)),
      headless: true
    })
  }),
  (browser) => Effect.promise(() => browser.close())
)

export interface OpenPage {
  readonly page: Page
  /** What the page threw, and what it wrote to the console as an error. */
  readonly problems: Array<string>
  /** Navigations of the main frame; 1 = it was never reloaded. */
  readonly loads: () => number
}

/** A page in a context of its own (storage, cookies), closed with the scope. */
export const openPage = (browser: Browser, options: BrowserContextOptions = {}) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const context = await browser.newContext(options)
      const page = await context.newPage()
      const problems: Array<string> = []
      let loads = 0
      page.on("pageerror", (error) => problems.push(String(error)))
      page.on("console", (message) => {
        if (message.type() === "error") problems.push(`${message.text()} (${message.location().url})`)
      })
      page.on("framenavigated", (frame) => {
        if (frame === page.mainFrame()) loads++
      })
      page.setDefaultTimeout(10_000)
      return { context, page, problems, loads: () => loads }
    }),
    ({ context }) => Effect.promise(() => context.close())
  ).pipe(Effect.map(({ loads, page, problems }): OpenPage => ({ page, problems, loads })))
