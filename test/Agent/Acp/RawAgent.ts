/**
 * An agent in a process of its own without any library: it writes lines by hand, also those that a library would never
 * write. What it does at the start stands in `RAW_MODE`, what it does in a prompt in the prompt's last text.
 */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"

const mode = process.env["RAW_MODE"] ?? ""
const write = (value: unknown) =>
  process.stdout.write(
    `${typeof value === "string" ? value : JSON.stringify({ jsonrpc: "2.0", ...(value as object) })}\n`
  )
const update = (sessionId: string, update: unknown) =>
  write({ method: "session/update", params: { sessionId, update } })
const say = (sessionId: string, text: string) =>
  update(sessionId, { sessionUpdate: "agent_message_chunk", content: { type: "text", text } })

if (mode === "dies") {
  process.stderr.write("no licence found\n")
  process.exit(3)
}

let sessions = 0

const prompt = (id: unknown, sessionId: string, text: string): void => {
  const done = () => void write({ id, result: { stopReason: "end_turn" } })
  switch (text) {
    case "garbage":
      write("Loading model…")
      write("[1, 2]")
      write('{"jsonrpc":"2.0","method":"session/update","params":17}')
      update(sessionId, { sessionUpdate: "a_thing_of_the_future", payload: 1 })
      update(sessionId, { sessionUpdate: "agent_message_chunk", content: 5 })
      update("somebody-else", { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "not yours" } })
      say(sessionId, "still ")
      say(sessionId, "here")
      return done()
    case "half":
      process.stdout.write('{"jsonrpc":"2.0","method":"session/upd', () => process.exit(1))
      return
    case "children": {
      const child = spawn("sleep", ["1000"], { stdio: "inherit" })
      say(sessionId, String(child.pid))
      return done()
    }
    case "limit":
      write({ id, error: { code: -32_603, message: "Internal error", data: { details: "Rate limit reached" } } })
      return
    case "login":
      write({ id, error: { code: -32_000, message: "Authentication required" } })
      return
    case "fast":
      process.stdout.write(
        [
          {
            method: "session/update",
            params: {
              sessionId,
              update: { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "all in one" } }
            }
          },
          { id, result: { stopReason: "end_turn" } }
        ]
          .map((message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
          .join("")
      )
      return
    case "last words":
      say(sessionId, "gone")
      process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, result: { stopReason: "end_turn" } })}\n`, () =>
        process.exit(0)
      )
      return
    default: {
      const tokens = /^tokens (\d+)$/.exec(text)
      if (tokens === null) {
        say(sessionId, text)
        return done()
      }
      // As fast as the pipe takes it: what a token costs us is measured with it.
      const count = Number(tokens[1])
      const next = (i: number): void => {
        for (let at = i; at < count; at++) {
          if (!say(sessionId, ` token${at}`)) return void process.stdout.once("drain", () => next(at + 1))
        }
        done()
      }
      next(0)
    }
  }
}

interface Request {
  readonly id?: unknown
  readonly method?: string
  readonly params?: { readonly sessionId: string; readonly prompt: ReadonlyArray<{ readonly text: string }> }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line) as Request
  switch (method) {
    case "initialize":
      if (mode === "silent") return
      write({ id, result: { protocolVersion: mode === "future" ? 99 : 1, agentCapabilities: {} } })
      return
    case "session/new":
      write({ id, result: { sessionId: `raw-${++sessions}` } })
      return
    case "session/prompt":
      prompt(id, params?.sessionId ?? "", params?.prompt.at(-1)?.text ?? "")
      return
    default:
      if (id !== undefined && method !== undefined) write({ id, error: { code: -32_601, message: "Method not found" } })
  }
})
