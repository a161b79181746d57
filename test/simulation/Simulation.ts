/**
 * The whole gateway in simulated time: the real program on memory storage and a simulated wire, a seeded world that sends,
 * cuts, crashes and loses, and the laws as invariants. Everything follows from the seed, so a failing one plays again.
 */
import { Clock, Context, Effect, Exit, Fiber, Layer, Schedule, Scope, Stream } from "effect"
import { SqlError } from "effect/sql"
import { Agent, type AgentEvent, type AgentRun } from "../../src/Agent/Agent.ts"
import * as Echo from "../../src/Agent/Echo.ts"
import { Settings } from "../../src/Config/Settings.ts"
import { repeatMark } from "../../src/Delivery/Attempt.ts"
import { coreOf } from "../../src/Gateway.ts"
import { Registry } from "../../src/Platforms/Registry.ts"
import { DialError, Dialer } from "../../src/Relay/Dialer.ts"
import * as RelayAdapter from "../../src/Relay/RelayAdapter.ts"
import { Intake } from "../../src/Session/Intake.ts"
import { Lanes } from "../../src/Session/Lanes.ts"
import { Database } from "../../src/Storage/Database.ts"
import { Journal } from "../../src/Storage/Journal.ts"
import { type Random, seeded } from "../support/Random.ts"
import { type Planted, planted } from "./Planted.ts"
import { SimConnector } from "./SimConnector.ts"
import * as SimWire from "./SimWire.ts"

export interface Result {
  readonly seed: number
  readonly violations: ReadonlyArray<string>
  readonly simulatedMs: number
  readonly messages: number
  readonly crashes: number
  readonly trace: ReadonlyArray<string>
}

/** One life of the gateway, from its start to a crash. */
interface Incarnation {
  readonly number: number
  dead: boolean
  /** The next transaction commits and its receipt is lost, or it is lost itself. */
  dieAt: "after-commit" | "before-commit" | null
  readonly kill: () => void
}

const crashed = () =>
  new SqlError.SqlError({
    reason: new SqlError.ConnectionError({
      cause: new Error("the process was killed"),
      message: "killed",
      operation: "commit"
    })
  })

interface World {
  readonly random: Random
  readonly connector: SimConnector
  readonly trace: Array<string>
  readonly violations: Array<string>
  readonly now: () => number
  readonly latency: number
  readonly fault: Planted | null
  readonly mode: "queue" | "steer"
}

/** The database as a process sees it that may be killed: late by chance, and gone from one moment to the next. */
const mortal = (database: Database["Service"], life: Incarnation, world: World): Database["Service"] => {
  const late = Effect.suspend(() => Effect.sleep(world.random.below(12)))
  const alive = Effect.suspend(() => (life.dead ? Effect.fail(crashed()) : Effect.void))
  return {
    ...database,
    execute: (sql, params) => Effect.andThen(alive, database.execute(sql, params)),
    transaction: (e) =>
      late.pipe(
        Effect.andThen(alive),
        Effect.andThen(
          Effect.suspend(() => {
            if (life.dieAt !== "before-commit") return Effect.void
            life.kill()
            return Effect.fail(crashed())
          })
        ),
        Effect.andThen(database.transaction(e)),
        Effect.tap(() =>
          Effect.suspend(() => {
            if (life.dieAt !== "after-commit") return Effect.void
            life.kill()
            return Effect.fail(crashed())
          })
        ),
        Effect.tap(() => Effect.andThen(late, alive))
      )
  }
}

const dialer = (life: Incarnation, world: World) =>
  Layer.succeed(Dialer, {
    dial: () =>
      Effect.gen(function* () {
        yield* Effect.sleep(world.random.below(world.latency + 1))
        if (life.dead || world.random.next() < 0.1)
          return yield* new DialError({ reason: "Unreachable", status: null, message: "simulated" })
        const link = {
          send: (text: string) => socket.send(text),
          cut: (code: number) => socket.cut(code)
        }
        const socket = yield* SimWire.make({
          random: world.random,
          latency: world.latency,
          onText: (text) => world.connector.onText(text),
          onClose: () => world.connector.disconnect(link)
        })
        world.connector.connect(link)
        return planted.wire(world.fault, socket.wire)
      })
  })

