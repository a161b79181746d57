/**
 * How a command ends: its exit code (`operations`, the exit table) and the words for it. Every failure of every
 * command is turned into both here; what is printed never holds a secret.
 */
import { Cause, Schema } from "effect"
import { CliError } from "effect/cli"
import { SqlError } from "effect/sql"
import { ConfigError } from "../Config/ConfigError.ts"
import { redact } from "../Config/Redact.ts"
import { HomeError } from "../Operations/Home.ts"
import { HomeLocked, HomeLockError } from "../Operations/HomeLock.ts"
import { StorageError } from "../Storage/Database.ts"

export const exitCode = { ok: 0, defect: 1, misuse: 2, notRunning: 3, temporary: 75, configuration: 78 } as const

/** A command that did not do what it was asked, and knows why. An empty message prints nothing. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  code: Schema.Literals([1, 2, 3, 75, 78]),
  message: Schema.String
}) {}

export interface Ending {
  readonly code: number
  /** For standard error, redacted; empty = everything has been said. */
  readonly message: string
}

const storageCode = (error: StorageError): number => {
  switch (error.reason) {
    case "Unreachable":
    case "InUse":
    case "OlderSchema":
      return exitCode.temporary
    case "Refused":
    case "NewerSchema":
      return exitCode.configuration
    case "MigrationFailed":
      return exitCode.defect
  }
}

/** What answers again later, as far as the database tells. */
const passing: ReadonlySet<string> = new Set(["ConnectionError", "LockTimeoutError", "StatementTimeoutError"])

const ending = (error: unknown): Ending => {
  if (error instanceof CommandFailed) return { code: error.code, message: error.message }
  if (error instanceof ConfigError) return { code: exitCode.configuration, message: error.message }
  if (error instanceof HomeError) return { code: exitCode.configuration, message: error.message }
  if (error instanceof HomeLocked || error instanceof HomeLockError)
    return { code: exitCode.defect, message: error.message }
  if (error instanceof StorageError) return { code: storageCode(error), message: error.message }
  if (SqlError.isSqlError(error)) {
    return {
      code: passing.has(error.reason._tag) ? exitCode.temporary : exitCode.defect,
      message: `storage: ${error.message}`
    }
  }
  // The command line has explained itself beside its help.
  if (CliError.isCliError(error)) return { code: exitCode.misuse, message: "" }
  return { code: exitCode.defect, message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }
}

export const endingOf = (cause: Cause.Cause<unknown>): Ending => {
  if (Cause.hasInterruptsOnly(cause)) return { code: 130, message: "" }
  const { code, message } = Cause.hasDies(cause)
    ? { code: exitCode.defect, message: `defect: ${Cause.pretty(cause)}` }
    : ending(Cause.squash(cause))
  return { code, message: redact(message) }
}
