import { once } from "node:events"
import { createServer } from "node:net"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Settings } from "../../src/Config/Settings.ts"
import { Attachments } from "../../src/Delivery/Attachments.ts"
import { MediaCache } from "../../src/Delivery/MediaCache.ts"
import { Database } from "../../src/Storage/Database.ts"

const png = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(64)])

const make = Effect.fnUntraced(function* (settings: Readonly<Record<string, unknown>> = {}) {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(path.join(tmpdir(), "attached-"))),
    (at) => Effect.sync(() => rmSync(at, { recursive: true, force: true }))
  )
  const home = path.join(folder, "home")
  mkdirSync(home)
  const context = yield* Layer.build(
    Attachments.layer.pipe(
      Layer.provideMerge(MediaCache.layer),
      Layer.provide(Database.layer({ storage: "memory", filename: "" })),
      Layer.provide(Settings.layerFrom({ SWITCHBOARD_HOME: home, ...settings })),
      Layer.orDie
    )
  )
  const write = (name: string, content: string | Uint8Array = "x") => {
    const file = path.join(folder, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, content)
    return file
  }
  return {
    folder,
    home,
    write,
    attachments: Context.get(context, Attachments),
    cache: Context.get(context, MediaCache)
  }
})

describe("Attachments", () => {
  it.live("names each file of a reply once, pictures first, and copies what it names", () =>
    Effect.gen(function* () {
      const { attachments, cache, write } = yield* make()
      const [pdf, photo] = [write("report.pdf", "%PDF"), write("cat.png", png)]
      const { media, refused, text } = yield* attachments.of(
        `Here: MEDIA:${pdf}\nMEDIA:${photo}\n![Alt](https://e.org/i.gif)`,
        [{ ref: "https://e.org/a.zip", caption: "all of it" }]
      )
      assert.strictEqual(text, "Here:")
      assert.deepStrictEqual(refused, [])
      assert.deepStrictEqual(
        media.map(({ caption, filename, kind }) => [kind, filename, caption]),
        [
          ["image", "i.gif", "Alt"],
          ["image", "cat.png", null],
          ["document", "report.pdf", null],
          ["document", "a.zip", "all of it"]
        ]
      )
      const copy = media[2]!.ref
      assert.isTrue(copy.startsWith(cache.root))
      rmSync(pdf)
      assert.strictEqual(readFileSync(copy, "utf8"), "%PDF")
    })
  )

  it.live("refuses what is missing, no file, or not to leave, by name and reason", () =>
    Effect.gen(function* () {
      const { attachments, folder, home, write } = yield* make()
      const pipe = path.join(folder, "pipe.txt")
      const socket = createServer().listen(pipe)
      yield* Effect.promise(() => once(socket, "listening"))
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.close()))
      mkdirSync(path.join(folder, "folder.zip"))
      symlinkSync("/etc/passwd", path.join(folder, "innocent.txt"))
      const refs = [
        path.join(folder, "gone.pdf"),
        pipe,
        path.join(folder, "folder.zip"),
        path.join(folder, "innocent.txt"),
        "/etc/../etc/passwd",
        write("home/config.yaml"),
        write("home/.env"),
        write("id_rsa.txt"),
        write("cert.pem"),
        write("notes.txt", "-----BEGIN OPENSSH PRIVATE KEY-----\nx"),
        write("home/cache/images/fake.txt", "-----BEGIN PRIVATE KEY-----\nx"),
        "relative.txt"
      ]
      const { media, refused } = yield* attachments.of(
        "",
        refs.map((ref) => ({ ref, caption: null }))
      )
      assert.deepStrictEqual(media, [])
      assert.deepStrictEqual(
        refused.map(({ why }) => why),
        [
          "not found",
          "cannot be read",
          "no regular file",
          "not allowed to leave",
          "not allowed to leave",
          "not allowed to leave",
          "not allowed to leave",
          "not allowed to leave",
          "not allowed to leave",
          "holds a private key",
          "holds a private key",
          "no absolute path"
        ]
      )
      assert.isTrue(refused.every(({ name }) => !name.includes("/")))
      assert.isTrue(existsSync(home))
    })
  )

  it.live("strict: only what is in the media folders, named by the operator, or fresh", () =>
    Effect.gen(function* () {
      const { attachments, folder, write } = yield* make({ "gateway.strict": true })
      const [fresh, old] = [write("fresh.txt"), write("old.txt")]
      const kept = write("home/cache/documents/doc_0_a.txt")
      const long = Date.now() / 1000 - 3600
      for (const file of [old, kept]) utimesSync(file, long, long)
      const named = [fresh, old, kept].map((ref) => ({ ref, caption: null }))
      const { media, refused } = yield* attachments.of("", named)
      assert.deepStrictEqual(
        media.map(({ filename }) => filename),
        ["fresh.txt", "doc_0_a.txt"]
      )
      assert.strictEqual(media[1]?.ref, kept)
      assert.deepStrictEqual(refused, [{ name: "old.txt", why: "strict mode: not changed lately" }])
      const trusting = yield* make({ "gateway.strict": true, SWITCHBOARD_MEDIA_ALLOW_DIRS: `/nowhere:${folder}` })
      assert.lengthOf((yield* trusting.attachments.of("", [{ ref: old, caption: null }])).media, 1)
    })
  )

  it.live("bare paths are text, unless asked for; a missing one stays text", () =>
    Effect.gen(function* () {
      const quiet = yield* make()
      const file = quiet.write("a.png", png)
      const said = `I wrote ${file} and /nowhere/b.png`
      assert.deepStrictEqual(yield* quiet.attachments.of(said, []), { text: said, media: [], refused: [] })
      const eager = yield* make({ "delivery.bare_paths": true })
      const { media, text } = yield* eager.attachments.of(said, [])
      assert.strictEqual(text, "I wrote  and /nowhere/b.png")
      assert.deepStrictEqual(
        media.map(({ filename, kind }) => [kind, filename]),
        [["image", "a.png"]]
      )
    })
  )

  it.live("voice and files as the reply says", () =>
    Effect.gen(function* () {
      const { attachments, write } = yield* make()
      const [song, photo] = [write("a.mp3"), write("a.png", png)]
      const kinds = (text: string) => Effect.map(attachments.of(text, []), ({ media }) => media.map(({ kind }) => kind))
      assert.deepStrictEqual(yield* kinds(`[[audio_as_voice]] MEDIA:${song}`), ["voice"])
      assert.deepStrictEqual(yield* kinds(`MEDIA:${song}`), ["audio"])
      assert.deepStrictEqual(yield* kinds(`[[as_document]] MEDIA:${photo}`), ["document"])
    })
  )
})
