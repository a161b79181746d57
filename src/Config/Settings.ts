/**
 * The configuration of this process: one decoded, immutable picture of file, environment and defaults, asked by the
 * rooms for the settings they declare. It never falls back in silence: what is not used is a problem with its place.
 */
import { Context, Duration, Effect, Layer, Redacted, Result, Schema, SubscriptionRef } from "effect"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ConfigError, type ConfigProblem } from "./ConfigError.ts"
import { homePath } from "./HomePath.ts"
import { redact } from "./Redact.ts"
import { isPlaceholder, registerSecret } from "./Secrets.ts"
import type { Kind, Setting } from "./Setting.ts"
import { find, given, OVERLAY, read, type Found, type Sources } from "./Sources.ts"
import { unknownKeys } from "./UnknownKeys.ts"

export interface Explanation {
  /** Redacted. */
  readonly value: string
  /** `environment GATEWAY_RELAY_URL`, `.env NAME`, `config.yaml:12`, `given`, `default`. */
  readonly origin: string
}

interface Resolved<A> {
  readonly value: A
  readonly found: Found | null
  readonly problem: ConfigProblem | null
}

const decoders = new WeakMap<object, (raw: unknown) => Result.Result<unknown, Schema.SchemaError>>()

const decode = <A>(kind: Kind<A>, raw: unknown): Result.Result<A, Schema.SchemaError> => {
  let decoder = decoders.get(kind)
  if (decoder === undefined) decoders.set(kind, (decoder = Schema.decodeUnknownResult(kind.schema)))
  return decoder(raw) as Result.Result<A, Schema.SchemaError>
}

const cut = (text: string) => (text.length > 80 ? `${text.slice(0, 77)}...` : text)

const show = (value: unknown): string => {
  if (value === null || value === undefined) return "(not set)"
  if (Redacted.isRedacted(value)) return "(secret)"
  if (Duration.isDuration(value)) return `${Duration.toSeconds(value)} s`
  if (typeof value === "string") return value
  if (typeof value === "object" && "_tag" in value) return String(value._tag)
  return (
    JSON.stringify(value, (_, inner: unknown) =>
      Redacted.isRedacted(inner) ? "(secret)" : typeof inner === "bigint" ? String(inner) : inner
    ) ?? typeof value
  )
}

const registerIfSecret = (setting: Setting<unknown>, raw: unknown) => {
  if (!setting.kind.secret) return
  if (typeof raw === "string") registerSecret(raw)
  else if (Redacted.isRedacted(raw)) registerSecret(String(Redacted.value(raw)))
}

/** The setting's own names first, then its alternatives. */
const locate = <A>(sources: Sources, setting: Setting<A>): { readonly found: Found; readonly kind: Kind<A> } | null => {
  const found = find(sources, setting.env, setting.key)
  if (found !== null) return { found, kind: setting.kind }
  for (const { key, kind } of setting.alternatives) {
    const other = find(sources, [], key)
    if (other !== null) return { found: other, kind }
  }
  return null
}

const resolve = <A>(sources: Sources, setting: Setting<A>): Resolved<A> => {
  const located = locate(sources, setting)
  if (located === null) return { value: setting.default, found: null, problem: null }
  const { found, kind } = located
  registerIfSecret(setting, found.raw)
  const decoded = decode(kind, found.raw)
  if (Result.isSuccess(decoded)) return { value: decoded.success, found, problem: null }
  // A key without a value is there and says nothing: it hides the lower ranks and means the default.
  if (found.raw === null) return { value: setting.default, found, problem: null }
  const fallback = kind.lenient ? `the default ${show(setting.default)} is used` : "correct it or remove it"
  return {
    value: setting.default,
    found,
    problem: {
      level: kind.lenient ? "warning" : "error",
      where: found.where,
      value: setting.kind.secret ? "(secret)" : redact(cut(`"${show(found.raw)}"`)),
      expected: kind.expected,
      fix: fallback
    }
  }
}

const blankOrPlaceholder = (setting: Setting<unknown>, { found, value }: Resolved<unknown>): ConfigProblem | null => {
  if (!setting.kind.secret || found === null || !Redacted.isRedacted(value)) return null
  const token = String(Redacted.value(value))
  if (!isPlaceholder(token)) return null
  return {
    level: "warning",
    where: found.where,
    value: `the placeholder "${token.slice(0, 6)}"`,
    expected: setting.kind.expected,
    fix: "put the real one there; until then what needs it stays off"
  }
}

export class Settings extends Context.Service<
  Settings,
  {
    /**
     * The value of highest rank, decoded (`operations F1`–`F5`). Fails when it does not decode and its kind is strict;
     * a lenient kind gives its default with one warning line.
     */
    readonly get: <A>(setting: Setting<A>) => Effect.Effect<A, ConfigError>
    /** The effective value and where it comes from (`operations F11`). */
    readonly explain: (setting: Setting<unknown>) => Explanation
    /** All that is wrong or suspicious, given every setting that the program knows. */
    readonly check: (settings: ReadonlyArray<Setting<unknown>>) => ReadonlyArray<ConfigProblem>
    /** Absolute path of the home. */
    readonly home: string
    /**
     * Reads everything anew (`operations F10`). A picture that does not decode is refused whole. After it `get` of a
     * live setting gives the new value; all others keep that of the start.
     */
    readonly reload: (settings: ReadonlyArray<Setting<unknown>>) => Effect.Effect<void, ConfigError>
    /**
     * The value as it is at each call: of a live setting the newest one that decodes, of any other that of the start.
     * For what must not wait, and for what outlives a reload.
     */
    readonly follow: <A>(setting: Setting<A>) => Effect.Effect<() => A, ConfigError>
    /** Logs what `check` finds of level `warning`, each thing once in the life of this process. */
    readonly report: (settings: ReadonlyArray<Setting<unknown>>) => Effect.Effect<void>
    /** Keys whose new value waits for a restart. */
    readonly restartNeeded: (settings: ReadonlyArray<Setting<unknown>>) => ReadonlyArray<string>
    /** Counts the reloads that were taken over; who waits for a change of live settings watches it. */
    readonly generation: SubscriptionRef.SubscriptionRef<number>
  }
