/**
 * How long a search takes among many messages (`session Q`): `npm run bench:search -- [MESSAGES]`, a million by default,
 * of 1,000 chats, in a SQLite file. Words are drawn as in a language: few are frequent.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import { Database } from "../src/Storage/Database.ts"
import { SearchIndex } from "../src/Storage/SearchIndex.ts"

const messages = Number(process.argv[2] ?? 1_000_000)
const chats = 1000
const folder = mkdtempSync(join(tmpdir(), "switchboard-search-"))
const filename = join(folder, "switchboard.db")

let seed = 42
const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648
const word = (): string => `w${Math.floor(20_000 ** random()).toString(36)}`
const sentence = (): string => Array.from({ length: 12 }, word).join(" ")

const fill = Effect.gen(function* () {
  const database = yield* Database
  for (let i = 0; i < chats; i++) {
    yield* database.execute(
      "INSERT INTO sessions (id, session_key, platform, user_id, chat_id, chat_type, origin, started_at, last_activity_at) VALUES (?, ?, 'bench', 'u', ?, 'dm', '{}', 0, 0)",
      [`s${i}`, `k${i}`, `c${i}`]
    )
  }
  for (let at = 0; at < messages; at += 10_000) {
    yield* database.transaction(
      Effect.gen(function* () {
        for (let i = 0; i < Math.min(10_000, messages - at); i++) {
          yield* database.execute(
            "INSERT INTO messages (session_id, ordinal, role, content, timestamp) VALUES (?, 0, 'user', ?, 0)",
            [`s${Math.floor(random() * chats)}`, sentence()]
          )
        }
      })
    )
  }
})

const timed = Effect.fnUntraced(function* (name: string, place: boolean, query: () => string) {
  const index = yield* SearchIndex
  const times: Array<number> = []
  let hits = 0
  for (let i = 0; i < 200; i++) {
    const chatId = `c${Math.floor(random() * chats)}`
    const from = performance.now()
    const found = yield* index.search(
      place ? { platform: "bench", chatId, threadId: null, userId: null } : null,
      query(),
      { limit: 20, order: "relevance" }
    )
    times.push(performance.now() - from)
    hits += found.length
  }
  times.sort((a, b) => a - b)
  const ms = (q: number) => `${times[Math.floor(q * (times.length - 1))]!.toFixed(1)} ms`
  console.log(`${name}: p50 ${ms(0.5)}, p95 ${ms(0.95)}, p99 ${ms(0.99)}, ${(hits / 200).toFixed(1)} hits`)
})

await Effect.runPromise(
  Effect.gen(function* () {
    yield* fill
    const index = yield* SearchIndex
    const from = performance.now()
    let count = 0
    for (let n = yield* index.catchUp; n > 0; n = yield* index.catchUp) count += n
    console.log(
      `indexed ${count} messages, ${Math.round(((performance.now() - from) * 1000) / Math.max(1, count))} µs each`
    )
    console.log(`database: ${Math.round(statSync(filename).size / 1e6)} MB`)
    yield* timed("own chat, one word", true, word)
    yield* timed("own chat, the most frequent word", true, () => "w1")
    yield* timed("all chats, one word", false, word)
    yield* timed("all chats, the two most frequent words", false, () => "w1 w2")
    yield* timed("all chats, a frequent and a rare word", false, () => `w1 ${word()} ${word()}`)
    yield* timed("all chats, a phrase", false, () => `"${word()} ${word()}"`)
  }).pipe(Effect.provide(SearchIndex.layer.pipe(Layer.provideMerge(Database.layer({ storage: "sqlite", filename })))))
).finally(() => rmSync(folder, { recursive: true, force: true }))
