/**
 * One download, each hop checked and connected to the address that was checked (`delivery N5`, N7). Gives the open body;
 * the caller reads it under its own limit, and the scope closes it.
 */
import http, { type IncomingMessage } from "node:http"
import https from "node:https"
import { Effect, Schema, type Scope } from "effect"
import { check, type CheckedUrl, type Policy, type Resolve, UrlRefused } from "../UrlGuard.ts"

export class DownloadError extends Schema.TaggedError<DownloadError>()("DownloadError", {
  reason: Schema.Literals(["Unreachable", "Status", "Redirects"]),
  message: Schema.String,
  /** Worth another try. */
  retryable: Schema.Boolean
}) {}

const maxRedirects = 5
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

export interface DownloadRequest {
  readonly url: string
  readonly policy: Policy
  /** Sent to `policy.trustedOrigin` alone, so that no redirect carries a bearer elsewhere. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

const unreachable = (cause: Error) =>
  new DownloadError({ reason: "Unreachable", message: cause.message, retryable: true })

const get = (
  { address, family, url }: CheckedUrl,
  headers: Readonly<Record<string, string>>
): Effect.Effect<IncomingMessage, DownloadError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<IncomingMessage, DownloadError>((resume) => {
      const request = (url.protocol === "https:" ? https : http).get(
        url,
        {
          headers,
          // A connection of its own: one from a pool may lead to an address that was never checked.
          agent: false,
          lookup: (_host, options, answer) => {
            if (options.all === true) answer(null, [{ address, family }])
            else answer(null, address, family)
          }
        },
        (response) => resume(Effect.succeed(response))
      )
      request.on("error", (cause) => resume(Effect.fail(unreachable(cause))))
      return Effect.sync(() => request.destroy())
    }),
    (response) => Effect.sync(() => response.destroy())
  )

/** Fails on every status but 200. */
export const open = (
  { headers = {}, policy, url }: DownloadRequest,
  resolve: Resolve,
  hops = 0
): Effect.Effect<IncomingMessage, DownloadError | UrlRefused, Scope.Scope> =>
  Effect.gen(function* () {
    const checked = yield* check(url, policy, resolve)
    const isTrusted = policy.trustedOrigin === checked.url.origin
    const response = yield* get(checked, { "user-agent": "switchboard", ...(isTrusted ? headers : {}) })
    const status = response.statusCode ?? 0
    const { location } = response.headers
    if (redirects.has(status) && location !== undefined) {
      response.destroy()
      if (hops >= maxRedirects) {
        return yield* new DownloadError({
          reason: "Redirects",
          message: "it was passed on too often",
          retryable: false
        })
      }
      const next = URL.parse(location, checked.url.href)
      if (next === null) return yield* new UrlRefused({ reason: "BadUrl", message: "it was passed on to no address" })
      return yield* open({ url: next.href, policy, headers }, resolve, hops + 1)
    }
    if (status !== 200) {
      response.destroy()
      return yield* new DownloadError({
        reason: "Status",
        message: `it was answered with ${status}`,
        retryable: status >= 429
      })
    }
    return response
  })
