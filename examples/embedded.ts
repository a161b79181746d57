/**
 * The gateway inside an Effect application: an agent and a chat of its own, beside a service that the application has
 * anyway. After `npm run build`: `npx node examples/embedded.ts`.
 */
import { Context, Effect, Layer, Logger, Queue, Stream, SubscriptionRef } from "effect"
import {
  type Adapter,
  type AdapterState,
  Agent,
  type AgentEvent,
  Gateway,
  Intake,
  makeSource,
  type Registration,
  textEvent,
  untrusted
} from "switchboard"

/** The application's own part: what a person types, and what is shown to them. */
class Terminal extends Context.Service<
  Terminal,
  {
    readonly typed: Queue.Queue<string>
    readonly shown: Queue.Queue<string>
  }
>()("example/Terminal") {
  static readonly layer = Layer.effect(
    Terminal,
    Effect.all({ typed: Queue.bounded<string>(16), shown: Queue.bounded<string>(16) })
  )
}

/** An agent that shouts: it streams the words, then says the whole. */
const shouting = Layer.succeed(Agent, {
  name: "shouting",
  start: ({ event: { text } }) => {
    const answer = text.toUpperCase()
    const words = answer.split(/(?<=\s)/).map((text): AgentEvent => ({ _tag: "TextDelta", text }))
    return Effect.succeed({
      events: Stream.fromIterable<AgentEvent>([...words, { _tag: "Final", text: answer }]),
      answer: () => Effect.void,
      steer: () => Effect.succeed(false)
    })
  }
})

/** A platform of one chat: reads what is typed, shows what it is given. */
const terminalAdapter = ({ shown, typed }: Terminal["Service"]): Registration => ({
  name: "terminal",
  label: "Terminal",
  make: Effect.gen(function* () {
    const intake = yield* Intake
    const source = makeSource({ platform: "terminal", chatId: "main", userId: "me" })
    const state = yield* SubscriptionRef.make<AdapterState>({
      status: "connected",
      detail: null,
      lastIn: null,
      lastOut: null,
      reconnects: 0
    })
    yield* Stream.fromQueue(typed).pipe(
      Stream.runForEach((text) =>
        Effect.orDie(
          intake.take([
            {
              event: textEvent(source, text, crypto.randomUUID()),
              provenance: untrusted,
              link: "terminal:",
              bufferId: null
            }
          ])
        )
      ),
      Effect.forkScoped
    )
    return {
      platform: "terminal",
      label: "Terminal",
      state,
      drain: Effect.void,
      // Nothing can be lost between here and the terminal: asked, it is always there.
      probe: Effect.void,
      outlet: {
        link: "terminal:",
        isUp: () => true,
        awaitUp: Effect.void,
        settle: () => "mark",
        capabilities: () => ({
          maxLength: 4000,
          lengthUnit: "utf16",
          dialect: "plain",
          edit: false,
          typing: false,
          streaming: false,
          settle: "mark"
        }),
        send: ({ text }) => Effect.as(Queue.offer(shown, text), { messageId: null }),
        edit: () => Effect.void,
        typing: () => Effect.void
      }
    } satisfies Adapter
  })
})

const gateway = Layer.unwrap(
  Effect.map(Terminal, (terminal) =>
    Gateway.layer({
      settings: { SWITCHBOARD_STORAGE: "memory", TERMINAL_ALLOW_ALL_USERS: "true" },
      adapters: [terminalAdapter(terminal)],
      agent: shouting
    })
  )
)

const program = Effect.gen(function* () {
  const { shown, typed } = yield* Terminal
  yield* Queue.offer(typed, "is anybody there?")
  console.log(yield* Queue.take(shown))
  yield* (yield* Gateway).send({ platform: "terminal", chatId: "main", text: "The gateway can speak first, too." })
  console.log(yield* Queue.take(shown))
})

await Effect.runPromise(
  program.pipe(
    Effect.timeout("20 seconds"),
    Effect.provide(gateway),
    Effect.provide(Terminal.layer),
    Effect.provide(Logger.layer([]))
  )
)
