/**
 * What the tools do, for whoever calls: an operator reaches every chat that access allows and reads every conversation, an
 * agent reaches the same chats and reads its own conversation alone.
 */
import { createHash } from "node:crypto"
import { Clock, Duration, Effect, Schedule } from "effect"
import { HttpServerRequest } from "effect/http"
import { redact } from "../../Config/Redact.ts"
import { Asking } from "../../Conversation/Asking.ts"
import * as Reply from "../../Delivery/Reply.ts"
import { SendQueues } from "../../Delivery/SendQueues.ts"
import * as Source from "../../Message/Source.ts"
import { type Asker, Sessions } from "../../Session/Sessions.ts"
import { Installation } from "../../Storage/Installation.ts"
import { Journal } from "../../Storage/Journal.ts"
import { stored } from "../../Storage/Outbox.ts"
import type { Question } from "../../Storage/Questions.ts"
import { SessionStore } from "../../Storage/SessionStore.ts"
import { Transcript } from "../../Storage/Transcript.ts"
import { TurnRecords } from "../../Storage/TurnRecords.ts"
import type { Happened } from "../HttpProblem.ts"
import { deliveryOf } from "../Turns/TurnView.ts"
import { bearerOf } from "../Guessing.ts"
import { type Caller, nameOf, SessionTokens } from "./Caller.ts"
import { Reach } from "./Reach.ts"
import { type Failure, Toolbox } from "./Toolbox.ts"

const lookEvery = "100 millis"

const failed = (error: Failure["error"], message: string, happened: Happened = "no"): Effect.Effect<never, Failure> =>
  Effect.fail({ error, message, happened })

const reading = <A, E extends { readonly message: string }>(effect: Effect.Effect<A, E>) =>
  Effect.catch(effect, (error: E) =>
    Effect.andThen(
      Effect.logWarning("a tool could not read storage", error.message),
      failed("storage", "storage cannot be read just now; call again")
    )
  )

/** A write that failed may have been carried out: the same key settles it. */
const notStored = (error: { readonly message: string }) =>
  Effect.andThen(
    Effect.logWarning("a tool's message was not stored", error.message),
    failed("storage", "it may or may not have been stored; call again with the same idempotency_key", "unknown")
  )

const unreachable = failed(
  "not_allowed",
  "no such chat, or access does not allow it; list_targets names those that can be reached"
)
const notRunning = failed("not_running", "the link to that platform does not run just now; try later")

