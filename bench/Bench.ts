/**
 * `npm run bench -- [--seconds S] [--chats N] [--rounds R] [--postgres] [--only raw,sqlite] [--profile DIR]`: the
 * gateway as a process against a raw client measured in the same run, in alternating rounds, as ratios of medians. It
 * judges nothing: the exit code says only whether it could measure.
 */
import { type ChildProcess, fork } from "node:child_process"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { Effect, Redacted, type Scope } from "effect"
import { eventually } from "../test/support/Eventually.ts"
import * as GatewayProcess from "../test/support/GatewayProcess.ts"
import * as Postgres from "../test/support/Postgres.ts"
import { median, millis, rate, table } from "./Figures.ts"
import type { FloodFigure, Order, Report, TurnsFigure } from "./Wire.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "2" },
    chats: { type: "string", default: "500" },
    rounds: { type: "string", default: "3" },
    "flood-chats": { type: "string", default: "4000" },
    "flood-messages": { type: "string", default: "30000" },
    postgres: { type: "boolean", default: false },
    /** Comma list of contestants; the raw client should be among them. */
    only: { type: "string", default: "" },
    /** Folder for a CPU profile of every gateway process. */
    profile: { type: "string", default: "" },
    json: { type: "boolean", default: false }
  }
})

const positive = (name: "seconds" | "chats" | "rounds" | "flood-chats" | "flood-messages"): number => {
  const value = Number(values[name])
  if (value > 0 && Number.isFinite(value)) return value
  process.stderr.write(`--${name} wants a number above 0\n`)
  process.exit(2)
}
const seconds = positive("seconds")
const chats = positive("chats")
const rounds = positive("rounds")
const floodChats = positive("flood-chats")
/** No session gets more than it may keep waiting in memory, so that the flood measures intake and turns, not refusals. */
const perChat = Math.max(1, Math.min(30, Math.round(positive("flood-messages") / floodChats)))
/** The raw client needs more frames to be measured at all. */
const rawPerChat = Math.max(perChat, Math.ceil(150_000 / floodChats))

const child = (file: string, args: ReadonlyArray<string>): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      fork(join(import.meta.dirname, file), [...args], { stdio: ["ignore", "inherit", "inherit", "ipc"] })
    ),
    (process) =>
      Effect.promise(
        () =>
          new Promise<void>((done) => {
            if (process.exitCode !== null || process.signalCode !== null) return done()
            process.once("exit", () => done())
            process.kill("SIGKILL")
          })
      )
  )

/** A fresh load generator; `ask` gives it an order and waits for its report. */
const generator = Effect.gen(function* () {
  const process = yield* child("LoadGenerator.ts", [])
  const reports: Array<Report> = []
  process.on("message", (report: Report) => reports.push(report))
  const wanted = Effect.fnUntraced(function* <K extends Report["report"]>(kind: K, bound: number) {
    const is = (report: Report): report is Extract<Report, { report: K }> => report.report === kind
    yield* eventually(`the load generator's report ${kind}`, () => reports.some(is), { seconds: bound })
    const report = reports.find(is)!
    reports.splice(reports.indexOf(report), 1)
    return report
  })
  const { port } = yield* wanted("listening", 10)
  return {
    url: `http://127.0.0.1:${port}`,
    connected: wanted("connected", 30),
    turns: (order: Extract<Order, { order: "turns" }>) => {
      process.send(order)
      return Effect.map(wanted("turns", order.warmUp + order.seconds + 20), ({ figure }) => figure)
    },
    flood: (order: Extract<Order, { order: "flood" }>) => {
      process.send(order)
      return Effect.map(wanted("flood", 60), ({ figure }) => figure)
    }
  }
})

interface Round {
  readonly turns: TurnsFigure
  readonly flood: FloodFigure
}

