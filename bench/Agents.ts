/**
 * `npm run bench:agents`: what agents cost and how they behave under stress. CPU per streamed token, how fast a stop is seen
 * by the agent, 200 sessions on one process, and what a thousand crashes leave behind. Names as arguments run only those.
 */
import "effect/schema/SchemaJITCompiler/enable"
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Fiber, Layer, Logger, Stream } from "effect"
import OpenAiClient from "openai"
import * as Acp from "../src/Agent/Acp/Acp.ts"
import { Agent, noChoices } from "../src/Agent/Agent.ts"
import * as OpenAi from "../src/Agent/OpenAi/OpenAi.ts"
import * as MessageEvent from "../src/Message/MessageEvent.ts"
import * as Source from "../src/Message/Source.ts"

const tokens = 20_000

/** In a process of its own, so that only the client's time is counted. Text `wait` is begun and never ended. */
const serve = () => {
  const event = (content: string | null) =>
    `data: ${JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion.chunk",
      created: 1,
      model: "m",
      choices: [
        { index: 0, delta: content === null ? {} : { content }, finish_reason: content === null ? "stop" : null }
      ]
    })}\n\n`
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (chunk) => (body += String(chunk)))
    request.on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.on("close", () => {
        if (!response.writableFinished) process.stdout.write(`closed ${Date.now()}\n`)
      })
      if (body.includes('"wait"')) {
        response.write(event("…"))
        return
      }
      const next = (i: number): void => {
        for (let at = i; at < tokens; at++) {
          const isFull = !response.write(event(` token${at}`))
          if (isFull) return void response.once("drain", () => next(at + 1))
          if (at % 4 === 3) return void setImmediate(next, at + 1)
        }
        response.end(`${event(null)}data: [DONE]\n\n`)
      }
      next(0)
    })
  })
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    process.stdout.write(`${typeof address === "object" && address !== null ? address.port : 0}\n`)
  })
}

const turn = (key: string, text: string) => ({
  sessionKey: key,
  sessionId: `of ${key}`,
  turnId: "1",
  event: MessageEvent.text(Source.make({ platform: "bench", chatId: key }), text),
  text,
  media: [],
  context: "",
  choices: noChoices,
  history: Effect.succeed([])
})

/** Runs a turn to its end; gives the number of events. */
const play = (key: string, text: string) =>
  Effect.scoped(
    Effect.flatMap(Agent, (agent) =>
      Effect.flatMap(agent.start(turn(key, text)), ({ events }) =>
        Stream.runFold(
          events,
          () => 0,
          (count) => count + 1
        )
      )
    )
  )

const median = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const highest = (values: ReadonlyArray<number>) => Math.max(...values)

/** CPU microseconds per token, the best of several runs. */
const perToken = (name: string, run: () => Promise<unknown>) =>
  Effect.promise(async () => {
    const all: Array<number> = []
    for (let i = 0; i < 5; i++) {
      const before = process.cpuUsage()
      await run()
      const { system, user } = process.cpuUsage(before)
      all.push((system + user) / tokens)
    }
    console.log(
      `${name.padEnd(34)} ${median(all).toFixed(1)} µs CPU a token (${all.map((n) => n.toFixed(1)).join(" ")})`
    )
  })

const server = Effect.acquireRelease(
  Effect.promise(async () => {
    const child = spawn(process.execPath, [import.meta.filename, "serve"], { stdio: ["ignore", "pipe", "inherit"] })
    const lines: Array<(line: string) => void> = []
    child.stdout.on("data", (chunk) => {
      for (const line of String(chunk).trim().split("\n")) lines.shift()?.(line)
    })
    const line = () => new Promise<string>((resolve) => void lines.push(resolve))
    const port = await line()
    return { child, line, url: `http://127.0.0.1:${port}/v1` }
  }),
  ({ child }) => Effect.sync(() => child.kill())
)

const openAi = (url: string) =>
  OpenAi.layer({
    endpoints: [{ name: "local", baseUrl: url, apiKey: null, model: "m" }],
    contextWindow: 128_000,
    maxTokens: null,
    summaryModel: null,
    mediaCache: "/nowhere",
    isProxy: false
  })

const agents = join(import.meta.dirname, "../test/Agent/Acp")

const acp = (script: "SdkAgent" | "RawAgent", folder: string) =>
  Acp.layer({
    launch: {
      name: script,
      command: process.execPath,
      args: [join(agents, `${script}.ts`)],
      environment: { PATH: process.env["PATH"] ?? "", ACP_FEATURES: "load", ACP_LOG: join(folder, "log") },
      mediaCache: folder,
      authMethod: null,
      version: "0"
    },
    limits: { processes: 1, sessions: 1000 },
    workspace: join(folder, "work"),
    isolated: false,
    mcpServers: () => []
  })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-bench-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const streaming = Effect.gen(function* () {
  const { url } = yield* server
  const client = new OpenAiClient({ baseURL: url, apiKey: "none", maxRetries: 0 })
  yield* perToken("package openai, nothing decoded", async () => {
    const stream = await client.chat.completions.create({
      model: "m",
      stream: true,
      messages: [{ role: "user", content: "x" }]
    })
    let count = 0
    for await (const chunk of stream) count += chunk.choices.length
    return count
  })
  const context = yield* Layer.build(openAi(url))
  yield* perToken("OpenAI-compatible agent, decoded", () => Effect.runPromise(Effect.provide(play("a", "x"), context)))
  const raw = yield* Layer.build(acp("RawAgent", yield* folder))
  yield* perToken("ACP agent, decoded", () => Effect.runPromise(Effect.provide(play("a", `tokens ${tokens}`), raw)))
})

