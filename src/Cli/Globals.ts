/** The flags that every command takes, and what they mean: which home, how much is logged. */
import { Effect, Layer, type LogLevel, Option } from "effect"
import { Flag, GlobalFlag } from "effect/cli"
import { homePath, isProfileName } from "../Config/HomePath.ts"
import { Settings } from "../Config/Settings.ts"
import { type HomePaths, paths } from "../Operations/Home.ts"
import { Log } from "../Operations/Log.ts"

export const Home = GlobalFlag.Setting("home")({
  flag: Flag.String("home").pipe(
    Flag.optional,
    Flag.withDescription("Folder of this gateway; default SWITCHBOARD_HOME, else ~/.switchboard"),
    Flag.withMetavar("DIR")
  )
})

export const Profile = GlobalFlag.Setting("profile")({
  flag: Flag.String("profile").pipe(
    Flag.withAlias("p"),
    Flag.filter(isProfileName, () => 'a profile is named with lower-case letters, digits, "_" and "-", at most 64'),
    Flag.optional,
    Flag.withDescription("Profile below the home"),
    Flag.withMetavar("NAME")
  )
})

export const Verbose = GlobalFlag.Setting("verbose")({
  flag: Flag.Boolean("verbose").pipe(
    Flag.withAlias("v"),
    Flag.withoutNegation,
    Flag.atLeast(0),
    Flag.withDescription("Log more to standard error: -v INFO, -vv DEBUG")
  )
})

export const Quiet = GlobalFlag.Setting("quiet")({
  flag: Flag.Boolean("quiet").pipe(
    Flag.withAlias("q"),
    Flag.withoutNegation,
    Flag.withDefault(false),
    Flag.withDescription("Log nothing to standard error")
  )
})

/** The library's own has the short name `-v`, which is ours for `--verbose`. */
export const Version = GlobalFlag.Action({
  flag: Flag.Boolean("version").pipe(
    Flag.withoutNegation,
    Flag.withDefault(false),
    Flag.withDescription("Show the version")
  ),
  run: (_, { version }) => Effect.sync(() => void process.stdout.write(`switchboard ${version}\n`))
})

/** Least level on standard error. */
export const level = Effect.gen(function* () {
  const verbose = (yield* Verbose).length
  return (
    (yield* Quiet) ? "None" : verbose >= 2 ? "Debug" : verbose === 1 ? "Info" : "Warn"
  ) satisfies LogLevel.LogLevel
})

const homeOptions = Effect.gen(function* () {
  return { home: Option.getOrUndefined(yield* Home), profile: Option.getOrUndefined(yield* Profile) }
})

/** The settings of the home that the flags name. */
export const settings = Layer.unwrap(Effect.map(homeOptions, (options) => Settings.layer(options)))

/** The names in that home, whether or not its configuration can be read. */
export const homePaths: Effect.Effect<HomePaths, never, Effect.Services<typeof homeOptions>> = Effect.map(
  homeOptions,
  (options) => paths(homePath(options))
)

/** For commands that do their work and end: settings, and a log on standard error alone. */
export const oneShot = Layer.unwrap(
  Effect.map(level, (standardError) => Log.layer({ standardError, files: false }))
).pipe(Layer.provideMerge(settings))
