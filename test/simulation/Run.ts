/** Plays a range of seeds one after the other, each in a time of its own. */
import { Effect, Exit, Logger, Random, References } from "effect"
import { seeded } from "../support/Random.ts"
import type { Planted } from "./Planted.ts"
import { play } from "./SimTime.ts"
import { type Result, simulate } from "./Simulation.ts"

export interface Report {
  readonly seeds: number
  readonly failed: ReadonlyArray<{ readonly seed: number; readonly violations: ReadonlyArray<string> }>
  readonly simulatedMs: number
  readonly messages: number
  readonly crashes: number
}

/** Every third world schedules its ready fibers by chance, the others as the machine does. */
const orderOf = (seed: number) => (seed % 3 === 0 ? seeded(seed ^ 0x5eed) : null)

const playSeed = (seed: number, fault: Planted | null, trace: boolean): Result => {
  const failed = (violation: string): Result => ({
    seed,
    violations: [violation],
    simulatedMs: 0,
    messages: 0,
    crashes: 0,
    trace: []
  })
  const world = simulate({ seed, fault, ...(trace ? { say: (line: string) => console.log(line) } : {}) }).pipe(
    // Jitter and ids of the program follow from the seed as well.
    Random.withSeed(`gateway ${seed}`),
    trace ? Effect.provideService(References.MinimumLogLevel, "Debug") : Effect.provide(Logger.layer([]))
  )
  const played = play(world, orderOf(seed))
  if (played._tag === "Stuck") return failed("stuck: nothing can happen any more")
  return Exit.isSuccess(played.exit) ? played.exit.value : failed(`the world broke: ${String(played.exit.cause)}`)
}

export const run = (options: {
  readonly from: number
  readonly to: number
  readonly step: number
  readonly fault: Planted | null
  readonly stopAtFirst: boolean
  readonly trace?: boolean
}): Report => {
  const failed: Array<{ readonly seed: number; readonly violations: ReadonlyArray<string> }> = []
  let seeds = 0
  let simulatedMs = 0
  let messages = 0
  let crashes = 0
  for (let seed = options.from; seed <= options.to; seed += options.step) {
    const result = playSeed(seed, options.fault, options.trace === true)
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
