import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs"
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Result, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Settings } from "../../src/Config/Settings.ts"
import { MediaCache } from "../../src/Delivery/MediaCache.ts"
import { Database } from "../../src/Storage/Database.ts"
import { realPause } from "../support/Eventually.ts"

const png = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(64)])

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(path.join(tmpdir(), "media-"))),
  (home) => Effect.sync(() => rmSync(home, { recursive: true, force: true }))
)

/** A cache in a home of its own; every host name leads to this machine unless the test says otherwise. */
const cache = Effect.fnUntraced(function* (
  settings: Readonly<Record<string, unknown>> = {},
  names: Readonly<Record<string, string>> = {}
): Effect.fn.Return<
  { readonly home: string; readonly media: MediaCache["Service"]; readonly database: Database["Service"] },
  never,
  Scope.Scope
> {
  const home = yield* folder
  const resolve = (host: string) => Promise.resolve([names[host] ?? "127.0.0.1"])
  const context = yield* Layer.build(
    MediaCache.layerWith(resolve).pipe(
      Layer.provideMerge(Database.layer({ storage: "memory", filename: "" })),
      Layer.provide(Settings.layerFrom({ SWITCHBOARD_HOME: home, "security.allow_private_urls": true, ...settings })),
      Layer.orDie
    )
  )
  return yield* Effect.map(Effect.all([MediaCache, Database]), ([media, database]) => ({
    home: path.dirname(media.root),
    media,
    database
  })).pipe(Effect.provide(context))
})

