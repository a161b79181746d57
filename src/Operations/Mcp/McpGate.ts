/**
 * Who may call tools: an agent with the token of its conversation, whoever has `SWITCHBOARD_MCP_TOKEN`, and whoever the admin
 * gate lets in. A bearer that is none of them is refused also where nobody needs one, and guessing is slowed.
 */
import { Effect, Redacted } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import { AdminGate, forbidden, tooMany, unauthorized } from "../AdminGate.ts"
import * as Guessing from "../Guessing.ts"
import * as RequestOrigin from "../RequestOrigin.ts"
import { SessionTokens } from "./Caller.ts"

type Response = HttpServerResponse.HttpServerResponse

/** `token`: of its own; without one the admin key is what counts. */
export const make = Effect.fnUntraced(function* (options: {
  readonly token: Redacted.Redacted | null
  readonly hasAdminKey: boolean
}) {
  const gate = yield* AdminGate
  const tokens = yield* SessionTokens
  const guessing = Guessing.make()
  const { hasAdminKey, token } = options

  return (request: HttpServerRequest.HttpServerRequest): Effect.Effect<Response | null> =>
    Effect.suspend(() => {
      if (!RequestOrigin.isOwn(request)) return Effect.succeed(forbidden)
      const bearer = Guessing.bearerOf(request)
      if (bearer === undefined) {
        // Its own token set means that nobody comes in without one; a login of the console does.
        return token !== null && !hasAdminKey ? Effect.succeed(unauthorized) : gate.refusal(request)
      }
      if (tokens.sessionOf(bearer) !== null) return Effect.succeed(null)
      if (token !== null && Guessing.sameText(bearer, Redacted.value(token))) return Effect.succeed(null)
      if (hasAdminKey) return gate.refusal(request)
      return guessing.isFull() ? Effect.succeed(tooMany) : Effect.as(guessing.wrong, unauthorized)
    })
})
