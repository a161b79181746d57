/** Plays a range of seeds one after the other, each in a clock of its own. */
import { Clock, Context, Effect, Layer, Logger, Random, References } from "effect"
import { TestClock } from "effect/testing"
import type { Planted } from "./Planted.ts"
import { simulate } from "./Simulation.ts"

export interface Report {
  readonly seeds: number
  readonly failed: ReadonlyArray<{ readonly seed: number; readonly violations: ReadonlyArray<string> }>
  readonly simulatedMs: number
  readonly messages: number
  readonly crashes: number
}

/** The machine's clock tells whole milliseconds; a jittered sleep must not make the simulated one tell fractions. */
const wholeMillis = Layer.effectContext(Effect.map(Effect.context<TestClock.TestClock>(), (context) => {
  const clock = Context.get(context, Clock.Clock)
  return Context.make(Clock.Clock, { ...clock, currentTimeMillisUnsafe: () => Math.floor(clock.currentTimeMillisUnsafe()) })
})).pipe(Layer.provideMerge(TestClock.layer()))

export const run = async (options: {
  readonly from: number
  readonly to: number
  readonly step: number
  readonly fault: Planted | null
  readonly stopAtFirst: boolean
  readonly trace?: boolean
}): Promise<Report> => {
  const failed: Array<{ readonly seed: number; readonly violations: ReadonlyArray<string> }> = []
  let seeds = 0
  let simulatedMs = 0
  let messages = 0
  let crashes = 0
  for (let seed = options.from; seed <= options.to; seed += options.step) {
    const world = simulate({
      seed,
      fault: options.fault,
      ...(options.trace === true ? { say: (line: string) => console.log(line) } : {})
    }).pipe(
      Effect.provide(wholeMillis),
      // Jitter and ids of the program follow from the seed as well.
      Random.withSeed(`gateway ${seed}`),
      options.trace === true ? Effect.provideService(References.MinimumLogLevel, "Debug") : Effect.provide(Logger.layer([]))
    )
    const result = await Effect.runPromise(world)
    seeds++
    simulatedMs += result.simulatedMs
    messages += result.messages
    crashes += result.crashes
    if (options.trace === true) console.log(result.trace.join("\n"))
    if (result.violations.length > 0) {
      failed.push({ seed, violations: result.violations })
      if (options.stopAtFirst) break
    }
  }
  return { seeds, failed, simulatedMs, messages, crashes }
}
