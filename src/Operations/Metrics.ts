/**
 * `GET /metrics` in Prometheus' text format (`operations S3`). A metric is declared beside the code that counts and is
 * named ROOM_THING[_UNIT][_total] in snake case: base units (`_seconds`, `_bytes`), `_total` on counters only;
 * the prefix `switchboard_` is added here. Labels come from fixed sets: never a user, chat or session.
 */
import { Effect, type Layer, Metric } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { redact } from "../Config/Redact.ts"

const PREFIX = "switchboard"

const residentMemory = Metric.gauge("process_resident_memory_bytes", { description: "memory of this process now" })
const heapUsed = Metric.gauge("process_heap_used_bytes", { description: "JavaScript heap in use now" })
const uptime = Metric.gauge("process_uptime_seconds", { description: "seconds since this process started" })

/** The exposition of all metrics of this process; law 8 holds for labels too. */
export const exposition: Effect.Effect<string> = Effect.gen(function* () {
  const memory = process.memoryUsage()
  yield* Metric.update(residentMemory, memory.rss)
  yield* Metric.update(heapUsed, memory.heapUsed)
  yield* Metric.update(uptime, Math.round(process.uptime()))
  return redact(yield* PrometheusMetrics.format({ prefix: PREFIX }))
})

/** The route; no key is asked, for it holds counts only. */
export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter> = HttpRouter.add(
  "GET",
  "/metrics",
  Effect.map(exposition, (body) =>
    HttpServerResponse.text(body, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
  )
)

/** What is wrong with a metric's name, by the rule above; `null` = nothing. */
export const nameProblem = (name: string, kind: Metric.Metric.Snapshot["type"]): string | null => {
  if (!/^[a-z][a-z0-9]*(?:_[a-z0-9]+)+$/.test(name)) return "write it in snake case, room first"
  if (name.startsWith(`${PREFIX}_`)) return "leave the prefix out, it is added"
  if (/_(?:ms|millis|minutes|hours|kb|mb)(?:_|$)/.test(name)) return "use base units: seconds, bytes"
  if ((kind === "Counter") !== name.endsWith("_total")) return "_total stands on counters and only there"
  return null
}
