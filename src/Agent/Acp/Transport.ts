/**
 * JSON-RPC lines over the pipes of an agent's process, as the SDK's stream (Agent Client Protocol, transports). Session
 * updates, which are most of the traffic, do not pass through the SDK: they go straight to whoever reads that session.
 * Lines and what waits are bounded (law 6).
 */
import type { Readable, Writable } from "node:stream"
import type { AnyMessage, Stream } from "@agentclientprotocol/sdk"

/** Images travel as text, so lines may be long. */
const longestLine = 32 * 1024 * 1024
/** Requests of the agent that wait for the SDK; beyond it the pipe is not read, and the agent waits. */
const mostWaiting = 256

export interface Listener {
  /** The parameters of a `session/update`. */
  readonly update: (params: { readonly update?: unknown } | null) => void
  /** A line that is no message: some programs print to standard output. */
  readonly noise: (line: string) => void
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The SDK answers what is no valid message itself, so an object is all that is asked for here. */
const isMessage = (value: unknown): value is AnyMessage => isRecord(value) && value["jsonrpc"] === "2.0"

export const make = (output: Readable, input: Writable, listener: Listener): Stream => {
  let parts: Array<Buffer> = []
  let size = 0
  let closed = false

  const take = (line: string, controller: ReadableStreamDefaultController<AnyMessage>): void => {
    if (line.trim() === "") return
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      listener.noise(line)
      return
    }
    if (!isMessage(value)) {
      listener.noise(line)
      return
    }
    if ("method" in value && value.method === "session/update" && !("id" in value)) {
      listener.update(isRecord(value.params) ? value.params : null)
      return
    }
    controller.enqueue(value)
    if ((controller.desiredSize ?? 1) <= 0) output.pause()
  }

  const readable = new ReadableStream<AnyMessage>(
    {
      start: (controller) => {
        const close = () => {
          if (closed) return
          closed = true
          controller.close()
        }
        output.on("data", (chunk: Buffer) => {
          if (closed) return
          let from = 0
          for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
            const piece = chunk.subarray(from, at)
            const line = parts.length === 0 ? piece.toString("utf8") : Buffer.concat([...parts, piece]).toString("utf8")
            parts = []
            size = 0
            from = at + 1
            take(line, controller)
          }
          if (from < chunk.length) {
            parts.push(chunk.subarray(from))
            size += chunk.length - from
          }
          if (size > longestLine) {
            closed = true
            parts = []
            controller.error(new Error(`a line of the agent is longer than ${longestLine} bytes`))
            output.destroy()
          }
        })
        output.once("end", close)
        output.once("close", close)
        output.once("error", close)
      },
      pull: () => {
        output.resume()
      },
      cancel: () => {
        closed = true
        output.destroy()
      }
    },
    { highWaterMark: mostWaiting }
  )

  const writable = new WritableStream<AnyMessage>({
    write: (message) =>
      new Promise((resolve, reject) => {
        input.write(`${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve()))
      })
  })

  return { readable, writable }
}
