/** `sessions` on a prepared database. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Source from "../../src/Message/Source.ts"
import { fresh } from "../../src/Session/Entry.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { closed } from "../../src/Storage/SessionStore.ts"
import { said } from "../../src/Storage/Transcript.ts"
import { makeHome } from "../support/GatewayProcess.ts"
import { command } from "./CommandProcess.ts"

const at = Date.UTC(2026, 0, 2, 3, 4, 5)
const secret = "sk-abcdefghijklmnopqrstuvwxyz0123456789"
const layer = (home: string) =>
  Journal.layer.pipe(Layer.provideMerge(Database.layer({ storage: "sqlite", filename: join(home, "switchboard.db") })))

/** `old` is over, `now` goes on. */
const fill = Effect.gen(function* () {
  const journal = yield* Journal
  for (const [i, id] of ["old", "now"].entries()) {
    const route = fresh(`agent:main:web:dm:${id}`, id, Source.make({ platform: "web", chatId: id }), at + i)
    const message = { sessionId: id, timestamp: at, now: at, platformMessageId: null, unanswered: false }
    yield* journal.commit([
      ...route.pending,
      said({ ...message, turn: `${id}-1`, ordinal: 0, role: "user", content: `where is the ${id} boat? ${secret}` }),
      said({ ...message, turn: `${id}-1`, ordinal: 1, role: "assistant", content: "in the harbour" })
    ])
  }
  const next = fresh("agent:main:web:dm:old", "next", Source.make({ platform: "web", chatId: "old" }), at + 5)
  yield* journal.commit([...next.pending, closed("old", "session_reset", at, at)])
})

describe("sessions", () => {
  it.live(
    "are listed, found, named, exported, archived, pruned and deleted",
    () =>
      Effect.gen(function* () {
        const home = yield* makeHome
        yield* Effect.provide(fill, layer(home))
        const run = (...args: ReadonlyArray<string>) => command(home, ["sessions", ...args])
        const list = yield* run("list")
        for (const id of ["old", "now", "next"]) assert.include(list.stdout, id, list.stderr)
        assert.include((yield* run("search", '"old boat"')).stdout, "old")
        assert.include((yield* run("search", "submarine")).stdout, "nothing")
        assert.strictEqual((yield* run("rename", "old", " Boats ")).code, 0)
        assert.include((yield* run("rename", "now", "Boats")).stderr, "old has that title")
        assert.include((yield* run("show", "old")).stdout, '"title": "Boats"')
        const markdown = yield* run("export", "old")
        assert.include(markdown.stdout, "# Boats")
        assert.include(markdown.stdout, "in the harbour")
        assert.notInclude(markdown.stdout, secret)
        assert.strictEqual((yield* run("archive", "now")).code, 0)
        assert.notInclude((yield* run("list", "--json")).stdout, '"now"')
        assert.include((yield* run("prune", "--older-than", "1", "--dry-run")).stdout, "1 conversations would be")
        assert.include((yield* run("prune", "--older-than", "1")).stdout, "1 conversations deleted")
        assert.include((yield* run("show", "old")).stderr, "there is no conversation old")
        assert.include((yield* run("stats")).stdout, "web")
        assert.strictEqual((yield* run("delete", "now")).code, 0)
        assert.include((yield* run("show", "../now")).stderr, "there is no conversation")
        const rows = yield* Effect.provide(
          Effect.flatMap(Database, (database) => database.execute("SELECT id FROM messages", [])),
          layer(home)
        )
        assert.deepStrictEqual(rows, [])
      }).pipe(Effect.scoped),
    120_000
  )
})
