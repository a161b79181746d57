import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { prepare } from "../../src/Conversation/Preparation.ts"
import { MediaCache, MediaError } from "../../src/Delivery/MediaCache.ts"
import type { Media, MessageEvent } from "../../src/Message/MessageEvent.ts"
import * as Message from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"

const event = (text: string, more: Partial<MessageEvent> = {}): MessageEvent => ({
  ...Message.text(Source.make({ platform: "test", chatId: "1" }), text, "m"),
  ...more
})

const media = (ref: string, more: Partial<Media> = {}): Media => ({
  ref,
  kind: "document",
  mime: null,
  size: null,
  filename: null,
  caption: null,
  ...more
})

/** A cache that has every address under `/had/`, and none of the others. */
const cache = MediaCache.of({
  root: "/cache",
  download: ({ filename, url }) =>
    url.includes("/had/")
      ? Effect.succeed({
          path: `/cache/images/img_0123456789ab.png`,
          kind: "image",
          mime: "image/png",
          size: 7,
          filename: filename ?? "had.png"
        })
      : Effect.fail(new MediaError({ reason: "Refused", message: "inner.example is not a public address" })),
  store: () => Effect.die("nothing is stored here"),
  sweep: Effect.succeed(0)
})
const prepared = (given: MessageEvent) => Effect.provideService(prepare(given), MediaCache, cache)

const file = (name: string, content: string | Uint8Array) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(path.join(tmpdir(), "prepared-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    ),
    (folder) => {
      const at = path.join(folder, name)
      writeFileSync(at, content)
      return at
    }
  )

describe("Preparation", () => {
  it.effect("leaves a plain message as it is", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* prepared(event("hello\n")), { text: "hello\n", media: [] })
    })
  )

  it.effect("puts a readable document before the text, without its byte-order mark, and says where it is", () =>
    Effect.gen(function* () {
      const at = yield* file("doc_0123456789ab_notes 'a'.md", "\ufeff# Notes\n")
      const { text } = yield* prepared(event("sum up", { type: "document", media: [media(at)] }))
      assert.strictEqual(
        text,
        `[Content of notes _a_.md]:\n# Notes\n\n\n[document 'notes _a_.md' saved at: ${at}]\n\nsum up`
      )
    })
  )

  it.effect("inlines neither what is long, nor what is no text, and says so", () =>
    Effect.gen(function* () {
      const long = yield* file("long.txt", "x".repeat(100 * 1024 + 1))
      const bad = yield* file("bad.csv", Buffer.from([0xff, 0xfe, 0x00]))
      const zip = yield* file("a.zip", "PK")
      const { text } = yield* prepared(event("", { media: [media(long), media(bad), media(zip)] }))
      assert.notInclude(text, "[Content of")
      assert.strictEqual(text.match(/not inlined\)/g)?.length, 2)
      assert.include(text, `[document 'a.zip' saved at: ${zip}] (not inlined: binary, extract the text yourself)`)
    })
  )

  it.effect("fetches what is elsewhere, and names what it could not fetch", () =>
    Effect.gen(function* () {
      const given = event("look", {
        type: "photo",
        media: [
          media("https://cdn.example/had/a.png", { kind: "image", filename: "a.png", caption: "my cat" }),
          media("http://inner.example/b.png", { kind: "image", filename: "b.png" })
        ]
      })
      const { media: files, text } = yield* prepared(given)
      assert.deepStrictEqual(
        files.map(({ kind, mime, ref }) => [ref, kind, mime]),
        [["/cache/images/img_0123456789ab.png", "image", "image/png"]]
      )
      assert.strictEqual(
        text,
        "[image 'a.png' saved at: /cache/images/img_0123456789ab.png] my cat\n" +
          "[a file 'b.png' came with this message and could not be fetched: inner.example is not a public address]\n\nlook"
      )
    })
  )

  it.effect("tells a voice message from an audio file", () =>
    Effect.gen(function* () {
      const voice = event("", { type: "voice", media: [media("/c/audio_0123456789ab.ogg", { kind: "voice" })] })
      const audio = event("", { type: "audio", media: [media("/c/song.mp3", { kind: "audio" })] })
      const [spoken, song] = [yield* prepared(voice), yield* prepared(audio)]
      assert.include(
        spoken.text,
        "[voice message 'audio_0123456789ab.ogg' saved at: /c/audio_0123456789ab.ogg] (not transcribed)"
      )
      assert.strictEqual(spoken.media[0]?.kind, "voice")
      assert.include(song.text, "[audio 'song.mp3' saved at: /c/song.mp3] (not inlined)")
    })
  )

  it.effect("quotes what is replied to, at most 500 characters in one line", () =>
    Effect.gen(function* () {
      const reply = (text: string, isOwn: boolean | null, author: string | null = "Ann") =>
        Effect.map(prepared(event("yes", { replyTo: { messageId: "1", text, author, isOwn } })), (given) => given.text)
      assert.strictEqual(yield* reply("Shall\nI?", true), '[Replying to your previous message: "Shall I?"]\n\nyes')
      assert.strictEqual(yield* reply("Hi", null), '[Replying to a message of Ann: "Hi"]\n\nyes')
      assert.include(yield* reply("😀".repeat(600), null, null), `a message: "${"😀".repeat(500)}…"]`)
      assert.strictEqual(yield* reply("  ", null), "yes")
    })
  )

  it.effect("puts recent channel messages first, each in a line that it cannot leave", () =>
    Effect.gen(function* () {
      const context = [{ author: "Bob\n[End", text: "one\ntwo" }]
      const { text } = yield* prepared(event("three", { context }))
      assert.match(text, /^\[Recent messages .*\nBob \[End: one two\n\[The message to you\]\nthree$/)
    })
  )

  it.effect("takes 32 files and says how many it left out", () =>
    Effect.gen(function* () {
      const { media: files, text } = yield* prepared(
        event("", { media: Array.from({ length: 40 }, (_, i) => media(`/c/${i}.zip`)) })
      )
      assert.lengthOf(files, 32)
      assert.include(text, "[8 more files were left out]")
    })
  )
})
