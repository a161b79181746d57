/** The kit passes what keeps the contract, and each of its checks fails on a peer with that one fault. */
import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CheckFailed, Patience, type Verdict } from "../../src/Connector/conformance/Check.ts"
import * as ConnectorKit from "../../src/Connector/conformance/ConnectorKit.ts"
import * as GatewayKit from "../../src/Connector/conformance/GatewayKit.ts"
import { command } from "../../src/Connector/conformance/Subject.ts"
import * as FaultyConnector from "../support/FaultyConnector.ts"
import * as FaultyGateway from "../support/FaultyGateway.ts"
import { mainFile } from "../support/GatewayProcess.ts"
import * as WebChatServer from "../support/WebChatServer.ts"

const pace = 0.15
const patiently = Effect.provideService(Patience, pace)

/** Peers that are judged at once. */
const concurrency = 16

const failures = (verdicts: ReadonlyArray<Verdict>) =>
  verdicts.filter(({ outcome }) => outcome === "FAIL").map(({ detail, name }) => `${name}: ${detail}`)

const judgeGateway = (flaw: string, only?: ReadonlyArray<string>) =>
  GatewayKit.run(
    { subject: FaultyGateway.subject(flaw, pace), expectEcho: true },
    { slow: true, ...(only === undefined ? {} : { only }) }
  ).pipe(patiently)

/** What is looked at in every frame needs something that makes frames. */
const provoking = ["interrupt", "redelivery", "in-flight"]
const provoked: ReadonlySet<string> = new Set([
  "own-lines",
  "own-frames",
  "hello-first",
  "known-acks",
  "request-ids",
  "keys",
  "limit",
  "typing-clear",
  "format-hints"
])

const judgeConnector = (flaw: string, only?: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const secret = "secret of the connector"
    const { connector, url } = yield* FaultyConnector.make(flaw, secret)
    return yield* ConnectorKit.run(
      { url, platform: "relay", botId: "", token: { id: "gw", secret }, chat: "chat", say: connector.say },
      only === undefined ? {} : { only }
    ).pipe(patiently)
  }).pipe(Effect.scoped)

const table = <E>(
  names: ReadonlyArray<string>,
  judge: (flaw: string, only: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Verdict>, E>
) =>
  Effect.gen(function* () {
    const survivors = yield* Effect.forEach(
      names,
      (name) =>
        Effect.map(judge(name, provoked.has(name) ? [...provoking, name] : [name]), (verdicts) =>
          verdicts.some((verdict) => verdict.name === name && verdict.outcome === "FAIL") ? [] : [name]
        ),
      { concurrency }
    )
    assert.deepStrictEqual(survivors.flat(), [])
  })

describe("the conformance kit", () => {
  it("names every check once", () => {
    assert.strictEqual(new Set(GatewayKit.names).size, GatewayKit.names.length)
    assert.strictEqual(new Set(ConnectorKit.names).size, ConnectorKit.names.length)
  })

  it("is documented check by check", () => {
    const page = readFileSync(path.join(import.meta.dirname, "../../docs/conformance.md"), "utf8")
    const documented = new Set([...page.matchAll(/^\| \w+ \| `([\w-]+)` \|/gm)].map(([, name]) => name))
    assert.deepStrictEqual(documented, new Set([...GatewayKit.names, ...ConnectorKit.names]))
  })

  it.live(
    "passes our gateway",
    () =>
      Effect.gen(function* () {
        const subject = command(`'${process.execPath}' '${mainFile}' run`)
        const verdicts = yield* GatewayKit.run({ subject, expectEcho: true }, { slow: false })
        assert.deepStrictEqual(failures(verdicts), [])
        assert.isAtLeast(verdicts.filter(({ outcome }) => outcome === "pass").length, 40)
      }),
    { timeout: 120_000 }
  )

  it.live(
    "passes a gateway in this process, the slow checks too",
    () =>
      Effect.gen(function* () {
        const verdicts = yield* judgeGateway("none")
        assert.deepStrictEqual(
          verdicts.filter(({ outcome }) => outcome !== "pass").map(({ detail, name }) => `${name}: ${detail}`),
          []
        )
      }),
    { timeout: 60_000 }
  )

  it.live("fails each check on a gateway with that one fault", () => table(GatewayKit.names, judgeGateway), {
    timeout: 120_000
  })

  it.live(
    "passes our local connector",
    () =>
      Effect.gen(function* () {
        const assets = yield* WebChatServer.temporaryFolder
        WebChatServer.buildPage(assets)
        const server = yield* WebChatServer.start({ assets, database: path.join(assets, "switchboard.db") })
        const say = (text: string) =>
          Effect.flatMap(
            server.connector.submit({ _tag: "Said", said: { id: randomUUID(), chatId: "chat", text } }),
            (reply) =>
              reply._tag === "Stored" ? Effect.void : Effect.fail(new CheckFailed({ detail: JSON.stringify(reply) }))
          )
        yield* say("the chat exists")
        const verdicts = yield* ConnectorKit.run({
          url: `http://127.0.0.1:${server.port}`,
          platform: "relay",
          botId: "",
          token: { id: "gw", secret: WebChatServer.secret },
          chat: "chat",
          say
        })
        assert.deepStrictEqual(
          verdicts.filter(({ outcome }) => outcome !== "pass").map(({ detail, name }) => `${name}: ${detail}`),
          []
        )
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live(
    "passes a connector in this process",
    () =>
      Effect.gen(function* () {
        const verdicts = yield* judgeConnector("none")
        assert.deepStrictEqual(
          verdicts.filter(({ outcome }) => outcome !== "pass").map(({ detail, name }) => `${name}: ${detail}`),
          []
        )
      }),
    { timeout: 60_000 }
  )

  it.live("fails each check on a connector with that one fault", () => table(ConnectorKit.names, judgeConnector), {
    timeout: 120_000
  })
})
