/**
 * `npm run fuzz -- [--frames N] [--seed S]`: sends mutated lines through the socket of a running gateway, then a real
 * message. Exits 1 when the log shows a defect, the link was lost, or the message is not answered; reports the memory.
 */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { eventually } from "../test/support/Eventually.ts"
import * as LineFuzzer from "../test/support/LineFuzzer.ts"
import * as Scene from "../test/support/Scene.ts"

const { values } = parseArgs({
  options: { frames: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" } }
})
const frames = Number(values.frames)
const seed = Number(values.seed)
if (!Number.isSafeInteger(frames) || !Number.isSafeInteger(seed) || frames < 1) {
  process.stderr.write("usage: fuzz [--frames N] [--seed S]\n")
  process.exit(2)
}

const MiB = 1024 * 1024
const perMessage = 200
const newline = Buffer.from("\n")

const program = Effect.gen(function* () {
  const scene = yield* Scene.make()
  const { connector } = scene
  const next = LineFuzzer.make(seed)
  scene.say("ada", "before")
  /** The first message ever may be answered together with a note to the agent. */
  const shows = (text: string, seconds: number) =>
    eventually(
      `an answer with ${text}`,
      () =>
        connector
          .chat("ada")
          .texts()
          .some((shown) => shown.includes(text)),
      {
        seconds
      }
    )
  yield* shows("before", 15)
  const began = performance.now()
  const before = scene.gateway().rss()
  let most = before
  for (let sent = 0; sent < frames; sent += perMessage) {
    const parts: Array<Buffer> = []
    for (let n = Math.min(perMessage, frames - sent); n > 0; n--) parts.push(next(), newline)
    connector.raw(Buffer.concat(parts))
    yield* eventually("the gateway to take what was sent", () => connector.backlog < 2 * MiB, { seconds: 120 })
    if (sent % 50_000 === 0) {
      most = Math.max(most, scene.gateway().rss())
      if (sent > 0 && sent % 200_000 === 0) {
        process.stderr.write(`  ${sent}: ${Math.round(scene.gateway().rss() / MiB)} MiB\n`)
      }
    }
  }
  const { descriptor } = connector
  // A mutant may have changed the limits.
  connector.raw(`\n${JSON.stringify({ type: "descriptor", descriptor })}\n`)
  scene.say("ada", "after all that")
  const answered = yield* Effect.isSuccess(shows("after all that", 300))
  const seconds = (performance.now() - began) / 1000
  most = Math.max(most, scene.gateway().rss())
  const defects = scene
    .gateway()
    .stderr()
    .split("\n")
    .filter((line) => / (?:ERROR|FATAL) /.test(line) || /\b(?:TypeError|RangeError|defect|died)\b/.test(line))
  const ok =
    answered && defects.length === 0 && connector.counts.connections === 1 && scene.gateway().exited === undefined
  return {
    ok,
    frames,
    seed,
    seconds: Math.round(seconds),
    perSecond: Math.round(frames / seconds),
    connections: connector.counts.connections,
    answered,
    defects: defects.slice(0, 5),
    memory: { beforeMiB: Math.round(before / MiB), mostMiB: Math.round(most / MiB) },
    logMiB: Math.round((scene.gateway().outputBytes() / MiB) * 10) / 10
  }
})

const report = await Effect.runPromise(Effect.scoped(program))
process.stdout.write(`${JSON.stringify(report, null, 1)}\n`)
process.exit(report.ok ? 0 : 1)
