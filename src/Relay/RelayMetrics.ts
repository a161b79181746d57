/**
 * The counters of the relay link. Counted where it happens, without an effect, because most of it happens per batch in
 * plain loops.
 */
import { type Context, Metric } from "effect"
import type { FrameDecodeReason } from "./FrameDecodeError.ts"

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

export const framesIn = counter("relay_frames_in_total", "lines read from the connector")
export const unknownFrames = counter("relay_unknown_total", "frames of a type we do not know")
export const passthrough = counter("relay_passthrough_total", "forwarded webhook requests")
export const acknowledged = counter("relay_acknowledged_total", "deliveries acknowledged after they were stored")
export const buried = counter(
  "relay_buried_total",
  "deliveries kept as dead rows because nothing could be made of them"
)
export const takeRetries = counter(
  "relay_take_retries_total",
  "batches that storage refused and that were handed over again"
)
export const interrupts = counter("relay_interrupts_total", "turns that the connector asked to stop")
export const connections = counter("relay_connections_total", "handshakes completed")
export const reconnects = counter("relay_reconnects_total", "handshakes completed after an earlier one")
export const dialFailures = counter(
  "relay_attempts_failed_total",
  "connection attempts and connections that ended in failure"
)
export const outbound = counter("relay_outbound_total", "actions asked of the connector")
export const outboundFailed = counter("relay_outbound_failed_total", "actions that got no usable answer")
export const unmatchedResults = counter("relay_results_unmatched_total", "answers to requests that nobody waits for")

const invalidFrames = new Map<FrameDecodeReason, Metric.Counter<number>>()

/** `relay_frames_invalid_total`, one series per reason (`relay W3`). */
export const invalidFrame = (reason: FrameDecodeReason): Metric.Counter<number> => {
  let series = invalidFrames.get(reason)
  if (series === undefined) {
    series = Metric.counter("relay_frames_invalid_total", {
      description: "lines that did not decode",
      incremental: true,
      attributes: { reason }
    })
    invalidFrames.set(reason, series)
  }
  return series
}

/** Adds to a counter; `context` names the registry that counts. */
export const add = (metric: Metric.Counter<number>, amount: number, context: Context.Context<never>): void => {
  if (amount > 0) metric.updateUnsafe(amount, context)
}
