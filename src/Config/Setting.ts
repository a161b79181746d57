/**
 * What one setting is: its key in the file, its variable in the environment, its type, its default. Each room declares
 * its own beside the code that reads them; `Settings` resolves them. No value is read here.
 */
import { Duration, Effect, Redacted, Schema, SchemaGetter, SchemaIssue } from "effect"

/** How a raw value (text of the environment, JSON value of the file) becomes an `A`, and what was expected. */
export interface Kind<A> {
  readonly schema: Schema.Decoder<A>
  /** Completes the sentence "expected …". */
  readonly expected: string
  readonly secret: boolean
  /** A value that does not decode gives the default and a warning (`operations F5`); otherwise it is an error. */
  readonly lenient: boolean
}

export interface Setting<A> {
  /**
   * Dotted key in `config.yaml`, without `gateway.` (`operations F2`); `null` = environment only. A key of a platform
   * is `platforms.NAME.KEY`, and is found in every place that `operations F3` names.
   */
  readonly key: string | null
  /** Environment names, highest rank first. */
  readonly env: ReadonlyArray<string>
  readonly kind: Kind<A>
  readonly default: A
  readonly description: string
  /** Older or coarser keys that also set it, each with its own reading; asked only when nothing else sets it. */
  readonly alternatives: ReadonlyArray<{ readonly key: string; readonly kind: Kind<A> }>
  /** Follows the file while running (`operations F10`); every other setting keeps the value of the start. */
  readonly live: boolean
}

export const make = <A>(options: {
  readonly key?: string | undefined
  readonly env?: string | ReadonlyArray<string> | undefined
  readonly kind: Kind<A>
  readonly default: NoInfer<A>
  readonly description: string
  readonly alternatives?: ReadonlyArray<{ readonly key: string; readonly kind: Kind<A> }> | undefined
  readonly live?: boolean | undefined
}): Setting<A> => ({
  key: options.key ?? null,
  env: options.env === undefined ? [] : typeof options.env === "string" ? [options.env] : options.env,
  kind: options.kind,
  default: options.default,
  description: options.description,
  alternatives: options.alternatives ?? [],
  live: options.live ?? false
})

/** A kind of a room's own, from any decoder. `secret` values are shown nowhere. */
export const kind = <A>(
  schema: Schema.Decoder<A>,
  expected: string,
  options?: {
    readonly secret?: boolean | undefined
    readonly lenient?: boolean | undefined
  }
): Kind<A> => ({ schema, expected, secret: options?.secret ?? false, lenient: options?.lenient ?? false })

/** A kind from a plain function; `undefined` says that the value does not decode. */
export const coerce = <A>(
  expected: string,
  decode: (raw: unknown) => A | undefined,
  options?: { readonly secret?: boolean | undefined; readonly lenient?: boolean | undefined }
): Kind<A> =>
  kind(
    Schema.Unknown.pipe(
      Schema.decodeTo(
        Schema.declare<A>((_): _ is A => true),
        {
          decode: SchemaGetter.transformEffect((raw: unknown) => {
            const value = decode(raw)
            return value === undefined ? Effect.fail(new SchemaIssue.InvalidValue({ expected })) : Effect.succeed(value)
          }),
          encode: SchemaGetter.forbiddenEncoding
        }
      )
    ),
    expected,
    options
  )

/** The same kind, but what does not decode gives the default and a warning. */
export const lenient = <A>(strict: Kind<A>): Kind<A> => ({ ...strict, lenient: true })

/** The text a scalar stands for. Numbers of the file come as their digits, so an id loses none. */
const textOf = (raw: unknown): string | undefined => {
  switch (typeof raw) {
    case "string":
      return raw.trim()
    case "number":
    case "bigint":
    case "boolean":
      return String(raw)
    default:
      return undefined
  }
}

