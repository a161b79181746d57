/**
 * `npm run bench:streaming`: how soon a person sees an answer that grows. From the agent's first token to the first text on
 * the screen, and from its last token to the final text, against what the settings make the least.
 */
import "effect/schema/SchemaJITCompiler/enable"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Layer, Logger, Stream } from "effect"
import { Agent, type AgentEvent } from "../src/Agent/Agent.ts"
import { millis, percentile, table } from "./Figures.ts"
import * as Loopback from "./Loopback.ts"

const chats = 100
const tokens = 60
const gap = 50
/** A token is twelve characters, so the second one reaches the threshold of 24. */
const token = (n: number) => `token ${String(n).padStart(5)} `
const leastToFirst = gap

interface Times {
  first: number
  last: number
  shown: number
  final: number
}

const measure = Effect.fnUntraced(function* (name: string, storage: "memory" | { readonly file: string }) {
  const times = new Map<string, Times>()
  const agent = Layer.succeed(Agent, {
    name: "bench",
    start: ({ event }) =>
      Effect.sync(() => {
        const own: Times = { first: 0, last: 0, shown: 0, final: 0 }
        times.set(event.source.chatId, own)
        const deltas = Stream.mapEffect(Stream.range(1, tokens), (n) =>
          Effect.map(Effect.sleep(gap), (): AgentEvent => {
            own.last = performance.now()
            if (n === 1) own.first = own.last
            return { _tag: "TextDelta", text: token(n) }
          })
        )
        const whole = Array.from({ length: tokens }, (_, n) => token(n + 1)).join("")
        return {
          events: Stream.concat(deltas, Stream.succeed<AgentEvent>({ _tag: "Final", text: whole })),
          answer: () => Effect.void,
          steer: () => Effect.succeed(false)
        }
      })
  })
  const { loopback } = yield* Loopback.make(storage, agent)
  const lastToken = token(tokens).trim()
  let left = chats
  loopback.onShown = (chatId, text) => {
    const own = times.get(chatId)
    if (own === undefined) return
    if (own.shown === 0) own.shown = performance.now()
    if (own.final === 0 && text.trim().endsWith(lastToken)) {
      own.final = performance.now()
      left--
    }
  }
  yield* loopback.take(Array.from({ length: chats }, (_, n) => Loopback.inbound(`chat${n}`, 0)))
  while (left > 0) yield* Effect.sleep("20 millis")
  const of = (pick: (own: Times) => number) => Float64Array.from(times.values(), pick).toSorted()
  const first = of(({ first, shown }) => shown - first)
  const final = of(({ final, last }) => final - last)
  return [
    name,
    millis(percentile(first, 0.5)),
    millis(percentile(first, 0.99)),
    millis(leastToFirst),
    millis(percentile(final, 0.5)),
    millis(percentile(final, 0.99)),
    millis(0)
  ]
})

const folder = mkdtempSync(join(tmpdir(), "switchboard-bench-"))
const rows = [
  ["", "first p50", "p99", "least", "final p50", "p99", "least"],
  await Effect.runPromise(Effect.scoped(measure("memory", "memory")).pipe(Effect.provide(Logger.layer([])))),
  await Effect.runPromise(
    Effect.scoped(measure("SQLite, durable", { file: join(folder, "bench.db") })).pipe(Effect.provide(Logger.layer([])))
  )
]
rmSync(folder, { recursive: true, force: true })
process.stdout.write(`${chats} chats, ${tokens} tokens ${gap} ms apart\n${table(rows)}\n`)
