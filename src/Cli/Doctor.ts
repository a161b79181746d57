/**
 * `doctor`: one line per check, whether or not a gateway runs (`operations`, Commands). It looks and tries; it changes
 * nothing but what trying leaves behind.
 */
import { accessSync, constants, existsSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Result } from "effect"
import { Command } from "effect/cli"
import { HttpHost, HttpPort, Storage } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import * as Assets from "../Connector/Assets.ts"
import type { HomePaths } from "../Operations/Home.ts"
import { dialUrl } from "../Relay/DialUrl.ts"
import { IdpTokenUrl, RelayAccessToken, RelayId, RelaySecret, RelayUrl } from "../Relay/RelaySettings.ts"
import { Database } from "../Storage/Database.ts"
import { problemsOf } from "./ConfigCommands.ts"
import { CommandFailed, endingOf, exitCode } from "./Exit.ts"
import * as Globals from "./Globals.ts"
import * as Links from "./Links.ts"
import { Listener } from "./Listener.ts"
import * as Output from "./Output.ts"
import * as Status from "./Status.ts"

interface Check {
  readonly name: string
  readonly ok: boolean
  readonly says: string
}

const good = (name: string, says: string): Check => ({ name, ok: true, says })
const bad = (name: string, says: string): Check => ({ name, ok: false, says })

/** A check that fails or dies says so on its own line; the others still run. */
const guarded = <R>(name: string, check: Effect.Effect<Check, unknown, R>): Effect.Effect<Check, never, R> =>
  Effect.catchCause(check, (cause) => Effect.succeed(bad(name, Output.oneLine(endingOf(cause).message, 300))))

const node: Check =
  Number(process.versions.node.split(".")[0]) >= 24
    ? good("node", process.versions.node)
    : bad("node", `${process.versions.node}, needed: 24 or newer`)

const configuration = Effect.map(problemsOf, (problems): Check => {
  const errors = problems.filter(({ level }) => level === "error").length
  const warnings = problems.length - errors
  const more = "config check names them"
  if (errors > 0) return bad("configuration", `${errors} ${errors === 1 ? "error" : "errors"}; ${more}`)
  return good(
    "configuration",
    warnings === 0 ? "decodes" : `decodes, ${warnings} ${warnings === 1 ? "warning" : "warnings"}; ${more}`
  )
})

const isOpen = (path: string): boolean => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0

const homeRights = (home: HomePaths): Check => {
  if (!existsSync(home.root)) {
    let above = dirname(home.root)
    while (!existsSync(above)) above = dirname(above)
    accessSync(above, constants.W_OK)
    return good("home", `${home.root} will be made`)
  }
  accessSync(home.root, constants.R_OK | constants.W_OK | constants.X_OK)
  const open = [home.root, home.env, home.database, home.state].filter(isOpen)
  return open.length === 0
    ? good("home", `${home.root}, private`)
    : bad("home", `open to other users: ${open.join(", ")}; run chmod go= on it`)
}

const storage = (home: HomePaths) =>
  Effect.gen(function* () {
    const choice = yield* (yield* Settings).get(Storage)
    if (choice._tag === "memory") return good("storage", "memory: nothing survives the end of the process")
    if (choice._tag === "sqlite") {
      return yield* Effect.try({ try: () => sqlite(home.database), catch: (cause) => cause })
    }
    const opened = yield* Effect.result(
      Layer.build(Database.layer({ storage: { url: choice.url }, filename: home.database, claim: "none" }))
    )
    if (Result.isSuccess(opened)) return good("storage", "the PostgreSQL server takes us")
    const { message, reason } = opened.failure
    return reason === "OlderSchema" ? good("storage", `PostgreSQL takes us; ${message}`) : bad("storage", message)
  }).pipe(Effect.scoped)

/** Takes the write lock for a moment: a running gateway is not disturbed, and the schema is left as it is. */
const sqlite = (filename: string): Check => {
  if (!existsSync(filename)) return good("storage", `${filename} will be made`)
  const database = new DatabaseSync(filename, { timeout: 5000 })
  try {
    database.exec("BEGIN IMMEDIATE; ROLLBACK")
    return good("storage", `${filename}, writable`)
  } finally {
    database.close()
  }
}

const relay = Effect.gen(function* () {
  const settings = yield* Settings
  const url = yield* settings.get(RelayUrl)
  const hasId = (yield* settings.get(RelayId)) !== null
  const hasSecret = (yield* settings.get(RelaySecret)) !== null
  const hasToken = (yield* settings.get(RelayAccessToken)) !== null || (yield* settings.get(IdpTokenUrl)) !== null
  if (url === null) return good("relay", "not configured")
  if (hasId && hasSecret) return good("relay", `${dialUrl(url)}, signed`)
  if (!hasSecret && hasToken) return good("relay", `${dialUrl(url)}, asks for a secret at the start`)
  return hasId === hasSecret
    ? good("relay", `${dialUrl(url)}, without credentials`)
    : bad("relay", `${hasId ? "GATEWAY_RELAY_SECRET" : "GATEWAY_RELAY_ID"} is missing`)
})

const listener = (found: Status.Found) =>
  Effect.gen(function* () {
    const settings = yield* Settings
    const host = yield* settings.get(HttpHost)
    const port = yield* settings.get(HttpPort)
    const own = found.running ? found.state?.http?.url : undefined
    if (own !== undefined) {
      return (yield* Status.answers(own)) ? good("listener", `${own}, ours`) : bad("listener", `${own} does not answer`)
    }
    const bound = yield* Effect.result(Effect.scoped(Layer.build(Listener.layer({ host, port }))))
    return Result.isSuccess(bound)
      ? good("listener", port === 0 ? `${host}, any free port` : `${host}:${port} is free`)
      : bad("listener", bound.failure.message)
  })

const webChat = Effect.gen(function* () {
  const { isConnectorOn } = yield* Links.plan
  if (!isConnectorOn) return good("web chat", "off")
  yield* Assets.load()
  return good("web chat", "its files are there")
}).pipe(Effect.provide(NodeFileSystem.layer))

const doctor = Effect.gen(function* () {
  const home = yield* Globals.homePaths
  const found = Status.find(home)
  const first = [
    node,
    yield* guarded("configuration", configuration),
    yield* guarded("home", Effect.try({ try: () => homeRights(home), catch: (cause) => cause })),
    good("gateway", found.running ? `running${found.pid === null ? "" : `, PID ${found.pid}`}` : "not running")
  ]
  const needSettings = Effect.all([
    guarded("storage", storage(home)),
    guarded("relay", relay),
    guarded("listener", listener(found)),
    guarded("web chat", webChat)
  ]).pipe(
    Effect.provide(Globals.settings),
    // The first check has said why.
    Effect.catchTag("ConfigError", () => Effect.succeed<ReadonlyArray<Check>>([]))
  )
  const checks = [...first, ...(yield* needSettings)]
  yield* Output.lines(Output.table(checks.map(({ name, ok, says }) => [ok ? "ok" : "FAIL", name, says])))
  if (checks.some(({ ok }) => !ok)) return yield* new CommandFailed({ code: exitCode.defect, message: "" })
})

export const doctorCommand = Command.make("doctor", {}, () => doctor).pipe(
  Command.withDescription("Check what the gateway needs, one line each; exit 1 when something is missing")
)
