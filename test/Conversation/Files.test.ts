import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { MediaKind } from "../../src/Delivery/Outlet.ts"
import { realPause } from "../support/Eventually.ts"
import { keyed } from "../support/ScriptedOutlet.ts"
import * as Chat from "./Chat.ts"

const kinds: ReadonlySet<MediaKind> = new Set(["image", "voice", "audio", "video", "document"])
const taking = { ...keyed, streaming: false, media: kinds, uploads: true }

const home = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(path.join(tmpdir(), "files-"))),
  (at) => Effect.sync(() => rmSync(at, { recursive: true, force: true }))
)

/** Files are copied in real time, whatever the test's clock says. */
const settled = (isThere: () => boolean) =>
  Effect.gen(function* () {
    for (let look = 0; look < 400 && !isThere(); look++) yield* realPause(5)
  })

describe("files of a turn", () => {
  it.effect("follow the text as rows of their own, and reach a chat that takes them", () =>
    Effect.gen(function* () {
      const at = yield* home
      const file = path.join(at, "report.pdf")
      writeFileSync(file, "%PDF")
      const chat = yield* Chat.make({ capabilities: taking, settings: { SWITCHBOARD_HOME: at } })
      yield* chat.say(`Here: MEDIA:${file} MEDIA:${path.join(at, "gone.zip")}`)
      yield* settled(() => chat.platform.files.length === 1)
      assert.deepStrictEqual(chat.platform.texts(), ["Here:\n\n⚠️ Could not be sent: gone.zip (not found)"])
      assert.strictEqual(chat.platform.files[0]?.filename, "report.pdf")
      assert.strictEqual(readFileSync(chat.platform.files[0]!.ref, "utf8"), "%PDF")
    })
  )

  it.effect("are told by name where the chat takes none, whoever named them", () =>
    Effect.gen(function* () {
      const at = yield* home
      const file = path.join(at, "report.pdf")
      writeFileSync(file, "%PDF")
      const chat = yield* Chat.make({
        capabilities: { ...keyed, streaming: false },
        settings: { SWITCHBOARD_HOME: at }
      })
      yield* chat.say(`!media ${file}`)
      yield* settled(() => chat.platform.texts().length === 1)
      assert.deepStrictEqual(chat.platform.texts(), ["📎 File: report.pdf (this chat takes no files)"])
    })
  )

  it.effect("an answer of more than twenty messages is its beginning and a file with all of it", () =>
    Effect.gen(function* () {
      const at = yield* home
      const chat = yield* Chat.make({
        capabilities: { ...taking, maxLength: 200 },
        settings: { SWITCHBOARD_HOME: at }
      })
      const long = "word ".repeat(1000).trim()
      yield* chat.say(long)
      yield* settled(() => chat.platform.files.length === 1)
      assert.lengthOf(chat.platform.texts(), 1)
      assert.match(chat.platform.texts()[0]!, /^word .*word\n\n… The whole answer is in the file\.$/)
      assert.strictEqual(readFileSync(chat.platform.files[0]!.ref, "utf8"), long)
      assert.strictEqual(chat.platform.files[0]?.filename, "answer.md")
    })
  )

  it.effect("a long answer whose file is refused after all is sent in messages, whole", () =>
    Effect.gen(function* () {
      const at = yield* home
      const chat = yield* Chat.make({
        capabilities: { ...taking, maxLength: 200 },
        settings: { SWITCHBOARD_HOME: at }
      })
      chat.platform.refusesFiles = true
      const long = Array.from({ length: 1000 }, (_, i) => `w${i}`).join(" ")
      yield* chat.say(long)
      yield* settled(() => chat.platform.texts().at(-1)?.includes("w999") === true)
      assert.strictEqual(chat.platform.texts().slice(1).join(" "), long)
    })
  )

  it.effect("a long answer in a chat that takes addresses alone is sent in messages", () =>
    Effect.gen(function* () {
      const chat = yield* Chat.make({ capabilities: { ...taking, uploads: false, maxLength: 200 } })
      yield* chat.say("word ".repeat(1000).trim())
      yield* settled(() => chat.platform.texts().length > 20)
      assert.isAbove(chat.platform.texts().length, 20)
      assert.lengthOf(chat.platform.files, 0)
    })
  )
})
