/**
 * `POST /v1/messages`, `GET /v1/turns/{id}` and `GET /v1/turns/{id}/events`, behind the admin gate: what became of a message,
 * also for a client that lost its connection and after a restart.
 */
import { Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { TurnRecords } from "../../Storage/TurnRecords.ts"
import { AdminGate, guarded } from "../AdminGate.ts"
import { json, problem } from "../HttpProblem.ts"
import * as MessageDoor from "./MessageDoor.ts"
import * as TurnStream from "./TurnStream.ts"
import { viewOf } from "./TurnView.ts"

const badId = problem(400, {
  error: "bad_request",
  message: "a turn's id is a number, as POST /v1/messages answers it"
})
const notFound = problem(404, {
  error: "not_found",
  message: "there is no such turn, or it ended more than 7 days ago and was forgotten"
})
const unreadable = problem(
  503,
  { error: "storage", message: "storage cannot be read just now; ask again" },
  {
    "retry-after": "2"
  }
)
const full = problem(
  503,
  { error: "too_many_listeners", message: "too many clients listen; poll, or try later" },
  {
    "retry-after": "10"
  }
)

const idOf = (text: string | undefined): number | null => {
  const id = /^[1-9]\d{0,15}$/.test(text ?? "") ? Number(text) : NaN
  return Number.isSafeInteger(id) ? id : null
}

/** `null`: it is none of ours. */
const lastEventId = (text: string | undefined): number | null =>
  text === undefined || text === "" ? 0 : /^\d{1,9}$/.test(text) ? Number(text) : null

export const layer = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const gate = yield* AdminGate
    const records = yield* TurnRecords
    const door = yield* MessageDoor.make
    const stream = yield* TurnStream.make

    const found = Effect.map(HttpRouter.params, ({ id }) => idOf(id))
    const sqlFails = (error: { readonly message: string }) =>
      Effect.as(Effect.logWarning("a turn could not be read", error.message), unreadable)

    yield* router.add("POST", "/v1/messages", guarded(gate, door))
    yield* router.add(
      "GET",
      "/v1/turns/:id",
      guarded(gate, () =>
        Effect.gen(function* () {
          const id = yield* found
          if (id === null) return badId
          const record = yield* records.turn(id)
          return record === null ? notFound : json(200, viewOf(record))
        }).pipe(Effect.catchTag("SqlError", sqlFails))
      )
    )
    yield* router.add(
      "GET",
      "/v1/turns/:id/events",
      guarded(gate, (request) =>
        Effect.gen(function* () {
          const id = yield* found
          const after = lastEventId(request.headers["last-event-id"])
          if (id === null) return badId
          if (after === null) {
            return problem(400, {
              error: "bad_request",
              message: "Last-Event-ID is the number of the last event you saw; leave it out to get all of them"
            })
          }
          if ((yield* records.turn(id)) === null) return notFound
          if (stream.isFull()) return full
          return HttpServerResponse.stream(stream.frames(id, after).pipe(Stream.encodeText), {
            contentType: "text/event-stream",
            headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
          })
        }).pipe(Effect.catchTag("SqlError", sqlFails))
      )
    )
  })
).pipe(Layer.provide(TurnRecords.layer))