const measure = Effect.fnUntraced(function* (
  start: (
    url: string
  ) => Effect.Effect<unknown, GatewayProcess.GatewayError | Postgres.PostgresUnavailable, Scope.Scope>,
  acknowledged: boolean
) {
  const load = yield* generator
  yield* start(load.url)
  yield* load.connected
  const turns = yield* load.turns({ order: "turns", chats, warmUp: 1, seconds })
  const flood = yield* load.flood({
    order: "flood",
    chats: floodChats,
    perChat: acknowledged ? perChat : rawPerChat,
    acknowledged
  })
  return { turns, flood }
}, Effect.scoped)

const gateway = (storage: "sqlite" | "memory" | "postgres") =>
  measure(
    Effect.fnUntraced(function* (url: string) {
      const home = yield* GatewayProcess.makeHome
      const profiled =
        values.profile === "" ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${resolve(values.profile)}` }
      const process = yield* GatewayProcess.start({
        home,
        relayUrl: url,
        storage: storage === "postgres" ? Redacted.value((yield* Postgres.makeDatabase).url) : storage,
        env: {
          SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE: "queue",
          SWITCHBOARD_GATEWAY_BUSY_ACK_ENABLED: "false",
          ...profiled
        }
      })
      // A profile is written at an orderly end only.
      if (values.profile !== "") yield* Effect.addFinalizer(() => Effect.ignore(process.kill("SIGTERM", 20)))
    }),
    true
  )

const contestants = {
  raw: measure((url) => child("RawClient.ts", [url]), false),
  sqlite: gateway("sqlite"),
  memory: gateway("memory"),
  ...(values.postgres ? { postgres: gateway("postgres") } : {})
}

const program = Effect.gen(function* () {
  const results = new Map<string, Array<Round>>()
  for (let round = 1; round <= rounds; round++) {
    for (const [name, contest] of Object.entries(contestants)) {
      if (values.only !== "" && !values.only.split(",").includes(name)) continue
      process.stderr.write(`round ${round} of ${rounds}: ${name}\n`)
      const figures = yield* contest
      results.set(name, [...(results.get(name) ?? []), figures])
    }
  }
  const summary = [...results].map(([name, list]) => {
    const of = (pick: (round: Round) => number) => median(list.map(pick))
    return {
      name,
      turns: of((round) => round.turns.perSecond),
      p50: of((round) => round.turns.p50),
      p99: of((round) => round.turns.p99),
      taken: of((round) => round.flood.taken),
      turned: of((round) => round.flood.turned ?? 0),
      rounds: list
    }
  })
  const raw = summary[0]!
  const against = (value: number, yardstick: number) => `${(value / yardstick).toFixed(2)} × raw`
  process.stdout.write(
    `${table([
      ["medians of", "echo turns/s", "", "p50", "p99", "taken/s", "", "taken and turned/s"],
      ...summary.map((one) => [
        one.name,
        rate(one.turns),
        against(one.turns, raw.turns),
        millis(one.p50),
        millis(one.p99),
        rate(one.taken),
        against(one.taken, raw.taken),
        one.turned === 0 ? "" : rate(one.turned)
      ])
    ])}\n\n` +
      `${rounds} alternating rounds; echo turns: ${chats} chats, each sends its next message when it has its answer, ${seconds} s;\n` +
      `taken: inbound frames of 240 bytes, one a WebSocket message, over ${floodChats} chats: ${floodChats * rawPerChat} parsed and counted by the\n` +
      `raw client, ${floodChats * perChat} stored durably and acknowledged by the gateway (memory: not durably), while their turns run.\n` +
      (values.postgres
        ? "postgres: the tests' own server runs with fsync off; SWITCHBOARD_TEST_POSTGRES_URL names another.\n"
        : "")
  )
  if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
})

process.exit(
  await Effect.runPromise(
    program.pipe(
      Effect.as(0),
      Effect.catch((error) =>
        Effect.sync(() => {
          process.stderr.write(`${error.message}\n`)
          return 1
        })
      )
    )
  )
)
