/** What a search must find on every storage. Tests share one database: each has a chat of its own. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import * as Source from "../../src/Message/Source.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { SearchIndex } from "../../src/Storage/SearchIndex.ts"
import { opened } from "../../src/Storage/SessionStore.ts"
import { said, takenBack } from "../../src/Storage/Transcript.ts"
import type { Storage } from "./Tables.ts"

const at = 1_900_000_000_000

const chat = Effect.fnUntraced(function* (chatId: string, texts: ReadonlyArray<string>) {
  const journal = yield* Journal
  const source = Source.make({ platform: "search", chatId, userId: "u" })
  yield* journal.commit([
    ...opened({ sessionKey: `search:${chatId}`, sessionId: chatId, createdAt: at, source }),
    ...texts.map((content, ordinal) =>
      said({
        sessionId: chatId,
        turn: `search-${chatId}`,
        ordinal,
        role: ordinal % 2 === 0 ? "user" : "assistant",
        content,
        timestamp: at,
        now: at,
        platformMessageId: null,
        unanswered: false
      })
    )
  ])
})

const found = (chatId: string | null, query: string) =>
  Effect.map(
    Effect.flatMap(SearchIndex, (index) =>
      index.search(chatId === null ? null : { platform: "search", chatId, threadId: null, userId: null }, query, {
        limit: 20,
        order: "newest"
      })
    ),
    (hits) => hits.map(({ snippet }) => snippet)
  )

export const searchContract = (it: Vitest.MethodsNonLive<Storage>): void => {
  it.effect("finds words, phrases, beginnings and alternatives, in this chat alone", () =>
    Effect.gen(function* () {
      yield* chat("s1", ["The quick brown fox", "jumps over Übermut", "東京タワーへ行く", "version v1.2 is well-known"])
      yield* chat("s2", ["the quick red hare"])
      for (const [query, expected] of [
        ["QUICK", ["The >>>quick<<< brown fox"]],
        ['"brown fox"', ["The quick >>>brown<<< fox"]],
        ['"fox brown"', []],
        ["ubermut", ["jumps over >>>Übermut<<<"]],
        ["jump*", [">>>jumps<<< over Übermut"]],
        ["quick NOT brown", []],
        ["fox OR jumps", [">>>jumps<<< over Übermut", "The quick brown >>>fox<<<"]],
        ["タワー", [">>>東京タワーへ行く<<<"]],
        ["v1.2", ["version >>>v1<<<.2 is well-known"]],
        ["nothing", []],
        ["' ; -- :*", []]
      ] as const) {
        assert.deepStrictEqual(yield* found("s1", query), [...expected], query)
      }
      assert.lengthOf(yield* found(null, "quick"), 2)
    })
  )

  it.effect("never what was taken back, and at once what was said a moment ago", () =>
    Effect.gen(function* () {
      yield* chat("s3", ["secret plan"])
      assert.lengthOf(yield* found("s3", "plan"), 1)
      yield* (yield* Journal).commit([takenBack("s3", 0)])
      assert.deepStrictEqual(yield* found("s3", "plan"), [])
    })
  )

  it.effect("an index that is gone keeps nobody from storing, and a search from nothing but finding", () =>
    Effect.gen(function* () {
      const database = yield* Database
      yield* chat("s4", ["before"])
      yield* database.execute("ALTER TABLE message_index RENAME TO message_index_away", [])
      yield* chat("s5", ["meanwhile"])
      assert.deepStrictEqual(yield* found("s5", "meanwhile"), [])
      yield* database.execute("ALTER TABLE message_index_away RENAME TO message_index", [])
      assert.lengthOf(yield* found("s5", "meanwhile"), 1)
    })
  )
}