/** Counts turns per session: two at once break law 1. */
const watched = (life: Incarnation, world: World) =>
  Layer.effect(
    Agent,
    Effect.gen(function* () {
      const echo = yield* Agent
      const running = new Map<string, number>()
      return {
        name: "watched echo",
        start: (turn) =>
          Effect.andThen(
            Effect.acquireRelease(
              Effect.sync(() => {
                const now = (running.get(turn.sessionKey) ?? 0) + 1
                running.set(turn.sessionKey, now)
                if (now > 1 && !life.dead) world.violations.push(`two turns at once in ${turn.sessionKey}`)
              }),
              () => Effect.sync(() => running.set(turn.sessionKey, (running.get(turn.sessionKey) ?? 1) - 1))
            ),
            Effect.map(echo.start(turn), (run) => steerable(run, turn.event.text))
          )
      }
    })
  ).pipe(Layer.provide(Echo.layer))

/** Takes what it is handed until its answer is made, and answers with it too. */
const steerable = (run: AgentRun, asked: string): AgentRun => {
  // The answer to an approval says what it was about.
  const heard: Array<string> = asked.startsWith("!approve ") ? [asked.slice(9)] : []
  let isOver = false
  return {
    ...run,
    events: Stream.map(run.events, (event): AgentEvent => {
      if (event._tag !== "Final") return event
      isOver = true
      return { ...event, text: [event.text, ...heard].join("\n") }
    }),
    steer: (text) => Effect.sync(() => !isOver && text.includes("<") && heard.push(text) > 0)
  }
}

const settings = (mode: "queue" | "steer") =>
  Settings.layerFrom({
    "display.busy_input_mode": mode,
    "display.busy_ack_enabled": false,
    "agent.restart_drain_timeout": 0
  })

const start = (number: number, database: Database["Service"], world: World, onDeath: (life: Incarnation) => void) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const life: Incarnation = {
      number,
      dead: false,
      dieAt: null,
      kill: () => {
        if (life.dead) return
        life.dead = true
        world.trace.push(`${world.now()} gateway ${number} dies`)
        world.connector.cut()
        onDeath(life)
      }
    }
    world.trace.push(`${world.now()} gateway ${number} starts`)
    const registry = Layer.effect(
      Registry,
      Effect.map(Dialer, (dialer) => ({
        registrations: [
          {
            name: "relay",
            label: "Simulated relay",
            make: RelayAdapter.make({
              url: "http://connector.invalid",
              identities: [{ platform: "relay", botId: "" }],
              cache: "/nowhere",
              id: null,
              secret: null,
              streamingDefault: true
            }).pipe(
              Effect.provideService(Dialer, dialer),
              Effect.updateService(Intake, (intake) => planted.intake(world.fault, intake))
            )
          }
        ]
      }))
    ).pipe(Layer.provide(dialer(life, world)))
    const gateway = coreOf({
      lanes: planted.lanes(world.fault, Lanes.layerLocal),
      journal: planted.journal(world.fault, Journal.layer)
    }).pipe(
      Layer.provide(registry),
      Layer.provide(watched(life, world)),
      Layer.provide(Layer.succeed(Database, planted.database(world.fault, mortal(database, life, world)))),
      Layer.provide(settings(world.mode))
    )
    const fiber = yield* Effect.forkIn(
      Layer.build(gateway).pipe(
        Effect.provideService(Scope.Scope, scope),
        Effect.catchCause((cause) =>
          life.dead
            ? Effect.void
            : Effect.sync(() => world.violations.push(`gateway ${number} did not start: ${String(cause)}`))
        )
      ),
      scope
    )
    return { life, end: Effect.andThen(Fiber.interrupt(fiber), Scope.close(scope, Exit.void)) }
  })

