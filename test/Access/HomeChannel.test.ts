import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as HomeChannel from "../../src/Access/HomeChannel.ts"
import { accessSettings } from "../../src/Access/KnownSettings.ts"
import { Settings } from "../../src/Config/Settings.ts"

const home = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-home-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)
const inHome = (folder: string, environment: Readonly<Record<string, string>> = {}) =>
  Layer.orDie(Settings.layer({ home: folder, environment, workingDirectory: folder, overlay: join(folder, "absent") }))

describe("home channel", () => {
  it.effect("is written beside everything that stands in the file, and counts without a restart", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* home
        const file = join(folder, "config.yaml")
        writeFileSync(
          file,
          "# mine\nlogging:\n  level: DEBUG # loud\nplatforms:\n  telegram: # the bot\n    mystery: 900719925474099312345\n"
        )
        yield* Effect.gen(function* () {
          const settings = yield* Settings
          assert.isNull(yield* HomeChannel.read(settings, "telegram"))
          const there = { chatId: "-100900719925474099312", name: "Kitchen", threadId: "7" }
          yield* HomeChannel.write(folder, "telegram", there)
          yield* settings.reload(accessSettings(["telegram"]))
          assert.deepStrictEqual(yield* HomeChannel.read(settings, "telegram"), there)
          yield* HomeChannel.write(folder, "telegram", { ...there, threadId: null, name: "Hall: #1" })
          yield* settings.reload(accessSettings(["telegram"]))
          assert.deepStrictEqual(yield* HomeChannel.read(settings, "telegram"), {
            ...there,
            threadId: null,
            name: "Hall: #1"
          })
        }).pipe(Effect.provide(inHome(folder)))
        const text = readFileSync(file, "utf8")
        for (const kept of ["# mine", "# loud", "# the bot", "mystery: 900719925474099312345"])
          assert.include(text, kept)
        assert.notInclude(text, "enabled")
        assert.deepStrictEqual(readdirSync(folder), ["config.yaml"])
      })
    )
  )

  it.effect("a file that is not there is made; one that is broken is left as it is", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* home
        const file = join(folder, "config.yaml")
        const there = { chatId: "1", name: "Home", threadId: null }
        yield* HomeChannel.write(folder, "slack", there)
        assert.include(readFileSync(file, "utf8"), 'chat_id: "1"')
        for (const broken of ["a: [1\n", "- a\n- b\n", "platforms: all\n"]) {
          writeFileSync(file, broken)
          assert.strictEqual((yield* Effect.flip(HomeChannel.write(folder, "slack", there))).reason, "Unreadable")
          assert.strictEqual(readFileSync(file, "utf8"), broken)
        }
      })
    )
  )

  it.effect("variables win, each platform by its own names", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* home
        yield* HomeChannel.write(folder, "email", { chatId: "file@x", name: "File", threadId: null })
        const environment = {
          EMAIL_HOME_ADDRESS: "me@x",
          MATRIX_HOME_ROOM: "!r:x",
          QQ_HOME_CHANNEL: "q",
          SLACK_HOME_CHANNEL: "C1"
        }
        yield* Effect.gen(function* () {
          const settings = yield* Settings
          const chatOf = (platform: string) =>
            Effect.map(HomeChannel.read(settings, platform), (found) => found?.chatId)
          assert.strictEqual(yield* chatOf("email"), "me@x")
          assert.strictEqual(yield* chatOf("matrix"), "!r:x")
          assert.strictEqual(yield* chatOf("qqbot"), "q")
          assert.strictEqual(yield* chatOf("slack"), "C1")
          assert.isUndefined(yield* chatOf("discord"))
        }).pipe(Effect.provide(inHome(folder, environment)))
      })
    )
  )
})