const served = (answer: (url: string, response: ServerResponse, headers: Readonly<Record<string, unknown>>) => void) =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer((request, response) => answer(request.url ?? "", response, request.headers))
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`))

const filesIn = (home: string): ReadonlyArray<string> => {
  const root = path.join(home, "cache")
  return existsSync(root)
    ? readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((f) => f.isFile())
        .map((f) => f.name)
    : []
}

describe("MediaCache", () => {
  it.effect("keeps each kind in its folder under a name of its own, private to the owner", () =>
    Effect.gen(function* () {
      const { home, media } = yield* cache()
      for (const [bytes, facts, form] of [
        [png, { filename: "photo.PNG", mime: "image/png" }, /images\/img_[0-9a-f]{12}\.png$/],
        [png, { hint: "photo" }, /images\/img_[0-9a-f]{12}\.jpg$/],
        [Buffer.from("OggS"), { mime: "audio/ogg; codecs=opus" }, /audio\/audio_[0-9a-f]{12}\.ogg$/],
        [Buffer.from("x"), { filename: "clip.mov" }, /videos\/video_[0-9a-f]{12}\.mov$/],
        [Buffer.from("x"), { filename: "../../etc/pass\u0000wd.txt" }, /documents\/doc_[0-9a-f]{12}_passwd\.txt$/],
        [Buffer.from("x"), { filename: ".." }, /documents\/doc_[0-9a-f]{12}_document$/],
        [Buffer.from("<svg/>"), { filename: "a.svg", mime: "image/svg+xml" }, /documents\/doc_[0-9a-f]{12}_a\.svg$/]
      ] as const) {
        const kept = yield* media.store(bytes, facts)
        assert.match(kept.path, form)
        assert.isTrue(kept.path.startsWith(path.join(home, "cache") + path.sep))
        assert.strictEqual(statSync(kept.path).mode & 0o777, 0o600)
        assert.deepStrictEqual(readFileSync(kept.path), Buffer.from(bytes))
        assert.strictEqual(kept.size, bytes.length)
      }
    })
  )

  it.effect("refuses a page that says it is a picture, and what is too large, and keeps nothing of them", () =>
    Effect.gen(function* () {
      const { home, media } = yield* cache({ "gateway.max_inbound_media_bytes": 10 })
      const page = yield* Effect.flip(media.store(Buffer.from("<html>"), { mime: "image/png" }))
      assert.strictEqual(page.reason, "NotAnImage")
      const pieces = async function* () {
        for (let i = 0; i < 3; i++) yield Buffer.alloc(4)
      }
      assert.strictEqual((yield* Effect.flip(media.store(pieces(), { filename: "a.bin" }))).reason, "TooLarge")
      assert.strictEqual((yield* media.store(Buffer.alloc(10), { filename: "a.bin" })).size, 10)
      assert.lengthOf(filesIn(home), 1)
    })
  )

  it.live("fetches a file, and names it after its address", () =>
    Effect.gen(function* () {
      const url = yield* served((_, response) => response.writeHead(200, { "content-type": "image/png" }).end(png))
      const { media } = yield* cache()
      const kept = yield* media.download({ url: `${url}/a%20b.png?token=1` })
      assert.strictEqual(kept.filename, "a b.png")
      assert.strictEqual(kept.kind, "image")
    })
  )

  it.live(
    "follows redirects, judging each: to a private or metadata address it does not go, nor round in circles",
    () =>
      Effect.gen(function* () {
        const asked: Array<string> = []
        const url = yield* served((at, response, headers) => {
          asked.push(`${at} ${String(headers["authorization"] ?? "-")}`)
          const to = {
            "/once": "/file",
            "/round": "/round",
            "/inside": "http://inner.example/x",
            "/meta": "http://169.254.169.254/latest"
          }[at]
          if (to !== undefined) response.writeHead(302, { location: to }).end()
          else response.writeHead(200, { "content-type": "text/plain" }).end("hello")
        })
        const { media, home } = yield* cache({ "security.allow_private_urls": false }, { "inner.example": "10.0.0.1" })
        const trustedOrigin = url
        const get = (at: string) =>
          Effect.result(media.download({ url: url + at, trustedOrigin, headers: { authorization: "Bearer t" } }))
        assert.isTrue(Result.isSuccess(yield* get("/once")))
        for (const [at, reason] of [
          ["/inside", "Refused"],
          ["/meta", "Refused"],
          ["/round", "Unreachable"]
        ] as const) {
          const result = yield* get(at)
          assert.isTrue(Result.isFailure(result) && result.failure.reason === reason, at)
        }
        assert.strictEqual(asked.filter((line) => line.startsWith("/round")).length, 6)
        assert.isTrue(asked.every((line) => line.endsWith("Bearer t")))
        assert.lengthOf(filesIn(home), 1)
      })
  )

  it.live("carries a bearer to the trusted peer alone", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const other = yield* served((_, response, headers) => {
        seen.push(headers["authorization"] ?? null)
        response.writeHead(200).end("x")
      })
      const url = yield* served((_, response) => response.writeHead(302, { location: `${other}/x` }).end())
      const { media } = yield* cache()
      yield* media.download({ url, trustedOrigin: url, headers: { authorization: "Bearer t" }, filename: "x.txt" })
      assert.deepStrictEqual(seen, [null])
    })
  )

  it.live("connects to the address that was judged, whatever the resolver says later", () =>
    Effect.gen(function* () {
      const url = yield* served((_, response) => response.writeHead(200).end("mine"))
      const { media } = yield* cache({}, { "rebind.example": "127.0.0.1" })
      const kept = yield* media.download({ url: `http://rebind.example:${new URL(url).port}/`, filename: "a.txt" })
      assert.strictEqual(readFileSync(kept.path, "utf8"), "mine")
    })
  )

  it.live("refuses a body that is longer than its limit, announced or not", () =>
    Effect.gen(function* () {
      const url = yield* served((at, response) => {
        if (at === "/announced") response.writeHead(200, { "content-length": "1000000" }).write("x")
        else {
          response.writeHead(200)
          for (let i = 0; i < 100; i++) response.write(Buffer.alloc(1000))
          response.end()
        }
      })
      const { home, media } = yield* cache({ "gateway.max_inbound_media_bytes": 5000 })
      for (const at of ["/announced", "/silent"]) {
        assert.strictEqual(
          (yield* Effect.flip(media.download({ url: url + at, filename: "a.bin" }))).reason,
          "TooLarge"
        )
      }
      assert.lengthOf(filesIn(home), 0)
    })
  )

  it.effect("tries twice more after 429 and above, and not after 404", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const url = yield* served((at, response) => {
        asked.push(at)
        const isThird = asked.filter((seen) => seen === at).length === 3
        response.writeHead(at === "/gone" ? 404 : isThird ? 200 : 503).end("x")
      })
      const { media } = yield* cache()
      assert.strictEqual((yield* Effect.flip(media.download({ url: `${url}/gone` }))).reason, "Unreachable")
      const busy = yield* Effect.forkChild(media.download({ url: `${url}/busy`, filename: "a.txt" }))
      // The client has to see an answer before its wait can begin, so the clock goes in small steps.
      for (let step = 0; asked.length < 4 && step < 1000; step++) {
        yield* realPause(5)
        yield* TestClock.adjust("100 millis")
      }
      assert.strictEqual((yield* Fiber.join(busy)).size, 1)
      assert.deepStrictEqual(asked, ["/gone", "/busy", "/busy", "/busy"])
    })
  )

  it.live("removes what is older than a day, but nothing that an open message or row names", () =>
    Effect.gen(function* () {
      const { database, home, media } = yield* cache()
      const old = yield* media.store(png, { filename: "old.png" })
      const owed = yield* media.store(Buffer.from("x"), { filename: "owed.txt" })
      const fresh = yield* media.store(Buffer.from("x"), { filename: "fresh.txt" })
      yield* database.execute(
        "INSERT INTO outbox (key, link, queue, ordinal, kind, payload, state, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ["k", "l", "q", 0, "final", JSON.stringify({ ref: owed.path }), "pending", 0, 0]
      )
      const yesterday = Date.now() / 1000 - 25 * 3600
      for (const file of [old, owed]) utimesSync(file.path, yesterday, yesterday)
      assert.strictEqual(yield* media.sweep, 1)
      assert.deepStrictEqual(filesIn(home).toSorted(), [path.basename(fresh.path), path.basename(owed.path)].toSorted())
      yield* database.execute("UPDATE outbox SET state = ?", ["sent"])
      assert.strictEqual(yield* media.sweep, 1)
    })
  )
})
