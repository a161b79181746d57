/**
 * `npm run simulate -- --seeds N [--seed S] [--fault NAME | --faults] [--trace]`: plays seeded worlds against the whole
 * gateway in simulated time. A failing seed is printed and plays again with `--seed`.
 */
import { parseArgs } from "node:util"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { availableParallelism } from "node:os"
import { run, type Report } from "../test/simulation/Run.ts"
import { faults, type Planted } from "../test/simulation/Planted.ts"

interface Job {
  readonly from: number
  readonly to: number
  readonly step: number
  readonly fault: Planted | null
  readonly stopAtFirst: boolean
}

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    seed: { type: "string" },
    fault: { type: "string" },
    faults: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    workers: { type: "string" }
  },
  args: isMainThread ? process.argv.slice(2) : []
})

const spread = async (seeds: number, fault: Planted | null, stopAtFirst: boolean): Promise<Report> => {
  const workers = Number(values.workers ?? Math.max(1, availableParallelism()))
  const reports = await Promise.all(
    Array.from(
      { length: workers },
      (_, index) =>
        new Promise<Report>((resolve, reject) => {
          const job: Job = { from: 1 + index, to: seeds, step: workers, fault, stopAtFirst }
          const worker = new Worker(new URL(import.meta.url), { workerData: job })
          worker.once("message", resolve)
          worker.once("error", reject)
        })
    )
  )
  return {
    seeds: reports.reduce((sum, report) => sum + report.seeds, 0),
    failed: reports.flatMap((report) => report.failed).sort((a, b) => a.seed - b.seed),
    simulatedMs: reports.reduce((sum, report) => sum + report.simulatedMs, 0),
    messages: reports.reduce((sum, report) => sum + report.messages, 0),
    crashes: reports.reduce((sum, report) => sum + report.crashes, 0)
  }
}

const print = (label: string, report: Report, seconds: number) => {
  const hours = report.simulatedMs / 3_600_000
  console.log(
    `${label}: ${report.seeds} seeds, ${report.failed.length} failed, ${report.messages} messages, ${report.crashes} crashes, ` +
      `${hours.toFixed(0)} simulated hours in ${seconds.toFixed(1)} s (${(hours / (seconds / 60)).toFixed(0)} hours a minute)`
  )
  for (const failure of report.failed.slice(0, 5)) {
    console.log(`  seed ${failure.seed}: ${failure.violations.slice(0, 4).join("; ")}`)
  }
}

const isFault = (name: string): name is Planted => (faults as ReadonlyArray<string>).includes(name)

const main = async (): Promise<number> => {
  const started = performance.now()
  const elapsed = () => (performance.now() - started) / 1000
  const fault = values.fault === undefined ? null : values.fault
  if (fault !== null && !isFault(fault)) {
    console.error(`unknown fault ${fault}; there are: ${faults.join(", ")}`)
    return 2
  }
  if (values.seed !== undefined) {
    const seed = Number(values.seed)
    const report = run({ from: seed, to: seed, step: 1, fault, stopAtFirst: false, trace: values.trace })
    print(`seed ${seed}`, report, elapsed())
    return report.failed.length === 0 ? 0 : 1
  }
  const seeds = Number(values.seeds)
  if (values.faults) {
    let missed = 0
    for (const name of faults) {
      const at = performance.now()
      const report = await spread(seeds, name, true)
      const found = report.failed.length > 0
      if (!found) missed++
      print(`${found ? "found" : "MISSED"} ${name}`, report, (performance.now() - at) / 1000)
    }
    return missed === 0 ? 0 : 1
  }
  const report = await spread(seeds, fault, false)
  print("simulation", report, elapsed())
  return report.failed.length === 0 ? 0 : 1
}

if (isMainThread) {
  process.exitCode = await main()
} else {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port has no origin
  parentPort?.postMessage(run(workerData as Job))
}