/** A finite number, or nothing; text that is no number is nothing (`operations F5`), so is a boolean. */
const numberOf = (raw: unknown): number | undefined => {
  if (typeof raw === "boolean") return undefined
  const text = textOf(raw)
  if (text === undefined || text === "") return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

export const text: Kind<string> = coerce("text", textOf)

/** Text as it stands, with its blanks. */
export const verbatim: Kind<string> = coerce("text", (raw) => (typeof raw === "string" ? raw : textOf(raw)))

/** Blank and `null` are nothing. */
export const optionalText: Kind<string | null> = coerce("text or nothing", (raw) =>
  raw === null ? null : textOf(raw) || null
)

const secretOf = (raw: unknown): Redacted.Redacted<string> | null | undefined => {
  if (raw === null || Redacted.isRedacted(raw)) return raw as Redacted.Redacted<string> | null
  const value = textOf(raw)
  return value === undefined ? undefined : value === "" ? null : Redacted.make(value)
}

/** Law 8: text that exists only as `Redacted`; blank is nothing. */
export const secret: Kind<Redacted.Redacted<string> | null> = coerce("a secret or nothing", secretOf, { secret: true })

/** A secret of at least `minLength` characters. */
export const longSecret = (minLength: number): Kind<Redacted.Redacted<string> | null> =>
  coerce(
    `a secret of ${minLength} characters or more, or nothing`,
    (raw) => {
      const value = secretOf(raw)
      return value && Redacted.value(value).length < minLength ? undefined : value
    },
    { secret: true }
  )

const booleanOf = (raw: unknown): boolean | undefined => {
  switch (textOf(raw)?.toLowerCase()) {
    case "true":
    case "1":
    case "yes":
    case "on":
      return true
    case "false":
    case "0":
    case "no":
    case "off":
      return false
    default:
      return undefined
  }
}

/** `operations F5`: `true 1 yes on` / `false 0 no off` in any case; anything else is the default. */
export const boolean: Kind<boolean> = coerce("true or false", booleanOf, { lenient: true })

/** A switch with three positions; `null` = not set, so that the reader can decide by other facts. */
export const optionalBoolean: Kind<boolean | null> = coerce(
  "true, false or nothing",
  (raw) => (raw === null ? null : booleanOf(raw)),
  { lenient: true }
)

interface Bounds {
  readonly min?: number | undefined
  readonly max?: number | undefined
}

const bounded = (value: number | undefined, bounds?: Bounds) =>
  value !== undefined && value >= (bounds?.min ?? -Infinity) && value <= (bounds?.max ?? Infinity) ? value : undefined

const between = (noun: string, bounds?: Bounds) => {
  const { max, min } = bounds ?? {}
  if (min !== undefined && max !== undefined) return `${noun} from ${min} to ${max}`
  return min !== undefined ? `${noun} of ${min} or more` : max !== undefined ? `${noun} of ${max} or less` : noun
}

/** A whole number; out of bounds or ill-typed is the default. */
export const int = (bounds?: Bounds): Kind<number> =>
  coerce(
    between("a whole number", bounds),
    (raw) => {
      const value = numberOf(raw)
      return Number.isSafeInteger(value) ? bounded(value, bounds) : undefined
    },
    { lenient: true }
  )

/** `operations F5`, "positive integer or nothing": `null`, 0 and negative are off. */
export const positiveInt: Kind<number | null> = coerce(
  "a whole number, or 0 for off",
  (raw) => {
    if (raw === null) return null
    const value = numberOf(raw)
    return value === undefined || !Number.isSafeInteger(value) ? undefined : value > 0 ? value : null
  },
  { lenient: true }
)

export const number = (bounds?: Bounds): Kind<number> =>
  coerce(between("a number", bounds), (raw) => bounded(numberOf(raw), bounds), { lenient: true })

/** A number of seconds as a Duration; below zero counts as zero. What zero means, the setting says. */
export const seconds: Kind<Duration.Duration> = coerce(
  "a number of seconds",
  (raw) => {
    if (Duration.isDuration(raw)) return raw
    const value = numberOf(raw)
    return value === undefined ? undefined : Duration.millis(Math.max(0, Math.round(value * 1000)))
  },
  { lenient: true }
)

/** One of the words, in any case. A file's boolean stands for `off`, and for `on` or else `auto` (`operations F5`). */
export const oneOf = <const A extends string>(words: ReadonlyArray<A>): Kind<A> =>
  coerce(words.map((word) => `"${word}"`).join(" or "), (raw) => {
    const wanted = raw === false ? ["off"] : raw === true ? ["on", "auto"] : [textOf(raw)?.toLowerCase()]
    return words.find((word) => wanted.includes(word.toLowerCase()))
  })

/** Commas or a list of the file; items are trimmed, empty ones dropped, ids keep all their digits. */
export const list: Kind<ReadonlyArray<string>> = coerce("a list, or text with commas", (raw) => {
  const items =
    raw === null
      ? []
      : Array.isArray(raw)
        ? raw.map(textOf)
        : textOf(raw)
            ?.split(",")
            .map((item) => item.trim())
  if (items === undefined || items.includes(undefined)) return undefined
  return items.filter((item): item is string => item !== undefined && item !== "")
})

/** A TCP port, 0 to 65535; 0 = any free one. A bad port is an error: listening elsewhere would be a silent surprise. */
export const port: Kind<number> = { ...int({ min: 0, max: 65535 }), expected: "a port from 0 to 65535", lenient: false }

/** Any structure of the file (a map of overrides, a list of entries), decoded by its reader's own schema. */
export const structure = <A>(schema: Schema.Decoder<A>, expected: string): Kind<A> => kind(schema, expected)