/** From the interruption of a turn until the other side has seen it. */
const stops = Effect.gen(function* () {
  const count = 50
  const { line, url } = yield* server
  const http: Array<number> = []
  yield* Effect.gen(function* () {
    const agent = yield* Agent
    for (let i = 0; i < count; i++) {
      const closed = line()
      const fiber = yield* Effect.forkChild(
        Effect.scoped(Effect.flatMap(agent.start(turn("a", "wait")), ({ events }) => Stream.runDrain(events)))
      )
      yield* Effect.sleep("30 millis")
      const at = Date.now()
      yield* Fiber.interrupt(fiber)
      http.push(Number((yield* Effect.promise(() => closed)).split(" ")[1]) - at)
    }
  }).pipe(Effect.provide(openAi(url)))
  const place = yield* folder
  const over: Array<number> = []
  const cancels = () =>
    readFileSync(join(place, "log"), "utf8")
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text) as { readonly what: string; readonly at: number })
      .filter(({ what }) => what === "cancel")
  yield* Effect.gen(function* () {
    yield* play("a", "hello")
    for (let i = 0; i < count; i++) {
      const fiber = yield* Effect.forkChild(play("a", "wait"))
      yield* Effect.sleep("30 millis")
      const at = Date.now()
      yield* Fiber.interrupt(fiber)
      while (cancels().length <= i) yield* Effect.sleep("5 millis")
      over.push(cancels()[i]!.at - at)
    }
  }).pipe(Effect.provide(acp("SdkAgent", place)))
  const told = (name: string, all: ReadonlyArray<number>) =>
    console.log(
      `stop seen by the ${name.padEnd(12)} median ${median(all)} ms, worst ${highest(all)} ms of ${all.length}`
    )
  told("HTTP server", http)
  told("ACP agent", over)
})

const rssOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024
const childrenOf = () =>
  readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number)

const heap = Effect.promise(async () => {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return process.memoryUsage().heapUsed / 1024 / 1024
})

const sessions = Effect.gen(function* () {
  const count = 200
  yield* Effect.gen(function* () {
    yield* play("first", "hello")
    const before = yield* heap
    const round = Effect.forEach(
      Array.from({ length: count }, (_, i) => `session ${i}`),
      (key) =>
        Effect.gen(function* () {
          const at = performance.now()
          yield* play(key, "a short answer of a few words")
          return performance.now() - at
        }),
      { concurrency: "unbounded" }
    )
    const opening = yield* round
    const known = yield* round
    const after = yield* heap
    const processes = childrenOf()
    console.log(
      `${count} sessions at once on ${processes.length} process: first turn median ${median(opening).toFixed(0)} ms, ` +
        `worst ${highest(opening).toFixed(0)} ms; later median ${median(known).toFixed(0)} ms, worst ${highest(known).toFixed(0)} ms`
    )
    console.log(
      `memory: ${(((after - before) * 1024) / count).toFixed(1)} KiB a session here, agent's process ` +
        `${processes.map((pid) => rssOf(pid).toFixed(0)).join(" ")} MiB`
    )
  }).pipe(Effect.provide(acp("SdkAgent", yield* folder)))
})

const crashes = Effect.gen(function* () {
  const count = Number(process.env["BENCH_CRASHES"] ?? 1000)
  const place = yield* folder
  yield* Effect.gen(function* () {
    const crash = Effect.gen(function* () {
      yield* play("a", "hello")
      const error = yield* Effect.flip(play("a", "half"))
      if (!error.message.includes("ended with code 1")) console.log(`another error: ${error.message}`)
    })
    for (let i = 0; i < 20; i++) yield* crash
    const before = yield* heap
    const files = readdirSync("/proc/self/fd").length
    for (let i = 0; i < count; i++) yield* crash
    yield* play("a", "hello")
    const after = yield* heap
    console.log(
      `${count} crashes: heap ${before.toFixed(1)} → ${after.toFixed(1)} MiB, files ${files} → ` +
        `${readdirSync("/proc/self/fd").length}, children left ${childrenOf().length}, rss ${rssOf(process.pid).toFixed(0)} MiB`
    )
  }).pipe(Effect.provide(acp("RawAgent", place)))
})

const parts = { streaming, stops, sessions, crashes }

if (process.argv[2] === "serve") serve()
else {
  const wanted = process.argv.slice(2)
  for (const [name, part] of Object.entries(parts)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    await Effect.runPromise(part.pipe(Effect.scoped, Effect.provide(Logger.layer([]))))
  }
}
