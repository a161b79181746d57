/**
 * `npm run bench:sessions`: what a resident idle session costs in memory, and that the number of known sessions costs a
 * message nothing. Run with `--expose-gc`; prints bytes and ratios.
 */
import { Context, Effect } from "effect"
import { Database } from "../src/Storage/Database.ts"
import { Lanes } from "../src/Session/Lanes.ts"
import * as Loopback from "./Loopback.ts"

const idle = 10_000

const heap = Effect.promise(async () => {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return process.memoryUsage().heapUsed
})

/** Sessions that are only rows: as if they had spoken long ago. */
const known = (database: Database["Service"], count: number) =>
  database.execute(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) INSERT INTO session_routes ` +
      "(session_key, session_id, created_at, updated_at, origin, platform, chat_type, chat_id, metadata) SELECT " +
      "'agent:main:relay:dm:known' || i, 'known-' || i, 1, 1, '{}', 'relay', 'dm', 'known' || i, '{}' FROM n",
    []
  )

const memory = Effect.scoped(
  Effect.gen(function* () {
    const { context, loopback } = yield* Loopback.make("memory")
    const lanes = Context.get(context, Lanes)
    yield* Loopback.drive(
      loopback,
      Array.from({ length: 100 }, (_, i) => `warm${i}`),
      2000,
      0
    )
    const before = yield* heap
    const chats = Array.from({ length: idle }, (_, i) => `idle${i}`)
    yield* Loopback.drive(loopback, chats, idle, 0)
    loopback.onSend = () => {}
    yield* Effect.sleep("200 millis")
    const after = yield* heap
    const { resident, running } = lanes.view()
    console.log(
      `resident idle sessions: ${resident} (running ${running}), ${((after - before) / idle).toFixed(0)} bytes each`
    )
  })
)

const rate = (sessions: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { context, loopback } = yield* Loopback.make("memory")
      yield* known(Context.get(context, Database), sessions)
      const chats = Array.from({ length: 500 }, (_, i) => `known${1 + ((i * 7919) % sessions)}`)
      const distinct = [...new Set(chats)]
      yield* Loopback.drive(loopback, distinct, 5000, 0)
      return yield* Loopback.drive(loopback, distinct, 20_000, 1000)
    })
  )

const program = Effect.gen(function* () {
  yield* memory
  const few: Array<number> = []
  const many: Array<number> = []
  for (let round = 0; round < 3; round++) {
    few.push(yield* rate(500))
    many.push(yield* rate(100_000))
  }
  const median = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
  console.log(
    `turns/s with 500 known sessions: ${median(few).toFixed(0)}, with 100,000: ${median(many).toFixed(0)}, ` +
      `ratio ${(median(many) / median(few)).toFixed(2)}`
  )
})

await Effect.runPromise(program)