export const layer = Toolbox.toLayer(
  Effect.gen(function* () {
    const reach = yield* Reach
    const queues = yield* SendQueues
    const journal = yield* Journal
    const records = yield* TurnRecords
    const asking = yield* Asking
    const sessions = yield* Sessions
    const store = yield* SessionStore
    const transcript = yield* Transcript
    const tokens = yield* SessionTokens
    const installation = (yield* Installation).id
    const clock = yield* Clock.Clock

    /** The gate has let it in: a token of a conversation is an agent's, everything else an operator's. */
    const caller: Effect.Effect<Caller, never, HttpServerRequest.HttpServerRequest> = Effect.map(
      HttpServerRequest.HttpServerRequest,
      (request) => {
        const sessionKey = tokens.sessionOf(bearerOf(request) ?? "")
        return sessionKey === null ? { _tag: "Operator" } : { _tag: "Agent", sessionKey }
      }
    )

    const own = (sessionKey: string) =>
      Effect.flatMap(reading(reach.ofSession(sessionKey)), (place) =>
        place === null ? unreachable : Effect.succeed(place)
      )

    const placeOf = (name: string) =>
      Effect.flatMap(reading(reach.find(name)), (place) => (place === null ? unreachable : Effect.succeed(place)))

    const askerOf = Effect.fnUntraced(function* (who: Caller) {
      const now = clock.currentTimeMillisUnsafe()
      if (who._tag === "Operator") {
        const source = Source.make({ platform: "operator", chatId: "" })
        return { sessionKey: "", route: null, source, scope: "all", now } satisfies Asker
      }
      const { route } = yield* own(who.sessionKey)
      return { sessionKey: who.sessionKey, route, source: route.source, scope: "own", now } satisfies Asker
    })

    /** Distinct for every caller, so that nobody meets the keys of another. */
    const causeOf = (who: Caller, key: string | undefined): string =>
      `mcp:${nameOf(who)}:${createHash("sha256")
        .update(key ?? crypto.randomUUID())
        .digest("hex")
        .slice(0, 32)}`

    const delivery = (key: string) => reading(records.delivery(key))

    const awaitDelivery = (key: string, seconds: number) =>
      delivery(key).pipe(
        Effect.repeat({
          until: (found) => found === null || !["pending", "sending"].includes(found.state),
          schedule: Schedule.spaced(lookEvery)
        }),
        Effect.timeoutOption(Duration.seconds(seconds)),
        Effect.andThen(delivery(key)),
        Effect.flatMap((found) =>
          found === null ? failed("storage", "the delivery cannot be found", "unknown") : Effect.succeed(found)
        )
      )

    const questionOf = (question: Question) => ({
      question_id: question.id,
      status: question.answered
        ? ("answered" as const)
        : question.expiresAt <= clock.currentTimeMillisUnsafe()
          ? ("expired" as const)
          : ("waiting" as const),
      answer: question.asked.answer ?? null,
      expires_at: question.expiresAt
    })

    return {
      list_targets: ({ limit }) =>
        Effect.map(reading(reach.places(limit ?? 50)), (places) => ({
          targets: places.map(({ name, outlet, route }) => ({
            target: name,
            name: route.source.chatName ?? route.source.userName,
            platform: route.source.platform,
            chat_type: route.source.chatType,
            running: outlet !== null,
            last_activity_at: route.updatedAt
          }))
        })),

      send_message: Effect.fnUntraced(function* ({ idempotency_key, target, text, wait_seconds }) {
        const who = yield* caller
        const place = yield* placeOf(target)
        if (place.outlet === null) return yield* notRunning
        const rows = Reply.rows({
          installation,
          cause: causeOf(who, idempotency_key),
          link: place.outlet.link,
          target: place.target,
          sessionKey: null,
          kind: "scheduled",
          text,
          replyTo: null,
          notify: true,
          capabilities: place.outlet.capabilities(place.target),
          at: clock.currentTimeMillisUnsafe()
        })
        const [first] = rows
        const last = rows.at(-1)
        if (first === undefined || last === undefined) return yield* failed("empty", "the text is blank")
        const earlier = yield* delivery(first.key)
        if (
          earlier !== null &&
          (earlier.payload.text !== first.payload.text || earlier.payload.chatId !== first.payload.chatId)
        ) {
          return yield* failed("key_in_use", "another message was sent under this idempotency_key; use a new one")
        }
        if (earlier === null) {
          const receipt = yield* Effect.catch(journal.commit(rows.map(stored)), notStored)
          queues.offer(rows.map((row, i) => ({ ...row, seq: Number(receipt[i]?.seq ?? 0) })))
        }
        return { delivery: deliveryOf(yield* awaitDelivery(last.key, wait_seconds ?? 5)) }
      }),

      get_delivery: Effect.fnUntraced(function* ({ delivery_id }) {
        const who = yield* caller
        const found = yield* delivery(delivery_id)
        const isOwn = found !== null && (found.turn ?? "").startsWith(`mcp:${nameOf(who)}:`)
        if (found === null || (who._tag === "Agent" && !isOwn)) {
          return yield* failed("not_found", "no such delivery, or it ended more than 7 days ago and was forgotten")
        }
        return { delivery: deliveryOf(found) }
      }),

      react: Effect.fnUntraced(function* ({ emoji, message_id, remove, target }) {
        const { outlet, target: place } = yield* placeOf(target)
        if (outlet === null) return yield* notRunning
        if (outlet.react === undefined || outlet.capabilities(place).react !== true) {
          return yield* failed("unsupported", "that platform has no reactions")
        }
        yield* outlet.react({ target: place, messageId: message_id, emoji, remove: remove ?? false }).pipe(
          Effect.timeoutOrElse({
            duration: "30 seconds",
            orElse: () => failed("refused_by_platform", "the platform did not answer", "unknown")
          }),
          Effect.catchTag("SendError", (error) =>
            failed("refused_by_platform", redact(error.message), error.isAmbiguous ? "unknown" : "no")
          )
        )
        return { done: true }
      }),

      ask_user: Effect.fnUntraced(function* ({
        choices,
        expires_seconds,
        idempotency_key,
        question,
        target,
        wait_seconds
      }) {
        const who = yield* caller
        if (target === undefined && who._tag === "Operator") {
          return yield* failed("not_found", "name a target; list_targets gives them")
        }
        const place =
          target === undefined && who._tag === "Agent" ? yield* own(who.sessionKey) : yield* placeOf(target ?? "")
        if (place.outlet === null) return yield* notRunning
        const id = createHash("sha256")
          .update(`ask ${causeOf(who, idempotency_key)}`)
          .digest("hex")
          .slice(0, 32)
        const asked = yield* asking
          .ask({
            id,
            by: nameOf(who),
            sessionKey: place.route.sessionKey,
            outlet: place.outlet,
            target: place.target,
            userId: place.route.source.userId,
            question,
            choices: choices ?? [],
            lasts: Duration.seconds(expires_seconds ?? 3600)
          })
          .pipe(
            Effect.catchTag("NotAsked", ({ reason }) =>
              reason === "empty"
                ? failed("empty", "the question is blank")
                : failed("busy", "a question waits in that chat already, or too many wait elsewhere; try later")
            ),
            Effect.catchTag(["JournalError", "SqlError"], notStored)
          )
        if (asked.asked.question !== question) {
          return yield* failed("key_in_use", "another question was asked under this idempotency_key; use a new one")
        }
        // Asked it is, whatever happens to the reading of its answer.
        const found = yield* Effect.orElseSucceed(asking.look(id, Duration.seconds(wait_seconds ?? 60)), () => asked)
        return questionOf(found ?? asked)
      }),

      get_answer: Effect.fnUntraced(function* ({ question_id, wait_seconds }) {
        const who = yield* caller
        const found = yield* reading(asking.look(question_id, Duration.seconds(wait_seconds ?? 0)))
        if (found === null || (who._tag === "Agent" && found.asked.by !== nameOf(who))) {
          return yield* failed("not_found", "no such question, or it expired more than 7 days ago and was forgotten")
        }
        return questionOf(found)
      }),

      list_sessions: Effect.fnUntraced(function* ({ limit, query }) {
        const asker = yield* askerOf(yield* caller)
        const found = yield* reading(
          sessions.list(asker, { titledOnly: false, query: query ?? null, limit: limit ?? 20 })
        )
        return {
          sessions: found.slice(0, limit ?? 20).map((session) => ({
            session_id: session.sessionId,
            platform: session.platform,
            title: session.title,
            preview: redact(session.preview),
            messages: session.messages,
            last_activity_at: session.lastActivityAt
          }))
        }
      }),

      read_history: Effect.fnUntraced(function* ({ limit, session_id }) {
        const who = yield* caller
        const asker = yield* askerOf(who)
        const id = session_id ?? asker.route?.sessionId
        if (id === undefined) return yield* failed("not_found", "name a session; list_sessions gives them")
        const session = yield* reading(store.session(id))
        const isOwn = who._tag === "Operator" || session?.session_key === who.sessionKey
        if (session === null || !isOwn) return yield* failed("not_found", "no such conversation for you")
        yield* journal.flush
        const rows = yield* reading(transcript.rows(id, limit ?? 50))
        return {
          session_id: id,
          messages: rows.map(({ content, role, sender, timestamp }) => ({
            role,
            sender,
            text: redact(content),
            at: timestamp
          }))
        }
      }),

      search_history: Effect.fnUntraced(function* ({ limit, query }) {
        const asker = yield* askerOf(yield* caller)
        const hits = yield* reading(sessions.search(asker, query, limit ?? 10))
        return {
          hits: hits.map((hit) => ({
            session_id: hit.sessionId,
            role: hit.role,
            snippet: redact(hit.snippet),
            title: hit.title,
            platform: hit.platform,
            at: hit.timestamp
          }))
        }
      })
    }
  })
)
