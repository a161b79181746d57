/**
 * `mcp`: the running gateway's tools on standard input and output, for clients that start a process. It only carries: every
 * line goes to `/mcp` of the gateway, every answer comes back as a line. Nothing else is ever written to standard output.
 */
import { createInterface } from "node:readline"
import { Deferred, Effect, Redacted, Result, Schema, Semaphore } from "effect"
import { Command } from "effect/cli"
import { AdminKey, McpToken } from "../Config/GatewaySettings.ts"
import * as Setting from "../Config/Setting.ts"
import { Settings } from "../Config/Settings.ts"
import { paths } from "../Operations/Home.ts"
import { CommandFailed, exitCode } from "./Exit.ts"
import * as Globals from "./Globals.ts"
import * as Status from "./Status.ts"

/** Where the tools are, for a process that was started without the home of the gateway. */
export const McpUrl = Setting.make({
  env: "SWITCHBOARD_MCP_URL",
  kind: Setting.optionalText,
  default: null,
  description: "address of the tools, for `mcp` outside of the gateway's home"
})

const maxLine = 1024 * 1024
/** Calls under way; further lines wait. */
const maxCalls = 32
/** A tool waits 240 s at most. */
const patience = 290_000
const sessionHeader = "mcp-session-id"

const Message = Schema.Struct({
  id: Schema.optionalKey(Schema.Union([Schema.String, Schema.Number])),
  method: Schema.optionalKey(Schema.String)
})
const decodeMessage = Schema.decodeUnknownResult(Schema.fromJsonString(Message))
const Initialized = Schema.Struct({ result: Schema.Struct({ protocolVersion: Schema.String }) })
const decodeInitialized = Schema.decodeUnknownResult(Schema.fromJsonString(Initialized))

class BridgeError extends Schema.TaggedError<BridgeError>()("BridgeError", {
  message: Schema.String,
  /** `no`: the gateway was surely not reached, or refused. `unknown`: it may have done what was asked. */
  happened: Schema.Literals(["no", "unknown"]),
  status: Schema.Number
}) {}

const notReached = (cause: unknown) => {
  const code = cause instanceof Error && cause.cause instanceof Error && "code" in cause.cause ? cause.cause.code : ""
  return code === "ECONNREFUSED"
    ? new BridgeError({ message: "no gateway answers; is it running?", happened: "no", status: 0 })
    : new BridgeError({ message: "the connection to the gateway was lost", happened: "unknown", status: 0 })
}

const say = (line: string) => Effect.sync(() => void process.stdout.write(`${line}\n`))

/** One JSON message, or the data of server-sent events. */
const messagesOf = (contentType: string, body: string): ReadonlyArray<string> =>
  contentType.includes("text/event-stream")
    ? [...body.matchAll(/^data: ?(.+)$/gm)].map(([, data]) => data ?? "")
    : body
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "")

