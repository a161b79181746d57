/**
 * `POST /v1/messages`: a message without a chat platform. It goes through the intake like any other (access, Inbox, actor),
 * and is answered after the durable commit with the id of its turn (law 2).
 */
import { ByteSize, Effect, Schema } from "effect"
import { HttpIncomingMessage, HttpServerRequest } from "effect/http"
import { text } from "../../Message/MessageEvent.ts"
import * as Source from "../../Message/Source.ts"
import { Intake } from "../../Session/Intake.ts"
import { messageKeyOf } from "../../Session/IntakeLive.ts"
import { Inbox } from "../../Storage/Inbox.ts"
import { json, problem } from "../HttpProblem.ts"
import { apiLink, apiPlatform } from "./ApiLink.ts"

const maxBytes = 256 * 1024

const Id = Schema.String.check(Schema.isPattern(/^[\w.:@+-]{1,128}$/))
const Body = Schema.Struct({
  text: Schema.String.check(
    Schema.isMaxLength(100_000),
    Schema.makeFilter((value) => value.trim() !== "")
  ),
  chat: Schema.optionalKey(Id),
  user: Schema.optionalKey(Id),
  idempotency_key: Schema.optionalKey(Id)
})

const shape =
  'send JSON like {"text": "hello"}; "text" is 1 to 100000 characters and not blank; "chat", "user" and ' +
  '"idempotency_key" are optional, each 1 to 128 of letters, digits and _ . : @ + -'
const badRequest = problem(400, { error: "bad_request", message: shape })
const tooLarge = problem(413, { error: "too_large", message: "the body is larger than 256 KiB; send less" })
const unavailable = problem(
  503,
  {
    error: "storage",
    happened: "unknown",
    message: "the message may or may not have been stored; send it again with the same idempotency_key"
  },
  { "retry-after": "2" }
)

/** `Content-Length` says it before the body is read; a body without one is cut at the bound. */
const declaresTooMuch = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  Number(headers["content-length"] ?? 0) > maxBytes

export const make = Effect.gen(function* () {
  const intake = yield* Intake
  const inbox = yield* Inbox

  return Effect.fnUntraced(
    function* (request: HttpServerRequest.HttpServerRequest) {
      if (declaresTooMuch(request)) return tooLarge
      const body = yield* Effect.catchTag(
        HttpServerRequest.schemaBodyJson(Body),
        ["SchemaError", "HttpServerError"],
        () => Effect.succeed(null)
      )
      if (body === null) return badRequest
      const messageId = body.idempotency_key ?? crypto.randomUUID()
      const source = Source.make({
        platform: apiPlatform,
        chatId: body.chat ?? "default",
        userId: body.user ?? "api"
      })
      const inbound = {
        event: text(source, body.text, messageId),
        provenance: Source.untrusted,
        link: apiLink,
        bufferId: null
      }
      const [outcome] = yield* intake.take([inbound])
      if (outcome === "refused") {
        return problem(403, { error: "not_allowed", message: "access does not let this user speak here" })
      }
      const [row] = yield* inbox.byKeys([messageKeyOf(inbound), null], null)
      if (row === undefined) return unavailable
      if (outcome === "duplicate" && (row.event?.text !== body.text || row.event.source.userId !== source.userId)) {
        return problem(409, {
          error: "key_in_use",
          message: "another message was sent under this idempotency_key; use a new one"
        })
      }
      const turn = String(row.id)
      return json(202, { turn, duplicate: outcome === "duplicate" }, { location: `/v1/turns/${turn}` })
    },
    (effect, request) =>
      effect.pipe(
        Effect.catchTag("JournalError", (error) =>
          Effect.as(Effect.logWarning("a message of the API was not stored", error.message), unavailable)
        ),
        Effect.catchTag("SqlError", (error) =>
          Effect.as(Effect.logWarning("a message of the API cannot be found again", error.message), unavailable)
        ),
        Effect.provideService(HttpServerRequest.HttpServerRequest, request),
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBytes))
      )
  )
})
