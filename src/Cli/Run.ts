/**
 * `run`: the gateway in the foreground, from the first look at its settings to the last line of its log (`operations
 * B1`, X1, X2). What it prints on standard output is for whoever starts it: where it listens.
 */
import { Context, Deferred, Duration, Effect, Layer, Schedule } from "effect"
import { Command } from "effect/cli"
import { AgentRestartDrainTimeout } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { operation } from "../Conversation/Commands/CommandTexts.ts"
import { GatewayControls } from "../Conversation/Commands/GatewayControls.ts"
import { Voice } from "../Conversation/Voice.ts"
import * as ExternalDrain from "../Operations/ExternalDrain.ts"
import { Lifecycle } from "../Operations/Lifecycle.ts"
import { Log } from "../Operations/Log.ts"
import { version } from "../Operations/Version.ts"
import { Supervisor } from "../Platforms/Supervisor.ts"
import { Database } from "../Storage/Database.ts"
import type { InboxRow } from "../Storage/Inbox.ts"
import { chosenAgent } from "./Agents.ts"
import { CommandFailed, exitCode } from "./Exit.ts"
import * as Globals from "./Globals.ts"
import { decodeAll, knownSettings } from "./KnownSettings.ts"
import * as Links from "./Links.ts"
import { Listener } from "./Listener.ts"
import * as Output from "./Output.ts"
import * as Server from "./Server.ts"
import * as Signals from "./Signals.ts"
import * as Successor from "./Successor.ts"

/** `operations X7`: on top of the drain timeout. */
const hardLimit = Duration.seconds(60)

/** `operations B2`, `R5`: completes when every link has failed for good. */
const allFatal = (supervisor: Supervisor["Service"]) =>
  Effect.sync(() => {
    const platforms = supervisor.view()
    return platforms.length > 0 && platforms.every(({ state }) => state.status === "fatal")
  }).pipe(
    Effect.repeat({ until: (fatal) => fatal, schedule: Schedule.spaced("1 second") }),
    Effect.as("fatal" as const)
  )

/** Ends the process when the stop does not come to its end by itself, whatever it hangs in. */
const endHard = (after: Duration.Duration, context: Context.Context<Log>) => () => {
  const seconds = Duration.toSeconds(after)
  const lastWords = Effect.logFatal("the stop took too long, ending without it", { seconds }).pipe(
    Effect.andThen(Effect.flatMap(Log, ({ flush }) => flush))
  )
  setTimeout(
    () => void Effect.runPromiseWith(context)(lastWords).finally(() => process.exit(exitCode.defect)),
    Duration.toMillis(after)
  ).unref()
}

const serve = Effect.gen(function* () {
  const settings = yield* Settings
  yield* decodeAll
  const agent = yield* chosenAgent
  const plan = yield* Links.plan
  const limit = Duration.sum(yield* settings.get(AgentRestartDrainTimeout), hardLimit)
  const signals = yield* Signals.listen(endHard(limit, yield* Effect.context<Log>()))
  yield* settings.report(knownSettings)

  const built = yield* Effect.raceFirst(Layer.build(Server.layer(plan, agent)), Effect.as(signals.first, null))
  if (built === null) return yield* Effect.logInfo("stopped before the start was over")
  const lifecycle = Context.get(built, Lifecycle)
  const listener = Context.get(built, Listener)
  const supervisor = Context.get(built, Supervisor)
  yield* Output.line(`listening on ${listener.url}`)
  if (yield* Effect.provideContext(Server.isChatOpen(plan), built)) yield* Output.line(`web chat: ${listener.url}/`)
  yield* Effect.logInfo("started", {
    version,
    home: settings.home,
    storage: Context.get(built, Database).describe,
    agent: agent.name,
    platforms:
      supervisor
        .view()
        .map(({ name }) => name)
        .join(", ") || "none",
    http: listener.url
  })

  yield* Effect.provideService(Layer.build(ExternalDrain.layer), Lifecycle, lifecycle)
  const wanted = yield* Deferred.make<InboxRow>()
  yield* Context.get(built, GatewayControls).provide({ restart: (asker) => Deferred.succeed(wanted, asker) })
  const reason = yield* Effect.raceAllFirst([
    signals.first,
    allFatal(supervisor),
    Effect.as(Deferred.await(wanted), "restart" as const)
  ])
  const startedAt = performance.now()
  yield* Effect.logInfo("stopping", { reason })
  yield* Effect.forkScoped(Effect.andThen(signals.second, lifecycle.hurry))
  yield* lifecycle.stop
  yield* Effect.logInfo("stopped", { reason, milliseconds: Math.round(performance.now() - startedAt) })
  if (reason === "restart") {
    const asker = yield* Deferred.await(wanted)
    const voice = Context.get(built, Voice)
    // The links are closed: it waits in the outbox, and whoever starts next says it.
    yield* voice
      .say(voice.occasion(asker, `restarted:${asker.id}`), { kind: "notice", text: operation.restarted })
      .pipe(Effect.catch((error) => Effect.logWarning("nobody will be told that the restart is over", error.message)))
    if (Successor.isManaged(process.env)) return yield* new CommandFailed({ code: exitCode.temporary, message: "" })
    return Successor.leave()
  }
  if (reason === "SIGUSR1") return yield* new CommandFailed({ code: exitCode.temporary, message: "" })
  if (reason === "fatal") {
    return yield* new CommandFailed({
      code: exitCode.configuration,
      message:
        "no platform can run: " +
        supervisor
          .view()
          .map(({ error, label, state }) => `${label}: ${error?.message ?? state.detail ?? state.status}`)
          .join("; ")
    })
  }
}).pipe(Effect.scoped)

/** For `run`, and for the program without a command. */
export const runGateway = Effect.flatMap(Globals.level, (standardError) =>
  serve.pipe(Effect.provide(Log.layer({ standardError })), Effect.provide(Globals.settings))
)

export const runCommand = Command.make("run", {}, () => runGateway).pipe(
  Command.withDescription("Run the gateway in the foreground"),
  Command.withAlias("start")
)
