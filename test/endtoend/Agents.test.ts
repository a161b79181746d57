/** `node dist/Main.js` with other agents than the echo, seen through the socket of the web chat. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { WebSocket } from "ws"
import * as CompletionServer from "../Agent/OpenAi/CompletionServer.ts"
import { command } from "../Cli/CommandProcess.ts"
import { eventually } from "../support/Eventually.ts"
import * as GatewayProcess from "../support/GatewayProcess.ts"

interface Shown {
  readonly chatId: string
  readonly role: string
  readonly text: string
}

/** The page's socket without its page: what a chat shows, by message, as it was last edited. */
const chat = (url: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new WebSocket(`${url.replace("http", "ws")}/chat/socket`, { headers: { origin: url } })),
      (socket) => Effect.sync(() => socket.terminate())
    ),
    (socket) => {
      const shown = new Map<string, Shown>()
      const waiting: Array<string> = []
      let count = 0
      let open = false
      socket.on("open", () => {
        open = true
        socket.send(JSON.stringify({ type: "hello", seen: 0 }))
        for (const text of waiting.splice(0)) socket.send(text)
      })
      socket.on("message", (data) => {
        const message = JSON.parse(String(data)) as {
          readonly type: string
          readonly messages?: ReadonlyArray<Shown & { readonly id: string }>
        }
        if (message.type === "messages") for (const one of message.messages ?? []) shown.set(one.id, one)
      })
      const texts = () => [...shown.values()].flatMap(({ role, text }) => (role === "assistant" ? [text] : []))
      return {
        close: () => socket.terminate(),
        say: (text: string) => {
          const frame = JSON.stringify({ type: "send", id: `m${++count}`, chatId: "room", text })
          if (open) socket.send(frame)
          else waiting.push(frame)
        },
        shows: (text: string) =>
          eventually(`the chat shows ${text}`, () => texts().some((one) => one.includes(text)), {
            seconds: 20,
            seen: () => JSON.stringify(texts())
          })
      }
    }
  )

describe("the program", () => {
  it.live(
    "answers with the model behind OPENAI_BASE_URL, remembers what was said, and /stop reaches the server",
    () =>
      Effect.gen(function* () {
        const server = yield* CompletionServer.make
        const gateway = yield* GatewayProcess.start({
          home: yield* GatewayProcess.makeHome,
          env: { OPENAI_BASE_URL: server.url, OPENAI_MODEL: "served", OPENAI_API_KEY: "sk-of-this-test" }
        })
        yield* gateway.awaitReady()
        const { say, shows } = yield* chat(yield* gateway.httpUrl)
        server.script(CompletionServer.says("The answer ", "is 42."))
        say("what is the answer?")
        yield* shows("The answer is 42.")
        server.script(CompletionServer.says("As I said."))
        say("sure?")
        yield* shows("As I said.")
        const sent = JSON.stringify(server.seen.at(-1)?.body.messages)
        assert.include(sent, "what is the answer?")
        assert.include(sent, "The answer is 42.")
        assert.strictEqual(server.seen[0]?.headers.authorization, "Bearer sk-of-this-test")

        server.script((response) => CompletionServer.open(response).delta({ content: "thinking" }))
        say("something long")
        yield* eventually("the request", () => server.seen.length === 3)
        say("/stop")
        yield* eventually("the client to go away", () => server.aborted() === 1, { seconds: 5 })
        server.script(CompletionServer.refuses(401, "Incorrect API key provided: sk-of-this-test"))
        say("more")
        yield* shows("refused the credentials")
        assert.deepStrictEqual(server.violations, [])
        assert.notInclude(gateway.stderr(), "sk-of-this-test")
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )

  it.live(
    "answers with the agent of SWITCHBOARD_ACP_COMMAND, asks its permission in the chat, and takes it along at the end",
    () =>
      Effect.gen(function* () {
        const home = yield* GatewayProcess.makeHome
        const script = join(import.meta.dirname, "../Agent/Acp/SdkAgent.ts")
        GatewayProcess.writeConfig(home, `agent: {acp: {environment: {ACP_LOG: "${home}/agent.log"}}}`)
        const gateway = yield* GatewayProcess.start({
          home,
          env: { SWITCHBOARD_ACP_COMMAND: `${process.execPath} ${script}` }
        })
        yield* gateway.awaitReady()
        const { close, say, shows } = yield* chat(yield* gateway.httpUrl)
        say("hello agent")
        yield* shows("hello agent")
        say("ask rm -rf build")
        yield* shows("rm -rf build\n```")
        say("yes")
        yield* eventually("the outcome", () => readFileSync(join(home, "agent.log"), "utf8").includes('"optionId":"a"'))
        const pid = Number(/"pid":(\d+)/.exec(readFileSync(join(home, "agent.log"), "utf8"))?.[1])
        assert.isTrue(existsSync(`/proc/${pid}`))
        close()
        const exit = yield* gateway.kill("SIGTERM")
        assert.deepStrictEqual(exit, { code: 0, signal: null })
        yield* eventually("the end of the agent", () => !existsSync(`/proc/${pid}`))
      }).pipe(Effect.scoped),
    { timeout: 90_000 }
  )

  it.live("does not start with an agent that cannot work: exit 78, the key and the fix", () =>
    Effect.gen(function* () {
      const home = yield* GatewayProcess.makeHome
      const { code, stderr } = yield* command(home, ["run"], { env: { OPENAI_BASE_URL: "http://127.0.0.1:1" } })
      assert.strictEqual(code, 78)
      assert.include(stderr, "OPENAI_MODEL")
      assert.include(stderr, "set OPENAI_MODEL")
    }).pipe(Effect.scoped)
  )
})
