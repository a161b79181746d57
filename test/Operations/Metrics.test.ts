import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { HttpRouter } from "effect/http"
import { layer, nameProblem } from "../../src/Operations/Metrics.ts"

const frames = Metric.counter("test_frames_total", { description: "frames of this test", incremental: true })

describe("Metrics", () => {
  it.live("answers GET /metrics in the format of Prometheus, prefixed", () =>
    Effect.gen(function* () {
      yield* Metric.update(frames, 3)
      const { dispose, handler } = HttpRouter.toWebHandler(layer.pipe(Layer.provide(Layer.empty)), {
        disableLogger: true
      })
      const response = yield* Effect.promise(() => handler(new Request("http://localhost/metrics")))
      const body = yield* Effect.promise(() => response.text())
      yield* Effect.promise(dispose)
      assert.strictEqual(response.status, 200)
      assert.include(response.headers.get("content-type") ?? "", "text/plain; version=0.0.4")
      assert.match(body, /^# TYPE switchboard_test_frames_total counter$/m)
      assert.match(body, /^switchboard_test_frames_total 3$/m)
      assert.match(body, /^switchboard_process_resident_memory_bytes \d+$/m)
      for (const line of body.trimEnd().split("\n"))
        assert.match(line, /^(?:# (?:HELP|TYPE) .*|[a-z_:][a-zA-Z0-9_:]*(?:\{.*\})? \S+|)$/)
    })
  )

  it("has a rule for names", () => {
    assert.isNull(nameProblem("relay_frames_in_total", "Counter"))
    assert.isNull(nameProblem("sessions_resident", "Gauge"))
    for (const [name, kind] of [
      ["relayFrames_total", "Counter"],
      ["relay_frames", "Counter"],
      ["a_total", "Gauge"],
      ["turn_ms", "Histogram"],
      ["switchboard_x_total", "Counter"]
    ] as const) {
      assert.isString(nameProblem(name, kind))
    }
  })
})
