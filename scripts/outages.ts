/**
 * `npm run outages [-- half-open | down]`: outages that last as long as the contract waits, with the real program. A
 * frozen way to the connector is noticed by the heartbeat (`relay C3`); what is answered during 60 s without a link
 * arrives once, in order (`relay C5`). Exits 1 when either does not hold.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { Effect, type Scope } from "effect"
import { eventually, realPause } from "../test/support/Eventually.ts"
import * as GatewayProcess from "../test/support/GatewayProcess.ts"
import * as StrictConnector from "../test/support/StrictConnector.ts"

/** The way to the connector: a process of its own, so that it can be frozen or killed while the connector lives. */
const wayProgram = `
const net = require("node:net")
const [port, target] = process.argv.slice(1).map(Number)
const server = net.createServer((from) => {
  const to = net.connect(target, "127.0.0.1")
  from.pipe(to).pipe(from)
  for (const socket of [from, to]) socket.on("error", () => { from.destroy(); to.destroy() })
})
server.listen(port, "127.0.0.1", () => console.log(server.address().port))
`

const openWay = (port: number, target: number) =>
  Effect.promise(async () => {
    const child = spawn(process.execPath, ["-e", wayProgram, String(port), String(target)], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const [data] = (await once(child.stdout, "data")) as [Buffer]
    return { child, port: Number(String(data)) }
  })

const make: Effect.Effect<
  {
    readonly connector: StrictConnector.StrictConnector
    readonly gateway: GatewayProcess.GatewayProcess
    readonly way: () => ChildProcess
    readonly reopen: Effect.Effect<void>
    readonly texts: (chatId: string) => ReadonlyArray<string>
  },
  Error,
  Scope.Scope
> = Effect.gen(function* () {
  const connector = yield* StrictConnector.make()
  const first = yield* openWay(0, connector.port)
  let child = first.child
  yield* Effect.addFinalizer(() => Effect.sync(() => void child.kill("SIGKILL")))
  const home = yield* GatewayProcess.makeHome
  const gateway = yield* GatewayProcess.start({
    home,
    relayUrl: `http://127.0.0.1:${first.port}`,
    env: { SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE: "queue" }
  })
  yield* connector.awaitReady(30)
  return {
    connector,
    gateway,
    way: () => child,
    reopen: Effect.map(openWay(first.port, connector.port), (next) => {
      child = next.child
    }),
    /** What the agent said, without the notices of the gateway and notes to the agent. */
    texts: (chatId: string) =>
      connector
        .chat(chatId)
        .texts()
        .flatMap((text) => /(?:^|\n)(first|second|third|while frozen|after)$/.exec(text)?.[1] ?? [])
  }
})

const seconds = (since: number) => Math.round((performance.now() - since) / 1000)

interface Report {
  readonly outage: string
  /** Seconds until the heartbeat noticed. */
  readonly noticed?: number
  readonly shown: ReadonlyArray<string>
  readonly ok: boolean
  readonly violations: ReadonlyArray<string>
}

const halfOpen = Effect.gen(function* (): Effect.fn.Return<Report, Error, Scope.Scope> {
  const { connector, gateway, texts, way } = yield* make
  connector.deliver({ chatId: "ada", text: "!sleep 3000 while frozen" })
  yield* eventually("the turn", () => connector.waiting === 0)
  const frozen = performance.now()
  way().kill("SIGSTOP")
  yield* eventually("the heartbeat to notice", () => gateway.stderr().includes("no pong within 20 s"), { seconds: 45 })
  const noticed = seconds(frozen)
  way().kill("SIGCONT")
  yield* eventually("the answer", () => texts("ada").includes("while frozen"), { seconds: 60 })
  connector.deliver({ chatId: "ada", text: "after" })
  yield* eventually("the next answer", () => texts("ada").includes("after"), { seconds: 30 })
  const shown = texts("ada")
  return {
    outage: "half-open",
    noticed,
    shown,
    ok: shown.join() === "while frozen,after",
    violations: connector.violations
  }
})

const down = Effect.gen(function* (): Effect.fn.Return<Report, Error, Scope.Scope> {
  const { connector, reopen, texts, way } = yield* make
  const words = ["first", "second", "third"]
  for (const word of words) connector.deliver({ chatId: "ada", text: `!sleep 1000 ${word}` })
  yield* eventually("the acknowledgements", () => connector.waiting === 0)
  way().kill("SIGKILL")
  yield* realPause(60_000)
  yield* reopen
  yield* eventually("the answers", () => texts("ada").includes("third"), { seconds: 60 })
  const shown = texts("ada")
  return { outage: "down", shown, ok: shown.join() === words.join(), violations: connector.violations }
})

const outages = { "half-open": halfOpen, down }
const wanted = process.argv[2]
let ok = true
for (const [name, outage] of Object.entries(outages)) {
  if (wanted !== undefined && wanted !== name) continue
  const report = await Effect.runPromise(Effect.scoped(outage))
  ok &&= report.ok && report.violations.length === 0
  process.stdout.write(`${JSON.stringify(report)}\n`)
}
process.exit(ok ? 0 : 1)
