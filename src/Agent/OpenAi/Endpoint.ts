/**
 * One chat completions endpoint: a request goes out, agent events come in. Interrupting the stream closes the connection
 * at once. It decides nothing about further attempts.
 */
import { Effect, Redacted, Result, Stream } from "effect"
import * as Sse from "effect/encoding/Sse"
import { HttpClient, HttpClientRequest, type HttpClientResponse, type HttpClientError } from "effect/http"
import { limited } from "../../Config/LogLimit.ts"
import type { AgentEvent } from "../Agent.ts"
import {
  categoryOf,
  errorOf,
  type Failure,
  failureOf,
  type Optional,
  rejectedOf,
  retryAfterOf,
  wordsOf
} from "./Failure.ts"
import type { Reading } from "./Reading.ts"
import { decodeErrorBody, decodeModels, type Message } from "./Wire.ts"

export interface Endpoint {
  /** Shown where a model is chosen. */
  readonly name: string
  /** Ends before `/chat/completions`. */
  readonly baseUrl: string
  readonly apiKey: Redacted.Redacted | null
  readonly model: string
}

export interface Request {
  readonly model: string
  readonly messages: ReadonlyArray<Message>
  readonly reasoning: string | null
  readonly maxTokens: number | null
  /** Content parts are among the messages. */
  readonly hasParts: boolean
  /** Rows of the history, for what an unclear error means. */
  readonly historyLength: number
  readonly headers: Readonly<Record<string, string>>
  readonly contextWindow: number | null
  /** What this endpoint is known not to take. */
  readonly without: ReadonlySet<Optional>
}

/** A server that accepts the connection and says nothing for so long is tried no further (`conversation X1`). */
const headersWithin = "30 minutes"
const errorBodyWithin = "10 seconds"
const mostErrorBody = 64 * 1024
/** `conversation X1`: the longest line; an event is one. */
const mostEvent = 16 * 1024 * 1024

const bodyOf = (request: Request, sent: Set<Optional>): Record<string, unknown> => {
  const body: Record<string, unknown> = { model: request.model, messages: request.messages, stream: true }
  const offer = (name: Optional, value: unknown) => {
    if (request.without.has(name)) return
    sent.add(name)
    body[name] = value
  }
  offer("stream_options", { include_usage: true })
  if (request.reasoning !== null) offer("reasoning_effort", request.reasoning)
  if (request.maxTokens !== null) offer("max_tokens", request.maxTokens)
  if (request.hasParts) sent.add("attachments")
  return body
}

/** Our own traces are nobody else's, so no trace header goes along. */
const send = Effect.fnUntraced(
  function* (endpoint: Endpoint, request: HttpClientRequest.HttpClientRequest) {
    const client = yield* HttpClient.HttpClient
    const authorised =
      endpoint.apiKey === null ? request : HttpClientRequest.bearerToken(request, Redacted.value(endpoint.apiKey))
    return yield* Effect.mapError(client.execute(authorised), unreachable)
  },
  Effect.provideService(HttpClient.TracerPropagationEnabled, false)
)

const unreachable = (cause: HttpClientError.HttpClientError): Failure => {
  const { reason } = cause
  const inner = "cause" in reason && reason.cause instanceof Error ? reason.cause : null
  const code = inner !== null && "code" in inner ? ` ${String(inner.code)}` : ""
  return failureOf(errorOf("provider", `the connection failed: ${reason._tag}${code} ${inner?.message ?? ""}`.trim()))
}

/** At most so many bytes of a body as text; what goes on for longer is cut, and its connection with it. */
const textOf = (response: HttpClientResponse.HttpClientResponse, most: number) =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    return response.stream.pipe(
      Stream.takeWhile((chunk) => {
        chunks.push(chunk)
        size += chunk.length
        return size < most
      }),
      Stream.runDrain,
      Effect.timeoutOption(errorBodyWithin),
      Effect.ignore,
      Effect.map(() => Buffer.concat(chunks).toString("utf8").slice(0, most))
    )
  })

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const refusal = Effect.fnUntraced(function* (
  response: HttpClientResponse.HttpClientResponse,
  sent: ReadonlySet<Optional>,
  historyLength: number
) {
  const text = yield* textOf(response, mostErrorBody)
  const decoded = decodeErrorBody(parsed(text))
  const words = Result.isSuccess(decoded)
    ? decoded.success.error != null
      ? wordsOf(decoded.success.error)
      : (decoded.success.detail ?? decoded.success.message ?? text)
    : text
  const { status } = response
  return failureOf(
    errorOf(categoryOf(status, words, historyLength), `HTTP ${status}: ${words.slice(0, 300)}`, {
      retryAfter: retryAfterOf(response.headers, Date.now())
    }),
    rejectedOf(status, words, sent)
  )
})

