/**
 * `config check | show | path` (`operations F11`): what is configured and where it comes from, without starting
 * anything.
 */
import { Effect, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { platformSettings } from "../Access/KnownSettings.ts"
import { type ConfigProblem, describe } from "../Config/ConfigError.ts"
import type { Setting } from "../Config/Setting.ts"
import { Settings } from "../Config/Settings.ts"
import { platformNames } from "../Message/Platform.ts"
import { chosenAgent } from "./Agents.ts"
import { CommandFailed, exitCode } from "./Exit.ts"
import * as Globals from "./Globals.ts"
import { decodeAll, knownSettings } from "./KnownSettings.ts"
import * as Output from "./Output.ts"

const json = Flag.Boolean("json").pipe(
  Flag.withoutNegation,
  Flag.withDefault(false),
  Flag.withDescription("One JSON document")
)

/** Everything that is wrong, warnings included; never fails. */
export const problemsOf = Effect.gen(function* () {
  const warnings = yield* decodeAll
  yield* chosenAgent
  return warnings
}).pipe(
  Effect.provide(Globals.settings),
  Effect.result,
  Effect.map((result): ReadonlyArray<ConfigProblem> =>
    Result.isSuccess(result) ? result.success : result.failure.problems
  )
)

const check = Command.make(
  "check",
  { json },
  Effect.fnUntraced(function* ({ json }) {
    const problems = yield* problemsOf
    const isOk = problems.every(({ level }) => level === "warning")
    if (json) yield* Output.json({ ok: isOk, problems })
    else {
      yield* Output.lines(problems.map(describe))
      if (isOk) yield* Output.line("the configuration is usable")
    }
    if (!isOk) return yield* new CommandFailed({ code: exitCode.configuration, message: "" })
  })
).pipe(Command.withDescription("Decode the configuration; exit 78 when it cannot be used"))

/** What each platform has, by name of the platform. */
const ofPlatforms: ReadonlySet<Setting<unknown>> = new Set(platformSettings(platformNames))

const nameOf = ({ env, key }: Setting<unknown>): string => key ?? env[0] ?? ""

const show = Command.make("show", { json }, ({ json }) =>
  Effect.gen(function* () {
    const settings = yield* Settings
    const isListed = ({ origin }: { readonly origin: string }, setting: Setting<unknown>) =>
      // Dozens of keys for each of two dozen platforms: only those that are set are worth a line.
      origin !== "default" || !(ofPlatforms.has(setting) || nameOf(setting).startsWith("platforms."))
    const rows = knownSettings
      .map((setting) => ({ setting, ...settings.explain(setting) }))
      .filter((row) => isListed(row, row.setting))
    if (json) {
      return yield* Output.json(
        rows.map(({ origin, setting, value }) => ({
          key: setting.key,
          env: setting.env,
          value,
          origin,
          description: setting.description
        }))
      )
    }
    yield* Output.lines(
      Output.table(
        rows.map(({ origin, setting, value }) => [nameOf(setting), Output.oneLine(value === "" ? '""' : value), origin])
      )
    )
  }).pipe(Effect.provide(Globals.settings))
).pipe(Command.withDescription("Print every effective value and where it comes from"))

const path = Command.make("path", {}, () =>
  Effect.flatMap(Globals.homePaths, ({ config }) => Output.line(config))
).pipe(Command.withDescription("Print the name of the configuration file"))

export const configCommand = Command.make("config").pipe(
  Command.withDescription("Check and show the configuration"),
  Command.withSubcommands([check, show, path])
)
