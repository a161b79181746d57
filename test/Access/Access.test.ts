import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Access } from "../../src/Access/Access.ts"
import { accessSettings } from "../../src/Access/KnownSettings.ts"
import { Pairing } from "../../src/Access/Pairing.ts"
import * as PairingStore from "../../src/Access/PairingStore.ts"
import { Settings } from "../../src/Config/Settings.ts"
import { noAliases } from "../../src/Message/WhatsAppIdentity.ts"
import * as Source from "../../src/Message/Source.ts"
import { Database } from "../../src/Storage/Database.ts"

const over = (settings: Layer.Layer<Settings>) =>
  Access.layer.pipe(
    Layer.provideMerge(Pairing.layer),
    Layer.provideMerge(settings),
    Layer.provideMerge(Layer.orDie(Database.layer({ storage: "memory", filename: "" })))
  )

const rule = Effect.fnUntraced(function* (platform: string, userId: string | null, more: Partial<Source.Source> = {}) {
  const access = yield* Access
  return (yield* access.decide(Source.make({ platform, chatId: "1", userId, ...more }), Source.untrusted)).rule
})

const asked = (
  values: Readonly<Record<string, unknown>>,
  ...senders: ReadonlyArray<readonly [platform: string, userId: string]>
) =>
  Effect.forEach(senders, ([platform, userId]) => rule(platform, userId)).pipe(
    Effect.provide(over(Settings.layerFrom(values)))
  )

const home = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-access-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const inHome = (folder: string) =>
  over(
    Layer.orDie(
      Settings.layer({ home: folder, environment: {}, workingDirectory: folder, overlay: join(folder, "absent.yaml") })
    )
  )

