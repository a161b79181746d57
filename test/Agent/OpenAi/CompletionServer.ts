/**
 * A local server of the chat completions API that is strict about what it is asked and does as it is told: it streams,
 * fails, stalls and breaks off. It records what it saw, and when a client went away.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { Effect, type Scope } from "effect"

export interface Seen {
  readonly headers: IncomingMessage["headers"]
  readonly body: {
    readonly model: string
    readonly messages: ReadonlyArray<{ readonly role: string; readonly content: unknown }>
    readonly [field: string]: unknown
  }
}

export type Script = (response: ServerResponse, seen: Seen) => void

export interface CompletionServer {
  readonly url: string
  readonly seen: ReadonlyArray<Seen>
  /** What was wrong with requests; a test ends with none. */
  readonly violations: ReadonlyArray<string>
  /** Requests whose client went away before the answer was whole. */
  readonly aborted: () => number
  /** The next requests are answered so; after the last the server answers with what it was asked. */
  readonly script: (...scripts: ReadonlyArray<Script>) => void
  readonly models: Array<string>
}

const chunk = (delta: object, finish: string | null = null) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "served",
  choices: [{ index: 0, delta, finish_reason: finish }]
})

export const event = (value: unknown): string =>
  `data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`

/** Begins a stream; what it returns writes deltas. */
export const open = (response: ServerResponse) => {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" })
  const raw = (text: string) => void response.write(text)
  return {
    raw,
    delta: (delta: object, finish: string | null = null) => raw(event(chunk(delta, finish))),
    end: () => response.end(event("[DONE]"))
  }
}

/** Streams the pieces and ends as servers do, with the usage where it was asked for. */
export const says =
  (...pieces: ReadonlyArray<string>): Script =>
  (response, seen) => {
    const stream = open(response)
    stream.delta({ role: "assistant", content: "" })
    for (const content of pieces) stream.delta({ content })
    stream.delta({}, "stop")
    if (seen.body["stream_options"] !== undefined) {
      stream.raw(
        event({
          ...chunk({}),
          choices: [],
          usage: { prompt_tokens: 12, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 8 }, cost: 0.002 }
        })
      )
    }
    stream.end()
  }

export const refuses =
  (status: number, message: string, headers: Readonly<Record<string, string>> = {}): Script =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(JSON.stringify({ error: { message, type: "error", code: null } }))
  }

const fields = new Set(["model", "messages", "stream", "stream_options", "reasoning_effort", "max_tokens"])

const complaints = (request: IncomingMessage, body: Seen["body"]): ReadonlyArray<string> => {
  const out: Array<string> = []
  if (request.headers["content-type"] !== "application/json") out.push(`type ${request.headers["content-type"]}`)
  if (request.headers["traceparent"] !== undefined || request.headers["b3"] !== undefined) out.push("trace headers")
  if (typeof body.model !== "string" || body.model === "") out.push("no model")
  if (body["stream"] !== true) out.push("no stream")
  for (const field of Object.keys(body)) if (!fields.has(field)) out.push(`field ${field}`)
  const roles = body.messages.map(({ role }) => role)
  if (roles.at(-1) !== "user") out.push(`last is ${roles.at(-1)}`)
  roles.forEach((role, i) => {
    if (role === "system" && i > 0) out.push("a system message in the middle")
    if (role === roles[i - 1]) out.push(`two of ${role}`)
  })
  for (const { content } of body.messages) if (content === "" || content == null) out.push("an empty message")
  return out
}

export const make: Effect.Effect<CompletionServer, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.callback<{ readonly close: () => void; readonly server: CompletionServer }>((resume) => {
      const seen: Array<Seen> = []
      const violations: Array<string> = []
      const scripts: Array<Script> = []
      const models = ["served", "other"]
      let aborted = 0
      const http = createServer((request, response) => {
        if (request.url === "/v1/models") {
          response.writeHead(200, { "content-type": "application/json" })
          response.end(JSON.stringify({ object: "list", data: models.map((id) => ({ id, object: "model" })) }))
          return
        }
        if (request.method !== "POST" || request.url !== "/v1/chat/completions") {
          violations.push(`${request.method} ${request.url}`)
          refuses(404, "no such route")(response, { headers: {}, body: { model: "", messages: [] } })
          return
        }
        const chunks: Array<Buffer> = []
        request.on("data", (data: Buffer) => chunks.push(data))
        request.on("end", () => {
          const body = JSON.parse(Buffer.concat(chunks).toString()) as Seen["body"]
          violations.push(...complaints(request, body))
          const one: Seen = { headers: request.headers, body }
          response.on("close", () => {
            if (!response.writableFinished) aborted++
          })
          seen.push(one)
          const last = body.messages.at(-1)?.content
          const script = scripts.shift() ?? says(typeof last === "string" ? last : JSON.stringify(last))
          script(response, one)
        })
      })
      http.listen(0, "127.0.0.1", () => {
        const address = http.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(
          Effect.succeed({
            close: () => {
              http.closeAllConnections()
              http.close()
            },
            server: {
              url: `http://127.0.0.1:${port}/v1`,
              seen,
              violations,
              aborted: () => aborted,
              script: (...more) => void scripts.push(...more),
              models
            }
          })
        )
      })
    }),
    ({ close }) => Effect.sync(close)
  ),
  ({ server }) => server
)
