/**
 * Questions to a chat that no turn of ours asks: the next message there that may answer does, whether or not a turn runs, and
 * its answer is stored with the end of that message. Whoever asked may be gone by then, and so may this process.
 */
import { Clock, Context, Deferred, Duration, Effect, Layer, Schema, Scope } from "effect"
import type { SqlError } from "effect/sql"
import type { Answer } from "../Agent/Agent.ts"
import * as Reply from "../Delivery/Reply.ts"
import type { Outlet, Target } from "../Delivery/Outlet.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { Installation } from "../Storage/Installation.ts"
import { Journal, type JournalError } from "../Storage/Journal.ts"
import { stored } from "../Storage/Outbox.ts"
import * as Stored from "../Storage/Questions.ts"
import { Prompts } from "./Prompts.ts"
import * as Texts from "./Texts.ts"

/** Open questions at once. */
const mostOpen = 256

/** Nothing was asked. `busy`: that chat has a question that waits. `full`: too many wait everywhere. `empty`: no text. */
export class NotAsked extends Schema.TaggedError<NotAsked>()("NotAsked", {
  reason: Schema.Literals(["busy", "full", "empty"])
}) {}

export interface AskRequest {
  readonly id: string
  readonly by: string
  readonly sessionKey: string
  readonly outlet: Outlet
  readonly target: Target
  readonly userId: string | null
  readonly question: string
  readonly choices: ReadonlyArray<string>
  readonly lasts: Duration.Duration
}

const textOf = (answer: Answer): string =>
  answer._tag === "Text" ? answer.text : answer._tag === "Decision" ? answer.choice : ""

export class Asking extends Context.Service<
  Asking,
  {
    /** Durable when it returns; the same id asks once. */
    readonly ask: (request: AskRequest) => Effect.Effect<Stored.Question, NotAsked | JournalError | SqlError.SqlError>
    /** As it stands, after waiting at most so long for an answer. `null`: there is no such question, or no longer. */
    readonly look: (id: string, wait: Duration.Duration) => Effect.Effect<Stored.Question | null, SqlError.SqlError>
  }
>()("Conversation/Asking") {
  static readonly layer = Layer.effect(
    Asking,
    Effect.gen(function* () {
      const prompts = yield* Prompts
      const journal = yield* Journal
      const queues = yield* SendQueues
      const questions = yield* Stored.Questions
      const installation = (yield* Installation).id
      const clock = yield* Clock.Clock
      const scope = yield* Effect.scope
      const open = new Map<string, Deferred.Deferred<void>>()

      /** Waits in the chat until it is answered or its time is over. */
      const wait = (question: Stored.Question) =>
        Effect.gen(function* () {
          const { asked, expiresAt, id, sessionKey } = question
          const done = yield* Deferred.make<void>()
          open.set(id, done)
          const life = yield* Scope.fork(scope)
          const prompt = {
            id: prompts.idOf("ask", id),
            sessionKey,
            kind: "question" as const,
            choices: asked.choices,
            allowPermanent: false,
            takesText: true,
            userId: asked.userId,
            isDirect: asked.isDirect,
            outside: (answer: Answer) => [Stored.answered(question, textOf(answer))],
            resolve: () => Effect.asVoid(Deferred.succeed(done, undefined))
          }
          yield* Scope.provide(prompts.open(prompt), life)
          yield* Deferred.await(done).pipe(
            Effect.timeoutOption(Duration.millis(Math.max(0, expiresAt - clock.currentTimeMillisUnsafe()))),
            Effect.onExit((exit) =>
              Effect.andThen(
                Effect.sync(() => {
                  open.delete(id)
                  Deferred.doneUnsafe(done, Effect.void)
                }),
                Scope.close(life, exit)
              )
            ),
            Effect.forkIn(scope)
          )
        })

      // Before any message is taken in: one of them may be the answer.
      const now = clock.currentTimeMillisUnsafe()
      yield* Effect.forEach(yield* questions.open(now, mostOpen), wait, { discard: true })

      return {
        ask: Effect.fnUntraced(function* (request) {
          const { by, choices, id, lasts, outlet, question: text, sessionKey, target, userId } = request
          const earlier = yield* questions.find(id)
          if (earlier !== null) return earlier
          if (open.size >= mostOpen) return yield* new NotAsked({ reason: "full" })
          if (prompts.of(sessionKey).length > 0) return yield* new NotAsked({ reason: "busy" })
          const at = clock.currentTimeMillisUnsafe()
          const rows = Reply.rows({
            installation,
            cause: `ask:${id}`,
            link: outlet.link,
            target,
            sessionKey,
            kind: "prompt",
            text: text.trim() === "" ? "" : Texts.question(text, choices),
            replyTo: null,
            notify: true,
            capabilities: outlet.capabilities(target),
            at
          })
          const first = rows[0]
          if (first === undefined) return yield* new NotAsked({ reason: "empty" })
          const question: Stored.Question = {
            id,
            sessionKey,
            link: outlet.link,
            asked: { question: text, choices, by, userId, isDirect: target.chatType === "dm", delivery: first.key },
            answered: false,
            expiresAt: at + Duration.toMillis(lasts)
          }
          const receipt = yield* journal.commit([...rows.map(stored), Stored.asked(question, at)])
          // Before it can be read: an answer may come at once.
          yield* wait(question)
          queues.offer(rows.map((row, i) => ({ ...row, seq: Number(receipt[i]?.seq ?? 0) })))
          return question
        }, Effect.uninterruptible),
        look: Effect.fnUntraced(function* (id, patience) {
          const waiting = open.get(id)
          if (waiting !== undefined) yield* Effect.timeoutOption(Deferred.await(waiting), patience)
          return yield* questions.find(id)
        })
      }
    })
  ).pipe(Layer.provide(Stored.Questions.layer))
}