/** What one user will say, and when the world has seen it answered. */
interface Line {
  readonly token: string
  readonly text: string
}

const phrase = (random: Random, token: string): string => {
  switch (random.below(7)) {
    case 3:
      return `!approve ${token}`
    case 0:
      return `!sleep ${random.below(4000)} ${token}`
    case 1:
      return `!stream ${1 + random.below(5)} ${random.below(900)} ${token} ${"word ".repeat(random.below(20))}end`
    case 2:
      return `!tool search ${token}`
    default:
      return `${token} hello`
  }
}

/** Not an answer: a tool's line, or a question, which shows the token too. */
const isChrome = (text: string): boolean => text.startsWith("⚙️") || isQuestion(text)
const isQuestion = (text: string): boolean => text.includes("The agent asks to run")

/** Times that a token is shown as an answer; a marked repeat is honest and counts apart. */
const answers = (connector: SimConnector, chat: string, token: string) => {
  const shown = (connector.screens.get(chat) ?? []).filter(({ text }) => text.includes(token) && !isChrome(text))
  const marked = shown.filter(({ text }) => text.startsWith(repeatMark)).length
  return { plain: shown.length - marked, marked }
}

const isComplete = (connector: SimConnector, chat: string, line: Line): boolean => {
  const wanted = line.text.startsWith("!stream") ? " end" : ""
  return (connector.screens.get(chat) ?? []).some(
    ({ text }) =>
      text.includes(line.token) &&
      // What a turn was handed stands behind its own answer.
      text.slice(text.indexOf(line.token)).split("\n")[0]!.trimEnd().endsWith(wanted.trim()) &&
      !isChrome(text) &&
      !text.includes("▉")
  )
}