const bridge = Effect.fnUntraced(function* (url: string, token: Redacted.Redacted | null) {
  let session: string | undefined
  let version: string | undefined
  let opening: string | undefined
  const renewing = yield* Semaphore.make(1)

  const post = (line: string): Effect.Effect<ReadonlyArray<string>, BridgeError> =>
    Effect.tryPromise({
      try: async (signal) => {
        const response = await fetch(url, {
          method: "POST",
          body: line,
          signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
          headers: {
            "content-type": "application/json",
            accept: "application/json, text/event-stream",
            ...(token === null ? {} : { authorization: `Bearer ${Redacted.value(token)}` }),
            ...(session === undefined ? {} : { [sessionHeader]: session }),
            ...(version === undefined ? {} : { "mcp-protocol-version": version })
          }
        })
        const body = await response.text()
        session = response.headers.get(sessionHeader) ?? session
        return { status: response.status, contentType: response.headers.get("content-type") ?? "", body }
      },
      catch: notReached
    }).pipe(
      Effect.flatMap(({ body, contentType, status }) =>
        status < 300
          ? Effect.succeed(messagesOf(contentType, body))
          : Effect.fail(
              new BridgeError({
                message: `the gateway answered ${status}: ${body.trim().slice(0, 300)}`,
                happened: "no",
                status
              })
            )
      )
    )

  const begin = (line: string) =>
    Effect.suspend(() => {
      session = undefined
      version = undefined
      opening = line
      return Effect.tap(post(line), ([answer]) =>
        Effect.sync(() => {
          const told = decodeInitialized(answer ?? "")
          if (Result.isSuccess(told)) version = told.success.result.protocolVersion
        })
      )
    })

  /** The gateway has been started anew and knows no session of before: this process begins one, and nobody notices. */
  const renew = (stale: string | undefined) =>
    renewing.withPermits(1)(
      Effect.suspend(() =>
        session !== stale || opening === undefined
          ? Effect.void
          : Effect.andThen(
              begin(opening),
              post(JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }))
            )
      )
    )

  const carry = (line: string) =>
    Effect.suspend(() => {
      const decoded = decodeMessage(line)
      if (Result.isFailure(decoded) || line.length > maxLine) {
        const error = { code: -32700, message: "one JSON-RPC message of at most 1 MiB a line" }
        return say(JSON.stringify({ jsonrpc: "2.0", id: null, error }))
      }
      const { id, method } = decoded.success
      const stale = session
      const sent =
        method === "initialize"
          ? begin(line)
          : Effect.catchTag(post(line), "BridgeError", (error) =>
              error.status === 404 ? Effect.andThen(renew(stale), post(line)) : Effect.fail(error)
            )
      return sent.pipe(
        Effect.flatMap((messages) => Effect.forEach(messages, say, { discard: true })),
        Effect.catchTag("BridgeError", ({ happened, message }) =>
          id === undefined
            ? Effect.sync(() => void process.stderr.write(`${message}\n`))
            : say(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32000, message, data: { happened } } }))
        )
      )
    })

  const permits = yield* Semaphore.make(maxCalls)
  const started = yield* Deferred.make<void>()
  const run = Effect.runForkWith(yield* Effect.context<never>())
  yield* Effect.callback<void>((resume) => {
    const lines = createInterface({ input: process.stdin, crlfDelay: Infinity })
    let pending = 0
    let ended = false
    const finish = () => {
      if (ended && pending === 0) resume(Effect.void)
    }
    lines.on("line", (line) => {
      if (line.trim() === "") return
      pending++
      if (pending >= maxCalls) lines.pause()
      const isFirst = Result.isSuccess(decodeMessage(line)) && line.includes('"initialize"')
      // What comes after the handshake needs the session that it gives.
      const ready = isFirst ? Effect.void : Deferred.await(started)
      const work = Effect.andThen(ready, permits.withPermits(1)(carry(line))).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            if (isFirst) Deferred.doneUnsafe(started, Effect.void)
            pending--
            // A closed one does not take it.
            if (!ended) lines.resume()
            finish()
          })
        )
      )
      run(work)
    })
    lines.on("close", () => {
      ended = true
      Deferred.doneUnsafe(started, Effect.void)
      finish()
    })
    return Effect.sync(() => lines.close())
  })
})

const serve = Effect.gen(function* () {
  const settings = yield* Settings
  const given = yield* settings.get(McpUrl)
  const { running, state } = Status.find(paths(settings.home))
  const own = running ? state?.http?.url : undefined
  const url =
    given ??
    (own === undefined ? null : `${own.replace("://0.0.0.0:", "://127.0.0.1:").replace("://[::]:", "://[::1]:")}/mcp`)
  if (url === null || !URL.canParse(url)) {
    return yield* new CommandFailed({
      code: exitCode.temporary,
      message: "no gateway runs in this home; start it, or set SWITCHBOARD_MCP_URL to the address of its /mcp"
    })
  }
  const token = (yield* settings.get(McpToken)) ?? (yield* settings.get(AdminKey))
  yield* bridge(url, token)
})

export const mcpCommand = Command.make("mcp", {}, () => serve.pipe(Effect.provide(Globals.oneShot))).pipe(
  Command.withDescription("Serve the running gateway's tools (Model Context Protocol) on standard input and output")
)
