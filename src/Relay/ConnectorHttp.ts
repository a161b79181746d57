/**
 * The few plain HTTP requests of this room: a POST, its answer as status and JSON, both bounded. Redirects are not
 * followed, for every request carries a credential.
 */
import { type IncomingHttpHeaders, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { Readable } from "node:stream"
import { Effect, Redacted, Schema } from "effect"
import type { Outgoing } from "../Config/Outgoing.ts"

/** There is no answer that could be read: whether the other side did what it was asked is unknown. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", {
  reason: Schema.Literals(["InvalidUrl", "Unreachable", "Proxy", "Timeout", "TooLarge"]),
  message: Schema.String
}) {}

export interface Answer {
  readonly status: number
  /** `null` where the body is no JSON. */
  readonly body: unknown
}

/** `relay V1`, `V1a`, `V2`. */
const timeout = "15 seconds"
const maxAnswer = 64 * 1024

export interface Post {
  readonly url: string
  readonly bearer: Redacted.Redacted | null
  readonly contentType: "application/json" | "application/x-www-form-urlencoded"
  readonly body: string
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Asks once and waits at most 15 s. */
export const post = (outgoing: Outgoing, { bearer, body, contentType, url }: Post): Effect.Effect<Answer, NoAnswer> =>
  Effect.callback<Answer, NoAnswer>((resume, signal) => {
    const fail = (reason: NoAnswer["reason"], message: string) => resume(Effect.fail(new NoAnswer({ reason, message })))
    const target = URL.parse(url)
    if (target === null || !/^https?:$/.test(target.protocol)) return fail("InvalidUrl", "no http or https URL")
    const way = outgoing.to(url)
    const refused = () => {
      const status = way.refusal()
      if (status !== null) fail("Proxy", `the proxy answered ${status}`)
      return status !== null
    }
    const request = (target.protocol === "https:" ? requestHttps : requestHttp)(target, {
      ...way.options,
      method: "POST",
      signal,
      headers: {
        accept: "application/json",
        "content-type": contentType,
        "content-length": Buffer.byteLength(body),
        ...(bearer === null ? {} : { authorization: `Bearer ${Redacted.value(bearer)}` })
      }
    })
    request.on("error", (error) => {
      if (!refused()) fail("Unreachable", error.message)
    })
    request.on("response", (response) => {
      const chunks: Array<Buffer> = []
      let size = 0
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        if (size <= maxAnswer) return
        fail("TooLarge", `the answer is larger than ${maxAnswer} bytes`)
        request.destroy()
      })
      response.on("error", (error) => fail("Unreachable", error.message))
      response.on("end", () => {
        if (refused()) return
        resume(
          Effect.succeed({ status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString("utf8")) })
        )
      })
    })
    request.end(body)
  }).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(new NoAnswer({ reason: "Timeout", message: `no answer within ${timeout}` }))
    })
  )

/** `fetch`, by the way of `outgoing` and without redirects; a body is text or bytes. */
export const fetchBy =
  (outgoing: Outgoing) =>
  (url: string, init: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      const way = outgoing.to(url)
      const body = typeof init.body === "string" || init.body instanceof Uint8Array ? Buffer.from(init.body) : null
      const request = (url.startsWith("https:") ? requestHttps : requestHttp)(url, {
        ...way.options,
        method: init.method ?? "GET",
        headers: {
          ...Object.fromEntries(new Headers(init.headers)),
          ...(body === null ? {} : { "content-length": body.length })
        },
        ...(init.signal == null ? {} : { signal: init.signal })
      })
      request.on("error", (error) => reject(error))
      request.on("response", (response) => {
        const status = response.statusCode ?? 0
        const byProxy = way.refusal()
        if (byProxy !== null || (status >= 300 && status < 400)) {
          request.destroy()
          return reject(new Error(byProxy === null ? `redirected (${status})` : `the proxy answered ${byProxy}`))
        }
        const isEmpty = status === 204 || status === 205
        const content = isEmpty ? null : Readable.toWeb(response)
        if (isEmpty) response.resume()
        resolve(new Response(content, { status, headers: flat(response.headers) }))
      })
      request.end(body)
    })

const flat = (headers: IncomingHttpHeaders): Headers => {
  const found = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === "string" ? [value] : (value ?? [])) found.append(name, one)
  }
  return found
}

/** The other side answered, and not with what was asked for: surely nothing was granted. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  /** `Temporary`: 408, 429 and 5xx, it may say yes later. `Malformed`: a yes that cannot be read. */
  reason: Schema.Literals(["Refused", "Temporary", "Malformed"]),
  status: Schema.Number,
  message: Schema.String
}) {}

const isTemporary = (status: number): boolean => status === 408 || status === 429 || status >= 500

/** The answer's own words, where it has some; they may come from anybody, so they are short. */
const words = (body: unknown): string => {
  if (typeof body !== "object" || body === null) return ""
  for (const key of ["error_description", "error", "message"] as const) {
    const value: unknown = key in body ? Object.entries(body).find(([name]) => name === key)?.[1] : undefined
    if (typeof value === "string" && value.trim() !== "")
      return `: ${value.replaceAll(/\s+/g, " ").trim().slice(0, 200)}`
  }
  return ""
}

/** A 2xx whose body decodes, or why not. */
export const granted =
  <A>(decode: (body: unknown) => { readonly _tag: "Success"; readonly success: A } | { readonly _tag: "Failure" }) =>
  ({ body, status }: Answer): Effect.Effect<A, Refused> => {
    if (status < 200 || status > 299) {
      const reason = isTemporary(status) ? "Temporary" : "Refused"
      return Effect.fail(new Refused({ reason, status, message: `answered ${status}${words(body)}` }))
    }
    const decoded = decode(body)
    return decoded._tag === "Success"
      ? Effect.succeed(decoded.success)
      : Effect.fail(
          new Refused({ reason: "Malformed", status, message: `answered ${status} without what was asked for` })
        )
  }