export const simulate = (options: {
  readonly seed: number
  readonly fault?: Planted | null
  readonly say?: (line: string) => void
}): Effect.Effect<Result> =>
  Effect.scoped(
    Effect.gen(function* () {
      const random = seeded(options.seed)
      const clock = yield* Clock.Clock
      const now = () => clock.currentTimeMillisUnsafe()
      const idempotent = random.next() < 0.7
      const calm = random.next() < 0.2
      const duration = 60_000 + random.below(240_000)
      const connector = new SimConnector({
        random,
        now,
        idempotent,
        rates: {
          dropResult: calm ? 0 : random.next() * 0.1,
          duplicate: random.next() * 0.2,
          refuse: calm ? 0 : random.next() * 0.05,
          cutOnText: calm ? 0 : random.next() * 0.03
        }
      })
      const world: World = {
        random,
        connector,
        trace: [],
        violations: [],
        now,
        latency: random.below(250),
        fault: options.fault ?? null,
        mode: random.next() < 0.3 ? "steer" : "queue"
      }
      const { trace, violations } = world
      const storage = yield* Layer.build(Database.layer({ storage: "memory", filename: "" })).pipe(Effect.orDie)
      const database = Context.get(storage, Database)

      // Users: each chat has its script; some wait for answers, some send bursts.
      const script: Array<{ readonly chat: string; readonly lines: Array<Line> }> = []
      for (let chat = 0; chat < 2 + random.below(3); chat++) {
        const name = `chat${chat}`
        const lines = Array.from({ length: 2 + random.below(5) }, (_, n) => {
          const token = `<${chat}.${n}>`
          return { token, text: phrase(random, token) }
        })
        script.push({ chat: name, lines })
        const burst = random.next() < 0.3
        yield* Effect.forkScoped(
          Effect.gen(function* () {
            for (const [n, line] of lines.entries()) {
              yield* Effect.sleep(burst ? random.below(300) : random.below(20_000))
              trace.push(`${now()} ${name} says ${line.text}`)
              connector.say(name, `${name}-m${n}`, line.text)
              // A patient user waits, but not for ever: the next message comes anyway.
              for (let i = 0; !burst && i < 40 && !isComplete(connector, name, line); i++) yield* Effect.sleep(500)
            }
          })
        )
      }

      // Each question that appears is answered, also one that is asked again after a crash, and one that is shown twice.
      for (const { chat } of script) {
        const answered = new Set<string>()
        yield* Effect.forkScoped(
          Effect.sync(() => {
            for (const { id, text } of connector.screens.get(chat) ?? []) {
              if (!isQuestion(text) || answered.has(id)) continue
              answered.add(id)
              connector.say(chat, `${chat}-answer-${id}`, "yes")
            }
          }).pipe(Effect.schedule(Schedule.spaced("700 millis")))
        )
      }

      // Life and death of the gateway.
      let crashes = 0
      let current: { readonly life: Incarnation; readonly end: Effect.Effect<void> } | null = null
      const reborn = (number: number): Effect.Effect<void> =>
        Effect.map(
          start(number, database, world, () => {
            crashes++
          }),
          (life) => {
            current = life
          }
        )
      yield* reborn(1)
      // A killed process is gone at once; here its fibers still have to be told, in simulated time.
      let ending = 0
      const buried = (end: Effect.Effect<void>) =>
        Effect.suspend(() => {
          ending++
          return Effect.ensuring(
            end,
            Effect.sync(() => ending--)
          )
        })
      const deaths = calm ? 0 : random.below(5)
      yield* Effect.forkScoped(
        Effect.gen(function* () {
          for (let n = 0; n < deaths; n++) {
            yield* Effect.sleep(random.below(Math.floor(duration / (deaths + 1))))
            const { end, life } = current!
            const how = random.pick(["now", "after-commit", "before-commit"] as const)
            if (how === "now") life.kill()
            else {
              life.dieAt = how
              for (let i = 0; i < 100 && !life.dead; i++) yield* Effect.sleep(20)
              life.kill()
            }
            yield* Effect.forkScoped(buried(end))
            yield* Effect.sleep(200 + random.below(3000))
            yield* reborn(n + 2)
          }
        })
      )
      // Cuts of the line between.
      yield* Effect.forkScoped(
        Effect.gen(function* () {
          for (let n = 0; n < (calm ? 0 : random.below(4)); n++) {
            yield* Effect.sleep(random.below(duration))
            trace.push(`${now()} line cut`)
            connector.cut()
          }
        })
      )

      const say = options.say ?? (() => {})
      const began = now()
      yield* Effect.sleep(duration)
      say("peace")
      // Peace: from here on everything owed must come to its end.
      connector.rates = { dropResult: 0, duplicate: 0, refuse: 0, cutOnText: 0 }
      const isDone = () =>
        connector.unacknowledged === 0 &&
        script.every(({ chat, lines }) => lines.every((line) => isComplete(connector, chat, line)))
      const settled = Effect.gen(function* () {
        for (let i = 0; i < 45 && !isDone(); i++) yield* Effect.sleep("10 seconds")
      })
      yield* settled
      // A quiet night: sessions are passivated and revived, sweeps and pings go on, nothing is forgotten.
      if (options.seed % 10 === 0) {
        yield* Effect.sleep(`${3 + random.below(10)} hours`)
        for (const [n, { chat, lines }] of script.entries()) {
          const line = { token: `<${n}.morning>`, text: phrase(random, `<${n}.morning>`) }
          lines.push(line)
          connector.say(chat, `${chat}-morning`, line.text)
        }
        yield* settled
      }
      yield* Effect.sleep("90 seconds")
      say("judged")

      // Where the platform takes no keys, a message whose marked repeat got no answer either is given up and shown to the
      // operator (`delivery O4` c): the one case in which nobody can know.
      const givenUp = idempotent
        ? []
        : (yield* Effect.orDie(
            database.execute("SELECT payload FROM outbox WHERE state = 'dead' AND error_kind = 'ambiguous'", [])
          )).map((row) => String(row.payload))
      // A message whose turn died with three processes is set aside, and its sender told so (`session U5`).
      const setAside = (yield* Effect.orDie(
        database.execute("SELECT event FROM inbox WHERE state = 'dead' AND starts >= 3", [])
      )).map((row) => String(row.event))
      const isGivenUp = ({ token }: Line) => [...givenUp, ...setAside].some((text) => text.includes(token))

      for (const { chat, lines } of script) {
        let last = -1
        for (const line of lines) {
          const { marked, plain } = answers(connector, chat, line.token)
          if (isGivenUp(line)) continue
          if (plain + marked === 0) violations.push(`lost: ${chat} ${line.text}`)
          else if (!isComplete(connector, chat, line)) violations.push(`unfinished: ${chat} ${line.text}`)
          if (plain > 1) violations.push(`shown ${plain} times: ${chat} ${line.text}`)
          if (idempotent && marked > 0) violations.push(`a repeat where the platform takes keys: ${chat} ${line.text}`)
          const at = (connector.screens.get(chat) ?? []).findIndex(
            ({ text }) => text.includes(line.token) && !isChrome(text)
          )
          if (at >= 0 && at < last) violations.push(`out of order: ${chat} ${line.text}`)
          if (at >= 0) last = at
        }
      }
      violations.push(...connector.violations)
      const count = (sql: string) => Effect.map(Effect.orDie(database.execute(sql, [])), ([row]) => Number(row?.n ?? 0))
      const undone = yield* count("SELECT COUNT(*) AS n FROM inbox WHERE state <> 'done'")
      if (undone > setAside.length) violations.push(`${undone - setAside.length} inbox rows did not end as done`)
      const open = yield* count("SELECT COUNT(*) AS n FROM outbox WHERE state NOT IN ('sent', 'superseded')")
      if (open > givenUp.length) violations.push(`${open - givenUp.length} outbox rows were not sent`)
      if (violations.length > 0) {
        const rows = yield* Effect.orDie(
          database.execute("SELECT * FROM outbox WHERE state NOT IN ('sent', 'superseded')", [])
        )
        for (const row of rows) trace.push(JSON.stringify(row))
        const left = yield* Effect.orDie(database.execute("SELECT * FROM inbox WHERE state <> 'done'", []))
        for (const row of left) trace.push(JSON.stringify(row))
      }
      const messages = script.reduce((sum, { lines }) => sum + lines.length, 0)
      const stored = yield* count("SELECT COUNT(*) AS n FROM messages WHERE role = 'user' AND content <> 'yes'")
      if (stored !== messages - setAside.length)
        violations.push(`${stored} user messages in the transcripts, ${messages} were said`)
      const adrift = yield* count(
        `SELECT COUNT(*) AS n FROM session_routes r LEFT JOIN sessions s ON s.id = r.session_id
          WHERE s.id IS NULL OR s.ended_at IS NOT NULL`
      )
      if (adrift > 0) violations.push(`${adrift} keys point at conversations that are over`)
      const live = yield* count(
        `SELECT COUNT(*) AS n FROM (SELECT session_key FROM sessions WHERE ended_at IS NULL
          GROUP BY session_key HAVING COUNT(*) > 1) twice`
      )
      if (live > 0) violations.push(`${live} keys have two conversations`)
      if (current !== null) yield* Effect.forkScoped(buried((current as { readonly end: Effect.Effect<void> }).end))
      yield* Effect.sleep("1 second")
      for (let i = 0; i < 60 && ending > 0; i++) yield* Effect.sleep("10 seconds")
      if (ending > 0) violations.push("a gateway does not stop")
      say("stopped")
      return { seed: options.seed, violations, simulatedMs: now() - began, messages, crashes, trace }
    })
  )
