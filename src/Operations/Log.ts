/**
 * The log of the process (`operations Z1`, `Z2`): every event one redacted line, on standard error and in `logs/`. No
 * fiber ever waits for it, and nothing is written that has not passed the redactor.
 */
import { write } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import {
  Cause,
  Context,
  Effect,
  Layer,
  Logger,
  LogLevel,
  References,
  Schedule,
  type Scope,
  Stream,
  SubscriptionRef
} from "effect"
import type { ConfigError } from "../Config/ConfigError.ts"
import * as LogLimit from "../Config/LogLimit.ts"
import {
  LoggingBackupCount,
  LoggingFormat,
  LoggingLevel,
  LoggingMaxSizeMb,
  SecurityRedactSecrets
} from "../Config/GatewaySettings.ts"
import { setRedaction } from "../Config/Redact.ts"
import { Settings } from "../Config/Settings.ts"
import * as LogFile from "./LogFile.ts"
import { format, type LogFormat } from "./LogLine.ts"
import * as LogSink from "./LogSink.ts"

const LEVELS: Record<string, LogLevel.LogLevel> = {
  TRACE: "Trace",
  DEBUG: "Debug",
  INFO: "Info",
  WARNING: "Warn",
  ERROR: "Error",
  CRITICAL: "Fatal",
  NONE: "None"
}

const MEGABYTE = 1024 * 1024
/** `operations Z1`: `errors.log` has its own size. */
const ERRORS = { maxBytes: 2 * MEGABYTE, backups: 2 }

const isAtLeast = LogLevel.isGreaterThanOrEqualTo

/** Standard error without blocking the event loop on a reader that has stopped. */
const writeStandardError = (lines: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const bytes = Buffer.from(lines)
    const from = (offset: number): void =>
      write(2, bytes, offset, bytes.length - offset, null, (error, written) => {
        if (error?.code === "EAGAIN") setTimeout(from, 10, offset)
        else if (error) reject(error)
        else if (offset + written < bytes.length) from(offset + written)
        else resolve()
      })
    from(0)
  })

interface Output {
  readonly sink: LogSink.LogSink
  readonly least: () => LogLevel.LogLevel
}

export interface LogOptions {
  /** Least level on standard error; `None` for `-q`. Absent: as `logging.level`. */
  readonly standardError?: LogLevel.LogLevel | undefined
  /** `false`: no files are written, as for one-shot commands. */
  readonly files?: boolean | undefined
}

export class Log extends Context.Service<
  Log,
  {
    /** Writes out what was logged so far; at most a second. Call it before a hard exit. */
    readonly flush: Effect.Effect<void>
    /** Lines lost since the start, over all outputs. */
    readonly dropped: Effect.Effect<number>
  }
>()("Operations/Log") {
  /** Replaces all loggers. Closing the layer flushes. */
  static readonly layer = (options?: LogOptions): Layer.Layer<Log, ConfigError, Settings> =>
    Layer.effectContext(make(options ?? {}))
}

const make = Effect.fnUntraced(function* (options: LogOptions) {
  const settings = yield* Settings
  const redacts = yield* settings.get(SecurityRedactSecrets)
  setRedaction(redacts)
  const shape = yield* settings.get(LoggingFormat)
  let least = LEVELS[yield* settings.get(LoggingLevel)]!
  const outputs = yield* openOutputs(
    options,
    settings.home,
    shape,
    {
      maxBytes: (yield* settings.get(LoggingMaxSizeMb)) * MEGABYTE,
      backups: yield* settings.get(LoggingBackupCount)
    },
    () => least
  )

  const logger = Logger.make<unknown, void>(({ cause, date, fiber, logLevel, message }) => {
    if (!outputs.some((output) => isAtLeast(logLevel, output.least()))) return
    const line = format(
      {
        at: date,
        level: logLevel,
        message,
        annotations: fiber.getRef(References.CurrentLogAnnotations),
        spans: fiber.getRef(References.CurrentLogSpans),
        cause
      },
      shape
    )
    for (const { least, sink } of outputs) if (isAtLeast(logLevel, least())) sink.offer(line)
  })

  const loggers = new Set<Logger.Logger<unknown, void>>([logger])
  const provided = Context.make(Logger.CurrentLoggers, loggers).pipe(
    // The logger itself decides, for `logging.level` may change while fibers run (`operations F10`).
    Context.add(References.MinimumLogLevel, "All")
  )
  yield* SubscriptionRef.changes(settings.generation).pipe(
    Stream.runForEach(() =>
      Effect.matchEffect(settings.get(LoggingLevel), {
        onSuccess: (level) => Effect.sync(() => (least = LEVELS[level]!)),
        onFailure: (error) => Effect.logWarning("logging.level stays as it was", error.message)
      })
    ),
    Effect.provideContext(provided),
    Effect.forkScoped
  )
  yield* LogLimit.sweep.pipe(
    Effect.repeat(Schedule.spaced("1 second")),
    Effect.provideContext(provided),
    Effect.forkScoped
  )
  if (!redacts) {
    yield* Effect.provideContext(Effect.logWarning("secrets are NOT masked: security.redact_secrets is off"), provided)
  }
  return Context.add(provided, Log, {
    flush: Effect.forEach(outputs, ({ sink }) => sink.flush, { concurrency: "unbounded", discard: true }),
    dropped: Effect.sync(() => outputs.reduce((sum, { sink }) => sum + sink.dropped(), 0))
  })
})

const openOutputs = Effect.fnUntraced(function* (
  options: LogOptions,
  home: string,
  shape: LogFormat,
  size: { readonly maxBytes: number; readonly backups: number },
  least: () => LogLevel.LogLevel
): Effect.fn.Return<ReadonlyArray<Output>, never, Scope.Scope> {
  const dropLine = (count: number) =>
    format(
      {
        at: new Date(),
        level: "Warn",
        message: ["log lines were lost", { count }],
        annotations: { logger: "log" },
        spans: [],
        cause: Cause.empty
      },
      shape
    )
  const open = (write: (lines: string) => Promise<void>, close: () => Promise<void>) =>
    LogSink.make({ write, close, dropLine })
  const outputs: Array<Output> = []
  if (options.standardError !== "None") {
    const sink = yield* open(writeStandardError, () => Promise.resolve())
    outputs.push({ sink, least: () => options.standardError ?? least() })
  }
  if (options.files !== false) {
    const folder = join(home, "logs")
    yield* Effect.promise(() =>
      mkdir(folder, { recursive: true, mode: 0o700 }).then(
        () => undefined,
        () => undefined
      )
    )
    const file = (name: string, limits: { readonly maxBytes: number; readonly backups: number }) => {
      const { close, write } = LogFile.make({ path: join(folder, name), ...limits })
      return open(write, close)
    }
    outputs.push({ sink: yield* file("gateway.log", size), least })
    const errors = yield* file("errors.log", ERRORS)
    outputs.push({ sink: errors, least: () => (isAtLeast(least(), "Warn") ? least() : "Warn") })
  }
  return outputs
})
