/** Commands that act on the gateway itself (`commands`, class h): platforms, restart, report. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Result } from "effect"
import { redact } from "../../Config/Redact.ts"
import { Settings } from "../../Config/Settings.ts"
import type { CommandDef, Run } from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"
import { GatewayControls } from "./GatewayControls.ts"

const platform: Run = Effect.fnUntraced(function* ({ args, row }) {
  const controls = yield* GatewayControls
  const platforms = controls.get("platforms")
  const pause = controls.get("pause")
  const resume = controls.get("resume")
  if (platforms === null || pause === null || resume === null) return { text: Said.dispatch.notHere("platform") }
  const [verb = "list", name = "", ...reason] = args.trim().split(/\s+/)
  const lower = name.toLowerCase()
  switch (verb.toLowerCase()) {
    case "":
    case "list":
      return { text: Said.operation.platforms(platforms()) }
    case "pause":
      if (name === "") break
      // Whoever pauses the platform they write on could never say that it is to go on.
      if (platforms().some((line) => line.name === lower && line.link === row.link)) {
        return { text: Said.operation.pausesItself(lower) }
      }
      return {
        text: (yield* pause(lower, reason.join(" "))) ? Said.operation.paused(lower) : Said.operation.noPlatform(name)
      }
    case "resume":
      if (name === "") break
      return { text: (yield* resume(lower)) ? Said.operation.resumed(lower) : Said.operation.noPlatform(name) }
  }
  return { text: Said.usage("platform", "list | pause NAME [REASON] | resume NAME") }
})

const restart: Run = Effect.fnUntraced(function* ({ row }) {
  const controls = yield* GatewayControls
  const restart = controls.get("restart")
  if (restart === null) return { text: Said.dispatch.notHere("restart") }
  const turns = controls.get("turns")?.().length ?? 0
  return {
    text: Said.operation.restarting(turns),
    later: Effect.map(restart(row), (begun) => (begun ? "" : Said.operation.restartUnderWay))
  }
})

/** What helps to find a fault; every line passes the redaction, and nothing of what people wrote is in it. */
const report = (lines: Readonly<Record<string, unknown>>): string =>
  redact(
    Object.entries(lines)
      .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
      .join("\n")
  )

const debug: Run = Effect.fnUntraced(function* ({ caller, now, offer, session }) {
  const { home } = yield* Settings
  const controls = yield* GatewayControls
  const text = report({
    time: Said.time(now),
    version: controls.get("version") ?? "unknown",
    node: process.version,
    system: `${process.platform} ${process.arch}`,
    "memory MiB": Math.round(process.memoryUsage().rss / 2 ** 20),
    "up for s": Math.round(process.uptime()),
    agent: offer.agent.name,
    conversation: session.route?.sessionId ?? null,
    waiting: session.queued,
    "running turns": controls.get("turns")?.().length ?? 0,
    platforms: controls.get("platforms")?.() ?? [],
    skills: offer.skills.map(({ name }) => name)
  })
  const folder = join(home, "logs")
  const file = join(folder, `debug-${new Date(now).toISOString().replaceAll(/[:.]/g, "-")}.txt`)
  const written = Result.try(() => {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(file, `${text}\n`, { mode: 0o600 })
  })
  if (Result.isFailure(written)) yield* Effect.logWarning("the report could not be written", String(written.failure))
  if (caller.scope !== "dm") return { text: Said.information.debugInDm }
  return { text: Result.isSuccess(written) ? `${Said.information.debugWritten(file)}\n\n${text}` : text }
})

const common = { aliases: [], group: "Information and operation", owner: "gateway", class: "host" } as const

export const operationCommands: ReadonlyArray<CommandDef> = [
  {
    ...common,
    name: "platform",
    args: "list | pause NAME [REASON] | resume NAME",
    help: "Show platforms, stop one, let it go on",
    surface: "chat",
    policy: "no",
    run: platform
  },
  {
    ...common,
    name: "restart",
    args: "",
    help: "Restart the gateway when running tasks have ended",
    surface: "chat",
    policy: "now",
    run: restart
  },
  { ...common, name: "debug", args: "", help: "Write a report for finding faults", policy: "no", run: debug }
]