>()("Config/Settings") {
  /** Reads `HOME/.env`, `HOME/config.yaml`, the environment and the administrator's overlay. */
  static readonly layer = (options?: {
    readonly home?: string | undefined
    readonly profile?: string | undefined
    readonly environment?: Readonly<Record<string, string | undefined>> | undefined
    readonly workingDirectory?: string | undefined
    readonly overlay?: string | undefined
  }): Layer.Layer<Settings, ConfigError> =>
    Layer.effect(
      Settings,
      Effect.suspend(() => {
        const environment = options?.environment ?? process.env
        const home = homePath({ home: options?.home, profile: options?.profile, environment })
        return makeSettings(home, () =>
          read({
            home,
            environment,
            workingDirectory: options?.workingDirectory ?? process.cwd(),
            overlay: options?.overlay ?? OVERLAY
          })
        )
      })
    )

  /**
   * Only the given values, by environment name or dotted key; for tests and embedding. No file and no environment is
   * read. `SWITCHBOARD_HOME` names the home, else a folder below the temporary one that nobody creates here.
   */
  static readonly layerFrom = (values: Readonly<Record<string, unknown>>): Layer.Layer<Settings> =>
    Layer.effect(
      Settings,
      Effect.orDie(
        Effect.suspend(() => {
          const named = values["SWITCHBOARD_HOME"]
          const home =
            typeof named === "string" ? homePath({ home: named }) : join(tmpdir(), `switchboard-${process.pid}`)
          return makeSettings(home, () => given(values))
        })
      )
    )
}

const makeSettings = Effect.fnUntraced(function* (home: string, load: () => Sources) {
  const loadChecked = Effect.suspend(() => {
    const sources = load()
    const errors = sources.problems.filter((problem) => problem.level === "error")
    return errors.length > 0 ? Effect.fail(new ConfigError({ problems: errors })) : Effect.succeed(sources)
  })
  const started = yield* loadChecked
  let current = started
  const generation = yield* SubscriptionRef.make(0)
  const told = new Set<string>()
  const sourcesOf = (setting: Setting<unknown>) => (setting.live ? current : started)
  const once = (key: string, line: Effect.Effect<void>) =>
    Effect.suspend(() => {
      if (told.has(key) || told.size > 10_000) return Effect.void
      told.add(key)
      return line
    })
  const warn = ({ expected, fix, value, where }: ConfigProblem) =>
    once(`${where} ${value}`, Effect.logWarning("configuration", { where, found: value, expected, fix }))
  const get = Effect.fnUntraced(function* <A>(setting: Setting<A>) {
    const { found, problem, value } = resolve(sourcesOf(setting), setting)
    if (found?.oldName) {
      const name = found.oldName
      yield* once(
        name,
        Effect.logInfo("old variable name is read", {
          variable: name,
          rename_to: name.replace("HERMES_", "SWITCHBOARD_")
        })
      )
    }
    if (problem === null) return value
    if (problem.level === "error") return yield* new ConfigError({ problems: [problem] })
    yield* warn(problem)
    return value
  })

  const follow = Effect.fnUntraced(function* <A>(setting: Setting<A>) {
    let value = yield* get(setting)
    let seen = current
    return () => {
      if (seen === current) return value
      seen = current
      // A reload that does not decode was refused whole; what it was not asked about keeps its old value.
      const { problem, value: next } = resolve(sourcesOf(setting), setting)
      if (problem?.level !== "error") value = next
      return value
    }
  })

  const problemsOf = (sources: Sources, settings: ReadonlyArray<Setting<unknown>>) => {
    const problems = [...sources.problems]
    for (const setting of settings) {
      const resolved = resolve(sources, setting)
      const problem = resolved.problem ?? blankOrPlaceholder(setting, resolved)
      if (problem !== null) problems.push(problem)
    }
    return [...problems, ...unknownKeys(sources, settings)]
  }

  return Settings.of({
    get,
    explain: (setting) => {
      const { found, problem, value } = resolve(sourcesOf(setting), setting)
      const origin = found === null || problem !== null ? "default" : found.origin
      return { value: redact(setting.kind.secret && value !== null ? "(secret)" : show(value)), origin }
    },
    check: (settings) => problemsOf(current, settings),
    follow,
    report: (settings) =>
      Effect.forEach(
        problemsOf(current, settings).filter(({ level }) => level === "warning"),
        warn,
        { discard: true }
      ),
    home,
    reload: Effect.fnUntraced(function* (settings) {
      const next = yield* loadChecked
      const errors = problemsOf(next, settings).filter((problem) => problem.level === "error")
      if (errors.length > 0) return yield* new ConfigError({ problems: errors })
      current = next
      yield* SubscriptionRef.update(generation, (n) => n + 1)
    }),
    restartNeeded: (settings) =>
      settings
        .filter((setting) => !setting.live)
        .filter((setting) => show(locate(started, setting)?.found.raw) !== show(locate(current, setting)?.found.raw))
        .map((setting) => setting.key ?? setting.env[0] ?? ""),
    generation
  })
})