describe("Access", () => {
  it.effect("each platform has its own list, the gateway's holds for all", () =>
    Effect.gen(function* () {
      const values = { TELEGRAM_ALLOWED_USERS: "1, 2 ,,", GATEWAY_ALLOWED_USERS: "9" }
      assert.deepStrictEqual(
        yield* asked(values, ["telegram", "2"], ["telegram", "9"], ["slack", "9"], ["slack", "1"], ["telegram", "2"]),
        ["12", "12", "12", "13", "12"]
      )
    })
  )

  it.effect("nothing is configured: nobody", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* asked({}, ["telegram", "1"], ["telegram", "*"]), ["D2d", "D2d"])
      assert.deepStrictEqual(yield* asked({ TELEGRAM_ALLOWED_USERS: " , ," }, ["telegram", "1"]), ["D2d"])
    })
  )

  it.effect("the variable of a platform with odd characters, and of QQ", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* asked({ MY_CHAT_ALLOW_ALL_USERS: "yes" }, ["my-chat", "1"], ["my.chat", "1"], ["mychat", "1"]),
        ["6", "6", "D2d"]
      )
      assert.deepStrictEqual(yield* asked({ QQ_ALLOWED_USERS: "1" }, ["qqbot", "1"]), ["12"])
    })
  )

  it.effect("only true, 1 and yes open a door", () =>
    Effect.gen(function* () {
      for (const word of ["maybe", "2", "on", "y", "enabled", "TRUE!", "false"]) {
        const values = { GATEWAY_ALLOW_ALL_USERS: word, TELEGRAM_ALLOW_ALL_USERS: word }
        assert.deepStrictEqual(yield* asked(values, ["telegram", "1"]), ["D2d"], word)
      }
      for (const word of ["true", " Yes ", "1", true]) {
        assert.deepStrictEqual(yield* asked({ TELEGRAM_ALLOW_ALL_USERS: word }, ["telegram", "1"]), ["6"])
      }
    })
  )

  it.effect("ids keep all their digits, also when a file has them as numbers", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* home
        writeFileSync(join(folder, "config.yaml"), "discord:\n  allow_from: [900719925474099312345]\n")
        yield* Effect.gen(function* () {
          assert.strictEqual(yield* rule("discord", "900719925474099312345"), "D2b")
          assert.strictEqual(yield* rule("discord", "900719925474099300000"), "D2d")
        }).pipe(Effect.provide(inHome(folder)))
      })
    )
  )

  it.effect("the lists of a file stand in either of its places", () =>
    Effect.gen(function* () {
      const values = {
        "platforms.telegram": { allow_from: "1,2", group_allow_from: ["7"] },
        "platforms.wecom": { dm_policy: "Allowlist", allow_from: ["a"], groups: { "-5": { allowFrom: ["b"] } } }
      }
      assert.deepStrictEqual(yield* asked(values, ["telegram", "2"], ["wecom", "a"], ["wecom", "b"]), [
        "D2b",
        "D2a",
        "D2d"
      ])
    })
  )

  it.effect("any number of platforms is judged, not only the remembered ones", () =>
    Effect.gen(function* () {
      const platforms = Array.from({ length: 600 }, (_, i) => [`p${i}`, "1"] as const)
      assert.deepStrictEqual(
        [...new Set(yield* asked({ GATEWAY_ALLOWED_USERS: "1" }, ...platforms, ...platforms))],
        ["12"]
      )
    })
  )

  it.effect("settings that cannot be used refuse everybody on their platform, and status says so", () =>
    Effect.gen(function* () {
      const access = yield* Access
      assert.deepStrictEqual(access.problems(), [])
      const relay = { ...Source.untrusted, viaRelay: true }
      const source = Source.make({ platform: "telegram", chatId: "1", userId: "1" })
      assert.deepStrictEqual(yield* access.decide(source, Source.untrusted), { allow: false, rule: "error" })
      assert.deepStrictEqual(yield* access.decide(source, relay), { allow: false, rule: "error" })
      assert.strictEqual(yield* rule("slack", "9"), "6")
      assert.lengthOf(access.problems(), 1)
      assert.include(access.problems()[0], "telegram")
    }).pipe(
      Effect.provide(
        over(
          Settings.layerFrom({
            "platforms.telegram.groups": "all",
            TELEGRAM_ALLOWED_USERS: "1",
            TELEGRAM_ALLOW_ALL_USERS: "yes",
            SLACK_ALLOW_ALL_USERS: "yes"
          })
        )
      )
    )
  )

  it.effect("a changed file counts from the next message on, a broken one changes nothing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* home
        const file = join(folder, "config.yaml")
        writeFileSync(file, "telegram:\n  allow_from: [1]\n")
        yield* Effect.gen(function* () {
          const settings = yield* Settings
          const known = accessSettings(["telegram"])
          assert.strictEqual(yield* rule("telegram", "1"), "D2b")
          writeFileSync(file, "telegram:\n  allow_from: [2]\n")
          yield* settings.reload(known)
          assert.strictEqual(yield* rule("telegram", "1"), "D2d")
          assert.strictEqual(yield* rule("telegram", "2"), "D2b")
          writeFileSync(file, "telegram:\n  groups: everybody\n  allow_from: [1, 2]\n")
          yield* Effect.flip(settings.reload(known))
          assert.strictEqual(yield* rule("telegram", "1"), "D2d")
        }).pipe(Effect.provide(inHome(folder)))
      })
    )
  )

  it.effect("an approval by another process counts within a second, and so does taking it back", () =>
    Effect.gen(function* () {
      const place = { profile: "", platform: "telegram" }
      const other = PairingStore.make(yield* Database, () => noAliases)
      const access = yield* Access
      const heard = yield* Effect.forkChild(Stream.runHead(Stream.drop(access.changes, 2)))
      yield* other.adopt({ approved: [{ ...place, userId: "2", userName: null, approvedAt: 0 }], pending: [] })
      assert.strictEqual(yield* rule("telegram", "2"), "D2d")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* rule("telegram", "2"), "8")
      yield* Fiber.join(heard)
      assert.isTrue(yield* other.revoke(place, " 2 "))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* rule("telegram", "2"), "D2d")
    }).pipe(Effect.provide(over(Settings.layerFrom({}))))
  )

  it.effect("pairings that cannot be read admit nobody, are named, and come back", () =>
    Effect.gen(function* () {
      const database = yield* Database
      const access = yield* Access
      const store = PairingStore.make(database, () => noAliases)
      const approved = [{ profile: "", platform: "telegram", userId: "2", userName: null, approvedAt: 0 }]
      yield* store.adopt({ approved, pending: [] })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* rule("telegram", "2"), "8")
      yield* database.execute("ALTER TABLE access_revision RENAME TO away", [])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* rule("telegram", "2"), "error")
      assert.strictEqual(yield* rule("slack", "1"), "6")
      assert.lengthOf(access.problems(), 1)
      yield* database.execute("ALTER TABLE away RENAME TO access_revision", [])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* rule("telegram", "2"), "8")
      assert.deepStrictEqual(access.problems(), [])
    }).pipe(Effect.provide(over(Settings.layerFrom({ SLACK_ALLOW_ALL_USERS: "1" }))))
  )

  it.effect("a pairing of one platform or profile is none of another", () =>
    Effect.gen(function* () {
      const store = PairingStore.make(yield* Database, () => noAliases)
      const at = { userId: "2", userName: null, approvedAt: 0 }
      yield* store.adopt({
        approved: [
          { ...at, profile: "", platform: "telegram" },
          { ...at, profile: "work", platform: "slack" }
        ],
        pending: []
      })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* rule("telegram", "2"), "8")
      assert.strictEqual(yield* rule("telegram", "2", { profile: "default" }), "8")
      assert.strictEqual(yield* rule("slack", "2"), "D2d")
      assert.strictEqual(yield* rule("telegram", "2", { profile: "work" }), "D4")
    }).pipe(Effect.provide(over(Settings.layerFrom({}))))
  )
})
