/**
 * `status`: whether a gateway runs in this home, and how it is (`operations S1`, S2). The lock alone says whether it
 * runs; the rest is what it wrote down, and whether its listener answers. It touches nothing.
 */
import { Duration, Effect, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { isHeld, isLive, readRecord } from "../Operations/HomeLock.ts"
import type { HomePaths } from "../Operations/Home.ts"
import { readJson } from "../Operations/JsonFile.ts"
import { version } from "../Operations/Version.ts"
import { CommandFailed, exitCode } from "./Exit.ts"
import * as Globals from "./Globals.ts"
import * as Output from "./Output.ts"

const Counts = Schema.Record(Schema.String, Schema.Number)
const Text = Schema.NullOr(Schema.String)

/** What of the state file is shown; a file of another version that lacks some of it is shown as far as it goes. */
const StateRecord = Schema.Struct({
  pid: Schema.Number,
  gateway_state: Schema.String,
  exit_reason: Schema.optionalKey(Text),
  updated_at: Schema.String,
  code_version: Schema.optionalKey(Schema.String),
  active_agents: Schema.optionalKey(Schema.Number),
  sessions: Schema.optionalKey(
    Schema.Struct({ resident: Schema.Number, running: Schema.Number, queued: Schema.Number })
  ),
  inbox: Schema.optionalKey(Counts),
  outbox: Schema.optionalKey(Counts),
  session_store: Schema.optionalKey(Schema.Struct({ status: Schema.String, error: Text })),
  http: Schema.optionalKey(Schema.Struct({ url: Schema.String, web_chat: Schema.Boolean })),
  agent: Schema.optionalKey(Schema.String),
  storage: Schema.optionalKey(Schema.String),
  restart_needed: Schema.optionalKey(Schema.Array(Schema.String)),
  links: Schema.optionalKey(
    Schema.Array(Schema.Struct({ name: Schema.String, platform: Schema.String, link: Schema.String }))
  ),
  platforms: Schema.optionalKey(
    Schema.Record(
      Schema.String,
      Schema.Struct({
        label: Schema.String,
        state: Schema.String,
        detail: Text,
        error_message: Text,
        settle: Text,
        reconnects: Schema.Number,
        last_in: Text,
        last_out: Text
      })
    )
  )
})
export type StateRecord = typeof StateRecord.Type
const decodeState = Schema.decodeUnknownOption(StateRecord)

/** Older than this, a state file of a running process says that it has stalled (`operations S1`). */
const staleAfter = 120_000

export interface Found {
  readonly running: boolean
  readonly pid: number | null
  /** What the last gateway of this home wrote down. */
  readonly state: StateRecord | null
  readonly age: number | null
}

/** Reads lock, pid file and state file of a home (`operations L1`–`L3`, S1). */
export const find = (home: HomePaths): Found => {
  const running = isHeld(home)
  const record = readRecord(home.pid)
  const decoded = decodeState(readJson(home.state))
  const state = decoded._tag === "Some" ? decoded.value : null
  const updatedAt = state === null ? NaN : Date.parse(state.updated_at)
  return {
    running,
    pid: running && record !== null && isLive(record, home.root) ? record.pid : null,
    state,
    age: Number.isNaN(updatedAt) ? null : Math.max(0, Date.now() - updatedAt)
  }
}

/** Whether the listener of a gateway answers, within two seconds. */
export const answers = (url: string): Effect.Effect<boolean> =>
  Effect.tryPromise((signal) => fetch(`${url}/health`, { signal })).pipe(
    Effect.timeout("2 seconds"),
    Effect.map(({ ok }) => ok),
    Effect.orElseSucceed(() => false)
  )

const since = (at: string | null): string => {
  const millis = at === null ? NaN : Date.now() - Date.parse(at)
  return Number.isNaN(millis) ? "-" : `${ago(millis)} ago`
}

const ago = (millis: number): string => {
  const seconds = Math.max(0, Math.round(Duration.toSeconds(millis)))
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`
}

const countsText = (counts: Readonly<Record<string, number>> | undefined): string =>
  Object.entries(counts ?? {})
    .map(([state, count]) => `${count} ${state}`)
    .join(", ") || "empty"

const headline = ({ age, pid, running, state }: Found): string => {
  if (!running) {
    if (state === null) return "not running"
    const why = state.exit_reason == null ? "" : `: ${Output.oneLine(state.exit_reason, 300)}`
    if (state.gateway_state === "startup_failed") return `not running; the last start failed${why}`
    if (state.gateway_state === "stopped") return why === "" ? "not running" : `not running; it ended${why}`
    const heard = age === null ? "at an unknown time" : `${ago(age)} ago`
    return `not running; it ended without a stop, last heard of ${heard}`
  }
  const who = pid === null ? "running" : `running (PID ${pid})`
  return age !== null && age > staleAfter ? `${who}, but stalled: nothing written for ${ago(age)}` : who
}

const text = (home: HomePaths, found: Found, listening: boolean): ReadonlyArray<string> => {
  const { running, state } = found
  const facts: Array<ReadonlyArray<string>> = [["home", home.root]]
  if (running && state !== null) {
    const { http } = state
    facts.push(["state", state.gateway_state], ["version", state.code_version ?? "-"])
    const waiting = state.restart_needed ?? []
    if (waiting.length > 0) facts.push(["", `restart needed for: ${waiting.join(", ")}`])
    if (http !== undefined) facts.push(["http", `${http.url} (${listening ? "answers" : "does not answer"})`])
    if (http?.web_chat === true) facts.push(["web chat", `${http.url}/`])
    facts.push(["agent", state.agent ?? "-"], ["storage", state.storage ?? "-"])
    if (state.session_store !== undefined && state.session_store.status !== "ok") {
      facts.push(["", `${state.session_store.status}: ${state.session_store.error ?? ""}`])
    }
    const { queued = 0, resident = 0, running: turns = 0 } = state.sessions ?? {}
    facts.push(["turns", `${turns} running, ${queued} queued, ${resident} sessions in memory`])
  }
  if (state !== null) facts.push(["inbox", countsText(state.inbox)], ["outbox", countsText(state.outbox)])
  const lines = [
    `switchboard ${version}: ${headline(found)}`,
    ...Output.table(facts.map(([name, ...rest]) => [`  ${name}`, ...rest]))
  ]
  const platforms = running ? Object.entries(state?.platforms ?? {}) : []
  if (platforms.length > 0) {
    lines.push(
      "",
      ...Output.table([
        ["  platform", "state", "unknown sends", "last in", "last out", "problem"],
        ...platforms.map(([name, platform]) => [
          `  ${name}`,
          platform.detail === null ? platform.state : `${platform.state} (${platform.detail})`,
          platform.settle ?? "-",
          since(platform.last_in),
          since(platform.last_out),
          Output.oneLine(platform.error_message ?? "-", 120)
        ])
      ])
    )
  }
  return lines
}

const status = Effect.fnUntraced(function* ({ json }: { readonly json: boolean }) {
  const home = yield* Globals.homePaths
  const found = find(home)
  const { running, state } = found
  const listening = running && state?.http !== undefined ? yield* answers(state.http.url) : false
  if (json) {
    yield* Output.json({
      running,
      pid: found.pid,
      home: home.root,
      busy: running && state?.gateway_state === "running" && (state.active_agents ?? 0) > 0,
      drainable: running && state?.gateway_state === "running",
      stalled: running && found.age !== null && found.age > staleAfter,
      http_answers: listening,
      state: readJson(home.state)
    })
  } else yield* Output.lines(text(home, found, listening))
  if (!running) return yield* new CommandFailed({ code: exitCode.notRunning, message: "" })
})

export const statusCommand = Command.make(
  "status",
  {
    json: Flag.Boolean("json").pipe(
      Flag.withoutNegation,
      Flag.withDefault(false),
      Flag.withDescription("One JSON document")
    )
  },
  status
).pipe(Command.withDescription("Say whether the gateway runs, and how it is; exit 3 when it does not run"))