const isNonEmpty = <A>(array: ReadonlyArray<A>): array is readonly [A, ...Array<A>] => array.length > 0

/** Reports each chunk's events together; the end of the body ends the reading. */
const events = (
  response: HttpClientResponse.HttpClientResponse,
  reading: Reading
): Stream.Stream<AgentEvent, Failure> => {
  const utf8 = new TextDecoder()
  let out: Array<AgentEvent> = []
  const parser = Sse.makeParser(
    (event) => {
      if (event._tag === "Event") reading.take(event.data, out)
    },
    { maxEventSize: mostEvent }
  )
  const feed = (chunks: ReadonlyArray<Uint8Array>): Effect.Effect<ReadonlyArray<AgentEvent>, Failure> => {
    for (const chunk of chunks) {
      if (parser.feed(utf8.decode(chunk, { stream: true })) !== undefined) {
        return Effect.fail(failureOf(errorOf("provider", "an event of the stream is too long")))
      }
    }
    if (reading.failure !== null) return Effect.fail(reading.failure)
    const taken = out
    out = []
    return Effect.succeed(taken)
  }
  return response.stream.pipe(
    Stream.mapError(unreachable),
    // What came before the connection broke is delivered (`conversation X1`); nothing yet, and it is a failure.
    Stream.catch((failure) => (reading.text === "" ? Stream.fail(failure) : Stream.empty)),
    Stream.chunks,
    Stream.mapEffect(feed),
    Stream.filter(isNonEmpty),
    Stream.flattenArray
  )
}

/** A server that does not stream answers with one document. */
const whole = (response: HttpClientResponse.HttpClientResponse, reading: Reading) =>
  Stream.unwrap(
    Effect.map(textOf(response, mostEvent), (text) => {
      const out: Array<AgentEvent> = []
      reading.take(text, out)
      return Stream.fromArray(out)
    })
  )

const finish = (reading: Reading): Stream.Stream<AgentEvent, Failure> =>
  Stream.suspend(() => {
    const out: Array<AgentEvent> = []
    const failure = reading.end(out)
    return failure === null ? Stream.fromArray(out) : Stream.fail(failure)
  })

const remarks = (endpoint: Endpoint, reading: Reading) =>
  Effect.suspend(() => {
    const about = { endpoint: endpoint.name, malformed: reading.malformed }
    if (reading.malformed > 0) {
      return limited("openai.malformed", 1)(Effect.logWarning("parts of an answer did not decode", about))
    }
    return reading.isCutOff && reading.text !== ""
      ? Effect.logWarning("the connection ended before the answer did; what came is delivered", about)
      : Effect.void
  })

/** Sends the request and reads the answer; `reading` tells the caller how far it came. */
export const complete = (
  endpoint: Endpoint,
  request: Request,
  reading: Reading
): Stream.Stream<AgentEvent, Failure, HttpClient.HttpClient> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const sent = new Set<Optional>()
      const post = HttpClientRequest.post(`${endpoint.baseUrl}/chat/completions`).pipe(
        HttpClientRequest.setHeaders({ accept: "text/event-stream", ...request.headers }),
        HttpClientRequest.bodyJsonUnsafe(bodyOf(request, sent))
      )
      const response = yield* send(endpoint, post).pipe(
        Effect.timeoutOrElse({
          duration: headersWithin,
          orElse: () => Effect.fail(failureOf(errorOf("provider", "the provider did not answer in time")))
        })
      )
      if (response.status !== 200) return Stream.fail(yield* refusal(response, sent, request.historyLength))
      const isStream = !/^application\/json/i.test(response.headers["content-type"] ?? "")
      return (isStream ? events(response, reading) : whole(response, reading)).pipe(
        Stream.concat(finish(reading)),
        Stream.onEnd(remarks(endpoint, reading))
      )
    })
  )

/** What `GET /models` lists; fails with what the server said. */
export const models = Effect.fnUntraced(
  function* (endpoint: Endpoint) {
    const response = yield* send(endpoint, HttpClientRequest.get(`${endpoint.baseUrl}/models`))
    if (response.status !== 200) return yield* Effect.fail(yield* refusal(response, new Set(), 0))
    const decoded = decodeModels(parsed(yield* textOf(response, mostEvent)))
    return Result.isSuccess(decoded)
      ? decoded.success.data.map(({ id }) => id)
      : yield* Effect.fail(failureOf(errorOf("provider", "the list of models does not decode")))
  },
  Effect.timeoutOrElse({
    duration: "15 seconds",
    orElse: () => Effect.fail(failureOf(errorOf("provider", "the list of models did not come in time")))
  })
)
